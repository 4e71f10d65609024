"""What a picture's own notes (EXIF) say: which way is up, when and where it was taken, with which camera."""

import math
import re
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from PIL import Image

_ORIENTATION, _MAKE, _MODEL, _CHANGED = 274, 271, 272, 306
_TAKEN, _DIGITIZED, _COLOUR_SPACE, _INDEX = 36867, 36868, 0xA001, 1
_EXIF, _INTEROPERABILITY, _GPS = 0x8769, 0xA005, 0x8825
_FOLDERS = {_EXIF: 1, _INTEROPERABILITY: 1, _GPS: -1}
"""Folders of tags; those of GPS, which are numbered from 1 like others, count below 0 here."""

_LATITUDE, _LONGITUDE = (-1, -2, "NS", 90), (-3, -4, "EW", 180)
"""Tags of the hemisphere and of degrees, minutes and seconds; the hemispheres; most degrees."""

_TAGS = (_ORIENTATION, _MAKE, _MODEL, _CHANGED, _TAKEN, _DIGITIZED, _COLOUR_SPACE, _INDEX, -1, -2, -3, -4)
_UNCALIBRATED, _ADOBE_RGB = 0xFFFF, 2
_BYTES, _NUMBERS = {1: 1, 2: 1, 5: 8, 7: 1}, {3: "H", 4: "I", 8: "h", 9: "i", 13: "I"}
_DATE = re.compile(
    r"(\d{4})[:\-/.] ?(\d\d?)[:\-/.] ?(\d\d?)[ T] ?(\d\d?): ?(\d\d?)(?:: ?(\d\d?))?(?:\.\d+)?(?: ?([AP])\.?M)?",
    re.IGNORECASE,
)
"""Also as some devices write it: spaces for leading zeros, no seconds, AM or PM."""

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
        latitude: Degrees north, -90 to 90; None if unknown.
        longitude: Degrees east, -180 to 180; None if unknown.
    """

    orientation: int = 1
    taken_at: datetime | None = None
    camera: str = ""
    adobe_rgb: bool = False
    latitude: float | None = None
    longitude: float | None = None


def read_facts(image: Image.Image) -> Facts:
    """The facts of an opened picture; what is damaged counts as none, and costs no other fact."""
    tags = _tags(image)
    orientation = tags.get(_ORIENTATION)
    dates = (_date(tags.get(tag)) for tag in (_TAKEN, _DIGITIZED, _CHANGED))
    return Facts(
        orientation if orientation in TURNS else 1,
        next((date for date in dates if date), None),
        _camera(_text(tags.get(_MAKE)), _text(tags.get(_MODEL))),
        # "Uncalibrated" with the index R03, or the number that some cameras use.
        tags.get(_COLOUR_SPACE) == _ADOBE_RGB
        or (tags.get(_COLOUR_SPACE) == _UNCALIBRATED and _text(tags.get(_INDEX)).startswith("R03")),
        *_position(tags),
    )


def _tags(image: Image.Image) -> dict[int, Any]:
    """The values of `_TAGS` that a picture has; each is read on its own.

    Pillow stops at the first broken tag (version 11 does so more often), so its reader comes second: it knows of
    notes in other places, such as TIFF's own tags and XMP.
    """
    notes = image.info.get("exif") or b""
    if not notes and (
        text := image.info.get("Raw profile type exif")
    ):  # ImageMagick's way to put them into PNG
        with suppress(ValueError):
            notes = bytes.fromhex("".join(text.split("\n")[3:]))
    found = _read(notes)
    if _ORIENTATION not in found:
        for folder in (None, *_FOLDERS):
            with suppress(Exception):  # whatever a decoder of damaged notes raises
                exif = image.getexif()
                found = _numbered(exif.get_ifd(folder) if folder else exif, folder) | found
    return {tag: value for tag, value in found.items() if tag in _TAGS}


def _read(notes: bytes) -> dict[int, Any]:
    """The tags of the main directory of notes (TIFF 6.0, section 2), of the Exif folder and of the one below it."""
    while notes.startswith(b"Exif\0\0"):
        notes = notes[6:]
    order = {b"II": "<", b"MM": ">"}.get(notes[:2])
    if order is None or len(notes) < 8:
        return {}
    found = dict(_directory(notes, order, struct.unpack_from(f"{order}I", notes, 4)[0]))
    for folder in _FOLDERS:
        if isinstance(at := found.get(folder), int):
            found = _numbered(dict(_directory(notes, order, at)), folder) | found
    return found


def _numbered(tags: Mapping[int, Any], folder: int | None) -> dict[int, Any]:
    """The tags of a folder as they are counted here."""
    return {_FOLDERS.get(folder or 0, 1) * tag: value for tag, value in tags.items()}


def _directory(notes: bytes, order: str, at: int) -> Iterator[tuple[int, str | bytes | int | list[float]]]:
    """Tag and value of each entry of a directory that is whole: text, bytes, fractions, the first of whole numbers."""
    count = int.from_bytes(notes[at : at + 2], "little" if order == "<" else "big")
    for entry in range(at + 2, min(at + 2 + 12 * count, len(notes) - 11), 12):
        tag, kind, length = struct.unpack_from(f"{order}HHI", notes, entry)
        size = length * (_BYTES.get(kind) or struct.calcsize(f"={_NUMBERS.get(kind, '')}"))
        begin = entry + 8 if size <= 4 else struct.unpack_from(f"{order}I", notes, entry + 8)[0]
        if size and begin + size <= len(notes):
            value = notes[begin : begin + size]
            if kind in _NUMBERS:
                yield tag, struct.unpack_from(order + _NUMBERS[kind], value)[0]
            elif kind == 5:
                pairs = struct.iter_unpack(f"{order}II", value)
                yield tag, [above / below if below else math.nan for above, below in pairs]
            else:
                yield tag, value.decode("latin-1") if kind == 2 else value


def _position(tags: Mapping[int, Any]) -> tuple[float | None, float | None]:
    """Latitude and longitude in degrees; None for both where they are unknown.

    Devices that have not found where they are write noughts.
    """
    north, east = (_degrees(tags, *one) for one in (_LATITUDE, _LONGITUDE))
    return (north, east) if north is not None and east is not None and (north or east) else (None, None)


def _degrees(tags: Mapping[int, Any], side: int, tag: int, sides: str, most: int) -> float | None:
    """Degrees, negative in the south and west, from the tags of hemisphere and of degrees, minutes and seconds."""
    hemisphere, parts = _text(tags.get(side))[:1].upper(), tags.get(tag)
    if not hemisphere or hemisphere not in sides or not isinstance(parts, list | tuple):
        return None
    degrees = sum(float(part) / 60**power for power, part in enumerate(parts[:3]))
    if not 0 <= degrees <= most:
        return None
    return degrees if hemisphere == sides[0] else -degrees


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
    """An EXIF date such as "2024:05:01 12:30:00"; None for blanks, zeros and nonsense.

    Hour 24 is the end of the day, as in ISO 8601.
    """
    if not (found := _DATE.match(_text(value))):
        return None
    year, month, day, hour, minute, second = (int(number or 0) for number in found.groups()[:6])
    if half := (found[7] or "").upper():
        hour = hour % 12 + 12 * (half == "P") if hour <= 12 else hour
    if hour > 24 or minute > 59 or second > 60 or not 1826 <= year < 2262:
        return None
    with suppress(ValueError):
        return datetime(year, month, day) + timedelta(hours=hour, minutes=minute, seconds=second)
    return None
