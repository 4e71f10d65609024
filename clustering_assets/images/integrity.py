"""Damage that decoders pass over without a word: wrong checksums, missing ends, lower halves that are one colour."""

import zlib
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO

import numpy as np
from PIL import Image, ImageFile

_FLAT_ROWS = 8
_WITHHELD_ROWS = 48
_HOLE = 1024


class DamageError(ValueError):
    """A file that a decoder would turn into pixels which are not its picture."""


def check_data(data: bytes, known: str) -> None:
    """Refuse a file whose bytes show damage before it is decoded.

    Args:
        data: The whole file.
        known: Its format, in Pillow's name.

    Raises:
        DamageError: A PNG with a wrong checksum in its pixels; a WEBP, HEIC or AVIF
            file whose pixels end in a hole.
    """
    if known == "PNG":
        _check_sums(data)
    elif known in ("WEBP", "HEIF", "AVIF"):
        _check_hole(data, known)


def check_end(data: bytes, image: Image.Image) -> None:
    """Refuse a JPEG that was cut off and closed with an end marker.

    Decoders fill what is missing with the last colour. So only where the lowest rows are exactly one colour,
    the file is decoded once more without its end marker, and the rows must come all the same. This cannot
    tell for progressive files, which hold the whole picture coarsely before any detail.

    Args:
        data: The whole file.
        image: What was decoded from it, at full size.

    Raises:
        DamageError: The pixels end above the lower edge.
    """
    if image.height < 2 * _WITHHELD_ROWS or image.info.get("progressive"):
        return
    if not _ends_in_one_colour(image):
        return
    row = image.height - _WITHHELD_ROWS
    box = (0, row, image.width, row + 1)
    without_end = _decoded_so_far(data[: _end_of_pixels(data)])
    if np.any(np.asarray(image.crop(box))) and not np.any(np.asarray(without_end.crop(box))):
        raise DamageError("the lower part of the picture is missing")


def _decoded_so_far(data: bytes) -> ImageFile.ImageFile:
    """What a JPEG without its end marker gives: rows that did not come are zero."""
    image = Image.open(BytesIO(data), formats=("JPEG",))
    with suppress(OSError):  # certain to come: the end is missing
        image.load()
    image.tile = []
    return image


def _check_sums(data: bytes) -> None:
    """Check the sums of the pixel chunks, which Pillow skips (PNG specification, 5.3)."""
    view, at = memoryview(data), 8
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(view[at : at + 4], "big")
        kind = view[at + 4 : at + 8]
        if kind == b"IDAT" and end + 4 <= len(data):
            if zlib.crc32(view[at + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
                raise DamageError("a wrong checksum")
        elif kind == b"IEND":
            return
        at = end + 4


def _check_hole(data: bytes, known: str) -> None:
    """Refuse zeros at the end of the pixel data, which an interrupted copy leaves and decoders accept."""
    for kind, content in _riff_chunks(data) if known == "WEBP" else _boxes(data):
        if kind in (b"VP8 ", b"VP8L", b"mdat") and len(content) > _HOLE and not any(content[-_HOLE:]):
            raise DamageError("nothing but zero bytes at its end")


def _riff_chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Name and content of each chunk of a WEBP file (RFC 9649, 2.3)."""
    view, at = memoryview(data), 12
    while at + 8 <= len(data):
        size = int.from_bytes(view[at + 4 : at + 8], "little")
        yield bytes(view[at : at + 4]), view[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def _boxes(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Name and content of each outermost box of a HEIC or AVIF file (ISO/IEC 14496-12, 4.2)."""
    view, at = memoryview(data), 0
    while at + 8 <= len(data):
        size, head = int.from_bytes(view[at : at + 4], "big"), 8
        if size == 1:
            size, head = int.from_bytes(view[at + 8 : at + 16], "big"), 16
        end = at + size if size else len(data)
        if end < at + head:
            return
        yield bytes(view[at + 4 : at + 8]), view[at + head : end]
        at = end


def _end_of_pixels(data: bytes) -> int:
    """Where the first end marker behind the first scan of a JPEG is; the length of the data if there is none."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big") if data[at + 1] != 0xFF else 1
    end = data.find(b"\xff\xd9", at)
    return end if end >= 0 else len(data)


def _ends_in_one_colour(image: Image.Image) -> bool:
    """Whether the lowest rows are exactly one colour; most pictures are told by their lower corners."""
    if image.getpixel((0, image.height - 1)) != image.getpixel((image.width - 1, image.height - _FLAT_ROWS)):
        return False
    rows = np.asarray(image.crop((0, image.height - _FLAT_ROWS, image.width, image.height)))
    return bool((rows == rows[0, 0]).all())
