"""Damage that decoders pass over without a word: holes of zeros and missing ends."""

from collections.abc import Iterator

from clustering_assets.images.formats.heif import boxes, coded_pixels

_HOLE = 256


class DamageError(ValueError):
    """A file that a decoder would turn into pixels which are not its picture."""


def check_data(data: bytes, known: str) -> None:
    """Refuse a file whose bytes show damage before it is decoded.

    Args:
        data: The whole file.
        known: Its format, in Pillow's name.

    Raises:
        DamageError: A WEBP, HEIC or AVIF file with a hole in its pixels, or a HEIC or AVIF file that ends before them.
    """
    if known == "WEBP":
        parts = [(begin, end) for kind, begin, end in _riff_chunks(data) if kind in (b"VP8 ", b"VP8L")]
    elif known in ("HEIF", "AVIF"):
        parts = coded_pixels(data)
        # The decoder leaves a tile out that is not there, and cameras make every picture of tiles.
        if any(end > len(data) for _, end in parts):
            raise DamageError("its end is missing")
        if not parts:
            parts = [
                (len(data) - len(box), len(data)) for kind, box in boxes(memoryview(data)) if kind == b"mdat"
            ]
    else:
        return
    # Coders of these formats never write that many zeros; an interrupted copy or a bad disk leaves them.
    if any(data.find(bytes(_HOLE), begin, end) >= 0 for begin, end in parts):
        raise DamageError("a hole of zero bytes in its pixels")


def _riff_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, begin and end of the content of each chunk of a WEBP file (RFC 9649, 2.3), frames opened."""
    at = 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        kind = data[at : at + 4]
        yield kind, at + 8, at + 8 + size
        at += 24 if kind == b"ANMF" else 8 + size + size % 2
