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
_EXTRA_SAMPLES, _ASSOCIATED = 338, (1,)
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
_UNKNOWN = 7
_SIZES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
"""Bytes of a value by its type."""
_NEEDED = {
    256,
    257,
    258,
    259,
    262,
    266,
    273,
    277,
    278,
    279,
    284,
    317,
    320,
    322,
    323,
    324,
    325,
    338,
    339,
    347,
    529,
    530,
}
"""Tags that decide about pixels."""
_MOST_ENTRIES = 65_535


class Tiff(Reader):
    """A TIFF file, of which the first picture is shown."""

    format = "TIFF"
    signatures = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")

    @classmethod
    def sniff(cls, head: bytes) -> bool:
        """As a TIFF begins that is no camera's raw file."""
        return super().sniff(head) and head[8:10] != b"CR"

    def open(self) -> Image.Image:
        """Read the header; Pillow goes no further than to the first entry whose value lies outside the file."""
        self.data = _without_lost_values(self.data)
        return super().open()

    def decode(self, image: Image.Image) -> Image.Image:
        """The picture, its sums checked.

        Raises:
            KindNotReadError: The file begins with a preview, or Pillow would mix up its planes.
            DamageError: A sum is wrong, or pixels cannot be inflated.
        """
        tags = getattr(image, "tag_v2", {})
        kind = tags.get(_SUBFILE_TYPE, 0)
        if (isinstance(kind, int) and kind & 1) or _DNG_VERSION in tags:
            raise KindNotReadError(
                "a camera raw file or another TIFF that begins with a preview, which is not read"
            )
        if tags.get(_PLANES) == 2 and max(tags.get(_BITS, (8,))) > 8:
            raise KindNotReadError("a TIFF with more than 8 bits in separate planes, which is not read")
        _check_strips(self.data, tags)
        image = super().decode(image)
        if image.mode == "RGBA" and tags.get(_EXTRA_SAMPLES) == _ASSOCIATED:
            image = self._doubted(image)
        levels = tags.get(_COLOUR_MAP, (0,)) if image.mode == "P" else (0,)
        if 0 < max(levels) < 256:  # 8 bits in the place of 16, which Pillow takes for nearly black
            image.putpalette(
                bytes(level for colour in zip(*_thirds(levels), strict=True) for level in colour)
            )
        return image

    def _doubted(self, image: Image.Image) -> Image.Image:
        """A picture whose colours were divided by alpha; undivided where that is 0 everywhere."""
        if image.getchannel("A").getextrema() != (0, 0):
            return image
        again = super().open()
        tiles: Any = again
        tiles.tile = [tile._replace(args=tuple(_undivided(arg) for arg in tile.args)) for tile in tiles.tile]
        again.load()
        return again

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


def _without_lost_values(data: bytes) -> bytes:
    """A TIFF in which no entry of the first directory that can be done without has a value outside the file.

    Such an entry becomes one of a single unknown byte (TIFF 6.0, section 2; BigTIFF has wider numbers).
    """
    order, big = "<" if data.startswith(b"II") else ">", data[2:4] in (b"+\x00", b"\x00+")
    head, entry, room = (f"{order}Q", f"{order}HHQ", 8) if big else (f"{order}H", f"{order}HHI", 4)
    mended = None
    try:
        (begin,) = struct.unpack_from(f"{order}{'Q' if big else 'I'}", data, room)
        (count,) = struct.unpack_from(head, data, begin)
        step = struct.calcsize(entry) + room
        for at in range(begin + struct.calcsize(head), len(data) - step + 1, step)[
            : min(count, _MOST_ENTRIES)
        ]:
            tag, kind, values = struct.unpack_from(entry, data, at)
            (place,) = struct.unpack_from(f"{order}{'Q' if big else 'I'}", data, at + step - room)
            size = values * _SIZES.get(kind, 0)
            if size > room and place + size > len(data) and tag not in _NEEDED:
                mended = mended or bytearray(data)
                mended[at : at + step] = struct.pack(entry, tag, _UNKNOWN, 1) + bytes(room)
    except struct.error:
        return data  # no directory; that is found out and said where the header is read
    return bytes(mended) if mended else data


def _undivided(argument: Any) -> Any:
    """An argument of a decoder; the name of a layout of pixels without the division by alpha."""
    return argument.replace("RGBa", "RGBA") if isinstance(argument, str) else argument


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
