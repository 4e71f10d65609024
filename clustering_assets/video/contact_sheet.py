"""A small picture of a whole video: one tile for each of some slides."""

import io
import math
from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image

from clustering_assets.video.errors import PictureLost
from clustering_assets.video.selection import even_sample
from clustering_assets.video.slideshow import Slideshow

MOST_TILES = 12
GAP = 4
"""Pixels between two tiles."""

_SIDES = (240, 200, 160, 120, 90, 64)
_QUALITIES = (85, 75, 65, 50, 35)


def contact_sheet(slideshow: Slideshow, max_bytes: int = 50_000) -> bytes:
    """A JPEG of at most `max_bytes` that shows the middles of up to twelve slides, in order.

    Pictures that have vanished since the slideshow was made are left out.

    Raises:
        VideoError: None of the slides can be drawn.
    """
    slides = slideshow.timeline.slides
    picked = even_sample(len(slides), MOST_TILES)
    frames, lost = [], None
    width, height = slideshow.settings.size
    across = min(width, round(_SIDES[0] * math.sqrt(9 / 16 * width / height)))
    for index in picked:
        try:
            frames.append(slideshow.glance(int(index), across))
        except PictureLost as error:
            lost = error
    if not frames:
        assert lost is not None
        raise lost
    return sheet_of(frames, max_bytes)


def sheet_of(frames: Sequence[np.ndarray], max_bytes: int = 50_000) -> bytes:
    """A JPEG of at most `max_bytes` with some RGB pictures of one size side by side, made smaller."""
    for side in _SIDES:
        sheet = Image.fromarray(_tiled([_shrunk(frame, side) for frame in frames]))
        for quality in _QUALITIES:
            data = io.BytesIO()
            sheet.save(data, "JPEG", quality=quality, optimize=True, progressive=True)
            if data.tell() <= max_bytes:
                return data.getvalue()
    raise ValueError(f"a contact sheet does not fit into {max_bytes} bytes")


def _shrunk(frame: np.ndarray, side: int) -> np.ndarray:
    """A frame scaled so that its area is that of a 16:9 frame of width `side`."""
    height, width = frame.shape[:2]
    share = math.sqrt(side * side * 9 / 16 / (width * height))
    size = max(1, round(width * share)), max(1, round(height * share))
    return cv2.resize(frame, size, interpolation=cv2.INTER_AREA) if share < 1 else frame


def _tiled(frames: list[np.ndarray]) -> np.ndarray:
    """Frames side by side, about as many columns as make the sheet twice as wide as high."""
    height, width = frames[0].shape[:2]
    columns = min(len(frames), max(1, round(math.sqrt(2 * len(frames) * height / width))))
    rows = -(-len(frames) // columns)
    sheet = np.full((rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, 3), 24, np.uint8)
    for index, frame in enumerate(frames):
        top = GAP + index // columns * (height + GAP)
        left = GAP + index % columns * (width + GAP)
        sheet[top : top + height, left : left + width] = frame
    return sheet
