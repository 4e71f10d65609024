"""One look at files: each is read, decoded, hashed and measured; what it is and how it looks, or why it is refused."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
import xxhash
from numpy.typing import NDArray

from clustering_assets.images.duplicates import perceptual_hash
from clustering_assets.images.features import Reduced, measure_reduced, reduce
from clustering_assets.images.find import FoundFile
from clustering_assets.images.load import ImageError, Limits, decode_picture, pixels, read_file
from clustering_assets.images.scratch import room

_STRIP = 128 << 10
_MOST_FILES, _MOST_BYTES = 16, 1 << 20


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at one file brought to light: the columns of the manifest that the file decides alone."""

    content_hash: str = ""
    format: str = ""
    mode: str = ""
    width: int = 0
    height: int = 0
    taken_at: datetime | None = None
    camera: str = ""
    stage: str = ""
    reason: str = ""
    sharpness: float = np.nan
    brightness: float = np.nan
    colourfulness: float = np.nan
    contrast: float = np.nan
    chroma: float = np.nan
    saturation: float = np.nan
    warmth: float = np.nan
    phash: str = ""
    dominant_colours: str = ""


@dataclass(frozen=True, slots=True)
class _Decoded:
    """What is kept of a picture when its pixels are gone: what it is, and what its looks are measured on."""

    known: Look
    reduced: Reduced


def look(folder: Path, files: Sequence[FoundFile], limits: Limits) -> list[Look]:
    """Look at a few files.

    All are read, then each is decoded and hashed, then all are measured: a small picture costs a third more if every
    step finds that the one before it has driven its code out of the processor's cache.

    Args:
        folder: Where the files are.
        files: As `find_files` returns them; few and small enough that their bytes fit in memory together.
        limits: What is refused before it is decoded.

    Returns:
        What was found out about each, in the same order.
    """
    contents = [_read(folder, file, limits) for file in files]
    contents.reverse()
    decoded = [_decode(contents.pop(), file, limits) for file in files]
    return [_measure(one) for one in decoded]


def look_at_all(folder: Path, files: Sequence[FoundFile], limits: Limits, workers: int) -> Iterator[Look]:
    """Look at any number of files, in order; only a few results for each worker wait to be fetched.

    Threads do: the decoders, the hash and OpenCV let go of the interpreter lock.

    Args:
        folder: Where the files are.
        files: As `find_files` returns them.
        limits: What is refused before it is decoded.
        workers: Number of threads.
    """
    waiting: deque[Future[list[Look]]] = deque()
    with ThreadPoolExecutor(workers, "scan") as pool:
        try:
            for portion in portions(files, workers):
                waiting.append(pool.submit(look, folder, portion, limits))
                if len(waiting) >= 3 * workers:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def portions(files: Sequence[FoundFile], workers: int) -> Iterator[list[FoundFile]]:
    """The files in portions for `look`: up to 16 and a megabyte, but so many portions that all workers are busy."""
    most = max(1, min(_MOST_FILES, len(files) // (8 * workers)))
    portion: list[FoundFile] = []
    size = 0
    for file in files:
        if portion and (len(portion) == most or size + file.bytes > _MOST_BYTES):
            yield portion
            portion, size = [], 0
        portion.append(file)
        size += file.bytes
    if portion:
        yield portion


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


def _read(folder: Path, file: FoundFile, limits: Limits) -> bytes | Look:
    """The content of a file, or why it cannot be had."""
    if file.problem:
        return Look(stage="find", reason=file.problem)
    try:
        return read_file(f"{folder}/{file.path}", limits)
    except ImageError as error:
        return Look(stage=error.stage, reason=error.reason)


def _decode(content: bytes | Look, file: FoundFile, limits: Limits) -> _Decoded | Look:
    """The picture in `content`, made small, or why there is none."""
    if isinstance(content, Look):
        return content
    try:
        picture = decode_picture(content, file.path, limits=limits)
    except ImageError as error:
        return Look(stage=error.stage, reason=error.reason)
    view = pixels(picture.image)
    known = Look(
        content_hash=pixel_hash(view),
        format=picture.format,
        mode=picture.mode,
        width=picture.width,
        height=picture.height,
        taken_at=picture.facts.taken_at,
        camera=picture.facts.camera,
    )
    return _Decoded(known, reduce(view))


def _measure(decoded: _Decoded | Look) -> Look:
    """What is known of a picture and how it looks."""
    if isinstance(decoded, Look):
        return decoded
    looks = vars(measure_reduced(decoded.reduced))
    return replace(decoded.known, phash=perceptual_hash(decoded.reduced.rgb), **looks)
