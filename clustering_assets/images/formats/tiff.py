"""TIFF files (TIFF 6.0 and its supplements): sums that decoders do not look at, and kinds that are not read."""

import struct
import zlib
from io import BytesIO

from PIL import Image, TiffImagePlugin

from clustering_assets.images.formats.damage import DamageError

_COMPRESSION = 259
_PLACES = ((273, 279), (324, 325))
"""Tags of the offsets and of the sizes of strips, and of tiles."""

_DEFLATE = (8, 32946)
_NOT_READ = {
    33003: "JPEG 2000",
    33005: "JPEG 2000",
    34661: "JBIG",
    34712: "JPEG 2000",
    34887: "LERC",
    50001: "WEBP",
    50002: "JPEG XL",
    52546: "JPEG XL",
}
_CHUNK = 1 << 18


def check_strips(data: bytes, image: Image.Image) -> None:
    """Refuse a TIFF whose deflated strips or tiles do not have the sums that they end with (RFC 1950).

    The decoder stops when it has all pixels, before it would see the sum.

    Args:
        data: The whole file.
        image: What was found in its header.

    Raises:
        DamageError: A sum is wrong, or pixels cannot be inflated.
    """
    tags = getattr(image, "tag_v2", {})
    if tags.get(_COMPRESSION) not in _DEFLATE:
        return
    for offsets, sizes in _PLACES:
        for begin, size in zip(tags.get(offsets, ()), tags.get(sizes, ()), strict=False):
            inflater = zlib.decompressobj()
            waiting = data[begin : begin + size]
            try:
                while waiting and not inflater.eof:
                    inflater.decompress(waiting, _CHUNK)
                    waiting = inflater.unconsumed_tail
            except zlib.error as error:
                raise DamageError("a wrong checksum") from error


def kind_not_read(data: bytes) -> str:
    """What kind of TIFF this is if it is one that is not read; empty for the others."""
    number = None
    try:
        number = TiffImagePlugin.TiffImageFile(BytesIO(data)).tag_v2.get(_COMPRESSION)
    except (
        SyntaxError,
        IndexError,
        TypeError,
        struct.error,
    ) as error:  # what Pillow takes for "not this format"
        if "unknown pixel mode" in str(error):
            return "a kind of TIFF that is not read"
        if isinstance(error.__cause__, KeyError):
            number = error.__cause__.args[0]
    return f"a TIFF compressed as {_NOT_READ[number]}, which is not read" if number in _NOT_READ else ""
