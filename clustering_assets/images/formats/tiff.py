"""TIFF files (TIFF 6.0 and its supplements): sums that decoders do not look at, and kinds that are not read."""

import struct
import zlib
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import PIL
from PIL import Image, TiffImagePlugin

from clustering_assets.images.formats.damage import DamageError
from clustering_assets.images.formats.reader import KindNotReadError, Reader

_SUBFILE_TYPE, _BITS, _COMPRESSION, _PLANES, _COLOUR_MAP, _DNG_VERSION = 254, 258, 259, 284, 320, 50706
_PLACES = ((273, 279), (324, 325))
"""Tags of the offsets and of the sizes of strips, and of tiles."""

_BIG_ENDIAN_BIGTIFF = b"MM\x00+"
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
if int(PIL.__version__.partition(".")[0]) < 13:  # whose libtiff is built without
    _NOT_READ[50000] = "ZSTD"
_NOT_IDENTIFIED = (SyntaxError, IndexError, TypeError, struct.error)
"""What Pillow takes for "not this format"."""

_CHUNK = 1 << 18


class Tiff(Reader):
    """A TIFF file, of which the first picture is shown."""

    format = "TIFF"
    signatures = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")

    @classmethod
    def sniff(cls, head: bytes) -> bool:
        """As a TIFF begins that is no camera's raw file."""
        return super().sniff(head) and head[8:10] != b"CR"

    def decode(self, image: Image.Image) -> Image.Image:
        """The picture, its sums checked.

        Raises:
            KindNotReadError: The file begins with a preview, or Pillow would mix up its planes.
            DamageError: A sum is wrong, or pixels cannot be inflated.
        """
        tags = getattr(image, "tag_v2", {})
        if tags.get(_SUBFILE_TYPE, 0) & 1 or _DNG_VERSION in tags:
            raise KindNotReadError(
                "a camera raw file or another TIFF that begins with a preview, which is not read"
            )
        if tags.get(_PLANES) == 2 and max(tags.get(_BITS, (8,))) > 8:
            raise KindNotReadError("a TIFF with more than 8 bits in separate planes, which is not read")
        _check_strips(self.data, tags)
        image = super().decode(image)
        levels = tags.get(_COLOUR_MAP, (0,)) if image.mode == "P" else (0,)
        if 0 < max(levels) < 256:  # 8 bits in the place of 16, which Pillow takes for nearly black
            image.putpalette(
                bytes(level for colour in zip(*_thirds(levels), strict=True) for level in colour)
            )
        return image

    def kind_not_read(self, error: Exception) -> str:
        """A compression or a layout of pixels that Pillow does not know."""
        if self.data.startswith(_BIG_ENDIAN_BIGTIFF):
            return "a BigTIFF with its bytes in Motorola's order, which is not read"
        number = None
        try:
            number = TiffImagePlugin.TiffImageFile(BytesIO(self.data)).tag_v2.get(_COMPRESSION)
        except _NOT_IDENTIFIED as problem:
            if "unknown pixel mode" in str(problem):
                return "a kind of TIFF that is not read"
            if isinstance(problem.__cause__, KeyError):
                number = problem.__cause__.args[0]
        return f"a TIFF compressed as {_NOT_READ[number]}, which is not read" if number in _NOT_READ else ""


def _thirds(levels: Sequence[int]) -> list[Sequence[int]]:
    """The reds, greens and blues of a colour map."""
    count = len(levels) // 3
    return [levels[begin : begin + count] for begin in (0, count, 2 * count)]


def _check_strips(data: bytes, tags: Mapping[int, Any]) -> None:
    """Refuse a TIFF whose deflated strips or tiles do not have the sums that they end with (RFC 1950).

    The decoder stops when it has all pixels, before it would see the sum.
    """
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
