"""Fonts and words for names that are drawn: on videos, and in the plot of the clusters."""

import io
import logging
import unicodedata
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

log = logging.getLogger("clustering_assets.video")

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

ELLIPSIS = "\u2026"

_PILLOW = ""
"""Stands for the font inside Pillow, which has no file; it has little more than the letters of English."""


def cleaned(text: str, *, bold: bool = False) -> str:
    """The text on one line, without anything that cannot be printed or that no font of this machine has."""
    printable = "".join(
        letter if letter.isprintable() else " " for letter in unicodedata.normalize("NFC", text)
    )
    words = " ".join(printable.split())
    missing = _missing(words, bold)
    if not missing:
        return words
    return " ".join("".join(letter for letter in words if letter not in missing).split())


def shortened(text: str, letters: Font, room: float) -> str:
    """The text, cut off with an ellipsis where it is wider than `room` pixels in this font."""
    if letters.getlength(text) <= room:
        return text
    return text[: _fitting(text, letters, room, ELLIPSIS)].rstrip() + ELLIPSIS


def broken(text: str, letters: Font, room: float) -> list[str]:
    """The text in rows of at most `room` pixels, about equally long; words that are longer than a row are broken."""
    rows = _filled(text, letters, room)
    tight, wide = room / 2, room
    while len(rows) > 1 and wide - tight > 0.01 * room:  # the narrowest rows that are no more of them
        middle = (tight + wide) / 2
        if len(_filled(text, letters, middle)) <= len(rows):
            wide = middle
        else:
            tight = middle
    return _filled(text, letters, wide)


def _filled(text: str, letters: Font, room: float) -> list[str]:
    """The text in as few rows as there can be, each filled before the next one is begun."""
    rows, row = [], ""
    for word in text.split():
        longer = f"{row} {word}" if row else word
        if letters.getlength(longer) <= room:
            row = longer
            continue
        rows.extend([row] if row else [])
        while letters.getlength(word) > room and len(word) > 1:
            fits = max(1, _fitting(word, letters, room, ""))
            rows.append(word[:fits])
            word = word[fits:]
        row = word
    return [*rows, row] if row else rows


def _fitting(text: str, letters: Font, room: float, end: str) -> int:
    """How many letters of a text that is too long fit into `room` pixels with an end put to them."""
    fits, too_long = 0, len(text)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if letters.getlength(text[:middle].rstrip() + end) <= room:
            fits = middle
        else:
            too_long = middle
    return fits


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
