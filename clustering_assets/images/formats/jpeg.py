"""JPEG files: decoded by a decoder that tells of damage, and what their segments say (ITU-T T.81)."""

import re
from collections.abc import Iterator
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

_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""Of the next segment; stuffed bytes, restarts and fillers are none (B.1.1)."""

_RUN = 64
_COEFFICIENTS = 64
_HUFFMAN = (0xC0, 0xC1, 0xC2)
_JPEG_LS = 0xF7  # ITU-T T.87, C.1.1
_LOSSLESS, _HIERARCHICAL = (0xC3, 0xC7, 0xCB, 0xCF), (0xC5, 0xC6, 0xCD, 0xCE)  # table B.1

_DAMAGE = ("Corrupt JPEG data", "Premature end of JPEG")
_LEFT_OVER = re.compile(r"(\d+) extraneous bytes before marker 0xd9")


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
        kind, bits, _ = _frame(self.data)
        if kind == _JPEG_LS:
            return "a JPEG-LS picture, which is not read"
        if kind in _LOSSLESS:
            return "a lossless JPEG, which is not read"
        if kind in _HIERARCHICAL:
            return "a hierarchical JPEG, which is not read"
        return "" if bits in (0, 8) else f"a JPEG with {bits} bits for each sample, which is not read"


def load_jpeg(data: bytes, opened: Image.Image) -> Image.Image:
    """Decode a JPEG, and refuse it if pixels of it are missing or wrong as far as a decoder can see.

    Pillow's decoder fills what is missing and says nothing. So the same library, libjpeg-turbo, decodes the usual
    kinds by way of simplejpeg, which hands its warnings on. What a strict reader stumbles over without any harm (an
    end mark that was never written, a few zeros before it, bytes between segments) is put right first. Other kinds
    are decoded by Pillow and once more by FFmpeg, which is strict too; so is every progressive file, since of lost
    details nothing can be seen in the pixels, and every file with a long run of one byte among its pixels.

    Args:
        data: The whole file.
        opened: What Pillow found in its header, its `draft` already chosen.

    Returns:
        The decoded picture, of the size and mode of `opened`, with its notes.

    Raises:
        DamageError: The pixels do not make up a whole picture.
    """
    image = _decoded(data, opened)
    if image:
        image.info = opened.info
    else:
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


def _decoded(data: bytes, opened: Image.Image) -> Image.Image | None:
    """The picture, if the strict decoder reads its kind.

    Raises:
        DamageError: Its warnings are about pixels.
    """
    try:
        return _strictly(data, opened)
    except ValueError as error:
        warning = str(error)
    if not warning.startswith(_DAMAGE):
        return None
    mended = _put_right(data, warning)
    if _frame(mended)[0] not in _HUFFMAN:  # what arithmetic coding lacks at an end mark counts as zeros
        raise DamageError("parts of the picture are missing or wrong")
    try:
        return _strictly(mended, opened)
    except ValueError as error:
        if str(error).startswith(_DAMAGE):
            raise DamageError("parts of the picture are missing or wrong") from error
        return None


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


def _put_right(data: bytes, warning: str) -> bytes:
    """A JPEG without what does no harm: notes, bytes between segments, zeros before the end mark; with an end mark."""
    parts, at = [data[:2]], 2
    while (at := data.find(b"\xff", at)) >= 0 and at + 4 <= len(data):
        marker, end = data[at + 1], at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in (0x00, 0xFF) or 0xD0 <= marker <= 0xD9:
            at += 1
        elif marker == 0xDA:
            parts.append(_ended(data[at:], warning))
            break
        else:
            if not _is_note(marker) or marker in (0xE0, 0xEE):  # JFIF and Adobe decide what the numbers mean
                parts.append(data[at:end])
            at = end
    return b"".join(parts)


def _ended(scans: bytes, warning: str) -> bytes:
    """The scans of a JPEG with an end mark right behind them."""
    end = _end_of_pixels(scans, 0)
    left_over = _LEFT_OVER.search(warning)
    count = int(left_over[1]) if left_over else 0
    if count < _RUN and not any(scans[end - count : end]):
        end -= count
    return scans[:end] + b"\xff\xd9"


def _is_refused(data: bytes) -> bool:
    """Whether FFmpeg finds damage in a JPEG; kinds that it does not read are left to the other decoder."""
    import av
    import av.error

    kind, precision, _ = _frame(data)
    if kind not in _HUFFMAN or precision != 8:
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


def _frame(data: bytes) -> tuple[int, int, list[int]]:
    """Kind of coding, bits of a sample and numbers of the components, from the frame header (B.2.2)."""
    for marker, begin, end in _segments(data):
        is_frame = marker == _JPEG_LS or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC))
        if is_frame and end <= len(data) and end - begin >= 6:
            return marker, data[begin], list(data[begin + 6 : end : 3])
    return 0, 0, []


def _end_of_pixels(data: bytes, begin: int) -> int:
    """Where the first end marker behind the begin of the pixels is; the length of the data if there is none."""
    end = data.find(b"\xff\xd9", begin)
    return end if end >= 0 else len(data)


def _lacks_scans(data: bytes, begin: int) -> bool:
    """Whether the scans of a progressive JPEG leave coefficients out or without their last bits (G.1.1)."""
    left = {component: [1] * _COEFFICIENTS for component in _frame(data)[2]}
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
