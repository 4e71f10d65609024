"""Everything that Dagster knows of this project."""

import logging
from typing import Any

import dagster as dg

from clustering_assets.defs import import_jobs, jobs, news_job
from clustering_assets.defs.graph import ASSETS, project_assets
from clustering_assets.defs.io_managers.array import ArrayIO
from clustering_assets.defs.io_managers.reports import FigureIO, PageIO, TextIO
from clustering_assets.defs.io_managers.table import TableIO
from clustering_assets.defs.io_managers.video import FilmIO, VideoIO
from clustering_assets.defs.resources import settings_type
from clustering_assets.defs.sensors import project_sensors
from clustering_assets.settings import Settings, load_settings, unknown_variables

log = logging.getLogger("clustering_assets")


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
        "film_io": FilmIO(settings=shared),
    }


def make_definitions(settings: Settings) -> dg.Definitions:
    """The code location: assets, checks, jobs, sensors and resources.

    Steps run in one process: the work inside each step uses all cores already.

    Args:
        settings: The values that hold where the run config says nothing, and whether the sensors are on.
    """
    own = [
        jobs.with_launchpad(job, settings)
        for job in (jobs.cluster_images, jobs.render_videos, jobs.refresh_report)
    ]
    return dg.Definitions(
        assets=project_assets(),
        asset_checks=dg.load_asset_checks_from_package_name(ASSETS),
        jobs=[
            *own,
            jobs.make_film,
            news_job.make_whats_new,
            import_jobs.import_from_kaggle,
            import_jobs.import_from_openimages,
        ],
        sensors=project_sensors(settings, *own),
        resources=project_resources(settings),
        executor=dg.in_process_executor,
        metadata={
            name: dg.MetadataValue.text(getattr(settings, name)) for name in ("output", "images", "music")
        },
    )


@dg.definitions
def defs() -> dg.Definitions:
    """What Dagster loads: the code location with the settings that the environment and `.env` give."""
    for line in unknown_variables():
        log.warning("%s", line)
    return make_definitions(load_settings())
