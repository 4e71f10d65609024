"""The one loader of pictures: every stage sees the same upright 8-bit sRGB pixels, or the reason why not."""

from dataclasses import dataclass
from functools import lru_cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from clustering_assets.files import AnyFile, source_file
from clustering_assets.images.budget import memory_for
from clustering_assets.images.colour import Colour, UnclearPixelsError, to_srgb
from clustering_assets.images.colour_spaces import UnknownCodingError
from clustering_assets.images.errors import ImageError
from clustering_assets.images.exif import TURNS, Facts, read_facts
from clustering_assets.images.formats.pillow_settings import while_decoding
from clustering_assets.images.formats.reader import KindNotReadError, Reader
from clustering_assets.images.formats.registry import reader_of
from clustering_assets.images.formats.signatures import HEAD_BYTES, describe, is_raw, promises_picture

if TYPE_CHECKING:
    from clustering_assets.settings import Limits

WHITE: Colour = (255, 255, 255)

_FIRST_BYTES = 1 << 18
"""A file of up to this size is read in one go; of a longer one first only its beginning, which may be enough."""


@dataclass(frozen=True)
class Picture:
    """A decoded picture and what its file says.

    Attributes:
        image: Upright 8-bit sRGB, mode "RGB"; smaller than `width` x `height` if decoded to scale.
        width: Full width as seen, after EXIF orientation, in pixels.
        height: Full height as seen.
        format: What the file is, whatever its name: JPEG, MPO, PNG, GIF, BMP, WEBP, TIFF, AVIF or HEIF.
        mode: Pillow's name of what the file holds ("CMYK", "P", "I;16", ...).
        facts: What its EXIF notes say.
    """

    image: Image.Image
    width: int
    height: int
    format: str
    mode: str
    facts: Facts


def read_picture(
    path: AnyFile, *, min_side: int | None = None, limits: "Limits | None" = None, background: Colour = WHITE
) -> Picture:
    """A picture file: upright, 8-bit, sRGB, and what the file says beside its pixels.

    Colours follow the embedded profile, or else what the file says in another way (code points, gamma, the camera's
    mark of Adobe RGB). Damage is refused as far as the format lets it be seen: PNG has checksums; in the other formats
    single wrong bits often cannot be told from right ones, nor can a JPEG whose header names too few rows.

    Args:
        path: The file, or that of a source. Its content decides what it is, not its name.
        min_side: Allows a large JPEG to be decoded at 1/2, 1/4 or 1/8 as long as its shorter side keeps at
            least this many pixels. The result stays within 2 levels (mean absolute difference) of
            the full picture averaged down to the same size.
        limits: What is refused before it is decoded; None: what the settings refuse by default.
        background: The colour behind transparent parts, sRGB.

    Raises:
        ImageError: The file cannot be read, is too large, is in no format that is read, or is damaged.
    """
    data = read_file(path, limits)
    return decode_picture(data, path, min_side=min_side, limits=limits, background=background)


def decode_picture(
    data: bytes,
    name: AnyFile,
    *,
    min_side: int | None = None,
    limits: "Limits | None" = None,
    background: Colour = WHITE,
) -> Picture:
    """As `read_picture`, of a file whose whole content `data` is in memory; errors call it `name`."""
    limits = limits or _default_limits()
    _check_size(len(data), name, limits)
    reader = _reader(data[:HEAD_BYTES], name)(data)
    with while_decoding():
        try:
            return _decoded(reader, name, min_side, limits, background)
        except ImageError:
            raise
        except Exception as error:  # decoders answer damage with every kind of exception there is
            stage, reason = _refusal(error, reader, limits)
            if stage == "decode" and is_raw(str(name)):
                stage, reason = "format", "a camera raw file, which is not read"
            raise ImageError(name, stage, reason) from error


def read_file(path: AnyFile, limits: "Limits | None" = None) -> bytes:
    """The whole file, if it is an ordinary one, not too large, and begins like a picture.

    Raises:
        ImageError: It is none of that, or cannot be read.
    """
    file, limits = source_file(path), limits or _default_limits()
    try:
        before = file.stat()
        if before.problem:
            raise ImageError(path, "find", "not an ordinary file")
        _check_size(before.bytes, path, limits)
        with file.open() as opened:
            data = opened.read(min(before.bytes, _FIRST_BYTES))
            _reader(data[:HEAD_BYTES], path)  # of what is no picture only the beginning is read
            if len(data) < before.bytes:
                data += opened.read()
        if file.stat() != before:
            raise ImageError(path, "read", "changed while it was read")
    except OSError as error:
        raise ImageError(path, "read", error.strerror or type(error).__name__) from error
    except ValueError as error:  # a null character in the name
        raise ImageError(path, "read", str(error)) from error
    return data


def pixels(image: Image.Image) -> NDArray[np.uint8]:
    """The pixels of an "RGB" picture without copying them where that can be done; only to be read.

    Returns:
        Array (height, width, 4), whose last value means nothing, or (height, width, 3); uint8.
    """
    import pyarrow as pa

    try:
        numbers = pa.array(image).values
    except ValueError:  # a large picture, which Pillow keeps in several pieces
        return np.asarray(image)
    # Not `to_numpy`, which imports pandas: half a second in every process that looks at pictures.
    return np.frombuffer(numbers.buffers()[1], np.uint8).reshape(image.height, image.width, 4)


def as_sent(limits: "Limits") -> "Limits":
    """The same limits for other processes, which would take twice as long to start with all settings there are."""
    return cast("Limits", SimpleNamespace(**dict(limits)))


@lru_cache(maxsize=1)
def _default_limits() -> "Limits":
    """What the settings refuse by default."""
    # Imported only where it is asked for: with pydantic a process of a scan would take twice as long to start.
    from clustering_assets.settings import DEFAULT_LIMITS

    return DEFAULT_LIMITS


def _decoded(
    reader: Reader, name: AnyFile, min_side: int | None, limits: "Limits", background: Colour
) -> Picture:
    """The picture of a file, upright and sRGB."""
    image = reader.open()
    _check_pixels(image, name, limits)
    mode, size = image.mode, image.size
    format = image.format or reader.format
    if min_side:
        reader.shrink(image, min_side)
    with memory_for(image.width * image.height):
        shown = reader.decode(image)
        if shown.size != image.size:
            size = shown.size
        facts = read_facts(shown)  # only now: Pillow turns a TIFF as it loads it
        shown = to_srgb(shown, background, reader.coding(shown, facts))
        if facts.orientation in TURNS:
            shown = shown.transpose(TURNS[facts.orientation])
    width, height = reversed(size) if facts.orientation >= 5 else size
    return Picture(shown, width, height, format, mode, facts)


def _refusal(error: Exception, reader: Reader, limits: "Limits") -> tuple[str, str]:
    """Stage and reason of a picture that was not decoded because of `error`."""
    if isinstance(error, Image.DecompressionBombError):
        return "limits", _too_many_pixels(limits)
    if isinstance(error, UnclearPixelsError | UnknownCodingError | KindNotReadError):
        return "format", str(error)
    if isinstance(error, MemoryError):
        return "decode", "not enough memory to decode it"
    if kind := reader.kind_not_read(error):
        return "format", kind
    what = str(error) or type(error).__name__
    if isinstance(error, UnidentifiedImageError):
        what = "its header cannot be read"
    elif what.startswith("decoder error"):
        what = "its pixels cannot be decoded"
    return "decode", f"damaged {reader.format}: {what}"


def _reader(head: bytes, name: AnyFile) -> type[Reader]:
    """The reader of a file that begins with `head`, or the reason why there is none."""
    if reader := reader_of(head):
        return reader
    stage = "format" if promises_picture(str(name)) else "other"
    if not head:
        raise ImageError(name, stage, "empty file")
    drawing = str(name).lower().endswith(".svg") and head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
    raise ImageError(name, stage, "an SVG drawing" if drawing else describe(head))


def _check_size(count: int, name: AnyFile, limits: "Limits") -> None:
    """Refuse a file that is larger than the limit."""
    if count > limits.max_file_megabytes * 1e6:
        reason = f"{count / 1e6:,.0f} MB, more than max_file_megabytes = {limits.max_file_megabytes:g}"
        raise ImageError(name, "limits", reason)


def _check_pixels(image: Image.Image, name: AnyFile, limits: "Limits") -> None:
    """Refuse a picture that is larger than the limit, before it is decoded."""
    if image.width * image.height > limits.max_megapixels * 1e6:
        raise ImageError(name, "limits", f"{image.width} x {image.height} pixels, {_too_many_pixels(limits)}")


def _too_many_pixels(limits: "Limits") -> str:
    """The reason of pictures that are too large, in words."""
    return f"more than max_megapixels = {limits.max_megapixels:g}"
