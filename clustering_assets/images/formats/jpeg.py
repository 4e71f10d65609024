"""JPEG files: decoded by a decoder that tells of damage, and what their segments say (ITU-T T.81)."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import PIL
import simplejpeg
from numpy.typing import NDArray
from PIL import (
    Image,
    JpegImagePlugin,  # noqa: F401 - makes the format known
    MpoImagePlugin,  # noqa: F401
)

from clustering_assets.images.formats.damage import DamageError
from clustering_assets.images.formats.reader import Reader

_END = b"\xff\xd9"
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""Of the next segment; stuffed bytes, restarts and fillers are none (B.1.1)."""

_RESTART = re.compile(rb"(\xff+[\xd0-\xd7])")
_BETWEEN_SCANS = (0xC4, 0xDA, 0xDB, 0xDC, 0xDD, 0xFE)
"""Markers of segments that may follow a scan and are followed by another: tables, the next scan, comments."""

_RUN = 64
_COEFFICIENTS = 64
_SEQUENTIAL = (0xC0, 0xC1)
_HUFFMAN = (*_SEQUENTIAL, 0xC2)
_JPEG_LS = 0xF7  # ITU-T T.87, C.1.1
_LOSSLESS, _HIERARCHICAL = (0xC3, 0xC7, 0xCB, 0xCF), (0xC5, 0xC6, 0xCD, 0xCE)  # table B.1

_DAMAGE = ("Corrupt JPEG data", "Premature end of JPEG")
_PREMATURE = "Corrupt JPEG data: premature end of data segment"
_LEFT_OVER = re.compile(r"(\d+) extraneous bytes before marker 0xd9")
_LONGEST_FILLER = 16  # bytes before a restart marker
_LEAST_SHARE = 0.25  # of all intervals that end in fillers where a device writes them
_LONGEST_SIDE = 65_500  # pixels; the library's limit
_SEAM = 2.2
_TEXT = re.compile(rb"[\t\n\r -~]{12}\s*\Z")
_LOST = "parts of the picture are missing or wrong"


class Jpeg(Reader):
    """A JPEG picture, or the first of those in an MPO file."""

    format = "JPEG"
    signatures = (b"\xff\xd8\xff",)

    def open(self) -> Image.Image:
        """Read the header; notes that a reader stumbles over are left out."""
        try:
            return super().open()
        except Image.DecompressionBombError:
            raise
        except Exception:  # noqa: BLE001 - what still cannot be opened raises again
            return Image.open(BytesIO(_without_notes(self.data)), formats=(self.format,))

    def shrink(self, image: Image.Image, min_side: int) -> None:
        """Have the picture decoded at 1/2, 1/4 or 1/8."""
        width, height = image.size
        if (scale := min(width, height) // min_side) > 1:
            image.draft(None, (width // scale, height // scale))

    def decode(self, image: Image.Image) -> Image.Image:
        """The whole picture.

        Raises:
            DamageError: Pixels of it are missing or wrong as far as a decoder can see.
        """
        return load_jpeg(self.data, image)

    def kind_not_read(self, error: Exception) -> str:
        """A coding that hardly any program reads, or samples of more than 8 bits."""
        frame = _frame(self.data)
        if frame.kind == _JPEG_LS:
            return "a JPEG-LS picture, which is not read"
        if frame.kind in _LOSSLESS:
            return "a lossless JPEG, which is not read"
        if frame.kind in _HIERARCHICAL:
            return "a hierarchical JPEG, which is not read"
        return (
            ""
            if frame.bits in (0, 8)
            else f"a JPEG with {frame.bits} bits for each sample, which is not read"
        )


def load_jpeg(data: bytes, opened: Image.Image) -> Image.Image:
    """Decode a JPEG, and refuse it if pixels of it are missing or wrong as far as a decoder can see.

    Pillow's decoder fills what is missing and says nothing. So the same library, libjpeg-turbo, decodes the usual
    kinds by way of simplejpeg, which hands its warnings on. What a strict reader stumbles over without any harm (an
    end mark that was never written, bytes between segments, fillers behind the last block) is put right first. Other
    kinds are decoded by Pillow and once more by FFmpeg, which is strict too; so is every progressive file, since of
    lost details nothing can be seen in the pixels, and every file with a long run of one byte among its pixels.

    Args:
        data: The whole file.
        opened: What Pillow found in its header, its `draft` already chosen.

    Returns:
        The decoded picture, of the size and mode of `opened`, with its notes.

    Raises:
        DamageError: The pixels do not make up a whole picture.
    """
    whole = data
    image, data = _decoded(whole, opened)
    if image:
        image.info = opened.info
    else:
        if data is not whole:
            opened = _opened_again(data, opened)
        opened.decodermaxblock = len(data)  # type: ignore[attr-defined] - arithmetic coding cannot wait for more
        opened.load()
    begin = _begin_of_pixels(data)
    runs = [data.find(byte * _RUN, begin) for byte in (b"\0", b"\xff")]
    hollow = any(run < _end_of_pixels(data, begin) for run in runs if run >= 0)
    progressive = bool(opened.info.get("progressive"))
    suspicious = image is None or hollow or progressive
    if suspicious and _is_refused(data[: _end_of_pixels(data, begin) + 2]):
        raise DamageError("parts of the picture are missing")
    if progressive and _lacks_scans(data, begin):
        raise DamageError("its last scans are missing")
    return image or opened


def _decoded(data: bytes, opened: Image.Image) -> tuple[Image.Image | None, bytes]:
    """The picture, if the strict decoder reads its kind, and the file as it was read.

    Raises:
        DamageError: Its warnings are about pixels.
    """
    untidy = data
    for mend in (bytes, _put_right, lambda data: _trimmed(data, foreign=_is_foreign(untidy))):
        data = mend(data)
        if data is not untidy and _frame(data).kind not in _HUFFMAN:
            break  # what arithmetic coding lacks at an end mark counts as zeros
        try:
            return _strictly(data, opened), data
        except ValueError as error:
            if not str(error).startswith(_DAMAGE) and (
                data is not untidy or _frame(data).kind not in _HUFFMAN
            ):
                return None, data  # the kind is not read, as no marker is left that does not belong there
    raise DamageError(_LOST)


def _is_foreign(data: bytes) -> bool:
    """Whether something else than the end mark lies behind the pixels: the end of the file, or another marker."""
    end = _end_of_pixels(data, _begin_of_pixels(data))
    return data[end : end + 2] != _END


def _opened_again(data: bytes, opened: Image.Image) -> Image.Image:
    """The header of a file that was put right, to be decoded at the same scale and with the same notes."""
    again = Image.open(BytesIO(data), formats=("JPEG",))
    again.draft(None, opened.size)
    again.info = opened.info
    return again


def _strictly(data: bytes, opened: Image.Image) -> Image.Image | None:
    """The picture as libjpeg-turbo decodes it; None if it has another size or kind than Pillow makes of it.

    Raises:
        ValueError: A warning or an error of the decoder, in its own words.
    """
    mode = {"RGB": "RGBA", "L": "GRAY", "CMYK": "CMYK"}.get(opened.mode)
    if mode is None:
        return None
    width, height = opened.size
    values = simplejpeg.decode_jpeg(data, mode, min_height=height, min_width=width)
    if values.shape[:2] != (height, width) or mode == "CMYK":
        return None  # inks are left to Pillow, which knows which way round they are; they were checked
    return Image.fromarray(values[..., 0], "L") if mode == "GRAY" else _of_four(values)


def _of_four(values: NDArray[np.uint8]) -> Image.Image:
    """An "RGB" picture on top of an array (height, width, 4), without a copy where Pillow can hand such pictures on."""
    if int(PIL.__version__.partition(".")[0]) < 13:  # it crashes when it hands on what it was handed itself
        return Image.frombytes("RGB", values.shape[1::-1], values, "raw", "RGBX")
    import pyarrow as pa

    numbers = pa.Array.from_buffers(pa.uint8(), values.size, [None, pa.py_buffer(values)])
    return Image.fromarrow(pa.FixedSizeListArray.from_arrays(numbers, 4), "RGB", values.shape[1::-1])


def _put_right(data: bytes) -> bytes:
    """A JPEG without notes, bytes between segments and what lies behind its pixels; with an end mark."""
    parts, at = [data[:2]], 2
    while (at := data.find(b"\xff", at)) >= 0 and at + 4 <= len(data):
        marker, end = data[at + 1], at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in (0x00, 0xFF) or 0xD0 <= marker <= 0xD9:
            at += 1
        elif marker == 0xDA:
            parts += data[at : _end_of_pixels(data, end)], _END
            break
        else:
            if not _is_note(marker) or marker in (0xE0, 0xEE):  # JFIF and Adobe decide what the numbers mean
                parts.append(data[at:end])
            at = end
    return b"".join(parts)


def _trimmed(data: bytes, foreign: bool) -> bytes:
    """A JPEG that was put right, without the bytes behind the last block of its scan or of each restart interval.

    Some devices fill up what they write. Where data were lost the decoder is left with bytes as well, those of blocks
    that it did not get to. Fillers are of one value, or a few bytes in many intervals, or behind a picture without
    a seam. Lost details leave no seam: there they are text, or foreign.

    Args:
        data: The file.
        foreign: What lies behind its pixels is not from the coder.

    Raises:
        DamageError: The bytes may be blocks of the picture, or blocks are missing.
    """
    frame, begin = _frame(data), _begin_of_pixels(data)
    scan = data[begin : -len(_END)]
    alone = frame.kind in _SEQUENTIAL and data[begin - 2 * len(frame.components) - 4] == len(frame.components)
    pieces = _RESTART.split(scan) if alone else [scan]
    heads = _heads(data[:begin], frame, len(pieces[::2])) if alone else [data[:begin]]
    colours = "CMYK" if len(frame.components) == 4 else "GRAY"
    left = [_left_over(head, part, colours) for head, part in zip(heads, pieces[::2], strict=True)]
    odd = [bool(n) and not _is_padding(piece, n) for piece, n in zip(pieces[::2], left, strict=True)]
    filled = sum(odd) >= max(2, _LEAST_SHARE * len(odd))
    for number, n in enumerate(left):
        if odd[number] and not (filled and n <= _LONGEST_FILLER) and number < len(left) - 1:
            raise DamageError(_LOST)
        pieces[2 * number] = pieces[2 * number][: len(pieces[2 * number]) - n]
    data = b"".join([data[:begin], *pieces, _END])
    last = odd[-1] and not (filled and left[-1] <= _LONGEST_FILLER)
    if last and not (_seam(data, frame, colours) <= _SEAM if alone else foreign or _TEXT.search(scan)):
        raise DamageError(_LOST)
    return data


def _heads(head: bytes, frame: "_Frame", count: int) -> list[bytes]:
    """The header that each of `count` restart intervals would have if it were a picture of its own.

    Raises:
        DamageError: There should be another number of intervals.
    """
    units = frame.across * frame.down
    restart = next((head[at : at + 2] for marker, at, _ in _segments(head) if marker == 0xDD), b"")
    each = int.from_bytes(restart, "big") or units
    if not units or count != -(-units // each):
        raise DamageError(_LOST)
    if count == 1:
        return [head]
    sizes = []
    for blocks in (each, units - each * (count - 1)):
        across = frame.across if blocks % frame.across == 0 else blocks
        width, height = across * frame.unit[0], blocks // across * frame.unit[1]
        if width > _LONGEST_SIDE:
            raise DamageError(_LOST)
        sizes.append(height.to_bytes(2, "big") + width.to_bytes(2, "big"))
    whole, last = (head[: frame.at + 1] + size + head[frame.at + 5 :] for size in sizes)
    return [whole] * (count - 1) + [last]


def _left_over(head: bytes, scan: bytes, colours: str) -> int:
    """Bytes of a scan that no block needs.

    Raises:
        DamageError: Blocks are missing.
    """
    warning = _complaint(head + scan + _END, colours)
    found = _LEFT_OVER.search(warning)
    if warning and not found:
        raise DamageError(_LOST)
    count = int(found[1]) if found else 0
    while count < len(scan):  # the decoder reads up to eight bytes ahead, which it does not count
        less = head + scan[: len(scan) - count - 1] + _END
        if _complaint(less, colours).startswith(_PREMATURE):
            break
        count += 1
    return count


def _complaint(data: bytes, colours: str) -> str:
    """The first warning of the strict decoder; empty for none."""
    try:
        simplejpeg.decode_jpeg(data, colours, min_height=1, min_width=1)
    except ValueError as error:
        return str(error)
    return ""


def _is_padding(scan: bytes, count: int) -> bool:
    """Whether the last bytes of a scan are all the same.

    Raises:
        DamageError: The same ones were read before them: they are a hole in the picture.
    """
    if len(set(scan[-count:])) > 1:
        return False
    if scan[-count - 2 : -count] == scan[-1:] * 2:
        raise DamageError(_LOST)
    return True


def _seam(data: bytes, frame: "_Frame", colours: str) -> float:
    """How much rows of blocks differ from those above, in terms of neighbouring rows of pixels within both.

    Blocks behind a place where data were lost are out of place, and no longer fit to those above: along one row of
    blocks, counted from that place. So the most along a row is compared with what is usual in the picture, whose blocks
    show everywhere where it is smooth. In 99 of 100 pictures that are whole it is below 2.2; where 50 to 700 bytes are
    lost it is above 5 in 95 of 100.
    """
    grey = simplejpeg.decode_jpeg(data, colours, strict=False)[..., -1].astype(np.float32)
    wide, high = frame.unit
    edges = np.arange(high, len(grey) - 1, high)
    steps = [np.abs(grey[edges + at] - grey[edges + at - 1]) for at in (0, -1, 1)]
    across, above, below = (
        step[:, : step.shape[1] // wide * wide].reshape(-1, wide).mean(axis=1) for step in steps
    )
    row = np.ones(max(1, grey.shape[1] // wide))
    if len(across) < len(row):
        return 0.0
    differ, usual = (np.convolve(steps, row, "valid") for steps in (across, (above + below) / 2 + 0.5))
    steep = differ / usual
    return float(steep.max() / max(1.0, float(np.median(steep))))


def _is_refused(data: bytes) -> bool:
    """Whether FFmpeg finds damage in a JPEG; kinds that it does not read are left to the other decoder."""
    import av
    import av.error

    frame = _frame(data)
    if frame.kind not in _HUFFMAN or frame.bits != 8:
        return False
    decoder = av.CodecContext.create("mjpeg", "r")
    decoder.thread_count = 1
    decoder.options = {"err_detect": "crccheck+bitstream+buffer+explode+careful"}
    try:
        decoder.decode(av.Packet(data))
        decoder.decode(None)
    except av.error.InvalidDataError:
        return True
    except av.error.FFmpegError:
        return False
    return False


def _segments(data: bytes, at: int = 2) -> Iterator[tuple[int, int, int]]:
    """Marker, begin and end of the content of each segment of a JPEG up to the first scan (B.1.1)."""
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        yield marker, at + 4, end
        if marker in (0xDA, 0xD9):
            return
        at = end


def _is_note(marker: int) -> bool:
    """Whether a segment is one for applications or a comment."""
    return 0xE0 <= marker <= 0xEF or marker == 0xFE


def _begin_of_pixels(data: bytes) -> int:
    """Where the first scan begins; the end of the data if there is none."""
    return next((end for marker, _, end in _segments(data) if marker == 0xDA), len(data))


@dataclass(frozen=True)
class _Frame:
    """What a frame header (B.2.2) says.

    Attributes:
        kind: Its marker, which is the kind of coding; 0 if there is no header.
        at: Where its content begins.
        bits: Of a sample.
        size: Height and width in pixels.
        components: Number of each component and its sampling factors, in the order of the header.
    """

    kind: int = 0
    at: int = 0
    bits: int = 0
    size: tuple[int, int] = (0, 0)
    components: tuple[tuple[int, int], ...] = ()

    @property
    def unit(self) -> tuple[int, int]:
        """Width and height in pixels of what is coded together (A.2)."""
        if len(self.components) == 1:
            return 8, 8
        factors = [factor for _, factor in self.components]
        return 8 * max(factor >> 4 for factor in factors), 8 * max(factor & 15 for factor in factors)

    @property
    def across(self) -> int:
        """Number of units in a row."""
        return -(-self.size[1] // self.unit[0])

    @property
    def down(self) -> int:
        """Number of rows of units."""
        return -(-self.size[0] // self.unit[1])


def _frame(data: bytes) -> _Frame:
    """The frame header of a JPEG."""
    for marker, at, end in _segments(data):
        is_frame = marker == _JPEG_LS or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC))
        if is_frame and end <= len(data) and end - at >= 6:
            bits, height, width = struct.unpack(">BHH", data[at : at + 5])
            components = tuple(zip(data[at + 6 : end : 3], data[at + 7 : end : 3], strict=False))
            return _Frame(marker, at, bits, (height, width), components)
    return _Frame()


def _end_of_pixels(data: bytes, begin: int) -> int:
    """Where the first marker behind the begin of the pixels is that no scan follows; the end of the data for none."""
    while found := _MARKER.search(data, begin):
        if data[found.start() + 1] not in _BETWEEN_SCANS:
            return found.start()
        begin = found.end() + int.from_bytes(data[found.end() : found.end() + 2], "big")
    return len(data)


def _lacks_scans(data: bytes, begin: int) -> bool:
    """Whether the scans of a progressive JPEG leave coefficients out or without their last bits (G.1.1)."""
    left = {component: [1] * _COEFFICIENTS for component, _ in _frame(data).components}
    for scan in _scans(data, begin):
        count = data[scan]
        first, last, bits = data[scan + 1 + 2 * count : scan + 4 + 2 * count]
        for component in data[scan + 1 : scan + 1 + 2 * count : 2]:
            if component in left:
                left[component][first : last + 1] = [bits & 15] * (last + 1 - first)
    return any(any(bits) for bits in left.values())


def _scans(data: bytes, begin: int) -> Iterator[int]:
    """Where the header of each scan begins, of the first scan and those behind `begin`, where its pixels begin."""
    yield from (at for marker, at, _ in _segments(data) if marker == 0xDA)
    while found := _MARKER.search(data, begin):
        marker, at = data[found.start() + 1], found.end() + 2
        if marker == 0xD9:
            return
        if marker == 0xDA and at < len(data) and at + 4 + 2 * data[at] <= len(data):
            yield at
        begin = found.end() + int.from_bytes(data[found.end() : at], "big")


def _without_notes(data: bytes) -> bytes:
    """A JPEG without the notes that decide nothing about its pixels, for readers that stumble over damaged ones."""
    parts, at = [data[:2]], len(data)
    for marker, begin, end in _segments(data):
        content = data[begin:end]
        useful = (
            not _is_note(marker)
            or content.startswith((b"Exif\0\0", b"ICC_PROFILE\0"))
            or (content.startswith(b"Adobe") and len(content) >= 12)
        )
        if marker == 0xDA:
            at = begin - 4
            break
        if useful:
            parts.append(data[begin - 4 : end])
    return b"".join([*parts, data[at:]])
