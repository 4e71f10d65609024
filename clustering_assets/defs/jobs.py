"""The jobs: one click each in the UI, and what the sensors ask for."""

from collections.abc import Iterator, Mapping, Sequence

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from clustering_assets.defs.records import FILM, VIDEOS
from clustering_assets.settings import Settings

TABLES = {".dagster/clustering_assets.writes": "tables"}
"""Tag of runs that write the same files; `dagster.yaml` lets one of them run at a time. Tags that begin with
`.dagster/` are for programs, and the UI does not show them."""

DIGEST_TAG = ".dagster/clustering_assets.digest"
"""Tag of a run that renders a video: the digest of what the video is made of. A run that renders several has one for
each, with a dot and the partition key behind, and renders no others of its range."""

FIRST_TAG, LAST_TAG = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
"""Tags of a run of several partitions: the first and the last of them."""

EVERY = "all_clusters"
"""Partition key that stands for every cluster, as long as none is known: with it "Materialize all" makes everything."""

MOST_VIDEOS = 50
"""How many videos a run renders at most."""


LAUNCHED_WITH = {
    "cluster_images": ("images", "music", "clusters", "group_by", "min_images"),
    "render_videos": ("resolution", "shape", "length", "max_images_per_video"),
}
"""The settings that the Launchpad of a job begins with."""


def with_launchpad(job: UnresolvedAssetJobDefinition, settings: Settings) -> UnresolvedAssetJobDefinition:
    """A job whose Launchpad shows the few settings that matter first, as they are in force; all others may be added."""
    config = {name: getattr(settings, name) for name in LAUNCHED_WITH.get(job.name, ())}
    return dg.define_asset_job(
        job.name,
        selection=job.selection,
        tags=job.tags,
        description=job.description,
        config={"resources": {"settings": {"config": config}}} if config else None,
    )


def digest_tag(key: str) -> str:
    """The tag for the digest of one of several videos of a run."""
    return f"{DIGEST_TAG}.{key}"


def due_keys(tags: Mapping[str, str], known: Sequence[str]) -> list[str]:
    """Partition keys of the videos that a run with these tags renders; `known` has all keys in Dagster's order."""
    keys = partition_keys(tags, known)
    return [key for key in known if key != EVERY] if EVERY in keys else keys


def partition_keys(tags: Mapping[str, str], known: Sequence[str]) -> list[str]:
    """Partition keys of a run with these tags, `EVERY` among them where it is asked for."""
    if "dagster/partition" in tags:
        return [tags["dagster/partition"]]
    if named := [name.removeprefix(digest_tag("")) for name in tags if name.startswith(digest_tag(""))]:
        return [*(key for key in known if key in named), *(key for key in named if key not in known)]
    if tags.get(FIRST_TAG) in known and tags.get(LAST_TAG) in known:
        return list(known[known.index(tags[FIRST_TAG]) : known.index(tags[LAST_TAG]) + 1])
    return []


def render_runs(
    digests: Mapping[str, str], known: Sequence[str]
) -> Iterator[tuple[str | None, dict[str, str]]]:
    """The runs that render videos: partition key (None for several videos) and tags of each.

    Args:
        digests: Digest of what each video is made of, by partition key.
        known: All partition keys in the order in which Dagster knows them.
    """
    keys = [key for key in known if key in digests]
    for start in range(0, len(keys), MOST_VIDEOS):
        some = keys[start : start + MOST_VIDEOS]
        if len(some) == 1:
            yield some[0], {DIGEST_TAG: digests[some[0]]}
        else:
            tags = {digest_tag(key): digests[key] for key in some}
            yield None, {FIRST_TAG: some[0], LAST_TAG: some[-1], **tags}


cluster_images = dg.define_asset_job(
    "cluster_images",
    selection=dg.AssetSelection.all() - dg.AssetSelection.assets(VIDEOS, FILM),
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
    selection=dg.AssetSelection.assets(VIDEOS).downstream(include_self=False)
    - dg.AssetSelection.assets(FILM),
    tags=TABLES,
    description="Ledger, gallery and summary again, once the videos are there.",
)

MAKE_FILM = "make_film"

make_film = dg.define_asset_job(
    MAKE_FILM,
    selection=dg.AssetSelection.assets(FILM),
    description="One film of all videos that are there.",
)
