"""Data versions: a digest of everything a result depends on, so that only what changed is made again.

`image_manifest` and `music_tracks` look at the disk each time, and their version is a digest of what they found. The
version of every other asset is the digest of its code version, the settings that it uses and the versions of what lies
upstream; it is known before the work is done.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from clustering_assets.outputs import CLUSTER_NAMES, Outputs
from clustering_assets.settings import Settings

USES = "settings"
"""Metadata key of an asset definition: names of the settings that its result depends on."""

DATA_VERSION_TAG = "dagster/data_version"
INPUT_VERSION_TAG = "dagster/input_data_version/"
"""Where Dagster notes the version of what an asset was made from; the key of that asset follows."""

PINS = "pins.csv"
VIDEOS = dg.AssetKey("cluster_videos")


def names_file(settings: Settings) -> Path:
    """The file of the user's own cluster names, which need not exist."""
    return Path(settings.names_file or str(Outputs(settings.output).path(CLUSTER_NAMES)))


def pins_file(settings: Settings) -> Path:
    """The file of the user's pinned tracks, which need not exist."""
    return Path(settings.pins_file or Path(settings.music) / PINS)


def digest(value: Any) -> str:
    """A short stable digest of anything that JSON can hold."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def recipe(spec: dg.AssetSpec, settings: Settings, upstream: Mapping[dg.AssetKey, str | None]) -> str:
    """The data version that a result would have if it were made now.

    Args:
        spec: The asset; its metadata names the settings that it uses.
        settings: The settings in force.
        upstream: Data version of each asset that it depends on; None where there is none yet.
    """
    return digest(
        {
            "code": spec.code_version,
            "output": settings.output,
            "settings": {name: _setting(settings, name) for name in spec.metadata.get(USES, ())},
            "upstream": {dep.asset_key.to_user_string(): upstream.get(dep.asset_key) for dep in spec.deps},
        }
    )


def recorded_version(instance: dg.DagsterInstance, key: dg.AssetKey) -> str | None:
    """The data version of the latest materialization; None if there is none."""
    return recorded_digest(instance.get_latest_materialization_event(key))


def latest_video(instance: dg.DagsterInstance, key: str) -> dg.EventLogEntry | None:
    """The latest materialization of the video of one cluster; None if there is none."""
    found = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=VIDEOS, asset_partitions=[key]), limit=1
    ).records
    return found[0].event_log_entry if found else None


def recorded_digest(event: dg.EventLogEntry | None) -> str | None:
    """The data version that a materialization recorded; None if there is none."""
    materialization = event.asset_materialization if event else None
    return (materialization.tags or {}).get(DATA_VERSION_TAG) if materialization else None


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


def expected_version(instance: dg.DagsterInstance, spec: dg.AssetSpec, settings: Settings) -> str:
    """The data version that the asset would have if it were made now, from what lies upstream now."""
    upstream = {dep.asset_key: recorded_version(instance, dep.asset_key) for dep in spec.deps}
    return recipe(spec, settings, upstream)


def data_version(context: dg.AssetExecutionContext, settings: Settings) -> dg.DataVersion:
    """The data version of the asset that is being made."""
    spec = context.assets_def.specs_by_key[context.asset_key]
    return dg.DataVersion(expected_version(context.instance, spec, settings))


def _setting(settings: Settings, name: str) -> Any:
    """A setting's value; of a setting that is a file, its contents count too."""
    files = {"names_file": names_file, "pins_file": pins_file}
    if name in files or (name == "weights" and settings.weights):
        path = files[name](settings) if name in files else Path(settings.weights)
        return hashlib.blake2b(path.read_bytes()).hexdigest() if path.is_file() else None
    return getattr(settings, name)
