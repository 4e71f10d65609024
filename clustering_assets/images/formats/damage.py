"""Damage that decoders pass over without a word."""

from collections.abc import Iterable

_HOLE = 256


class DamageError(ValueError):
    """A file that a decoder would turn into pixels which are not its picture."""


def check_holes(data: bytes, pixels: Iterable[tuple[int, int]]) -> None:
    """Refuse a file with a hole of zeros in its pixels: coders of WEBP, HEIC and AVIF never write that many.

    An interrupted copy or a bad disk leaves them.

    Args:
        data: The whole file.
        pixels: Begin and end of each part of it that holds coded pixels.

    Raises:
        DamageError: There is one.
    """
    if any(data.find(bytes(_HOLE), begin, end) >= 0 for begin, end in pixels):
        raise DamageError("a hole of zero bytes in its pixels")
