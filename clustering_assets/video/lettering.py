"""Fonts and words for names that are drawn: on videos, and in the plot of the clusters."""

import io
import logging
import unicodedata
from bisect import bisect_right
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

from clustering_assets.words import one_line

log = logging.getLogger("clustering_assets.video")

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

ELLIPSIS = "\u2026"

_PILLOW = ""
"""Stands for the font inside Pillow, which has no file; it has little more than the letters of English."""


def cleaned(text: str, *, bold: bool = False) -> str:
    """The text on one line, without anything that cannot be printed or that no font of this machine has."""
    words = one_line(unicodedata.normalize("NFC", text))
    missing = _missing(words, bold)
    if not missing:
        return words
    return " ".join("".join(letter for letter in words if letter not in missing).split())


def shortened(text: str, letters: Font, room: float) -> str:
    """The text, cut off with an ellipsis where it is wider than `room` pixels in this font."""
    fits = _fitting(text, letters, room)
    return text if fits == len(text) else text[: _fitting(text, letters, room, ELLIPSIS)].rstrip() + ELLIPSIS


def broken(text: str, letters: Font, room: float, most: int) -> list[str] | None:
    """The text in rows of at most `room` pixels, about equally long; words that are longer than a row are broken.

    None where that takes more than `most` rows.
    """
    rows = filled(text, letters, room, most)
    if rows is None:
        return None
    tight, wide = room / 2, room
    while len(rows) > 1 and wide - tight > 0.01 * room:  # the narrowest rows that are no more of them
        middle = (tight + wide) / 2
        if filled(text, letters, middle, len(rows)) is not None:
            wide = middle
        else:
            tight = middle
    return filled(text, letters, wide, len(rows))


def filled(text: str, letters: Font, room: float, most: int, *, cut: bool = False) -> list[str] | None:
    """The text in as few rows as there can be, each filled before the next one is begun.

    Args:
        text: One line.
        letters: Its font.
        room: Width of a row in pixels.
        most: Most rows.
        cut: Whether the last row is cut off with an ellipsis where they are not enough; otherwise there are none then.
    """
    rows: list[str] = []
    words = text.split()
    while words:
        if len(rows) == most - 1 and cut:
            return [*rows, shortened(" ".join(words), letters, room)]
        if len(rows) == most:
            return None
        taken = 1
        while taken < len(words) and letters.getlength(" ".join(words[: taken + 1])) <= room:
            taken += 1
        row, words = " ".join(words[:taken]), words[taken:]
        fits = max(1, _fitting(row, letters, room))
        rows.append(row[:fits])
        if fits < len(row):
            words.insert(0, row[fits:])
    return rows


def _fitting(text: str, letters: Font, room: float, end: str = "") -> int:
    """How many letters of a text fit into `room` pixels with an end put to them.

    No more of it is measured than about twice that, however long it is.
    """
    tried = 64
    while tried < len(text) and letters.getlength(text[:tried]) <= room:
        tried *= 2
    counts = range(1, min(tried, len(text)) + 1)
    return bisect_right(counts, room, key=lambda count: letters.getlength(text[:count].rstrip() + end))


def font(text: str, size: int, *, bold: bool = False) -> Font:
    """A font of `size` pixels that has the letters of `text` and an ellipsis.

    Pillow's own, which is not bold, has those of English, DejaVu Sans, which Matplotlib brings, those of most
    alphabets. For all others the fonts of the machine are looked through; the one with the most of them is taken.
    """
    return _sized(_font_file(frozenset(text) | {ELLIPSIS}, bold), size)


@lru_cache(maxsize=64)
def _sized(path: str, size: int) -> Font:
    """The font of a file."""
    return ImageFont.load_default(size) if path == _PILLOW else ImageFont.truetype(path, size)


@lru_cache(maxsize=64)
def _missing(text: str, bold: bool) -> frozenset[str]:
    """The letters of a text that its font does not have; they are told in the log, once."""
    letters = frozenset(text) - {" "}
    missing = letters - _known(_font_file(letters | {ELLIPSIS}, bold))
    if missing:
        log.warning(
            "No font of this machine has %s of the name %r: it is left out where names are drawn; "
            "install a font that has it, such as Noto",
            " ".join(sorted(missing)),
            text,
        )
    return missing


@lru_cache(maxsize=64)
def _font_file(letters: frozenset[str], bold: bool) -> str:
    """The first font file that has all these letters; where there is none, the one that has most."""
    import matplotlib as mpl
    from matplotlib import font_manager

    if not bold and letters <= _known(_PILLOW):
        return _PILLOW
    folder = Path(mpl.get_data_path()) / "fonts" / "ttf"
    usual = str(folder / f"DejaVuSans{'-Bold' if bold else ''}.ttf")
    if letters <= _known(usual):
        return usual
    machine = sorted(
        font_manager.findSystemFonts(), key=lambda path: (bold and "Bold" not in Path(path).stem, path)
    )
    brought = sorted(str(path) for path in folder.glob("*.ttf") if not path.stem.startswith("LastResort"))
    return max([usual, *machine, *brought], key=lambda path: len(letters & _known(path)))


@lru_cache(maxsize=512)
def _known(path: str) -> frozenset[str]:
    """The letters that a font has."""
    from matplotlib.ft2font import FT2Font

    try:
        if path != _PILLOW:
            return frozenset(map(chr, FT2Font(path).get_charmap()))
        own = ImageFont.load_default(10)
        data = getattr(own, "path", None)
        if not isinstance(data, io.BytesIO):  # Pillow without FreeType has a font of pixels only
            return frozenset(map(chr, range(32, 127)))
        return frozenset(map(chr, FT2Font(io.BytesIO(data.getvalue())).get_charmap()))
    except (RuntimeError, OSError, ValueError):  # damaged, or of a kind that FreeType does not read
        return frozenset()
