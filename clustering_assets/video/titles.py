"""The title card: a name over a blurred picture."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from clustering_assets.video.canvas import Canvas, blurred
from clustering_assets.video.colour import from_rgb, to_rgb
from clustering_assets.video.framing import FINER, Framing, View
from clustering_assets.video.lettering import cleaned, font, shortened, width


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


def describe(count: int, taken: pd.Series | None) -> str:
    """The line below a title: how many pictures, and when they were taken where that is known."""
    text = f"{count:,} picture{'s' if count != 1 else ''}"
    known = pd.to_datetime(taken).dropna() if taken is not None else pd.Series([], dtype="datetime64[ns]")
    if 2 * len(known) < count or known.empty:
        return text
    first, last = pd.Timestamp(known.min()), pd.Timestamp(known.max())
    years = f"{first:%B %Y}" if (first.year, first.month) == (last.year, last.month) else None
    if years is None:
        years = f"{first.year}" if first.year == last.year else f"{first.year} to {last.year}"
    return f"{text}, {years}"


def _write(card: Image.Image, title: str, line: str) -> None:
    """Set the title and its line in the middle of a card, in place."""
    across, down = card.size
    room = 0.8 * across
    draw = ImageDraw.Draw(card)
    size = 0.085 * min(down, 1.2 * across)
    title = cleaned(title)
    rows = [title] if width(title, round(size)) <= room else _two_rows(title)
    longest = max(width(row, round(size)) for row in rows)
    size = max(0.35 * size, 10.0, size * min(1.0, room / max(longest, 1)))
    rows = [shortened(row, round(size), room) for row in rows]
    small = max(9.0, 0.42 * min(size, 0.085 * down))
    step = 1.25 * size
    top = down / 2 - step * len(rows) / 2 - (0.6 * small if line else 0)
    for index, row in enumerate(rows):
        place = (across / 2, top + (index + 0.5) * step)
        draw.text(place, row, font=font(row, round(size)), fill=(245, 245, 242), anchor="mm")
    if line:
        place = (across / 2, top + len(rows) * step + 0.9 * small)
        draw.text(place, line, font=font(line, round(small)), fill=(205, 205, 200), anchor="mm")


def _two_rows(title: str) -> list[str]:
    """A title broken at the space nearest its middle; unbroken where there is none."""
    spaces = [place for place, letter in enumerate(title) if letter == " "]
    if not spaces:
        return [title]
    middle = min(spaces, key=lambda place: abs(place - len(title) / 2))
    return [title[:middle].strip(), title[middle:].strip()]
