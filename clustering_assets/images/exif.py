"""What a picture's own notes (EXIF) say: which way is up, when it was taken, with which camera."""

import logging
import re
import struct
from dataclasses import dataclass
from datetime import datetime

from PIL import Image

log = logging.getLogger("clustering_assets.images")

_ORIENTATION, _MAKE, _MODEL, _CHANGED = 274, 271, 272, 306
_EXIF_FOLDER, _TAKEN, _DIGITIZED = 0x8769, 36867, 36868
_COLOUR_SPACE, _INTEROPERABILITY, _INDEX = 0xA001, 0xA005, 1
_UNCALIBRATED, _ADOBE_RGB = 0xFFFF, 2
_DAMAGED = (
    SyntaxError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    EOFError,
    OSError,
    OverflowError,
    struct.error,
)

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture upright, by EXIF orientation (CIPA DC-008, 4.6.4)."""


@dataclass(frozen=True)
class Facts:
    """What a picture says about itself.

    Attributes:
        orientation: 1 to 8, as EXIF counts; 1 is upright.
        taken_at: When it was taken, in the camera's local time.
        camera: Make and model; empty if unknown.
        adobe_rgb: The camera says that its numbers are Adobe RGB: an "optional file" of DCF 2.0 (CIPA DC-009).
    """

    orientation: int = 1
    taken_at: datetime | None = None
    camera: str = ""
    adobe_rgb: bool = False


def read_facts(image: Image.Image) -> Facts:
    """The facts of an opened picture; damaged notes count as none, since the pixels may well be sound."""
    try:
        exif = image.getexif()
        if not exif:
            return Facts()
        orientation = exif.get(_ORIENTATION, 1)
        folder = exif.get_ifd(_EXIF_FOLDER)
        dates = (folder.get(_TAKEN), folder.get(_DIGITIZED), exif.get(_CHANGED))
        return Facts(
            orientation if orientation in TURNS else 1,
            next((date for date in map(_date, dates) if date), None),
            _camera(_text(exif.get(_MAKE)), _text(exif.get(_MODEL))),
            _is_adobe_rgb(exif, folder.get(_COLOUR_SPACE)),
        )
    except _DAMAGED as error:
        log.debug("Damaged EXIF passed over: %s", error)
        return Facts()


def _is_adobe_rgb(exif: Image.Exif, colour_space: object) -> bool:
    """Whether the notes say Adobe RGB: "uncalibrated" with the index R03, or the number that some cameras use."""
    if colour_space == _UNCALIBRATED:
        return _text(exif.get_ifd(_INTEROPERABILITY).get(_INDEX)).startswith("R03")
    return colour_space == _ADOBE_RGB


def _text(value: object) -> str:
    """A tag's value as one short line of printable text."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        return ""
    printable = "".join(c if c.isprintable() and not 0xD800 <= ord(c) < 0xE000 else " " for c in value)
    return " ".join(printable.split())[:80]


def _camera(make: str, model: str) -> str:
    """Make and model without saying the make twice ("Canon" and "Canon EOS 80D")."""
    if make and model.lower().startswith(make.split()[0].lower()):
        return model
    return f"{make} {model}".strip()


def _date(value: object) -> datetime | None:
    """An EXIF date such as "2024:05:01 12:30:00"; None for blanks, zeros and nonsense."""
    numbers = re.match(r"(\d{4})[:\-/.](\d\d)[:\-/.](\d\d)[ T](\d\d):(\d\d):(\d\d)", _text(value))
    if not numbers:
        return None
    try:
        date = datetime(*map(int, numbers.groups()))  # type: ignore[arg-type]
    except ValueError:
        return None
    return date if 1826 <= date.year < 2262 else None
