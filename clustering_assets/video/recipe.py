"""What a video is made from, and the digest of it. Light to import."""

import hashlib
import json
from typing import Any

import pandas as pd

from clustering_assets.errors import ClusteringError
from clustering_assets.settings import VideoSettings
from clustering_assets.video import faces

RECIPE_VERSION = 8
"""Goes up whenever the same pictures, music and settings would give a different video."""


class VideoError(ClusteringError):
    """A video that cannot be made or written; the message says which and what would mend it."""


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
        "settings": _digested(settings),
        "clusters": clusters,
        "columns": present,
        "images": rows,
        "track": track_hash,
        "title": title if settings.titles or settings.captions else "",
    }
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:32]


def _digested(settings: VideoSettings) -> dict[str, Any]:
    """The settings under the names that digests have known them by from the first."""
    width, height = settings.size
    values = settings.model_dump(exclude={"resolution", "max_images_per_video"})
    return {**values, "width": width, "height": height, "max_images": settings.max_images_per_video}
