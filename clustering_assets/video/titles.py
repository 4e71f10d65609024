"""The title card: a name over a blurred picture."""

import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from clustering_assets.video.canvas import Canvas, blurred
from clustering_assets.video.colour import from_rgb, to_rgb
from clustering_assets.video.framing import FINER, Framing, View
from clustering_assets.video.lettering import Font, broken, cleaned, filled, font
from clustering_assets.words import counted

ROOM = 0.8
"""Width of a title at most, in parts of the card's."""

ROWS = ((1.0, 2), (0.85, 2), (0.7, 3), (0.55, 5))
"""How large the letters of a title are, in parts of the largest, and in how many rows: the first that it fits into."""


def title_canvas(
    rgb: NDArray[np.uint8], frame: tuple[int, int], title: str, line: str, *, motion: bool
) -> Canvas:
    """A title card on a dim, blurred copy of a picture, with the view coming a little nearer.

    Args:
        rgb: The picture behind the title (h, w, 3).
        frame: Width and height of the video.
        title: The name, set large; broken to two lines or set smaller where it is long.
        line: What stands below it, smaller; '' for nothing.
        motion: Whether the view moves.
    """
    near = 1.04 if motion else 1.0
    size = (2 * round(frame[0] * FINER * near / 2), 2 * round(frame[1] * FINER * near / 2))
    card = Image.fromarray(to_rgb(blurred(rgb, size, light=0.45)))
    _write(card, title, line)
    outer = View(0.0, 0.0, float(min(size[0], size[1] * frame[0] / frame[1])))
    inner = outer.zoomed(near, frame[0] / frame[1])
    framing = Framing("title", size, (0, 0, *size), outer, inner if motion else outer, 1.0)
    return Canvas.of(from_rgb(np.asarray(card, np.uint8)), framing)


def describe(shown: int, count: int, taken: pd.Series | None, title: str = "") -> str:
    """The line below a title: how many pictures, and when they were taken where that is known.

    Args:
        shown: How many are shown.
        count: How many there are.
        taken: When each of them was taken.
        title: The title, whose years are not said again.
    """
    text = f"{shown:,} of {counted(count, 'picture')}" if shown < count else counted(count, "picture")
    known = pd.to_datetime(taken).dropna() if taken is not None else pd.Series([], dtype="datetime64[ns]")
    if 2 * len(known) < count or known.empty:
        return text
    first, last = pd.Timestamp(known.min()), pd.Timestamp(known.max())
    said = set(re.findall(r"\w+", title))
    month = f"{first:%B}" if (first.year, first.month) == (last.year, last.month) else ""
    if {str(first.year), str(last.year)} <= said:
        return f"{text}, {month}" if month and month not in said else text
    years = f"{first.year}" if first.year == last.year else f"{first.year} to {last.year}"
    return f"{text}, {month} {years}" if month else f"{text}, {years}"


def _write(card: Image.Image, title: str, line: str) -> None:
    """Set the title and its line in the middle of a card, in place."""
    across, down = card.size
    draw = ImageDraw.Draw(card)
    rows, letters, size = typeset(cleaned(title), 0.085 * min(down, 1.2 * across), ROOM * across)
    small = max(9.0, 0.42 * size, 0.034 * min(down, across))
    step = 1.25 * size
    top = down / 2 - step * len(rows) / 2 - (0.6 * small if line else 0)
    for index, row in enumerate(rows):
        place = (across / 2, top + (index + 0.5) * step)
        draw.text(place, row, font=letters, fill=(245, 245, 242), anchor="mm")
    if line:
        place = (across / 2, top + len(rows) * step + 0.9 * small)
        draw.text(place, line, font=font(line, round(small)), fill=(205, 205, 200), anchor="mm")


def typeset(title: str, largest: float, room: float) -> tuple[list[str], Font, float]:
    """A title in rows of at most `room` pixels, their font and its size: as large and in as few rows as can be.

    One that is too long even for the smallest letters ends in an ellipsis.
    """
    for share, most in ROWS:
        size = max(10, round(share * largest))
        letters = font(title, size)
        last = (share, most) == ROWS[-1]
        rows = broken(title, letters, room, most) or (
            filled(title, letters, room, most, cut=True) if last else None
        )
        if rows is not None:
            return rows, letters, size
    raise AssertionError("the last of ROWS takes any title")
