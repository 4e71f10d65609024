"""What a video is made from: its settings, its recipe and the digest of both. Light to import."""

import hashlib
import json
from dataclasses import asdict, dataclass

import pandas as pd

from clustering_assets.errors import ClusteringError
from clustering_assets.video import faces

RECIPE_VERSION = 8
"""Goes up whenever the same pictures, music and settings would give a different video."""


class VideoError(ClusteringError):
    """A video that cannot be made or written; the message says which and what would mend it."""


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
