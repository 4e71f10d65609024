"""The jobs: one click each in the UI, and what the sensors ask for."""

import dagster as dg

from clustering_assets.defs.records import VIDEOS

TABLES = {".dagster/clustering_assets.writes": "tables"}
"""Tag of runs that write the same files; `dagster.yaml` lets one of them run at a time. Tags that begin with
`.dagster/` are for programs, and the UI does not show them."""

DIGEST_TAG = ".dagster/clustering_assets.digest"
"""Tag of a run that renders a video: the digest of what the video is made of."""

cluster_images = dg.define_asset_job(
    "cluster_images",
    selection=dg.AssetSelection.all() - dg.AssetSelection.assets(VIDEOS),
    tags=TABLES,
    description="Everything but the videos: list, analyse, embed and cluster the pictures, choose the music, report. "
    "As long as there are no videos, Dagster asks whether you are sure: confirm.",
)

render_videos = dg.define_asset_job(
    "render_videos",
    selection=dg.AssetSelection.assets(VIDEOS),
    description="The video of each cluster that is chosen; choose the clusters in the launch dialog.",
)

refresh_report = dg.define_asset_job(
    "refresh_report",
    selection=dg.AssetSelection.assets(VIDEOS).downstream(include_self=False),
    tags=TABLES,
    description="Ledger, gallery and summary again, once the videos are there.",
)
