"""Everything that Dagster knows of this project."""

from typing import Any

import dagster as dg

from clustering_assets.defs import checks, import_jobs, jobs, sensors
from clustering_assets.defs.assets import clusters, dataset, embeddings, music, reports, videos
from clustering_assets.defs.io_managers.array import ArrayIO
from clustering_assets.defs.io_managers.figure import FigureIO
from clustering_assets.defs.io_managers.page import PageIO
from clustering_assets.defs.io_managers.table import TableIO
from clustering_assets.defs.io_managers.text import TextIO
from clustering_assets.defs.io_managers.video import VideoIO
from clustering_assets.defs.resources import environment_settings, settings_type
from clustering_assets.settings import Settings


def project_resources(settings: Settings) -> dict[str, Any]:
    """Every resource of the project by key, for `Definitions` and for tests.

    Args:
        settings: The values that hold where the run config says nothing.
    """
    shared = settings_type(settings).configure_at_launch()
    return {
        "settings": shared,
        "table_io": TableIO(settings=shared),
        "array_io": ArrayIO(settings=shared),
        "figure_io": FigureIO(settings=shared),
        "text_io": TextIO(settings=shared),
        "page_io": PageIO(settings=shared),
        "video_io": VideoIO(settings=shared),
    }


defs = dg.Definitions(
    assets=dg.load_assets_from_modules(
        [dataset, embeddings, clusters, music, videos, reports], include_specs=True
    ),
    asset_checks=dg.load_asset_checks_from_modules([checks]),
    jobs=[
        jobs.cluster_images,
        jobs.render_videos,
        jobs.refresh_report,
        import_jobs.import_from_kaggle,
        import_jobs.import_from_openimages,
    ],
    sensors=[sensors.new_images_sensor, sensors.cluster_videos_sensor],
    resources=project_resources(environment_settings()),
    executor=dg.in_process_executor,
)
"""The code location. Steps run in one process: the work inside each step uses all cores already."""
