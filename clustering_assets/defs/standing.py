"""How everything stands: what is done, what is stale, what is missing, and why. Nothing is made."""

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import dagster as dg

from clustering_assets.clustering.keys import is_key
from clustering_assets.defs.data_versions import USES, expected_version
from clustering_assets.defs.estimate import (
    Estimate,
    estimate,
    known_videos,
    pictures_to_embed,
    unknown_videos,
)
from clustering_assets.defs.graph import project_specs, project_stages
from clustering_assets.defs.io_managers.base import OUTPUT
from clustering_assets.defs.records import (
    MADE_WITH,
    VIDEOS,
    latest_videos,
    made_there,
    noted,
    recorded_digest,
    recorded_version,
    stage_records,
    video_record,
)
from clustering_assets.defs.staleness import (
    changed_upstream,
    changes,
    files_made,
    is_as_made,
    videos_due,
    worded,
)
from clustering_assets.integrity import State
from clustering_assets.outputs import Outputs
from clustering_assets.settings import Settings, VideoSettings
from clustering_assets.slideshows import settings_of_output
from clustering_assets.tables import (
    CLUSTER_ASSIGNMENTS,
    IMAGE_MANIFEST,
    MUSIC_CHOICE,
    MUSIC_TRACKS,
    DamagedTable,
    Table,
)
from clustering_assets.video.recipe import Recipe, recipes
from clustering_assets.words import listed


@dataclass(frozen=True)
class Standing:
    """How one stage or one video stands.

    Attributes:
        name: Name of the asset, or partition key of the video.
        state: `done`, `stale` (an update makes it anew) or `missing`.
        why: Why it is not done, in words; empty where it is.
        seconds: How long it took when it was made last, or, for a video that has not been rendered, as long as those
            that were; None where that is not known.
    """

    name: str
    state: Literal["done", "stale", "missing"]
    why: str = ""
    seconds: float | None = None


def standings(instance: dg.DagsterInstance, settings: Settings) -> list[Standing]:
    """How every stage and every video stands, in the order in which an update goes along them.

    Args:
        instance: Where it is recorded what was made.
        settings: The settings in force.
    """
    stages = project_stages()
    specs = {spec.key.to_user_string(): spec for spec in project_specs()}
    changed = _settings_changed(settings)
    took = stage_records(instance, (*stages.recorded, *stages.last), 0.0)
    found: dict[str, Standing] = {}
    after = (*stages.asked_for(settings), *stages.closing)
    for name in (*stages.scans, *stages.middle, *after):
        if name == after[0]:
            found |= {video.name: video for video in _videos(instance, settings)}
        state, why = _state(
            instance, specs[name], settings, changed, [one.name for one in found.values() if one.why]
        )
        found[name] = Standing(name, state, why, took[name].seconds or None if name in took else None)
    return list(found.values())


def _state(
    instance: dg.DagsterInstance,
    spec: dg.AssetSpec,
    settings: Settings,
    changed: Collection[str],
    undone: Collection[str],
) -> tuple[Literal["done", "stale", "missing"], str]:
    """How an unpartitioned asset stands, and why it is not done.

    Args:
        instance: Where it is recorded what was made.
        spec: The asset.
        settings: The settings in force.
        changed: Names of the settings that were others when the output was made.
        undone: Names of the assets before it, and keys of the videos, that are not done.
    """
    outputs = Outputs(settings.output)
    if not made_there(instance, spec.key, outputs.path(spec.metadata[OUTPUT])):
        return "missing", "it has not been made in this output"
    if not is_as_made(instance, spec, outputs):
        states = {file: outputs.records.state(file) for file in files_made(instance, spec, outputs)}
        gone = [file for file, state in states.items() if state is State.MISSING]
        files = [file for file, state in states.items() if state is not State.WHOLE] or list(states)
        damaged = f"{listed(gone)} is gone" if gone else f"{listed(files)} is not as it was written"
        return ("missing" if gone else "stale"), damaged
    own = sorted({*spec.metadata.get(USES, ())} & {*changed})
    if spec.key.to_user_string() in project_stages().scans:
        why = _news(spec.key.to_user_string(), outputs, settings)
        return ("stale", why) if why else ("done", "")
    reasons = []
    if recorded_version(instance, spec.key) != expected_version(instance, spec, settings):
        reasons += [
            f"{name} changed"
            for name in (*changed_upstream(instance, spec.key), *(f"setting {one}" for one in own))
        ]
        reasons = reasons or ["a file of yours (names, choices, pins) or the program changed"]
    follows = [name for name in undone if dg.AssetKey(name) in {dep.asset_key for dep in spec.deps}]
    videos = VIDEOS in {dep.asset_key for dep in spec.deps} and [
        name for name in undone if name not in _stage_names()
    ]
    reasons += [f"follows {name}" for name in follows] + (["follows the videos"] if videos else [])
    return ("stale", "; ".join(reasons)) if reasons else ("done", "")


def _stage_names() -> set[str]:
    return {*project_stages().recorded, *project_stages().last}


def _changes(name: str, outputs: Outputs, settings: Settings) -> dict[str, int]:
    """How many files of the folder that an asset scans are new, changed or gone.

    Raises:
        FileNotFoundError: The folder is not there.
    """
    from clustering_assets.files import image_source, music_source
    from clustering_assets.images.manifest import pictures_among
    from clustering_assets.music.library import tracks_among

    pictures = name == IMAGE_MANIFEST.asset
    table: Table = IMAGE_MANIFEST if pictures else MUSIC_TRACKS
    source = (image_source if pictures else music_source)(settings)
    among = pictures_among if pictures else tracks_among
    return changes(outputs.read_previous(table), among(source.files(), source))


def _news(name: str, outputs: Outputs, settings: Settings) -> str:
    """What is new, changed or gone in the folder that an asset scans, in words; empty if nothing is."""
    try:
        return worded(_changes(name, outputs, settings))
    except FileNotFoundError:
        return "" if name != IMAGE_MANIFEST.asset else f"{settings.images} is not there"


def how_long(instance: dg.DagsterInstance, settings: Settings, found: Collection[Standing]) -> Estimate:
    """About how long an update takes that makes everything that is not done.

    Where new pictures may change clusters, only videos that are due for another reason count.

    Args:
        instance: Where it is recorded how long things took.
        settings: The settings in force.
        found: How everything stands.
    """
    outputs, due = Outputs(settings.output), [one.name for one in found if one.state != "done"]
    new = {}
    for name in {*project_stages().scans} & {*due}:
        with suppress(FileNotFoundError):
            counts = _changes(name, outputs, settings)
            new[name] = counts["new"] + counts.get("changed", 0)
    manifest = outputs.read_previous(IMAGE_MANIFEST)
    pictures, unseen = pictures_to_embed(settings, manifest)
    arriving = new.get(IMAGE_MANIFEST.asset, 0)
    stages = {name: pictures + arriving for name in due if name in project_stages().recorded}
    stages |= {
        name: count for name, count in {"embeddings": unseen + arriving, **new}.items() if name in stages
    }
    return estimate(instance, settings, stages, _lengths(outputs, settings, due))


def _lengths(outputs: Outputs, settings: Settings, due: Collection[str]) -> dict[str, float]:
    """About how many seconds each video that is due lasts; of as many as there may be where no cluster is known."""
    if VIDEOS.to_user_string() in due:
        return unknown_videos(settings)
    return known_videos(outputs, settings, [name for name in due if is_key(name)])


def _videos(instance: dg.DagsterInstance, settings: Settings) -> Iterable[Standing]:
    """How the video of each cluster stands."""
    outputs = Outputs(settings.output)
    try:
        read = outputs.read_table
        wanted = recipes(read(CLUSTER_ASSIGNMENTS), read(IMAGE_MANIFEST), read(MUSIC_CHOICE), settings)
    except (FileNotFoundError, DamagedTable):
        return [Standing(VIDEOS.to_user_string(), "missing", "there are no clusters yet")]
    why = why_due(instance, wanted, settings)
    latest = latest_videos(instance, wanted)
    took = {
        key: video_record(instance, outputs, key, latest.get(key), started=0.0, due=False).render_seconds
        for key in wanted
    }
    known = [seconds for seconds in took.values() if seconds]
    usual = sum(known) / len(known) if known else None
    return [
        Standing(
            key,
            "done" if key not in why else "missing" if outputs.existing_video(key) is None else "stale",
            why.get(key, ""),
            took[key] or usual,
        )
        for key in wanted
    ]


def why_due(
    instance: dg.DagsterInstance,
    wanted: Mapping[str, Recipe],
    settings: Settings,
    due: Collection[str] | None = None,
) -> dict[str, str]:
    """Why an update would render each video that is missing or out of date, in words, by partition key.

    Args:
        instance: Where videos are recorded.
        wanted: What each cluster's video shall be made of, by partition key.
        settings: The settings in force.
        due: Keys of those that are due, where they are known already.
    """
    if not (due := videos_due(instance, wanted, settings) if due is None else due):
        return {}
    outputs, latest = Outputs(settings.output), latest_videos(instance, due)
    before = settings_of_output(output=settings.output).video.model_dump()
    return {key: _why_due(wanted[key], latest.get(key), outputs, settings.video, before) for key in due}


def _why_due(
    recipe: Recipe,
    made: dg.EventLogEntry | None,
    outputs: Outputs,
    settings: VideoSettings,
    before: Mapping[str, object],
) -> str:
    """Why one of them is due; `before` has the settings of the last update, for videos that do not say theirs."""
    facts = noted(made)
    if outputs.existing_video(recipe.key) is None:
        return "its file is gone" if facts else "it has not been rendered"
    if recorded_digest(made) == recipe.digest:
        return "its file is not as it was written, or a picture that was left out can be read again"
    size, track = facts.get("cluster_size", len(recipe.images)), facts.get("track", recipe.track)
    used = facts.get(MADE_WITH, before)
    reasons = [
        *(
            f"setting {name} changed"
            for name, value in settings.model_dump().items()
            if used.get(name, value) != value
        ),
        *([f"{len(recipe.images):,} pictures instead of {size:,}"] if size != len(recipe.images) else []),
        *([f"track {recipe.track or 'none'} instead of {track or 'none'}"] if track != recipe.track else []),
    ]
    return "; ".join(reasons) or "its pictures, the sound of its track or the program changed"


def _settings_changed(settings: Settings) -> set[str]:
    """Names of the settings that were others when the output was made."""
    before = settings_of_output(output=settings.output)
    return {name for name in type(settings).model_fields if getattr(settings, name) != getattr(before, name)}
