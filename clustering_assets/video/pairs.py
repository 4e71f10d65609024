"""Two pictures in one slide: uprights side by side in a wide video, wide ones one above the other in an upright one."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clustering_assets.video.canvas import scaled

Size = tuple[int, int]

ALIKE = 1.2
"""Most ratio of the shapes of two pictures that share a slide."""

AGAINST = 0.85
"""A picture stands against a wide frame up to this ratio of width to height, and so the other way round."""

FILLED = 1.35
"""Most ratio of the shapes of the two together and of the frame, so that they fill it."""

GAP = 0.012
"""Width of the dark line between them, as a part of their common side."""

_DARK = 12


def in_pairs(sizes: Sequence[Size | None], frame: Size) -> list[tuple[int, ...]]:
    """Which pictures share a slide: their numbers, in order, one or two to a slide.

    The first and the last stand alone, as do those whose size is not known.

    Args:
        sizes: Width and height of each picture, in the order shown.
        frame: Width and height of the video.
    """
    slides: list[tuple[int, ...]] = []
    number = 0
    while number < len(sizes):
        one, other = (sizes[at] if 0 < at < len(sizes) - 1 else None for at in (number, number + 1))
        together = one is not None and other is not None and fit_together(one, other, frame)
        slides.append((number, number + 1) if together else (number,))
        number += len(slides[-1])
    return slides


def stands_against(size: Size | None, frame: Size) -> bool:
    """Whether a picture is upright and the frame wide, or the other way round; not where its size is not known."""
    along = _along(frame)
    return size is not None and frame[0] != frame[1] and size[along] <= AGAINST * size[1 - along]


def fit_together(one: Size, other: Size, frame: Size) -> bool:
    """Whether two pictures (width, height) of a shape that stands against the frame fill it together."""
    along = _along(frame)
    shapes = [size[along] / size[1 - along] for size in (one, other)]
    whole = joined_size(one, other, frame)
    ratio = whole[0] / whole[1] * frame[1] / frame[0]
    alike = max(shapes) <= ALIKE * min(shapes) and max(ratio, 1 / ratio) <= FILLED
    return alike and stands_against(one, frame) and stands_against(other, frame)


def joined_size(one: Size, other: Size, frame: Size) -> Size:
    """Width and height of two pictures put together, at the side that the smaller one has."""
    along = _along(frame)
    side = min(one[1 - along], other[1 - along])
    length = sum(round(size[along] * side / size[1 - along]) for size in (one, other)) + _gap(side)
    return (length, side) if along == 0 else (side, length)


def joined(one: NDArray[np.uint8], other: NDArray[np.uint8], frame: Size) -> NDArray[np.uint8]:
    """Two pictures (h, w, 3) put together, of `joined_size`, a dark line between them."""
    along = _along(frame)
    sizes = [(rgb.shape[1], rgb.shape[0]) for rgb in (one, other)]
    side = min(size[1 - along] for size in sizes)
    parts = []
    for rgb, size in zip((one, other), sizes, strict=True):
        length = max(1, round(size[along] * side / size[1 - along]))
        parts.append(scaled(rgb, (length, side) if along == 0 else (side, length)))
    line = (side, _gap(side)) if along == 0 else (_gap(side), side)
    parts.insert(1, np.full((*line, 3), _DARK, np.uint8))
    return np.concatenate(parts, axis=1 - along)


def _along(frame: Size) -> int:
    """The axis that pictures are put together along: 0 across, 1 down."""
    return 0 if frame[0] >= frame[1] else 1


def _gap(side: int) -> int:
    return max(2, 2 * round(GAP * side / 2))
