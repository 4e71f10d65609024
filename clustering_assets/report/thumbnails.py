"""Small pictures to put into the page itself."""

import base64
import io
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from PIL import Image, ImageOps

from clustering_assets.files.source import FileSource
from clustering_assets.images.errors import ImageError
from clustering_assets.images.load import read_picture
from clustering_assets.report.previews import data_url
from clustering_assets.settings import DEFAULT_LIMITS, Limits
from clustering_assets.threads import available_cores, side_by_side

T = TypeVar("T")

QUALITY, EFFORT = 72, 2
"""WebP quality of thumbnails, about 4 kB for one of 240 by 160 pixels, and method: 4 takes twice as long, saves 4 %."""

GAP = 2
"""Pixels between the pictures of a collage."""


@dataclass(frozen=True)
class Thumbnail:
    """A small picture as the page holds it.

    Attributes:
        url: The WebP file as a `data:` URL.
        width: Width in pixels.
        height: Height in pixels.
    """

    url: str
    width: int
    height: int

    def image(self) -> Image.Image:
        """The picture again, in memory."""
        return Image.open(io.BytesIO(base64.b64decode(self.url.partition(",")[2])))


def shrink_pictures(
    paths: Collection[str],
    folder: Path | FileSource,
    box: tuple[int, int],
    *,
    title: str,
    cropped: bool = False,
    limits: Limits = DEFAULT_LIMITS,
) -> tuple[dict[str, Image.Image], list[tuple[str, ImageError]]]:
    """Pictures as large as fits into a box, and never larger than they are; or such as fill it.

    Args:
        paths: Pictures, relative to `folder`.
        folder: Folder of the pictures.
        box: Width and height in pixels that no result exceeds.
        title: What the pictures are for, for the person watching.
        cropped: Whether the middle of each picture shall fill the box.
        limits: What is refused before it is decoded.

    Returns:
        The small pictures by path, and the path and error of those that could not be read.
    """

    def finish(image: Image.Image) -> Image.Image:
        if cropped:
            return ImageOps.fit(image, box, Image.Resampling.LANCZOS)
        image.thumbnail(box, Image.Resampling.LANCZOS)
        return image

    return _each(paths, folder, box, finish, title, limits)


def make_thumbnails(
    paths: Collection[str],
    folder: Path | FileSource,
    box: tuple[int, int],
    *,
    title: str,
    limits: Limits = DEFAULT_LIMITS,
) -> tuple[dict[str, Thumbnail], list[tuple[str, ImageError]]]:
    """As `shrink_pictures`, encoded: some kB each, where the pictures themselves take a hundred."""

    def finish(image: Image.Image) -> Thumbnail:
        image.thumbnail(box, Image.Resampling.LANCZOS)
        return encode_thumbnail(image)

    return _each(paths, folder, box, finish, title, limits)


def _each(
    paths: Collection[str],
    folder: Path | FileSource,
    box: tuple[int, int],
    finish: Callable[[Image.Image], T],
    title: str,
    limits: Limits,
) -> tuple[dict[str, T], list[tuple[str, ImageError]]]:
    """What `finish` makes of each picture, read at no less than the size of a box; and those that cannot be read."""

    def read(path: str) -> T | ImageError:
        try:
            return finish(read_picture(folder / path, min_side=min(box), limits=limits).image)
        except ImageError as error:
            return error

    made = side_by_side(read, paths, title, "pictures", available_cores())
    results = list(zip(paths, made, strict=True))
    lost = [(path, result) for path, result in results if isinstance(result, ImageError)]
    return {path: result for path, result in results if not isinstance(result, ImageError)}, lost


def collage(pictures: Sequence[Image.Image], size: tuple[int, int]) -> Image.Image:
    """Up to six pictures side by side, each cropped to an equal tile: the still of a video.

    Args:
        pictures: One or more pictures; those beyond the sixth are left out, and so is what fills no whole row.
        size: Width and height of the result, in pixels.
    """
    columns = {1: 1, 2: 2, 3: 3, 4: 2, 5: 2}.get(len(pictures), 3)
    rows = min(len(pictures), 6) // columns
    sheet = Image.new("RGB", size)
    for place, picture in enumerate(pictures[: columns * rows]):
        column, row = place % columns, place // columns
        left, right = _edges(column, columns, size[0])
        top, bottom = _edges(row, rows, size[1])
        sheet.paste(ImageOps.fit(picture, (right - left, bottom - top)), (left, top))
    return sheet


def encode_thumbnail(image: Image.Image) -> Thumbnail:
    """A picture in memory as the page holds it."""
    target = io.BytesIO()
    image.save(target, "WEBP", quality=QUALITY, method=EFFORT)
    return Thumbnail(data_url(target.getvalue(), "webp"), image.width, image.height)


def _edges(place: int, places: int, length: int) -> tuple[int, int]:
    """Where a tile begins and ends in a row of `places` tiles with gaps between them."""
    step = (length + GAP) / places
    return round(place * step), round((place + 1) * step) - GAP
