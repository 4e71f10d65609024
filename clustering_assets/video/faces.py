"""Heads in a picture, found by their faces where dlib is installed, so that framing can keep them whole.

Light to import.
"""

import importlib
import logging
import threading
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

log = logging.getLogger("clustering_assets.video")

Box = tuple[float, float, float, float]
"""Left, top, right and bottom, each 0 to 1 of the picture."""

VERSION = 1
"""Goes up whenever other heads would be found in the same pictures."""

SEARCHED_SIDE = 640
"""Shorter side, in pixels, of the grey copy that is searched: the detector finds faces from 65 pixels on, so people
whose faces are a tenth of that side are found. Half as much again would find smaller ones at more than twice the
price (`benchmarks/video.py --people` measures it)."""

MOST_SEARCHED = 2_000_000
"""Pixels of that copy at most, for panoramas."""

MAX_ENLARGED = 8.0
"""How much a small picture is enlarged for the search, at most."""

LEAST_SCORE = -0.2
"""Score of the detector from which on something is a face. A head that is missed is cut off, one that is none only
moves a crop a little, so this is below the usual 0: it misses a third fewer, and sees five in 700 thumbnails without
people instead of one."""

_BESIDE, _ABOVE, _BELOW = 0.2, 0.5, 0.15
"""What a head has around the square of its face, which reaches from the brows to the chin, in sides of that square:
ears, hair, and the rest of chin or beard."""

_searching = threading.Lock()


def version() -> int:
    """The version of the search; 0 where faces are not looked for, which is said once in the log."""
    return VERSION if find_dlib() is not None else 0


def find_heads(rgb: NDArray[np.uint8]) -> tuple[Box, ...] | None:
    """The heads of people who face the camera, more or less; the largest first.

    Faces are found by the histograms of oriented gradients of dlib's detector, after Dalal & Triggs, CVPR 2005 (doi
    10.1109/CVPR.2005.177) and King, 2015 (arXiv:1502.00046), whose weights are part of that library. People seen
    from the side or from behind, and faces smaller than a tenth of the picture's shorter side, are not found.

    Args:
        rgb: The picture (h, w, 3).

    Returns:
        A box for each, hair and chin included, cut off at the edges of the picture; None where faces are not looked
        for because dlib is not installed.
    """
    if find_dlib() is None:
        return None
    grey = _copy(rgb)
    height, width = grey.shape
    with _searching:
        faces, _, _ = _detector().run(grey, 0, LEAST_SCORE)
    heads = [_head(face, width, height) for face in faces]
    heads = [head for head in heads if head[2] > head[0] and head[3] > head[1]]
    return tuple(sorted(heads, key=lambda head: (-(head[2] - head[0]) * (head[3] - head[1]), head)))


def _copy(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The grey copy of a picture that is searched."""
    import cv2

    height, width = rgb.shape[:2]
    share = min(SEARCHED_SIDE / min(height, width), (MOST_SEARCHED / (height * width)) ** 0.5, MAX_ENLARGED)
    size = max(1, round(width * share)), max(1, round(height * share))
    method = cv2.INTER_AREA if share < 1 else cv2.INTER_CUBIC
    grey = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2GRAY)
    return np.ascontiguousarray(cv2.resize(grey, size, interpolation=method), np.uint8)


def _head(face: Any, width: int, height: int) -> Box:
    """The head around a face (a rectangle of dlib's) in a picture of this size."""
    side = face.width()
    return (
        max(0.0, (face.left() - _BESIDE * side) / width),
        max(0.0, (face.top() - _ABOVE * side) / height),
        min(1.0, (face.right() + 1 + _BESIDE * side) / width),
        min(1.0, (face.bottom() + 1 + _BELOW * side) / height),
    )


@lru_cache(maxsize=1)
def find_dlib() -> Any | None:
    """The package dlib; None where it is not installed."""
    try:
        return importlib.import_module("dlib")
    except ImportError as error:
        log.info(
            "Faces are not looked for, so heads may be cut off at the edges of videos (%s); "
            "pip install dlib-bin brings what finds them",
            error,
        )
        return None


@lru_cache(maxsize=1)
def _detector() -> Any:
    """The detector, which takes a while to make. It holds the picture it looks at, so only one thread may use it."""
    dlib = find_dlib()
    assert dlib is not None
    return dlib.get_frontal_face_detector()
