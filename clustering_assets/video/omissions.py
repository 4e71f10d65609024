"""What had to be left out of a video, and whether it is there again. Light to import."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from clustering_assets.files import file_source
from clustering_assets.files.source import FileSource, SourceFile
from clustering_assets.settings import DEFAULT_LIMITS, Limits

SOUNDTRACK = "soundtrack"
"""Stage of a failure that cost a video its music."""


def digest_of_what_is_left(recipe: str, failures: Iterable[Sequence[str]]) -> str:
    """The digest of a video from which something had to be left out; that of its recipe where nothing had to.

    A video made on a bad day thus never passes for the one that its recipe describes.

    Args:
        recipe: Digest of the recipe (`clustering_assets.video.recipe.recipe_digest`).
        failures: `(path, stage, reason)` of each picture or track.
    """
    lost = sorted({failure[0] for failure in failures})
    return hashlib.sha256("\0".join([recipe, *lost]).encode()).hexdigest()[:32] if lost else recipe


def readable_again(
    failures: Iterable[Sequence[str]], folder: Path | FileSource, *, limits: Limits = DEFAULT_LIMITS
) -> tuple[str, ...]:
    """Which pictures and tracks that were left out can be read now, so that the video is worth making again.

    What was lost because a network folder was away for a moment is found; what is damaged for good is not, so
    nothing is rendered again and again in vain.

    Args:
        failures: `(path, stage, reason)` of each, as a slideshow notes them; the stage of a track is `SOUNDTRACK`.
        folder: Folder that the paths of pictures are relative to.
        limits: What the picture loader refuses.
    """
    source = file_source(folder)
    return tuple(
        path
        for path, stage, _ in failures
        if (_is_music(path) if stage == SOUNDTRACK else _is_picture(source / path, limits))
    )


def _is_picture(path: SourceFile, limits: Limits) -> bool:
    """Whether a picture can be decoded."""
    from clustering_assets.images.errors import ImageError
    from clustering_assets.images.load import read_picture

    try:
        read_picture(path, min_side=64, limits=limits)
    except ImageError:
        return False
    return True


def _is_music(path: str) -> bool:
    """Whether a track can be decoded, its beginning at least."""
    from clustering_assets.audio.decoding import MusicError, decode

    try:
        return any(True for _ in decode(path))
    except MusicError:
        return False
