"""Damage that decoders pass over without a word: holes of zeros, missing ends, scans of which the rest never came."""

import re
from collections.abc import Iterator

from PIL import Image

from clustering_assets.images.boxes import boxes, coded_pixels

_BLOCK = 8
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""Of the next segment; stuffed bytes, restarts and fillers are none (ITU-T T.81, B.1.1)."""

_HOLE, _RUN = 256, 64
_COEFFICIENTS = 64
_HUFFMAN = (0xC0, 0xC1, 0xC2)
_JPEG_LS = 0xF7  # ITU-T T.87, C.1.1
_LOSSLESS, _HIERARCHICAL = (0xC3, 0xC7, 0xCB, 0xCF), (0xC5, 0xC6, 0xCD, 0xCE)  # ITU-T T.81, table B.1


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


def check_jpeg(data: bytes, image: Image.Image) -> None:
    """Refuse a JPEG that was cut off and closed with an end marker, or has a hole.

    Pillow's decoder fills what is missing and says nothing. What looks like that (a last block of exactly one colour, a
    long run of the same byte among the pixels) is decoded once more by FFmpeg, which is strict. So is every progressive
    file: if only details are missing, nothing of it can be seen in the pixels.

    Args:
        data: The whole file.
        image: What was decoded from it.

    Raises:
        DamageError: The pixels do not make up a whole picture.
    """
    begin = _begin_of_pixels(data)
    runs = [data.find(byte * _RUN, begin) for byte in (b"\0", b"\xff")]
    hollow = any(run < _end_of_pixels(data, begin) for run in runs if run >= 0)
    progressive = bool(image.info.get("progressive"))
    suspicious = hollow or progressive or _ends_in_one_colour(image)
    if suspicious and _is_refused(data[: _end_of_pixels(data, begin) + 2]):
        raise DamageError("parts of the picture are missing")
    if progressive and _lacks_scans(data, begin):
        raise DamageError("its last scans are missing")


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
    """Marker, begin and end of the content of each segment of a JPEG up to the first scan (ITU-T T.81, B.1.1)."""
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


def _begin_of_pixels(data: bytes) -> int:
    """Where the first scan begins; the end of the data if there is none."""
    return next((end for marker, _, end in _segments(data) if marker == 0xDA), len(data))


def _frame(data: bytes) -> tuple[int, int, list[int]]:
    """Kind of coding, bits of a sample and numbers of the components, from the frame header (ITU-T T.81, B.2.2)."""
    for marker, begin, end in _segments(data):
        is_frame = marker == _JPEG_LS or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC))
        if is_frame and end <= len(data) and end - begin >= 6:
            return marker, data[begin], list(data[begin + 6 : end : 3])
    return 0, 0, []


def _end_of_pixels(data: bytes, begin: int) -> int:
    """Where the first end marker behind the begin of the pixels is; the length of the data if there is none."""
    end = data.find(b"\xff\xd9", begin)
    return end if end >= 0 else len(data)


def coding_not_read(data: bytes) -> str:
    """What kind of JPEG this is if its coding is one that hardly any program reads; empty for the usual ones."""
    kind = _frame(data)[0]
    if kind == _JPEG_LS:
        return "a JPEG-LS picture, which is not read"
    if kind in _LOSSLESS:
        return "a lossless JPEG, which is not read"
    return "a hierarchical JPEG, which is not read" if kind in _HIERARCHICAL else ""


def bits_of_jpeg(data: bytes) -> int:
    """Bits of a sample; 0 if the file does not say."""
    return _frame(data)[1]


def _lacks_scans(data: bytes, begin: int) -> bool:
    """Whether the scans of a progressive JPEG leave coefficients out or without their last bits (ITU-T T.81, G.1.1)."""
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


def _riff_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, begin and end of the content of each chunk of a WEBP file (RFC 9649, 2.3), frames opened."""
    at = 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        kind = data[at : at + 4]
        yield kind, at + 8, at + 8 + size
        at += 24 if kind == b"ANMF" else 8 + size + size % 2


def without_notes(data: bytes) -> bytes:
    """A JPEG without the notes that decide nothing about its pixels, for readers that stumble over damaged ones."""
    parts, at = [data[:2]], len(data)
    for marker, begin, end in _segments(data):
        content = data[begin:end]
        useful = (
            not (0xE0 <= marker <= 0xEF or marker == 0xFE)
            or content.startswith((b"Exif\0\0", b"ICC_PROFILE\0"))
            or (content.startswith(b"Adobe") and len(content) >= 12)
        )
        if marker == 0xDA:
            at = begin - 4
            break
        if useful:
            parts.append(data[begin - 4 : end])
    return b"".join([*parts, data[at:]])


def _ends_in_one_colour(image: Image.Image) -> bool:
    """Whether the last block is exactly one colour, as it is where a decoder had to make it up."""
    width, height = image.size
    corner = image.crop((max(0, width - _BLOCK), max(0, height - _BLOCK), width, height))
    colours = corner.getcolors(1)
    return colours is not None
