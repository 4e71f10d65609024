"""The caption: what is true of a picture, in a lower corner of it."""

import string
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from clustering_assets.settings import AUTO_CAPTION, NO_CAPTION
from clustering_assets.video.colour import BLACK, GREY, split
from clustering_assets.video.lettering import cleaned, font, shortened

HEIGHT = 0.042
"""Size of the letters as a part of the frame's shorter side."""

SIDE_MARGIN = 0.05
FOOT_MARGIN = 0.06
UPRIGHT_FOOT_MARGIN = 0.2
UPRIGHT_RIGHT_MARGIN = 0.14
"""What is left free beside and below, as parts of width and height. In upright videos phones put a title over the fifth
at the foot and buttons on the right."""

SHADE = 0.65
"""How dark the shadow is in its middle, 0 to 1: on a white picture letters have a contrast of 5 to 1 or more."""

_WHITE = 232
"""Luma of the letters."""


_Shares = tuple[NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True)
class Caption:
    """Letters with a soft shadow, ready to be laid over frames of one size.

    Attributes:
        left: First column, even.
        top: First row, even.
        kept: What is left of the picture (h, w), 0 to 1.
        luma: What is put over it (h, w).
    """

    left: int
    top: int
    kept: NDArray[np.float32]
    luma: NDArray[np.uint8]

    def write(self, i420: NDArray[np.uint8], strength: float = 1.0) -> None:
        """Lay the caption over a frame (height * 3 / 2, width) in place; `strength` from 0 (unseen) to 1."""
        if strength <= 0:
            return
        planes = split(i420)
        height, width = self.kept.shape
        rows, columns = slice(self.top, self.top + height), slice(self.left, self.left + width)
        (kept, laid), (half_kept, half_laid) = self._shares if strength >= 1 else self._weighed(strength)
        planes.y[rows, columns] = cv2.blendLinear(planes.y[rows, columns], self.luma, kept, laid)
        rows = slice(self.top // 2, (self.top + height) // 2)
        columns = slice(self.left // 2, (self.left + width) // 2)
        grey = np.full(half_kept.shape, GREY, np.uint8)
        for plane in (planes.u, planes.v):
            plane[rows, columns] = cv2.blendLinear(plane[rows, columns], grey, half_kept, half_laid)

    @cached_property
    def _shares(self) -> tuple[_Shares, _Shares]:
        """The weights of a caption that is fully seen, which most frames need."""
        return self._weighed(1.0)

    def _weighed(self, strength: float) -> tuple[_Shares, _Shares]:
        """Weights of the picture and of the caption, for luma and for chroma."""
        kept = 1 - np.float32(strength) * (1 - self.kept)
        height, width = kept.shape
        half = np.asarray(
            cv2.resize(kept, (width // 2, height // 2), interpolation=cv2.INTER_AREA), np.float32
        )
        return (kept, 1 - kept), (half, 1 - half)


def caption_of(row: Any, title: str, captions: str = AUTO_CAPTION) -> str:
    """What a caption says of one picture of a cluster; '' where nothing is known or wanted.

    With `auto` a name that the user has given stands on every picture. One that was found (a kind of thing, a colour)
    is true of most, so each picture has its date instead, else the folder that it lies in.

    Args:
        row: A row, a named tuple, with `path`; `cluster_name`, `cluster_hint`, `taken_at` and `place` where known.
            Without a hint the name counts as given.
        title: The name of the cluster where the row has none.
        captions: The setting.
    """
    if captions == NO_CAPTION:
        return ""
    taken = getattr(row, "taken_at", None)
    moment = None if taken is None or pd.isna(taken) else pd.Timestamp(taken)
    known = {
        "name": str(getattr(row, "cluster_name", title)),
        "date": f"{moment.day} {moment:%B %Y}" if moment is not None else "",
        "place": str(getattr(row, "place", "")),
        "folder": PurePosixPath(str(row.path)).parent.name,
    }
    if captions == AUTO_CAPTION:
        given = known["name"] != getattr(row, "cluster_hint", None)
        return known["name"] if given else known["date"] or known["folder"]
    return known[captions] if captions in known else filled_in(captions, known)


def filled_in(template: str, known: Mapping[str, str]) -> str:
    """A template with what is known; a field that is empty goes, and what leads up to it or ends behind it.

    >>> filled_in("{name} (in {place})", {"name": "Sea", "place": ""})
    'Sea'
    """
    words, said = "", ""
    for place, (before, name, _, _) in enumerate(string.Formatter().parse(template)):
        if name is None:
            words += before if said else ""
        elif said := known[name]:
            words += (before if words or not place else "") + said
    return words


def make_caption(text: str, frame: tuple[int, int]) -> Caption | None:
    """The caption for frames of a size (width, height); None where there is nothing to write.

    A name that is too long for the frame is cut off with an ellipsis.
    """
    width, height = frame
    size = max(9, round(HEIGHT * min(frame) * (1.25 if height > width else 1.0)))
    upright = height > 1.2 * width
    side = SIDE_MARGIN * width
    room = width - side - (UPRIGHT_RIGHT_MARGIN if upright else SIDE_MARGIN) * width
    foot = (UPRIGHT_FOOT_MARGIN if upright else FOOT_MARGIN) * height
    words = cleaned(text)
    if not words:
        return None
    letters = font(words, size)
    words = shortened(words, letters, room)
    box = letters.getbbox(words, anchor="ls")
    reach = 2 * size  # of the shadow
    left = _even(max(0.0, side + box[0] - reach))
    top = _even(max(0.0, height - foot + box[1] - reach))
    right = min(width, _even(side + box[2] + reach))
    bottom = min(height, _even(height - foot + box[3] + reach))
    mask = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(mask).text((side - left, height - foot - top), words, fill=255, font=letters, anchor="ls")
    drawn = np.asarray(np.asarray(mask) / 255, np.float32)
    lit = SHADE * _shadow(drawn, size)
    kept = (1 - lit) * (1 - drawn)
    luma = (lit * (1 - drawn) * BLACK + drawn * _WHITE) / np.maximum(1 - kept, 1e-6)
    return Caption(left, top, kept.astype(np.float32), np.clip(np.rint(luma), BLACK, 235).astype(np.uint8))


def _shadow(drawn: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """How deep the shadow of some letters is, 0 to 1: a soft band around them and a closer one that follows them."""
    wide = cv2.GaussianBlur(drawn, (0, 0), 0.7 * size, borderType=cv2.BORDER_CONSTANT)
    near = cv2.GaussianBlur(drawn, (0, 0), 0.12 * size, borderType=cv2.BORDER_CONSTANT)
    return np.clip(1.3 * wide / max(float(wide.max()), 1e-6) + near, 0, 1).astype(np.float32)


def _even(length: float) -> int:
    """The even number at or below a length."""
    return int(length // 2) * 2
