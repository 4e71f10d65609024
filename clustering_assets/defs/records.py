"""What the instance has recorded: the latest materialization of each asset, its data version and what it noted."""

from collections.abc import Collection, Iterable
from typing import Any

import dagster as dg
import pandas as pd
from dagster._core.definitions.data_version import (
    CODE_VERSION_TAG,
    DATA_VERSION_IS_USER_PROVIDED_TAG,
    DATA_VERSION_TAG,
    DEFAULT_DATA_VERSION,
    NULL_EVENT_POINTER,
    get_input_data_version_tag,
    get_input_event_pointer_tag,
)
from upath import UPath

from clustering_assets.outputs import Outputs
from clustering_assets.report.summary import StageRecord, VideoRecord
from clustering_assets.tables import Table

FAILED, FLAWED = "failed", "flawed"
"""Metadata keys of a run of several videos: why some could not be made, and what is wrong with others, by key."""

MADE_WITH = "made_with"
"""Metadata key of a video: the settings of videos that it was made with."""

LEFT_OUT = "left_out"
"""Metadata key of the film: why clusters are not in it, by key."""

PUBLISHED = "published"
"""Metadata key of a materialization: the hash of each file that was written, by its name below the output."""

VIDEOS = dg.AssetKey("cluster_videos")
"""The asset that has a partition for each cluster."""

FILM = dg.AssetKey("album_film")
"""The asset that is one film of all of these."""


def recorded_version(instance: dg.DagsterInstance, key: dg.AssetKey) -> str | None:
    """The data version of the latest materialization; None if there is none."""
    return recorded_digest(instance.get_latest_materialization_event(key))


def version_tags(instance: dg.DagsterInstance, asset: dg.AssetsDefinition, version: str) -> dict[str, str]:
    """Tags of a materialization of an asset, as Dagster gives them to an output: its version, what it was made from."""
    tags = {
        DATA_VERSION_TAG: version,
        DATA_VERSION_IS_USER_PROVIDED_TAG: "true",
        CODE_VERSION_TAG: str(asset.code_versions_by_key[asset.key]),
    }
    for upstream in asset.dependency_keys:
        record = next(iter(instance.fetch_materializations(upstream, limit=1).records), None)
        made = recorded_digest(record.event_log_entry) if record else None
        tags[get_input_data_version_tag(upstream)] = made or DEFAULT_DATA_VERSION.value
        tags[get_input_event_pointer_tag(upstream)] = str(record.storage_id) if record else NULL_EVENT_POINTER
    return tags


def latest_videos(instance: dg.DagsterInstance, keys: Collection[str]) -> dict[str, dg.EventLogEntry]:
    """The latest materialization of the video of each cluster that has one, by key; two queries for all."""
    kind = dg.DagsterEventType.ASSET_MATERIALIZATION
    found = instance.get_latest_storage_id_by_partition(VIDEOS, kind, set(keys)) if keys else {}  # none: all
    if not found:
        return {}
    wanted = dg.AssetRecordsFilter(asset_key=VIDEOS, storage_ids=list(found.values()))
    records = instance.fetch_materializations(wanted, limit=len(found)).records
    return {str(record.partition_key): record.event_log_entry for record in records}


def tries_of_video(instance: dg.DagsterInstance, key: str, most: int) -> list[dg.EventLogEntry]:
    """The latest materializations of the video of one cluster, the newest first."""
    wanted = dg.AssetRecordsFilter(asset_key=VIDEOS, asset_partitions=[key])
    return [record.event_log_entry for record in instance.fetch_materializations(wanted, limit=most).records]


def recorded_digest(event: dg.EventLogEntry | None) -> str | None:
    """The data version that a materialization recorded; None if there is none."""
    materialization = event.asset_materialization if event else None
    return (materialization.tags or {}).get(DATA_VERSION_TAG) if materialization else None


def noted(event: dg.EventLogEntry | None) -> dict[str, Any]:
    """The metadata of a materialization; empty if there is none."""
    made = event.asset_materialization if event else None
    return {name: value.value for name, value in made.metadata.items()} if made else {}


def recorded(instance: dg.DagsterInstance, asset: str, name: str) -> object:
    """A value that the latest materialization of an unpartitioned asset noted; None if there is none."""
    return noted(instance.get_latest_materialization_event(dg.AssetKey(asset))).get(name)


def made_there(instance: dg.DagsterInstance, asset: dg.AssetKey, place: UPath) -> dict[str, Any]:
    """What the latest materialization of an unpartitioned asset noted; empty if it wrote to another place."""
    facts = noted(instance.get_latest_materialization_event(asset))
    return facts if facts.get("path") == str(place) else {}


def previous_table(instance: dg.DagsterInstance, outputs: Outputs, table: Table) -> pd.DataFrame | None:
    """The table that an earlier run left in an output; None when there is none that can be believed."""
    facts = made_there(instance, dg.AssetKey(table.asset), outputs.path(table.file))
    hashes = facts.get(PUBLISHED)
    return outputs.read_previous(table, hashes.get(table.file) if isinstance(hashes, dict) else None)


def update_started(instance: dg.DagsterInstance) -> float:
    """When the update under way began, in seconds since the epoch: the start of the run that listed the pictures."""
    event = instance.get_latest_materialization_event(dg.AssetKey("image_manifest"))
    record = instance.get_run_record_by_id(event.run_id) if event else None
    return record.start_time or 0.0 if record else 0.0


def stage_records(
    instance: dg.DagsterInstance, names: Iterable[str], started: float
) -> dict[str, StageRecord]:
    """What was recorded of each of these unpartitioned assets that has been made, by name."""
    events = {name: instance.get_latest_materialization_event(dg.AssetKey(name)) for name in names}
    return {
        name: StageRecord(event.timestamp >= started, seconds_of(instance, event), noted(event))
        for name, event in events.items()
        if event is not None
    }


def video_record(
    instance: dg.DagsterInstance,
    outputs: Outputs,
    key: str,
    latest: dg.EventLogEntry | None,
    *,
    started: float,
    due: bool,
) -> VideoRecord:
    """What was recorded of the latest video of a cluster, and where its file is."""
    path = outputs.existing_video(key)
    facts = noted(latest)
    rendered = latest is not None and latest.timestamp >= started and bool(facts.get("rendered"))
    return VideoRecord(
        key=key,
        path=str(path) if path else "",
        due=due,
        rendered=rendered,
        render_seconds=facts.get("render_seconds", 0.0) if rendered else 0.0,
        noted=facts,
    )


def seconds_of(instance: dg.DagsterInstance, event: dg.EventLogEntry) -> float:
    """How long the step of a materialization took, in seconds; 0 where that is not known."""
    if event.step_key is None:
        return 0.0
    for step in instance.get_run_step_stats(event.run_id, [event.step_key]):
        if step.start_time and step.end_time:
            return step.end_time - step.start_time
    return 0.0
