"""What is up to date, judged by what was recorded and by what really lies in the output."""

import logging
from collections.abc import Mapping
from pathlib import Path

import dagster as dg

from clustering_assets.defs.data_versions import expected_version
from clustering_assets.defs.io_managers.base import OUTPUT, PUBLISHED
from clustering_assets.defs.records import (
    VIDEOS,
    latest_video,
    latest_videos,
    noted,
    recorded,
    recorded_digest,
    recorded_version,
)
from clustering_assets.files import file_source
from clustering_assets.integrity import State
from clustering_assets.outputs import Outputs
from clustering_assets.results import is_whole
from clustering_assets.settings import Settings
from clustering_assets.storage import move
from clustering_assets.video.recipe import Recipe, out_of_date

log = logging.getLogger("clustering_assets.outputs")

REPAIRS = 3
"""How often in a row a video may be made with something missing before it is left as it is."""

INPUT_VERSION_TAG = "dagster/input_data_version/"
"""Where Dagster notes the version of what an asset was made from; the key of that asset follows."""


def is_current(instance: dg.DagsterInstance, spec: dg.AssetSpec, settings: Settings) -> bool:
    """Whether an unpartitioned asset was made from what lies upstream now, and its files are whole."""
    if recorded_version(instance, spec.key) != expected_version(instance, spec, settings):
        return False
    rows, hashes = (
        recorded(instance, spec.key.to_user_string(), name) for name in ("dagster/row_count", PUBLISHED)
    )
    return is_whole(
        Outputs(settings.output),
        spec.metadata[OUTPUT],
        rows if isinstance(rows, int) else None,
        hashes if isinstance(hashes, dict) else None,
    )


def follows_upstream(instance: dg.DagsterInstance, asset: dg.AssetKey) -> bool:
    """Whether an asset was made from the versions that were last recorded of what lies upstream of it."""
    event = instance.get_latest_materialization_event(asset)
    made = event.asset_materialization if event else None
    used = {
        tag.removeprefix(INPUT_VERSION_TAG): version
        for tag, version in ((made.tags or {}) if made else {}).items()
        if tag.startswith(INPUT_VERSION_TAG)
    }
    return bool(used) and all(
        recorded_version(instance, dg.AssetKey.from_user_string(name)) == version
        for name, version in used.items()
    )


def videos_due(
    instance: dg.DagsterInstance, wanted: Mapping[str, Recipe], settings: Settings
) -> tuple[str, ...]:
    """Keys of the videos that are missing or out of date, in the order of `wanted`.

    Args:
        instance: Where videos are recorded.
        wanted: What each cluster's video shall be made of, by partition key.
        settings: The settings in force.
    """
    outputs = Outputs(settings.output)
    latest = {key: latest_video(instance, key) for key in wanted}
    return out_of_date(
        {key: recipe.digest for key, recipe in wanted.items()},
        made={key: recorded_digest(event) for key, event in latest.items()},
        present=[key for key in wanted if _is_there(wanted[key], instance, outputs, settings)],
    )


def _is_there(recipe: Recipe, instance: dg.DagsterInstance, outputs: Outputs, settings: Settings) -> bool:
    """Whether the output holds the video that the recipe describes, as whole as it can be made now.

    What was recorded may be about the video of another output; a file may have been cut short or replaced. One without
    a record counts as missing: it is looked at when its turn comes, and kept if it is whole.
    """
    from clustering_assets.video.encode import read_digest
    from clustering_assets.video.omissions import digest_of_what_is_left, readable_again

    path = outputs.existing_video(recipe.key)
    if path is None:
        return False
    if (state := outputs.records.state(outputs.name_of(path))) is not State.WHOLE:
        if state is State.DAMAGED:
            log.warning("%s %s: it is made anew", path, state.value)
        return False
    if not isinstance(path, Path):
        return True  # on an object store, what was recorded has to do
    tries = latest_videos(instance, recipe.key, REPAIRS)
    failures = _left_out(tries[0]) if tries else []
    if read_digest(path) not in (recipe.digest, digest_of_what_is_left(recipe.digest, failures)):
        return False
    in_vain = [recorded_digest(event) == recipe.digest and bool(_left_out(event)) for event in tries]
    if len(tries) == REPAIRS and all(in_vain):
        return True
    return not readable_again(failures, file_source(settings.images, "images"), limits=settings.limits)


def _left_out(event: dg.EventLogEntry) -> list[list[str]]:
    """Path, stage and reason of what had to be left out of a video."""
    return noted(event).get("failures", [])


def holds_video(recipe: Recipe, outputs: Outputs) -> bool:
    """Whether the output holds the very video that the recipe describes, whatever Dagster knows of it."""
    from clustering_assets.video.verify import is_whole as is_whole_video

    path = outputs.existing_video(recipe.key)
    return path is not None and is_whole_video(path, recipe.digest, outputs)


def bring_back_videos(wanted: Mapping[str, Recipe], outputs: Outputs) -> list[str]:
    """Move back the videos that were set aside when their cluster went, and are what it would get now that it is back.

    Args:
        wanted: What each cluster's video shall be made of, by partition key.
        outputs: Where the videos are.

    Returns:
        Keys of the clusters whose video is back.
    """
    from clustering_assets.video.verify import is_whole as is_whole_video

    found = []
    for key, recipe in wanted.items():
        if outputs.existing_video(key) is not None:
            continue
        place = outputs.video(key, music=bool(recipe.track))
        aside = outputs.earlier_video(place.name)
        if aside.is_file() and is_whole_video(aside, recipe.digest, outputs):
            move(aside, place)
            outputs.records.moved(outputs.name_of(aside), outputs.name_of(place))
            found.append(key)
    return found


def confirm_video(instance: dg.DagsterInstance, key: str) -> bool:
    """Record that the video of a cluster would be the same if it were made from what lies upstream now.

    Dagster compares the versions of whole upstream tables, and would show every video as out of date when a picture of
    one cluster is new.

    Args:
        instance: Where it is recorded.
        key: Cluster whose latest video has the digest of its present recipe.

    Returns:
        Whether there was anything to record.
    """
    event = latest_video(instance, key)
    made = event.asset_materialization if event else None
    if made is None:
        return False
    tags = dict(made.tags or {})
    for tag in tags:
        if tag.startswith(INPUT_VERSION_TAG):
            upstream = dg.AssetKey.from_user_string(tag.removeprefix(INPUT_VERSION_TAG))
            tags[tag] = recorded_version(instance, upstream) or tags[tag]
    if tags == made.tags:
        return False
    instance.report_runless_asset_event(
        dg.AssetMaterialization(
            VIDEOS,
            partition=key,
            description="The same pictures, track and settings as before: the video is kept.",
            metadata={**made.metadata, "rendered": False},
            tags=tags,
        )
    )
    return True
