"""One look at files: each is read, decoded, hashed and measured; what it is and how it looks, or why it is refused."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import xxhash
from numpy.typing import NDArray

from clustering_assets.files.source import FileSource
from clustering_assets.images.budget import decode_beside_others
from clustering_assets.images.buffers import room
from clustering_assets.images.errors import ImageError
from clustering_assets.images.exif import Facts
from clustering_assets.images.features import Reduced, VisualFeatures, measure_reduced, reduce
from clustering_assets.images.load import decode_picture, pixels, read_file
from clustering_assets.images.perceptual_hash import perceptual_hash
from clustering_assets.work.engine import Budget

if TYPE_CHECKING:
    from clustering_assets.settings import Limits

_STRIP = 128 << 10


@dataclass(frozen=True, slots=True)
class Look(Facts, VisualFeatures):
    """What a look at one file brought to light: the columns of the manifest that the file decides alone."""

    content_hash: str = ""
    format: str = ""
    mode: str = ""
    width: int = 0
    height: int = 0
    stage: str = ""
    reason: str = ""
    phash: str = ""


@dataclass(frozen=True, slots=True)
class _Decoded:
    """What is kept of a picture when its pixels are gone: what it is, and what its looks are measured on."""

    known: Look
    reduced: Reduced


def begin(budget: Budget) -> None:
    """Make this process one of many that look at files, and import what the first look would import."""
    import cv2
    import pyarrow as pa  # noqa: F401

    decode_beside_others(budget)
    cv2.setNumThreads(1)


def look(source: FileSource, paths: Sequence[str], limits: "Limits") -> list[Look]:
    """Look at a few files.

    All are read, then each is decoded and hashed, then all are measured: a small picture costs a third more if every
    step finds that the one before it has driven its code out of the processor's cache.

    Args:
        source: Where the files are.
        paths: Their names there; of so few and small files that their bytes fit in memory together.
        limits: What is refused before it is decoded.

    Returns:
        What was found out about each, in the same order.
    """
    contents = [_read(source, path, limits) for path in paths]
    contents.reverse()
    decoded = [_decode(contents.pop(), path, limits) for path in paths]
    return [_measure(one) for one in decoded]


def pixel_hash(view: NDArray[np.uint8]) -> str:
    """The content hash of a manifest: xxh3-128, in hex, of width, height and the RGB values.

    Args:
        view: Array (height, width, 3 or 4), uint8; a fourth value is not looked at.
    """
    import cv2

    height, width, values = view.shape
    digest = xxhash.xxh3_128(f"{width}x{height}".encode())
    rows = max(1, _STRIP // (3 * width))
    for top in range(0, height, rows):
        strip = view[top : top + rows]
        if values == 4:
            strip = cv2.cvtColor(strip, cv2.COLOR_RGBA2RGB, dst=room("strip", (*strip.shape[:2], 3)))
        digest.update(np.ascontiguousarray(strip).data)
    return digest.hexdigest()


def _read(source: FileSource, path: str, limits: "Limits") -> bytes | Look:
    """The content of a file, or why it cannot be had."""
    try:
        return read_file(source / path, limits)
    except ImageError as error:
        return Look(stage=error.stage, reason=error.reason)


def _decode(content: bytes | Look, path: str, limits: "Limits") -> _Decoded | Look:
    """The picture in `content`, made small, or why there is none."""
    if isinstance(content, Look):
        return content
    try:
        picture = decode_picture(content, path, limits=limits)
    except ImageError as error:
        return Look(stage=error.stage, reason=error.reason)
    view = pixels(picture.image)
    known = Look(
        content_hash=pixel_hash(view),
        format=picture.format,
        mode=picture.mode,
        width=picture.width,
        height=picture.height,
        **vars(picture.facts),
    )
    return _Decoded(known, reduce(view))


def _measure(decoded: _Decoded | Look) -> Look:
    """What is known of a picture and how it looks."""
    if isinstance(decoded, Look):
        return decoded
    looks = vars(measure_reduced(decoded.reduced))
    return replace(decoded.known, phash=perceptual_hash(decoded.reduced.rgb), **looks)
