"""HEIC and AVIF files by their boxes (ISO/IEC 14496-12 and 23008-12): the colour space named, where pixels lie."""

import struct
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from io import BytesIO
from typing import ClassVar

from PIL import AvifImagePlugin, Image, UnidentifiedImageError

from clustering_assets.images.budget import decodes_beside_others
from clustering_assets.images.colour_spaces import Coding, from_code_points
from clustering_assets.images.exif import Facts
from clustering_assets.images.formats.damage import DamageError, check_holes
from clustering_assets.images.formats.reader import Reader

_CODED = (b"hvc1", b"av01", b"jpeg", b"avc1")
_DAMAGED = (struct.error, IndexError, ValueError, KeyError)
_OF_HEVC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")
"""Brands that a file may begin with (ISO/IEC 23008-12, annex B) to be decoded by libheif."""


class _Container(Reader):
    """Pictures in an ISO base media file; `brands` says which are in this format."""

    brands: ClassVar[frozenset[bytes]]

    @classmethod
    def sniff(cls, head: bytes) -> bool:
        """Whether a brand in the header (ISO/IEC 14496-12, 4.3) is one of the format."""
        if head[4:8] != b"ftyp":
            return False
        end = min(int.from_bytes(head[:4], "big"), len(head))
        return not cls.brands.isdisjoint((head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))))

    def open(self) -> Image.Image:
        """Read the header of a file whose pixels are all there.

        Raises:
            DamageError: It ends before them, or has a hole in them.
        """
        parts = coded_pixels(self.data)
        # The decoder leaves a tile out that is not there, and cameras make every picture of tiles.
        if any(end > len(self.data) for _, end in parts):
            raise DamageError("its end is missing")
        if not parts:
            size = len(self.data)
            parts = [(size - len(box), size) for kind, box in boxes(memoryview(self.data)) if kind == b"mdat"]
        check_holes(self.data, parts)
        return self._open()

    def _open(self) -> Image.Image:
        return super().open()

    def coding(self, image: Image.Image, facts: Facts) -> Coding | None:
        """By the code points of the container."""
        points = None if image.info.get("icc_profile") else code_points(self.data)
        return from_code_points(*points) if points else None


class Avif(_Container):
    """An AVIF picture or animation."""

    format = "AVIF"
    brands = frozenset((b"avif", b"avis"))

    def _open(self) -> Image.Image:
        if decodes_beside_others():
            AvifImagePlugin.DEFAULT_MAX_THREADS = 1
        return super()._open()

    def decode(self, image: Image.Image) -> Image.Image:
        """The part of the picture that its container shows, which Pillow does not look at."""
        image.load()
        part = clean_aperture(self.data, image.size)
        return image.crop(part) if part else image


class Heif(_Container):
    """A HEIC picture; the first of them that is opened takes a tenth of a second for the import of its decoder."""

    format = "HEIF"
    brands = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"mif2"))

    def _open(self) -> Image.Image:
        # Not by `register_heif_opener`, which would teach the format to all of the process.
        from pillow_heif import HeifImageFile, options

        if decodes_beside_others():
            options.DECODE_THREADS = 1
        if self.data[8:12] not in _OF_HEVC:
            raise UnidentifiedImageError
        try:
            return HeifImageFile(BytesIO(self.data))
        except SyntaxError as error:
            raise UnidentifiedImageError from error


def boxes(data: memoryview, at: int = 0) -> Iterator[tuple[bytes, memoryview]]:
    """Kind and content of each box from `at` on; a box that is cut off ends with the data."""
    while at + 8 <= len(data):
        size, head = int.from_bytes(data[at : at + 4], "big"), 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        end = at + size if size else len(data)
        if end < at + head:
            return
        yield bytes(data[at + 4 : at + 8]), data[at + head : end]
        at = end


def code_points(data: bytes) -> tuple[int, int] | None:
    """Colour primaries and transfer curve of the main picture as ITU-T H.273 counts; None if a profile decides.

    Pictures made of tiles may name their colours on the tiles only: then what all agree upon is taken.
    """
    with suppress(*_DAMAGED):
        meta = _meta(data)
        properties = list(boxes(dict(boxes(meta[b"iprp"]))[b"ipco"]))
        colours = {number: box for number, (kind, box) in enumerate(properties, 1) if kind == b"colr"}
        own = [colours[number] for number in _associations(meta) if number in colours] or list(
            colours.values()
        )
        if any(bytes(box[:4]) in (b"prof", b"rICC") for box in own):
            return None
        named = {struct.unpack(">HH", box[4:8]) for box in own if bytes(box[:4]) == b"nclx"}
        return named.pop() if len(named) == 1 else None
    return None


def clean_aperture(data: bytes, size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """The part of the main picture that is to be shown (ISO/IEC 14496-12, 12.1.4); None if that is all of it.

    Args:
        data: The whole file.
        size: Width and height of the picture as it is coded.

    Returns:
        Left, upper, right and lower edge in pixels, before the picture is turned.
    """
    with suppress(*_DAMAGED, ZeroDivisionError):
        meta = _meta(data)
        properties = list(boxes(dict(boxes(meta[b"iprp"]))[b"ipco"]))
        own = dict(properties[number - 1] for number in _associations(meta))
        if b"clap" not in own:
            return None
        sides, offsets = struct.unpack(">4I", own[b"clap"][:16]), struct.unpack(">iIiI", own[b"clap"][16:32])
        width, height = Fraction(*sides[:2]), Fraction(*sides[2:])
        left = Fraction(*offsets[:2]) + (size[0] - width) / 2
        upper = Fraction(*offsets[2:]) + (size[1] - height) / 2
        part = int(left), int(upper), int(left + width), int(upper + height)
        if 0 <= part[0] < part[2] <= size[0] and 0 <= part[1] < part[3] <= size[1]:
            return part
    return None


def coded_pixels(data: bytes) -> list[tuple[int, int]]:
    """Begin and end of every coded picture in the file; notes and profiles are not among them."""
    with suppress(*_DAMAGED):
        meta = _meta(data)
        return [
            (begin, end)
            for item, begin, end in _locations(meta[b"iloc"])
            if item in _coded_items(meta[b"iinf"])
        ]
    return []


def _meta(data: bytes) -> dict[bytes, memoryview]:
    """The boxes that describe the pictures."""
    return dict(boxes(dict(boxes(memoryview(data)))[b"meta"], at=4))


def _associations(meta: dict[bytes, memoryview]) -> list[int]:
    """Numbers of the properties of the main picture."""
    item = int.from_bytes(meta[b"pitm"][4 : 8 if meta[b"pitm"][0] else 6], "big")
    box = dict(boxes(meta[b"iprp"]))[b"ipma"]
    wide_items, wide_numbers = box[0] >= 1, box[3] & 1
    at = 8
    for _ in range(int.from_bytes(box[4:8], "big")):
        width = 4 if wide_items else 2
        this, count = int.from_bytes(box[at : at + width], "big"), box[at + width]
        at += width + 1
        step = 2 if wide_numbers else 1
        numbers = [int.from_bytes(box[at + step * k : at + step * (k + 1)], "big") for k in range(count)]
        if this == item:
            return [number & (0x7FFF if wide_numbers else 0x7F) for number in numbers]
        at += step * count
    return []


def _coded_items(box: memoryview) -> set[int]:
    """Numbers of the items that are coded pictures."""
    items = set()
    for kind, entry in boxes(box, at=8 if box[0] else 6):
        if kind == b"infe" and entry[0] >= 2:
            width = 4 if entry[0] >= 3 else 2
            if bytes(entry[6 + width : 10 + width]) in _CODED:
                items.add(int.from_bytes(entry[4 : 4 + width], "big"))
    return items


def _locations(box: memoryview) -> Iterator[tuple[int, int, int]]:
    """Item, begin and end of every extent that lies in the file itself."""
    version, sizes = box[0], int.from_bytes(box[4:6], "big")
    offset, length, base = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index = sizes & 15 if version else 0
    item_width = 4 if version == 2 else 2
    at = 6

    def number(width: int) -> int:
        nonlocal at
        at += width
        return int.from_bytes(box[at - width : at], "big")

    for _ in range(number(item_width)):
        item = number(item_width)
        method = number(2) & 15 if version else 0
        number(2)
        start = number(base)
        for _ in range(min(number(2), len(box))):
            number(index)
            begin = start + number(offset)
            size = number(length)
            if method == 0:
                yield item, begin, begin + size
