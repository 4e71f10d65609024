"""The one loader of pictures: every stage sees the same upright 8-bit sRGB pixels, or the reason why not."""

import os
import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import (
    AvifImagePlugin,  # noqa: F401 - importing a plugin makes its format known
    BmpImagePlugin,  # noqa: F401
    GifImagePlugin,  # noqa: F401
    Image,
    JpegImagePlugin,  # noqa: F401
    MpoImagePlugin,  # noqa: F401
    PngImagePlugin,
    TiffImagePlugin,  # noqa: F401
    UnidentifiedImageError,
    WebPImagePlugin,  # noqa: F401
)

from clustering_assets.errors import ClusteringError
from clustering_assets.images.colour import Colour, UnclearPixelsError, to_srgb
from clustering_assets.images.facts import TURNS, Facts, read_facts
from clustering_assets.images.formats import HEAD_BYTES, describe, promises_picture, sniff
from clustering_assets.images.integrity import check_data, check_end

WHITE: Colour = (255, 255, 255)

# A FIFO that is opened this way does not wait for somebody to write to it.
_READ_ONLY = (
    os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
)

# Pillow tells of damaged notes inside a file by warnings; the pixels are what counts here, and a folder of phone
# pictures would fill the screen with them.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

# Pillow's own guard warns at 89 megapixels and refuses at 178. `Limits` decides before anything is decoded,
# so the guard moves up to the largest cap that can be set: Pillow refuses twice this number, 1,000 megapixels.
Image.MAX_IMAGE_PIXELS = 500_000_000

# Editors and generators of pictures put texts of megabytes into PNG files. Pillow's limit for one text is 1 MiB; its
# limit for all of them, 64 MiB, is guard enough.
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY


class ImageError(ClusteringError):
    """A picture that cannot be used.

    Attributes:
        path: The file, as it was named to the loader.
        stage: Where it failed: "find", "read", "limits", "format", "decode", or "other" for a file that is no
            picture and does not claim to be one.
        reason: What is wrong, in words, without the path.
    """

    def __init__(self, path: str | Path, stage: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = str(path)
        self.stage = stage
        self.reason = reason

    def __reduce__(self) -> tuple[type["ImageError"], tuple[str, str, str]]:
        """Pickled by its three parts, so that it survives the way out of a worker process."""
        return type(self), (self.path, self.stage, self.reason)


@dataclass(frozen=True)
class Limits:
    """What is refused before it is decoded.

    Attributes:
        max_megapixels: Largest picture, in millions of pixels.
        max_file_megabytes: Largest file, in MB.
    """

    max_megapixels: float = 120
    max_file_megabytes: float = 200


DEFAULT_LIMITS = Limits()


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


class _PixelBudget:
    """Keeps threads from decoding more pixels at once than memory has room for; small pictures never wait."""

    def __init__(self, pixels: int) -> None:
        self._whole = self._left = pixels
        self._changed = threading.Condition()

    @contextmanager
    def spend(self, pixels: int) -> Iterator[None]:
        """Wait until `pixels` (at most the whole budget) are free, and hold them inside the block."""
        share = min(pixels, self._whole)
        with self._changed:
            self._changed.wait_for(lambda: self._left >= share)
            self._left -= share
        try:
            yield
        finally:
            with self._changed:
                self._left += share
                self._changed.notify_all()


_memory = _PixelBudget(240_000_000)
"""Two pictures of the default cap at once; decoding takes four to twelve bytes for each pixel."""


def load_image(
    path: Path, *, min_side: int | None = None, limits: Limits = DEFAULT_LIMITS, background: Colour = WHITE
) -> NDArray[np.uint8]:
    """The pixels of a picture file: upright, 8-bit, sRGB.

    Args:
        path: The file. Its content decides what it is, not its name.
        min_side: Allows a large JPEG to be decoded at 1/2, 1/4 or 1/8 as long as its shorter side keeps at
            least this many pixels. The result stays within 2 levels (mean absolute difference) of
            the full picture averaged down to the same size.
        limits: What is refused before it is decoded.
        background: The colour behind transparent parts, sRGB.

    Returns:
        Array (height, width, 3), uint8, RGB, writable.

    Raises:
        ImageError: The file cannot be read, is too large, is in no format that is read, or is damaged.
    """
    return np.array(read_picture(path, min_side=min_side, limits=limits, background=background).image)


def decode_image(
    data: bytes,
    name: str | Path,
    *,
    min_side: int | None = None,
    limits: Limits = DEFAULT_LIMITS,
    background: Colour = WHITE,
) -> NDArray[np.uint8]:
    """The pixels of a picture held in memory; everything else as in `load_image`.

    Args:
        data: The whole content of the file.
        name: What to call it in errors.
        min_side: As in `load_image`.
        limits: As in `load_image`.
        background: As in `load_image`.

    Returns:
        Array (height, width, 3), uint8, RGB, writable.

    Raises:
        ImageError: As in `load_image`.
    """
    return np.array(decode_picture(data, name, min_side=min_side, limits=limits, background=background).image)


def read_picture(
    path: Path, *, min_side: int | None = None, limits: Limits = DEFAULT_LIMITS, background: Colour = WHITE
) -> Picture:
    """As `load_image`, with what the file says beside its pixels."""
    return decode_picture(_read(path, limits), path, min_side=min_side, limits=limits, background=background)


def decode_picture(
    data: bytes,
    name: str | Path,
    *,
    min_side: int | None = None,
    limits: Limits = DEFAULT_LIMITS,
    background: Colour = WHITE,
) -> Picture:
    """As `decode_image`, with what the file says beside its pixels."""
    _check_size(len(data), name, limits)
    known = _check_format(data[:HEAD_BYTES], name)
    try:
        check_data(data, known)
        image = _open(data, known)
        _check_pixels(image, name, limits)
        mode, (width, height) = image.mode, image.size
        if min_side and known == "JPEG" and (scale := min(width, height) // min_side) > 1:
            image.draft(None, (width // scale, height // scale))
        with _memory.spend(image.width * image.height):
            image.load()
            if known == "JPEG" and image.size == (width, height):
                check_end(data, image)
            facts = read_facts(image)  # only now: Pillow turns a TIFF as it loads it
            format = image.format or known
            image = to_srgb(image, background)
            if facts.orientation in TURNS:
                image = image.transpose(TURNS[facts.orientation])
        if facts.orientation >= 5:
            width, height = height, width
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageError(name, "limits", _too_many_pixels(limits)) from error
    except UnidentifiedImageError as error:
        raise ImageError(name, "decode", f"damaged {known}: its header cannot be read") from error
    except UnclearPixelsError as error:
        raise ImageError(name, "format", str(error)) from error
    except MemoryError as error:
        raise ImageError(name, "decode", "not enough memory to decode it") from error
    except Exception as error:  # decoders answer damage with every kind of exception there is
        raise ImageError(name, "decode", f"damaged {known}: {error or type(error).__name__}") from error
    return Picture(image, width, height, format, mode, facts)


def _read(path: Path, limits: Limits) -> bytes:
    """The whole file, if it is an ordinary one, not too large, and begins like a picture."""
    try:
        with open(os.open(path, _READ_ONLY), "rb", buffering=0) as file:  # noqa: PTH123
            facts = os.fstat(file.fileno())
            if not stat.S_ISREG(facts.st_mode):
                raise ImageError(path, "find", "not an ordinary file")
            _check_size(facts.st_size, path, limits)
            head = file.read(HEAD_BYTES)
            _check_format(head, path)
            return head + file.readall()
    except OSError as error:
        raise ImageError(path, "read", error.strerror or type(error).__name__) from error
    except ValueError as error:  # a null character in the name
        raise ImageError(path, "read", str(error)) from error


def _open(data: bytes, known: str) -> Image.Image:
    """Read the header with the one plugin of its format."""
    if known == "HEIF":
        _know_heif()
    return Image.open(BytesIO(data), formats=(known,))


@lru_cache(maxsize=1)
def _know_heif() -> None:
    """Teach Pillow HEIC; on the first such file only, since it takes a tenth of a second."""
    from pillow_heif import register_heif_opener

    register_heif_opener()


def _check_format(head: bytes, name: str | Path) -> str:
    """The format of a file that begins with `head`, or the reason why it is not read."""
    if known := sniff(head):
        return known
    claims = promises_picture(Path(name).name)
    if not head:
        raise ImageError(name, "format" if claims else "other", "empty file")
    raise ImageError(name, "format" if claims else "other", describe(head))


def _check_size(count: int, name: str | Path, limits: Limits) -> None:
    """Refuse a file that is larger than the limit."""
    if count > limits.max_file_megabytes * 1e6:
        reason = f"{count / 1e6:,.0f} MB, more than max_file_megabytes = {limits.max_file_megabytes:g}"
        raise ImageError(name, "limits", reason)


def _check_pixels(image: Image.Image, name: str | Path, limits: Limits) -> None:
    """Refuse a picture that is larger than the limit, before it is decoded."""
    if image.width * image.height > limits.max_megapixels * 1e6:
        raise ImageError(name, "limits", f"{image.width} x {image.height} pixels, {_too_many_pixels(limits)}")
    tags = getattr(image, "tag_v2", None)
    if tags is not None and (tags.get(254, 0) & 1 or 50706 in tags):
        raise ImageError(name, "format", "a camera raw file, of which only a preview could be read")


def _too_many_pixels(limits: Limits) -> str:
    return f"more than max_megapixels = {limits.max_megapixels:g}"
