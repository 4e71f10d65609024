"""Thumbnails of all pictures beside the page, many in a file, which the page loads as somebody comes to them.

A bundle is a script that hands its thumbnails to the page, since a page that is opened from a disk may load scripts and
pictures, and read no other file. Its name says what is in it, so one that is there is never written again.
"""

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import xxhash

from clustering_assets.report.thumbnails import Thumbnail

VERSION = 2
"""Goes up when the same picture gives another thumbnail."""

EACH = 96
"""Thumbnails of a bundle: about half a megabyte."""

_CALL = "thumbnails("
_URL = re.compile(r"data:image/webp;base64,[A-Za-z0-9+/]+={0,2}")


@dataclass(frozen=True)
class Shelf:
    """The bundles that lie beside the page already.

    Attributes:
        names: The names of those that are whole.
        read: Gives the text of one of them.
    """

    names: Collection[str] = ()
    read: Callable[[str], str] = lambda name: ""


@dataclass(frozen=True)
class Bundles:
    """The bundles of a page.

    Attributes:
        groups: The names of the bundles of each group, in order.
        texts: The text of each bundle, by name; None of those that are there already.
        thumbnail: The thumbnail of a picture by its content; None of one that could not be read.
    """

    groups: tuple[tuple[str, ...], ...]
    texts: dict[str, str | None]
    thumbnail: Callable[[str], Thumbnail | None]


def bundle(
    groups: Sequence[Sequence[str]],
    shelf: Shelf,
    draw: Callable[[Collection[str]], Mapping[str, Thumbnail]],
) -> Bundles:
    """Put the thumbnails of groups of pictures into bundles; only of pictures that have none yet are they drawn.

    Args:
        groups: The hashes of the pictures' contents, group by group in the order in which they are shown.
        shelf: The bundles that are there.
        draw: Draws the thumbnails of some pictures; one that cannot be read is left out, and tried again next time.
    """
    chunks = [[group[at : at + EACH] for at in range(0, len(group), EACH)] for group in groups]
    kept = {name: chunk for group in chunks for chunk in group if (name := _name(chunk)) in shelf.names}
    wanted = [picture for group in chunks for chunk in group if _name(chunk) not in kept for picture in chunk]
    known: dict[str, Thumbnail] = {}
    for name in (set(shelf.names) - kept.keys()) if wanted else ():
        known |= read_bundle(shelf.read(name))
    known |= draw([picture for picture in wanted if picture not in known])
    place = {picture: name for name, chunk in kept.items() for picture in chunk}

    def thumbnail(picture: str) -> Thumbnail | None:
        """That of one picture; a bundle that is kept is read when one of its pictures is asked for."""
        if picture not in known and picture in place:
            known.update(read_bundle(shelf.read(place[picture])))
        return known.get(picture)

    names: list[tuple[str, ...]] = []
    texts: dict[str, str | None] = {}
    for group in chunks:
        held = [[one if one in known or one in place else "" for one in chunk] for chunk in group]
        names.append(tuple(map(_name, held)))
        texts |= {
            name: None if name in shelf.names else _text(chunk, known)
            for name, chunk in zip(names[-1], held, strict=True)
        }
    return Bundles(tuple(names), texts, thumbnail)


def read_bundle(text: str) -> dict[str, Thumbnail]:
    """The thumbnails in the text of a bundle, by the content of the picture; none if it is no bundle."""
    try:
        _, entries = json.loads(f"[{text.strip().removeprefix(_CALL).removesuffix(');')}]")
        return {entry[0]: _thumbnail(*entry[1:]) for entry in entries if entry}
    except (ValueError, TypeError):
        return {}


def _name(pictures: Sequence[str]) -> str:
    """The name of the bundle of these pictures; an empty hash stands for one that cannot be read."""
    return xxhash.xxh3_128_hexdigest(json.dumps([VERSION, *pictures]).encode())


def _text(pictures: Sequence[str], known: Mapping[str, Thumbnail]) -> str:
    entries = [
        [picture, known[picture].url, known[picture].width, known[picture].height] if picture else None
        for picture in pictures
    ]
    return f"{_CALL}{json.dumps(_name(pictures))},{json.dumps(entries, separators=(',', ':'))});\n"


def _thumbnail(url: Any, width: Any, height: Any) -> Thumbnail:
    """A thumbnail that was read.

    Raises:
        ValueError: It is none.
    """
    if not _URL.fullmatch(url) or not (0 < int(width) < 10_000 and 0 < int(height) < 10_000):
        raise ValueError("no thumbnail")
    return Thumbnail(url, int(width), int(height))
