"""Everything that Dagster knows of this project."""

import dagster as dg

from clustering_assets import checks, imports, jobs, sensors
from clustering_assets.assets import clusters, dataset, embeddings, music, reports, videos
from clustering_assets.resources import environment_settings, project_resources

defs = dg.Definitions(
    assets=dg.load_assets_from_modules(
        [dataset, embeddings, clusters, music, videos, reports], include_specs=True
    ),
    asset_checks=dg.load_asset_checks_from_modules([checks]),
    jobs=[
        jobs.cluster_images,
        jobs.render_videos,
        jobs.refresh_report,
        imports.import_from_kaggle,
        imports.import_from_openimages,
    ],
    sensors=[sensors.new_images_sensor, sensors.cluster_videos_sensor],
    resources=project_resources(environment_settings()),
    executor=dg.in_process_executor,
)
"""The code location. Steps run in one process: the work inside each step uses all cores already."""
