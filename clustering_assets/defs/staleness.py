"""What is up to date, judged by what was recorded and by what really lies in the output."""

import logging
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from pathlib import Path

import dagster as dg
import pandas as pd

from clustering_assets.defs.data_versions import expected_version
from clustering_assets.defs.io_managers.base import OUTPUT
from clustering_assets.defs.records import (
    PUBLISHED,
    VIDEOS,
    latest_videos,
    made_there,
    noted,
    recorded_digest,
    recorded_version,
    tries_of_video,
)
from clustering_assets.files import image_source
from clustering_assets.files.source import FoundFile
from clustering_assets.integrity import State
from clustering_assets.outputs import Outputs, files_of
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
    current = recorded_version(instance, spec.key) == expected_version(instance, spec, settings)
    return current and is_as_made(instance, spec, Outputs(settings.output))


def files_made(instance: dg.DagsterInstance, spec: dg.AssetSpec, outputs: Outputs) -> list[str]:
    """Names below the output of all files of an unpartitioned asset, as it was made last in this output."""
    name = spec.metadata[OUTPUT]
    hashes = made_there(instance, spec.key, outputs.path(name)).get(PUBLISHED)
    return list(dict.fromkeys((*files_of(name), *(hashes if isinstance(hashes, dict) else ()))))


def is_as_made(instance: dg.DagsterInstance, spec: dg.AssetSpec, outputs: Outputs) -> bool:
    """Whether the files of an unpartitioned asset are whole, and those made last, if that was in this output."""
    name = spec.metadata[OUTPUT]
    facts = made_there(instance, spec.key, outputs.path(name))
    rows, hashes = facts.get("dagster/row_count"), facts.get(PUBLISHED)
    return is_whole(
        outputs,
        name,
        rows if isinstance(rows, int) else None,
        hashes if isinstance(hashes, dict) else None,
    )


def follows_upstream(instance: dg.DagsterInstance, asset: dg.AssetKey) -> bool:
    """Whether an asset was made from the versions that were last recorded of what lies upstream of it."""
    return bool(_used(instance, asset)) and not changed_upstream(instance, asset)


def changed_upstream(instance: dg.DagsterInstance, asset: dg.AssetKey) -> list[str]:
    """Names of the assets upstream that have been made anew, and otherwise, since an asset was made from them."""
    return [
        name
        for name, version in _used(instance, asset).items()
        if recorded_version(instance, dg.AssetKey.from_user_string(name)) != version
    ]


def _used(instance: dg.DagsterInstance, asset: dg.AssetKey) -> dict[str, str]:
    """The version of each asset upstream that an asset was made from, by name."""
    event = instance.get_latest_materialization_event(asset)
    made = event.asset_materialization if event else None
    return {
        tag.removeprefix(INPUT_VERSION_TAG): version
        for tag, version in ((made.tags or {}) if made else {}).items()
        if tag.startswith(INPUT_VERSION_TAG)
    }


def changes(table: pd.DataFrame | None, files: Iterable[FoundFile]) -> dict[str, int]:
    """How many files of a folder are new, changed or gone since it was looked at.

    Args:
        table: What was found: `path`, `bytes`, `mtime_ns` and `outcome`; None: nothing. Nobody misses a rejected file
            that is gone.
        files: What is there.
    """
    now = {file.path: [file.bytes, file.mtime_ns] for file in files}
    if table is None:
        return {"new": len(now)}
    known = {path: facts for path, *facts in table[["path", "bytes", "mtime_ns"]].to_numpy(object).tolist()}
    gone = set(table.loc[table["outcome"] != "rejected", "path"]) - now.keys()
    return {
        "new": len(now.keys() - known.keys()),
        "changed": sum(path in known and known[path] != facts for path, facts in now.items()),
        "gone": len(gone),
    }


def news(table: pd.DataFrame, files: Iterable[FoundFile]) -> str:
    """How a folder differs from what was found there, such as "3 new, 1 changed"; empty if it does not."""
    return worded(changes(table, files))


def worded(counts: Mapping[str, int]) -> str:
    """Changes in words."""
    return ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)


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
    latest = latest_videos(instance, wanted)
    return out_of_date(
        {key: recipe.digest for key, recipe in wanted.items()},
        made={key: recorded_digest(event) for key, event in latest.items()},
        present=[
            key
            for key, recipe in wanted.items()
            if _is_there(recipe, _left_out(latest.get(key)), instance, outputs, settings)
        ],
    )


def _is_there(
    recipe: Recipe,
    failures: list[list[str]],
    instance: dg.DagsterInstance,
    outputs: Outputs,
    settings: Settings,
) -> bool:
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
    if read_digest(path) not in (recipe.digest, digest_of_what_is_left(recipe.digest, failures)):
        return False
    if not failures:
        return True
    tries = tries_of_video(instance, recipe.key, REPAIRS)
    in_vain = [recorded_digest(event) == recipe.digest and bool(_left_out(event)) for event in tries]
    if len(tries) == REPAIRS and all(in_vain):
        return True
    return not readable_again(failures, image_source(settings), limits=settings.limits)


def _left_out(event: dg.EventLogEntry | None) -> list[list[str]]:
    """Path, stage and reason of what had to be left out of a video."""
    return noted(event).get("failures", [])


def holds_video(recipe: Recipe, outputs: Outputs) -> bool:
    """Whether the output holds the very video that the recipe describes, whatever Dagster knows of it."""
    from clustering_assets.video.verify import is_whole as is_whole_video

    path = outputs.existing_video(recipe.key)
    return path is not None and is_whole_video(path, recipe.digest, outputs)


def bring_back_videos(wanted: Mapping[str, Recipe], outputs: Outputs) -> None:
    """Move back the videos that were set aside when their cluster went, and are what it would get now that it is back.

    Args:
        wanted: What each cluster's video shall be made of, by partition key.
        outputs: Where the videos are.
    """
    from clustering_assets.video.verify import is_whole as is_whole_video

    for key, recipe in wanted.items():
        if outputs.existing_video(key) is not None:
            continue
        place = outputs.video(key, music=bool(recipe.track))
        aside = outputs.earlier_video(place.name)
        if aside.is_file() and is_whole_video(aside, recipe.digest, outputs):
            move(aside, place)
            outputs.records.moved(outputs.name_of(aside), outputs.name_of(place))


def confirm_videos(instance: dg.DagsterInstance, keys: Collection[str]) -> None:
    """Record that the videos of clusters would be the same if they were made from what lies upstream now.

    Dagster compares the versions of whole upstream tables, and would show every video as out of date when a picture of
    one cluster is new.

    Args:
        instance: Where it is recorded.
        keys: Clusters whose latest video has the digest of its present recipe.
    """
    now = cache(lambda name: recorded_version(instance, dg.AssetKey.from_user_string(name)))
    for event in latest_videos(instance, keys).values():
        made = event.asset_materialization
        if made is None:
            continue
        tags = dict(made.tags or {})
        for tag in tags:
            if tag.startswith(INPUT_VERSION_TAG):
                tags[tag] = now(tag.removeprefix(INPUT_VERSION_TAG)) or tags[tag]
        if tags == made.tags:
            continue
        instance.report_runless_asset_event(
            dg.AssetMaterialization(
                VIDEOS,
                partition=made.partition,
                description="The same pictures, track and settings as before: the video is kept.",
                metadata={**made.metadata, "rendered": False},
                tags=tags,
            )
        )
