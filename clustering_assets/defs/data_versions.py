"""Data versions: a digest of everything a result depends on, so that only what changed is made again.

`image_manifest` and `music_tracks` look at the disk each time, and their version is a digest of what they found. The
version of every other asset is the digest of its code version, the settings that it uses and the versions of what lies
upstream; it is known before the work is done.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from clustering_assets.clustering import gazetteer
from clustering_assets.defs.partitions import CLUSTERS
from clustering_assets.defs.records import VIDEOS, latest_videos, recorded, recorded_digest, recorded_version
from clustering_assets.outputs import Outputs, choices_file, names_file, pins_file
from clustering_assets.settings import Settings, known_by

USES = "settings"
"""Metadata key of an asset definition: names of the settings that its result depends on."""

DETAILS = "details"
"""Metadata key: of a materialization, a digest of facts that most of what lies downstream does not depend on; of an
asset definition, the names of the assets whose details its result depends on."""

CAPTURE = "capture"
"""Metadata key: of a materialization, a digest of when, where and with what pictures were taken; of an asset
definition, whether its result depends on what makes the groups, and so, where that is events, on those facts."""

ON_REQUEST = "on_request"
"""Metadata key of an asset definition: the setting that asks for it; without that, no update makes it."""

IF_THERE = "if_there"
"""Metadata key of an asset definition: names below the output of what its result shows where it is there."""

EVERY_UPDATE = "every_update"
"""Metadata key of an asset definition: whether an update makes it anew although nothing upstream has changed."""


def digest(value: Any) -> str:
    """A short stable digest of anything that JSON can hold."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def expected_version(instance: dg.DagsterInstance, spec: dg.AssetSpec, settings: Settings) -> str:
    """The data version that the asset would have if it were made now, from what lies upstream now."""
    upstream = {
        dep.asset_key.to_user_string(): recorded_version(instance, dep.asset_key) for dep in spec.deps
    }
    for name in spec.metadata.get(DETAILS, ()):
        upstream[name] = digest([upstream[name], recorded(instance, name, DETAILS)])
    if ON_REQUEST in spec.metadata:
        upstream[VIDEOS.to_user_string()] = _videos_there(instance, settings)
    content = {
        "code": spec.code_version,
        "output": settings.output,
        "settings": known_by({name: _setting(settings, name) for name in spec.metadata.get(USES, ())}),
        "upstream": upstream,
    }
    if spec.metadata.get(CAPTURE) and "events" in settings.group_by:
        content[CAPTURE] = [recorded(instance, "image_manifest", CAPTURE), gazetteer.version()]
    if there := _there(settings, spec.metadata.get(IF_THERE, ())):
        content["there"] = there
    return digest(content)


def _there(settings: Settings, names: Sequence[str]) -> dict[str, str | None]:
    """Those of some files below the output that are there, with the hash of what was published."""
    outputs = Outputs(settings.output)
    found = [name for name in names if outputs.path(name).is_file()]
    return {name: outputs.records.hashes([name]).get(name) for name in found}


def _videos_there(instance: dg.DagsterInstance, settings: Settings) -> str:
    """Digest of the versions of all videos that are there."""
    outputs = Outputs(settings.output)
    latest = latest_videos(instance, instance.get_dynamic_partitions(str(CLUSTERS.name)))
    return digest(
        {key: recorded_digest(event) for key, event in sorted(latest.items()) if outputs.existing_video(key)}
    )


def data_version(context: dg.AssetExecutionContext, settings: Settings) -> dg.DataVersion:
    """The data version of the asset that is being made; to be asked for before the work.

    Another run may make what lies upstream anew meanwhile. What was made of the older one must not pass for current.
    """
    spec = context.assets_def.specs_by_key[context.asset_key]
    return dg.DataVersion(expected_version(context.instance, spec, settings))


def _setting(settings: Settings, name: str) -> Any:
    """A setting's value; of a setting that is a file, its contents count too."""
    files = {"names_file": names_file, "choices_file": choices_file, "pins_file": pins_file}
    if name in files or (name == "weights" and settings.weights):
        path = files[name](settings) if name in files else Path(settings.weights)
        return hashlib.blake2b(path.read_bytes()).hexdigest() if path.is_file() else None
    return getattr(settings, name)
