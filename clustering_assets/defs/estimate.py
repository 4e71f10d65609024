"""About how long work takes: from what was measured in this output, else as on two idle cores."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import dagster as dg
import pandas as pd

from clustering_assets.clustering.keys import cluster_of
from clustering_assets.defs.jobs import MOST_VIDEOS
from clustering_assets.defs.records import VIDEOS, noted, seconds_of
from clustering_assets.embedding.files import StoredError, load_embeddings
from clustering_assets.outputs import Outputs
from clustering_assets.settings import Settings
from clustering_assets.tables import CLUSTER_ASSIGNMENTS
from clustering_assets.video.recipe import expected_seconds
from clustering_assets.words import roughly

OPENED, EMBEDDED, ANALYSED = "opened", "embedded", "analysed"
"""Metadata keys of materializations: how many files, pictures or tracks the work was done for, none of them reused."""

COUNTED = {"image_manifest": OPENED, "embeddings": EMBEDDED, "music_tracks": ANALYSED}
"""Stages that take as long as what is new to them; the others take about as long as the last time."""

ENOUGH = {"image_manifest": 20, "embeddings": 20, "music_tracks": 2}
"""On how many of these a run must have worked to say something of others."""

LOOKED_AT = 5
"""How many of the latest materializations are looked at for one that does."""

TWO_CORES = {
    "image_manifest": (1.0, 0.02),
    "music_tracks": (1.0, 0.7),
    "dataset_analysis": (2.0, 0.001),
    "embeddings": (6.0, 0.012),
    "cluster_assignments": (4.0, 0.004),
    "cluster_plot": (1.0, 0.001),
    "music_choice": (1.0, 0.0),
    "album_film": (5.0, 0.0),
    "ledger": (0.5, 0.0),
    "gallery": (1.0, 0.005),
}
"""Seconds that a stage takes on two idle cores: to begin, and for each picture or track."""

VIDEO = (1.5, 0.02)
"""The same for a video, and for each megapixel of its frames."""

USUAL_CLUSTERS = 8
"""How many clusters there may be where they are still to be counted."""


@dataclass(frozen=True)
class Estimate:
    """How long an update takes.

    Attributes:
        seconds: Seconds of each stage and video, by name or partition key.
        videos: Seconds of all videos together.
        measured: Whether it goes by what was measured in this output.
    """

    seconds: Mapping[str, float]
    videos: float
    measured: bool

    def __str__(self) -> str:
        """The estimate in words: "about 4 minutes, 3 minutes of it for videos, going by the last time"."""
        total = sum(self.seconds.values())
        videos = roughly(self.videos)
        part = f", {videos} of it for videos" if self.videos and videos != roughly(total) else ""
        basis = "the last time" if self.measured else "what two idle cores do"
        return f"about {roughly(total)}{part}, going by {basis}"


def estimate(
    instance: dg.DagsterInstance,
    settings: Settings,
    stages: Mapping[str, int],
    videos: Mapping[str, float],
) -> Estimate:
    """How long some stages and videos take.

    Args:
        instance: Where it is recorded how long they took.
        settings: The settings in force.
        stages: How many pictures or tracks each stage has to do with, by name.
        videos: How long each video lasts in seconds, by partition key.
    """
    took = {name: _as_measured(instance, name, count) for name, count in stages.items()}
    found = {
        name: _on_two_cores(name, stages[name]) if seconds is None else seconds
        for name, seconds in took.items()
    }
    speed = _speed_of_videos(instance) if videos else None
    rendering = {
        key: _video_on_two_cores(seconds, settings.fps, math.prod(settings.size)) * (speed or 1.0)
        for key, seconds in videos.items()
    }
    measured = speed is not None if videos else any(seconds is not None for seconds in took.values())
    return Estimate({**found, **rendering}, sum(rendering.values()), measured)


def newly_read(table: pd.DataFrame, previous: pd.DataFrame | None) -> int:
    """How many files of a table were not as the previous one has them, and so had to be opened."""
    facts = ["path", "bytes", "mtime_ns"]
    if previous is None:
        return len(table)
    return len(table) - len(table[facts].merge(previous[facts], on=facts))


def pictures_to_embed(settings: Settings, manifest: pd.DataFrame | None) -> tuple[int, int]:
    """How many pictures of a manifest are used, and how many of them were in no embeddings of this output yet."""
    if manifest is None:
        return 0, 0
    used = set(manifest.loc[manifest["outcome"] == "used", "path"])
    try:
        return len(used), len(used - set(load_embeddings(settings.output, mmap=True)[1]))
    except (FileNotFoundError, StoredError):
        return len(used), len(used)


def known_videos(outputs: Outputs, settings: Settings, keys: Collection[str]) -> dict[str, float]:
    """How long the videos of clusters that there are last, in seconds, by partition key."""
    if not keys:
        return {}
    seconds = expected_seconds(outputs.read_table(CLUSTER_ASSIGNMENTS), settings)
    return {key: seconds[cluster_of(key)] for key in keys}


def unknown_videos(settings: Settings) -> dict[str, float]:
    """How long videos may last, in seconds, before any cluster is known, by what would be their partition keys."""
    seconds = settings.max_images_per_video * settings.seconds_per_image
    seconds = min(seconds, settings.length) if settings.length else seconds
    return {f"cluster_{number}": seconds for number in range(settings.clusters or USUAL_CLUSTERS)}


def _on_two_cores(name: str, count: int) -> float:
    """Seconds that a stage takes on two idle cores."""
    begin, each = TWO_CORES.get(name, (1.0, 0.0))
    return begin + each * count


def _video_on_two_cores(seconds: float, fps: float, pixels: int) -> float:
    """Seconds that a video takes on two idle cores, of some length and so many pixels in each frame."""
    return VIDEO[0] + VIDEO[1] * seconds * fps * pixels / 1e6


def _as_measured(instance: dg.DagsterInstance, name: str, count: int) -> float | None:
    """Seconds that a stage takes, going by its latest materializations; None where they say nothing of it."""
    for record in instance.fetch_materializations(dg.AssetKey(name), limit=LOOKED_AT).records:
        if not (seconds := seconds_of(instance, record.event_log_entry)):
            continue
        if name not in COUNTED:
            return seconds
        worked_on = noted(record.event_log_entry).get(COUNTED[name])
        if isinstance(worked_on, int) and worked_on >= ENOUGH[name]:
            return seconds * _on_two_cores(name, count) / _on_two_cores(name, worked_on)
    return None


def _speed_of_videos(instance: dg.DagsterInstance) -> float | None:
    """How long the latest run took for its videos, beside two idle cores; None where there is none."""
    latest = instance.fetch_materializations(VIDEOS, limit=2 * MOST_VIDEOS).records
    made = next((one.event_log_entry for one in latest if noted(one.event_log_entry).get("rendered")), None)
    if made is None or not (took := seconds_of(instance, made)):
        return None
    kind = dg.DagsterEventType.ASSET_MATERIALIZATION
    run = [one.event_log_entry for one in instance.get_records_for_run(made.run_id, of_type=kind).records]
    facts = [found for found in map(noted, run) if found.get("rendered") and "frames_per_second" in found]
    return took / sum(
        _video_on_two_cores(
            video["duration_seconds"],
            video["frames_per_second"],
            math.prod(map(int, video["resolution"].split("x"))),
        )
        for video in facts
    )
