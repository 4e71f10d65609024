"""The jobs: one click each in the UI, and what the sensors ask for."""

import dagster as dg

UNPARTITIONED = dg.AssetSelection.all() - dg.AssetSelection.assets("cluster_videos")

TABLES = {"clustering_assets/writes": "tables"}
"""Tag of runs that write the same files; `dagster.yaml` lets one of them run at a time."""

cluster_images = dg.define_asset_job(
    "cluster_images",
    selection=UNPARTITIONED,
    tags=TABLES,
    description="Everything but the videos: list, analyse, embed and cluster the pictures, choose the music, report. "
    "As long as there are no videos, Dagster asks whether you are sure: confirm.",
)

render_videos = dg.define_asset_job(
    "render_videos",
    selection=dg.AssetSelection.assets("cluster_videos"),
    description="The video of each cluster that is chosen; choose the clusters in the launch dialog.",
)

refresh_report = dg.define_asset_job(
    "refresh_report",
    selection=dg.AssetSelection.assets("ledger", "gallery", "summary_report"),
    tags=TABLES,
    description="Ledger, gallery and summary again, once the videos are there.",
)
