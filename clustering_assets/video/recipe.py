"""What the video of each cluster is made from, and which videos are out of date. Light to import."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass

import pandas as pd

from clustering_assets.clustering.identity import partition_key
from clustering_assets.video import faces
from clustering_assets.video.errors import VideoError

RECIPE_VERSION = 8
"""Goes up whenever the same pictures, music and settings would give a different video. What is drawn and planned is
pinned beside this number in the tests, which fail where one changes without the other."""


@dataclass(frozen=True)
class VideoSettings:
    """How a video shall look and sound; the names are those of the project's settings.

    Attributes:
        width: Pixels across, even.
        height: Pixels down, even.
        fps: Frames per second.
        seconds_per_image: Seconds from one cut to the next.
        transition_seconds: Seconds that two pictures share around a cut; 0 cuts hard.
        max_images: Most pictures in one video.
        motion: Whether each picture moves slowly.
        beat_sync: Whether cuts lie on the beat where the beat is clear.
        order: `visual` (a short path through the embedding space) or `time` (time taken).
        titles: Whether the video begins with a title card.
        captions: Whether the title stands in a lower corner of every picture.
        quality: `preview`, `standard` or `high`.
        encoder: `x264`, `nvenc`, `videotoolbox` or `vaapi`.
        seed: Seed of motion and transitions.
    """

    width: int = 1920
    height: int = 1080
    fps: int = 25
    seconds_per_image: float = 3.0
    transition_seconds: float = 0.8
    max_images: int = 40
    motion: bool = True
    beat_sync: bool = True
    order: str = "visual"
    titles: bool = False
    captions: bool = False
    quality: str = "standard"
    encoder: str = "x264"
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what no video can be made of."""
        if self.width % 2 or self.height % 2 or self.width < 16 or self.height < 16:
            raise VideoError(
                f"resolution = {self.width}x{self.height}: both sides must be even and at least 16"
            )
        if self.fps < 1 or self.seconds_per_image <= 0 or self.transition_seconds < 0 or self.max_images < 1:
            raise VideoError(
                f"fps {self.fps}, seconds_per_image {self.seconds_per_image:g} and max_images "
                f"{self.max_images} must be positive, transition_seconds {self.transition_seconds:g} not negative"
            )

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.width, self.height


IMAGE_FACTS = ["path", "bytes", "mtime_ns", "width", "height", "taken_at", "sharpness"]
"""Columns of the manifest that a video depends on beside those of the cluster assignments."""


@dataclass(frozen=True)
class Recipe:
    """Everything that the video of one cluster is made of.

    Attributes:
        key: Partition key of the cluster.
        cluster: Its number.
        title: Its name, as a title card would show it.
        images: Its pictures: columns of the cluster assignments and facts from the manifest.
        track: Path of the chosen track relative to the music folder; empty when there is no music.
        digest: Digest of all of this and of the video settings.
    """

    key: str
    cluster: int
    title: str
    images: pd.DataFrame
    track: str
    digest: str


def recipes(
    assignments: pd.DataFrame, manifest: pd.DataFrame, choice: pd.DataFrame, settings: VideoSettings
) -> dict[str, Recipe]:
    """The recipe of each cluster's video, by partition key, in the order of the clusters.

    Args:
        assignments: The table `cluster_assignments`.
        manifest: The table `image_manifest`.
        choice: The table `music_choice`.
        settings: How the videos shall look.
    """
    facts = manifest[IMAGE_FACTS].drop_duplicates("path")
    members = assignments.merge(facts, on="path", how="left", validate="many_to_one")
    tracks = choice.set_index("cluster")[["track", "track_hash"]].to_dict("index")
    found: dict[str, Recipe] = {}
    for number, images in members.groupby("cluster", sort=True):
        cluster = int(str(number))
        music = tracks.get(cluster, {"track": "", "track_hash": ""})
        title = str(images["cluster_name"].iloc[0])
        key = partition_key(cluster)
        found[key] = Recipe(
            key=key,
            cluster=cluster,
            title=title,
            images=images.reset_index(drop=True),
            track=str(music["track"]),
            digest=recipe_digest(images, str(music["track_hash"]), title, settings),
        )
    return found


def recipe_digest(images: pd.DataFrame, track_hash: str, title: str, settings: VideoSettings) -> str:
    """Digest of everything that one video depends on, 32 hexadecimal digits.

    Two equal digests mean the same video, so it need not be rendered again. Only what reaches the picture
    counts: neither the order of the rows nor figures that wander a little whenever the clustering runs again.
    Whether faces are looked for counts too, as it decides how pictures with people are framed.

    Args:
        images: The rows of one cluster: `path`, `content_hash`, `duplicate_of` and, where the order is that of
            the time taken, `taken_at`; `cluster` (the seed of motion) where it is there.
        track_hash: Content hash of the music track, '' for none.
        title: Title of the video; counts only where it is shown, on a title card or as a caption.
        settings: How the video shall look.
    """
    columns = ["path", "content_hash", "duplicate_of"]
    if settings.order == "time" or settings.titles:
        columns.append("taken_at")
    present = [name for name in columns if name in images]
    rows = sorted(tuple(map(str, row)) for row in images[present].itertuples(index=False))
    clusters = sorted({int(cluster) for cluster in images["cluster"]}) if "cluster" in images else []
    recipe = {
        "version": RECIPE_VERSION,
        "heads": faces.version(),
        "settings": asdict(settings),
        "clusters": clusters,
        "columns": present,
        "images": rows,
        "track": track_hash,
        "title": title if settings.titles or settings.captions else "",
    }
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:32]


def expected_seconds(assignments: pd.DataFrame, settings: VideoSettings) -> dict[int, float]:
    """About how long the video of each cluster will be, in seconds, by cluster."""
    shown = assignments[assignments["duplicate_of"] == ""].groupby("cluster").size()
    return {
        int(str(cluster)): min(int(count), settings.max_images) * settings.seconds_per_image
        for cluster, count in shown.items()
    }


def out_of_date(
    wanted: Mapping[str, str], made: Mapping[str, str | None], present: Collection[str]
) -> tuple[str, ...]:
    """The keys of the videos to render.

    Args:
        wanted: Digest that each cluster's video should have, by partition key.
        made: Digest of each cluster's latest video; None where it is not known.
        present: Keys whose video file is in the output.
    """
    return tuple(key for key, digest in wanted.items() if made.get(key) != digest or key not in present)
