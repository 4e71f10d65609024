"""The one loader of pictures: every stage sees the same upright 8-bit sRGB pixels, or the reason why not."""

import os
import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,  # noqa: F401 - importing a plugin makes its format known
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
from clustering_assets.images.colour_spaces import ADOBE_RGB, Coding, UnknownCodingError, from_code_points
from clustering_assets.images.exif import TURNS, Facts, read_facts
from clustering_assets.images.formats.damage import check_data
from clustering_assets.images.formats.heif import clean_aperture, code_points
from clustering_assets.images.formats.jpeg import bits_of_jpeg, coding_not_read, load_jpeg, without_notes
from clustering_assets.images.formats.png import Png, check_rows, read_png
from clustering_assets.images.formats.signatures import HEAD_BYTES, describe, promises_picture, sniff
from clustering_assets.images.formats.tiff import check_strips, kind_not_read
from clustering_assets.settings import DEFAULT_LIMITS, Limits

WHITE: Colour = (255, 255, 255)

# A FIFO that is opened this way does not wait for somebody to write to it.
_READ_ONLY = (
    os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
)

_FIRST_BYTES = 1 << 18
"""A file of up to this size is read in one go; of a longer one first only its beginning, which may be enough."""

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


class Budget(Protocol):
    """Whatever decides when there is memory for a picture."""

    def spend(self, pixels: int) -> AbstractContextManager[None]:
        """Wait until there is room for `pixels`, and hold it inside the block."""
        ...


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


memory = _PixelBudget(240_000_000)
"""What this process decodes at once: two pictures of the default cap; each pixel takes four to twelve bytes."""

_asked: Budget = memory


def load_image(
    path: Path, *, min_side: int | None = None, limits: Limits = DEFAULT_LIMITS, background: Colour = WHITE
) -> NDArray[np.uint8]:
    """The pixels of a picture file: upright, 8-bit, sRGB.

    Colours follow the embedded profile, or else what the file says in another way (code points, gamma, the camera's
    mark of Adobe RGB). Damage is refused as far as the format lets it be seen: PNG has checksums; in the other formats
    single wrong bits often cannot be told from right ones, nor can a JPEG whose header names too few rows.

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
    return decode_picture(
        read_file(path, limits), path, min_side=min_side, limits=limits, background=background
    )


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
        png = read_png(data) if known == "PNG" else None
        image = _open(png.data if png else data, known)
        _check_pixels(image, name, limits)
        mode, (width, height) = image.mode, image.size
        if min_side and known == "JPEG" and (scale := min(width, height) // min_side) > 1:
            image.draft(None, (width // scale, height // scale))
        format = image.format or known
        with _asked.spend(image.width * image.height):
            if known == "JPEG":
                image = load_jpeg(data, image)
            if known == "TIFF":
                check_strips(data, image)
            drawn = _first_frame(image, known)
            if png:
                check_rows(png, image)
            if known == "AVIF" and (part := clean_aperture(data, image.size)):
                image = image.crop(part)
                width, height = image.size
                drawn = (0, 0, width, height)
            facts = read_facts(image)  # only now: Pillow turns a TIFF as it loads it
            coding = _coding(image, data, known, png, facts)
            image = to_srgb(_with_transparency(image, png) if png else image, background, coding)
            if drawn != (0, 0, *image.size):
                image = _laid_on_ground(image, drawn, background)
            if facts.orientation in TURNS:
                image = image.transpose(TURNS[facts.orientation])
        if facts.orientation >= 5:
            width, height = height, width
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageError(name, "limits", _too_many_pixels(limits)) from error
    except UnidentifiedImageError as error:
        raise _unreadable(data, known, name) from error
    except (UnclearPixelsError, UnknownCodingError) as error:
        raise ImageError(name, "format", str(error)) from error
    except MemoryError as error:
        raise ImageError(name, "decode", "not enough memory to decode it") from error
    except Exception as error:  # decoders answer damage with every kind of exception there is
        if known == "JPEG" and (coding := coding_not_read(data)):
            raise ImageError(name, "format", coding) from error
        if known == "TIFF" and (kind := kind_not_read(data)):
            raise ImageError(name, "format", kind) from error
        if known == "BMP" and "Unsupported" in str(error):
            raise ImageError(name, "format", "a kind of BMP that is not read") from error
        what = str(error) or type(error).__name__
        what = "its pixels cannot be decoded" if what.startswith("decoder error") else what
        raise ImageError(name, "decode", f"damaged {known}: {what}") from error
    return Picture(image, width, height, format, mode, facts)


def decode_beside_others(budget: Budget) -> None:
    """Make this process one of many that decode side by side: one thread each, and memory as `budget` grants it."""
    global _asked
    _asked = budget
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1


def read_file(path: str | Path, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """The whole file, if it is an ordinary one, not too large, and begins like a picture.

    Raises:
        ImageError: It is none of that, or cannot be read.
    """
    try:
        file = os.open(path, _READ_ONLY)
        try:
            return _content(file, path, limits)
        finally:
            os.close(file)
    except OSError as error:
        raise ImageError(path, "read", error.strerror or type(error).__name__) from error
    except ValueError as error:  # a null character in the name
        raise ImageError(path, "read", str(error)) from error


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


def _content(file: int, path: str | Path, limits: Limits) -> bytes:
    """What an opened file holds; of one that is no picture only the beginning is read."""
    facts = os.fstat(file)
    if not stat.S_ISREG(facts.st_mode):
        raise ImageError(path, "find", "not an ordinary file")
    _check_size(facts.st_size, path, limits)
    data = os.read(file, min(facts.st_size, _FIRST_BYTES))
    _check_format(data[:HEAD_BYTES], path)
    if len(data) < facts.st_size:
        with open(file, "rb", buffering=0, closefd=False) as rest:
            data += rest.readall()
    after = os.fstat(file)
    if (after.st_size, after.st_mtime_ns) != (facts.st_size, facts.st_mtime_ns):
        raise ImageError(path, "read", "changed while it was read")
    return data


def _open(data: bytes, known: str) -> Image.Image:
    """Read the header with the one plugin of its format; notes that a JPEG reader stumbles over are left out."""
    if known == "HEIF":
        _know_heif()
    try:
        return Image.open(BytesIO(data), formats=(known,))
    except Image.DecompressionBombError:
        raise
    except Exception:
        if known != "JPEG":
            raise
        return Image.open(BytesIO(without_notes(data)), formats=(known,))


def _unreadable(data: bytes, known: str, name: str | Path) -> ImageError:
    """Why no header was found: a kind of picture that is not read, or damage."""
    if known == "JPEG" and (coding := coding_not_read(data)):
        return ImageError(name, "format", coding)
    bits = bits_of_jpeg(data) if known == "JPEG" else 8
    if bits not in (0, 8):
        return ImageError(name, "format", f"a JPEG with {bits} bits for each sample, which is not read")
    if known == "TIFF" and (kind := kind_not_read(data)):
        return ImageError(name, "format", kind)
    return ImageError(name, "decode", f"damaged {known}: its header cannot be read")


def _first_frame(image: Image.Image, known: str) -> tuple[int, int, int, int]:
    """Decode the first frame of an opened picture; returns the part of the picture that it draws."""
    if known == "PNG" and image.info.get("default_image"):
        image.seek(1)  # the picture for readers that know no animations comes first, and is no frame
    tile = getattr(image, "tile", None)
    drawn = tile[0].extents if known == "GIF" and tile else None
    image.load()
    return drawn or (0, 0, *image.size)


def _coding(image: Image.Image, data: bytes, known: str, png: Png | None, facts: Facts) -> Coding | None:
    """What the numbers mean where no profile says so; None if one does, or nothing does."""
    if png:
        return png.coding
    if image.info.get("icc_profile"):
        return None
    if known in ("HEIF", "AVIF"):
        points = code_points(data)
        return from_code_points(*points) if points else None
    return ADOBE_RGB if facts.adobe_rgb and image.mode == "RGB" else None


def _with_transparency(image: Image.Image, png: Png) -> Image.Image:
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


def _laid_on_ground(image: Image.Image, drawn: tuple[int, int, int, int], background: Colour) -> Image.Image:
    """The part of a picture that its frame draws, in its place; the rest is transparent."""
    ground = Image.new("RGB", image.size, background)
    ground.paste(image.crop(drawn), drawn[:2])
    return ground


@lru_cache(maxsize=1)
def _know_heif() -> None:
    """Teach Pillow HEIC; on the first such file only, since it takes a tenth of a second."""
    from pillow_heif import register_heif_opener

    register_heif_opener(**({} if _asked is memory else {"decode_threads": 1}))


def _check_format(head: bytes, name: str | Path) -> str:
    """The format of a file that begins with `head`, or the reason why it is not read."""
    if known := sniff(head):
        return known
    stage = "format" if promises_picture(Path(name).name) else "other"
    if not head:
        raise ImageError(name, stage, "empty file")
    drawing = Path(name).suffix.lower() == ".svg" and head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
    raise ImageError(name, stage, "an SVG drawing" if drawing else describe(head))


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
        raise ImageError(
            name, "format", "a camera raw file or another TIFF that begins with a preview, which is not read"
        )
    if tags is not None and tags.get(284) == 2 and max(tags.get(258, (8,))) > 8:
        raise ImageError(name, "format", "a TIFF with more than 8 bits in separate planes, which is not read")


def _too_many_pixels(limits: Limits) -> str:
    return f"more than max_megapixels = {limits.max_megapixels:g}"
