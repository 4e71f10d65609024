"""Fonts and words for what is written on a video."""

from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

ELLIPSIS = "\u2026"


def cleaned(text: str) -> str:
    """The text on one line, without anything that cannot be printed."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(printable.split())


def shortened(text: str, size: int, room: float) -> str:
    """The text, cut off with an ellipsis where it is wider than `room` pixels at this size."""
    if width(text, size) <= room:
        return text
    fits, too_long = 0, len(text)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if width(text[:middle].rstrip() + ELLIPSIS, size) <= room:
            fits = middle
        else:
            too_long = middle
    return text[:fits].rstrip() + ELLIPSIS


def width(text: str, size: int) -> float:
    """How wide the text is, in pixels."""
    return float(font(text, size).getlength(text))


@lru_cache(maxsize=64)
def font(text: str, size: int) -> Font:
    """A font that has the letters of `text`.

    Pillow's own has those of western Europe, DejaVu Sans, which Matplotlib brings, those of most alphabets. For all
    others the fonts of the machine are looked through; where none has them, boxes are drawn.
    """
    if all(ord(letter) < 0x250 or letter == ELLIPSIS for letter in text):
        return ImageFont.load_default(size)
    return ImageFont.truetype(_font_file(frozenset(text)), size)


@lru_cache(maxsize=64)
def _font_file(letters: frozenset[str]) -> str:
    """The first font file that has all these letters; DejaVu Sans where there is none."""
    import matplotlib as mpl
    from matplotlib import font_manager

    usual = str(Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf")
    if _has(usual, letters):
        return usual
    others = sorted(font_manager.findSystemFonts())
    return next((path for path in others if _has(path, letters)), usual)


def _has(path: str, letters: frozenset[str]) -> bool:
    """Whether a font file has all these letters."""
    from matplotlib.ft2font import FT2Font

    try:
        known = FT2Font(path).get_charmap()
    except (RuntimeError, OSError, ValueError):  # damaged, or of a kind that FreeType does not read
        return False
    return all(ord(letter) in known for letter in letters)
