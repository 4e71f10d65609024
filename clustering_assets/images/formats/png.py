"""PNG files by their chunks: checked sums, what a decoder needs and nothing else, the colour space they name."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import (
    Image,
    PngImagePlugin,  # noqa: F401 - makes the format known
)

from clustering_assets.images.colour_spaces import (
    SRGB,
    SRGB_PRIMARIES,
    Coding,
    UnknownCodingError,
    from_code_points,
)
from clustering_assets.images.exif import Facts
from clustering_assets.images.formats.damage import DamageError
from clustering_assets.images.formats.reader import KindNotReadError, Reader

_SIGNATURE = 8
_PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_FRAMES = (b"acTL", b"fcTL", b"fdAT")
_TEXTS = (b"zTXt", b"tEXt", b"iTXt")
_KEYWORDS = (b"Raw profile type exif\0", b"Raw profile type APP1\0", b"XML:com.adobe.xmp\0")
_CHECKED = frozenset((*_PIXELS, b"fdAT", b"fcTL"))
_MOST_NOTES = 4 << 20
_STRIP = 1 << 18
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Adam7: first column, first row, columns and rows from one pixel to the next (W3C, PNG third edition, 8.1)."""
_DISPLAY_GAMMA, _SAME_GAMMA = 0.45455, 0.005


class Png(Reader):
    """A PNG picture or animation."""

    format = "PNG"
    signatures = (b"\x89PNG\r\n\x1a\n",)

    def open(self) -> Image.Image:
        """Check the sums, and read the header of what decides about pixels.

        Raises:
            DamageError: A wrong sum in what decides about pixels, or a palette that is missing.
            UnknownCodingError: A colour space that is named but not known.
            KindNotReadError: An animation whose first frame is smaller than the picture.
        """
        self._content = _read(self.data)
        return Image.open(BytesIO(self._content.data), formats=(self.format,))

    def decode(self, image: Image.Image) -> Image.Image:
        """The first frame.

        Raises:
            DamageError: There are fewer pixels than the header says.
        """
        if image.info.get("default_image"):
            image.seek(1)  # the picture for readers that know no animations comes first, and is no frame
        image.load()
        _check_rows(self._content, image)
        return _with_transparency(image, self._content)

    def coding(self, image: Image.Image, facts: Facts) -> Coding | None:
        """By the chunks of the file."""
        return self._content.coding


@dataclass(frozen=True)
class _Content:
    """What a PNG file holds that decides about its pixels.

    Attributes:
        data: The file without chunks that decide nothing: no text, no times, no later frames.
        coding: Colour space where the file names one that goes before a profile or has none; None otherwise.
        transparent: The level or colour that is transparent, with all its bits; None for none.
        depth: Bits of each channel.
        kind: Colour type: 0 grey, 2 RGB, 3 palette, 4 and 6 with alpha.
        interlaced: The picture comes in seven passes.
    """

    data: bytes
    coding: Coding | None
    transparent: tuple[int, ...] | None
    depth: int
    kind: int
    interlaced: bool


def _read(data: bytes) -> _Content:
    """Check the sums of a PNG file and take out what decides about its pixels (W3C, PNG third edition).

    Notes with a wrong sum or of an unreasonable size are left out, since the pixels may well be sound. Later frames
    of an animation are left out too, unless the first picture of the file is none of its frames.
    """
    kept, found = [data[:_SIGNATURE]], dict[bytes, bytes]()
    apart = _first_picture_is_no_frame(data)
    end = _SIGNATURE
    for kind, begin, end in _chunks(data):
        sound = zlib.crc32(memoryview(data)[begin + 4 : end - 4]) == int.from_bytes(
            data[end - 4 : end], "big"
        )
        if not sound and kind in _CHECKED:
            raise DamageError("a wrong checksum")
        before_pixels = b"IDAT" not in found
        if (
            kind in _PIXELS
            or (apart and kind in _FRAMES)
            or (sound and _is_useful_note(kind, data, begin, end))
        ):
            kept.append(data[begin:end])
        if apart and kind == b"fcTL" and kind not in found:
            found[kind] = data[begin + 8 : end - 4]
        if sound and before_pixels and kind not in found:
            found[kind] = b"" if kind == b"IDAT" else data[begin + 8 : end - 4]
    if kept[-1][4:8] != b"IEND":
        kept.append(data[end:])  # cut off: the decoder shall see that
    header = found.get(b"IHDR", b"").ljust(13, b"\0")
    if header[9] == 3 and not found.get(b"PLTE"):
        raise DamageError("no palette")
    if apart and b"fcTL" in found and found[b"fcTL"][4:12] != header[:8]:
        raise KindNotReadError("an animation that begins with a part of its picture, which is not read")
    coding = _coding(found)
    if coding and b"cICP" in found:
        kept = [chunk for chunk in kept if chunk[4:8] != b"iCCP"]
    transparent = _transparent(found, header[9])
    return _Content(b"".join(kept), coding, transparent, header[8], header[9], header[12] == 1)


def _check_rows(png: _Content, image: Image.Image) -> None:
    """Refuse a PNG file whose pixels are sound but too few: the decoder leaves the lowest rows empty, and says nothing.

    Only if the lowest rows of what was decoded are empty, the pixels are counted.
    """
    width, height = image.size
    if any(image.crop((0, max(0, height - 2), width, height)).tobytes()) or image.info.get("default_image"):
        return
    inflater = zlib.decompressobj()
    count = 0
    for kind, begin, end in _chunks(png.data):
        if kind == b"IDAT":
            waiting = png.data[begin + 8 : end - 4]
            while waiting and not inflater.eof:
                count += len(inflater.decompress(waiting, _STRIP))
                waiting = inflater.unconsumed_tail
    count += len(inflater.flush())
    if count < _size(png, width, height):
        raise DamageError("rows are missing")


def _with_transparency(image: Image.Image, png: _Content) -> Image.Image:
    """`image` with its transparent level or colour as its file means it, not cut to or taken for 8 bits."""
    if png.transparent is None:
        return image
    if len(png.transparent) == 1 and png.depth in (1, 2, 4):
        image.info.pop("transparency", None)  # of black and white Pillow 11 takes the level for one of 256
        image = image.convert("L")
        image.info["transparency"] = png.transparent[0] * 255 // (2**png.depth - 1)
    elif len(png.transparent) == 3 and png.depth == 16:
        import cv2

        deep = cv2.imdecode(np.frombuffer(png.data, np.uint8), cv2.IMREAD_UNCHANGED)[..., 2::-1]  # type: ignore[index]
        alpha = np.where((deep == np.array(png.transparent)).all(axis=-1), 0, 255).astype(np.uint8)
        del image.info["transparency"]
        image.putalpha(Image.fromarray(alpha, "L"))
    return image


def _size(png: _Content, width: int, height: int) -> int:
    """Bytes of the pixels before compression (W3C, PNG third edition, 7.2 and 8.1)."""
    bits = png.depth * _CHANNELS.get(png.kind, 1)
    passes = _PASSES if png.interlaced else ((0, 0, 1, 1),)
    sizes = ((-(-(width - left) // across), -(-(height - top) // down)) for left, top, across, down in passes)
    return sum(rows * (1 + (columns * bits + 7) // 8) for columns, rows in sizes if columns > 0 and rows > 0)


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, begin and end of each chunk that is whole, up to the end mark."""
    at = _SIGNATURE
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if end > len(data):
            return
        kind = data[at + 4 : at + 8]
        yield kind, at, end
        if kind == b"IEND":
            return
        at = end


def _first_picture_is_no_frame(data: bytes) -> bool:
    """Whether an animation begins behind the picture that is shown by readers that know no animations."""
    animated = False
    for kind, _, _ in _chunks(data):
        animated = animated or kind == b"acTL"
        if kind in (b"fcTL", b"IDAT"):
            return animated and kind == b"IDAT"
    return False


def _is_useful_note(kind: bytes, data: bytes, begin: int, end: int) -> bool:
    """Whether a chunk beside the pixels is read: notes of the camera, or a profile of a reasonable size."""
    if kind == b"eXIf":
        return True
    content = data[begin + 8 : end - 4]
    if kind == b"iCCP":
        name, _, rest = content.partition(b"\0")
        return 0 < len(name) < 80 and rest[:1] == b"\0" and _inflates(rest[1:])
    if kind not in _TEXTS or not content.startswith(_KEYWORDS):
        return False
    rest = content.partition(b"\0")[2]
    packed = rest[1:] if kind == b"zTXt" else rest if kind == b"iTXt" and rest[:1] == b"\1" else b""
    if kind == b"iTXt" and packed:
        packed = packed[2:].partition(b"\0")[2].partition(b"\0")[2]
    return _inflates(packed) if packed else len(content) <= _MOST_NOTES


def _inflates(packed: bytes) -> bool:
    """Whether compressed notes are sound and of a reasonable size."""
    inflater = zlib.decompressobj()
    try:
        inflater.decompress(packed, _MOST_NOTES)
    except zlib.error:
        return False
    return inflater.eof


def _coding(found: dict[bytes, bytes]) -> Coding | None:
    """The colour space by the precedence of the specification (4.3); None if a profile or nothing decides."""
    if len(found.get(b"cICP", b"")) == 4:
        primaries, transfer, matrix, full_range = found[b"cICP"]
        if matrix or full_range != 1:
            raise UnknownCodingError("colours that are no RGB of full range")
        return from_code_points(primaries, transfer)
    if b"iCCP" in found or b"sRGB" in found or len(found.get(b"gAMA", b"")) != 4:
        return None
    gamma = int.from_bytes(found[b"gAMA"], "big") / 100_000
    if not 0.1 <= gamma <= 10:
        return None
    primaries = _primaries(found.get(b"cHRM", b""))
    if primaries == SRGB_PRIMARIES and abs(gamma - _DISPLAY_GAMMA) <= _SAME_GAMMA:
        return SRGB  # what programs that mean sRGB have written since before there was a chunk for it
    return Coding(primaries, gamma=1 / gamma)


def _primaries(chunk: bytes) -> tuple[float, float, float, float, float, float, float, float]:
    """The primaries of a cHRM chunk; those of sRGB if there are none or they make no sense."""
    if len(chunk) != 32:
        return SRGB_PRIMARIES
    white_x, white_y, *rest = (value / 100_000 for value in struct.unpack(">8I", chunk))
    rx, ry, gx, gy, bx, by = rest
    area = abs((gx - rx) * (by - ry) - (bx - rx) * (gy - ry))
    if min(white_x, white_y, *rest) <= 0 or max(white_x, white_y, *rest) > 1 or area < 0.01:
        return SRGB_PRIMARIES
    named = rx, ry, gx, gy, bx, by, white_x, white_y
    same = max(abs(one - other) for one, other in zip(named, SRGB_PRIMARIES, strict=True)) <= 0.002
    return SRGB_PRIMARIES if same else named


def _transparent(found: dict[bytes, bytes], colour_type: int) -> tuple[int, ...] | None:
    """The transparent level of a grey picture or colour of an RGB one."""
    count = {0: 1, 2: 3}.get(colour_type, 0)
    chunk = found.get(b"tRNS", b"")
    return struct.unpack(f">{count}H", chunk[: 2 * count]) if count and len(chunk) >= 2 * count else None
