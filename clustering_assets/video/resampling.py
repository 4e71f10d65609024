"""Sampling a plane on a grid that is scaled and moved by fractions of a pixel, at the price of plain scaling.

OpenCV's `resize` costs a third of `warpAffine` but cannot begin between two pixels. What it can do is make a few
rows and columns more than needed, at the left and top: the scale being what it is, each of them begins at another
fraction of a pixel, and one of those is nearly always as near to the wanted one as the eye could tell.
"""

import math
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

TOLERANCE = 1 / 64
"""How far from the wanted place samples may lie, in pixels of the source."""

MOST_SPARE = 96
"""Most rows or columns made in vain; where that is not enough, `warpAffine` does it."""

MARGIN = 136
"""Pixels around a plane at its left and top that hold the spare rows and columns, for scales of up to 1.4."""

FAR_MARGIN = 4
"""The same at its right and bottom, for the last, unfinished one."""


def edged(plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The plane, or planes (h, w, n), with margins that continue its edge pixels, as `sampled` needs it."""
    return np.asarray(
        cv2.copyMakeBorder(plane, MARGIN, FAR_MARGIN, MARGIN, FAR_MARGIN, cv2.BORDER_REPLICATE), np.uint8
    )


def sampled(
    source: NDArray[np.uint8],
    scale: float,
    left: float,
    top: float,
    size: tuple[int, int],
    method: int = cv2.INTER_LINEAR,
) -> NDArray[np.uint8]:
    """A picture of `size` (width, height): its pixel (x, y) is what lies at (left + scale x, top + scale y).

    Args:
        source: A plane with margins, from `edged`, or several (h, w, n) that are sampled alike; places count
            without the margins, and beyond its edges lies more of the same.
        scale: Pixels of the source for each pixel of the result.
        left: Place of the centre of the first column, 0 being the centre of the source's first column.
        top: The same for rows.
        size: Width and height of the result.
        method: OpenCV's code of the interpolation, bilinear or bicubic.

    Returns:
        (height, width) or (height, width, n); need not be contiguous.
    """
    width, height = size
    columns, rows = _spare(scale, left), _spare(scale, top)
    if columns is not None and rows is not None and resize_keeps_its_scale():
        first_column, first_row = columns[1] + MARGIN, rows[1] + MARGIN
        across = math.ceil((columns[0] + width) * scale) + 1
        down = math.ceil((rows[0] + height) * scale) + 1
        inside = first_row + down <= source.shape[0] and first_column + across <= source.shape[1]
        if min(first_column, first_row) >= 0 and inside:
            part = source[first_row : first_row + down, first_column : first_column + across]
            drawn = cv2.resize(part, None, fx=1 / scale, fy=1 / scale, interpolation=method)
            return np.asarray(drawn, np.uint8)[rows[0] : rows[0] + height, columns[0] : columns[0] + width]
    matrix = np.array([[scale, 0, left + MARGIN], [0, scale, top + MARGIN]])
    flags = method | cv2.WARP_INVERSE_MAP
    drawn = cv2.warpAffine(source, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(drawn, np.uint8)


@lru_cache(maxsize=1)
def resize_keeps_its_scale() -> bool:
    """Whether this OpenCV samples at exactly the scale it is told, whatever whole size comes out.

    Some processors have a `resize` of their own that might go by the sizes instead.
    """
    scale, slope = 1.4, 4  # 61 / 1.4 is 43.6: by the sizes, the scale would be 61 / 44
    ramp = np.tile(slope * np.arange(61, dtype=np.uint8), (8, 1))
    got = cv2.resize(ramp, None, fx=1 / scale, fy=1 / scale, interpolation=cv2.INTER_LINEAR)[2, :42]
    return bool(np.abs(got - slope * ((np.arange(42) + 0.5) * scale - 0.5)).max() < 1)


def _spare(scale: float, start: float) -> tuple[int, int] | None:
    """How many samples to make in vain, and the source pixel to begin at, for the next one to lie at `start`.

    `resize` puts its sample k at (k + 1/2) scale - 1/2 from the edge of the part it is given. None where no k up to
    `MOST_SPARE` brings it near enough.
    """
    wanted = start + 0.5 - (_COUNTS + 0.5) * scale
    first = np.rint(wanted)
    away = np.abs(wanted - first)
    spare = int((away + _PRICE * _COUNTS).argmin())
    return (spare, int(first[spare])) if away[spare] <= TOLERANCE else None


_COUNTS = np.arange(MOST_SPARE)
_PRICE = 1e-4
"""What nearer samples are worth: pixels of distance for each row or column made in vain."""
