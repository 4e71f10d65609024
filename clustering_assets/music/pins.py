"""Pins: the user's own choice of tracks, for a cluster or for a mood, from a small CSV file.

    cluster_0,Evening/slow river.ogg
    upbeat,fanfare.mp3

A line may begin with `#`. The track is a path below the music folder or just a file name, with or without its ending.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from upath import UPath

from clustering_assets.clustering.keys import UNCLUSTERED_KEY, partition_key
from clustering_assets.errors import ClusteringError
from clustering_assets.music.moods import MOODS
from clustering_assets.user_lists import read_lines


class PinsError(ClusteringError):
    """A pins file that cannot be read; the message names file, line and what to write instead."""


class Pins(dict[str, str]):
    """The track for each key: `cluster_<id>`, `unclustered`, or a mood.

    Attributes:
        path: The file they were read from.
        lines: The lines of the file on which each key stands: more than one where a line is repeated.
    """

    def __init__(self, path: Path | UPath) -> None:
        super().__init__()
        self.path = path
        self.lines: dict[str, list[int]] = {}


def read_pins(path: Path | UPath, *, required: bool = False) -> Pins:
    """Read a pins file.

    Args:
        path: The file, in UTF-8.
        required: Whether a missing file is an error; otherwise it pins nothing.

    Raises:
        PinsError: A line is no pin, a key is pinned to two tracks, or the file cannot be read.
    """
    if required and not path.exists():
        raise PinsError(
            f"{path}: the pins file does not exist. Make it, or leave the setting pins_file empty."
        )
    pins = Pins(path)
    for line, cells in read_lines(path, PinsError, "cluster_0,song.mp3"):
        if not pins and cells[0].lower() in ("cluster", "key", "mood"):
            continue  # a header
        key = _key(cells[0])
        if key is None or len(cells) < 2 or not cells[1] or any(cells[2:]):
            raise PinsError(
                f"{path}, line {line}: {','.join(cells)!r} is no pin. Write a key, a comma and a track, as in "
                f"'cluster_0,song.mp3'. The key is cluster_<number>, {UNCLUSTERED_KEY} or a mood ({', '.join(MOODS)}); "
                "a name with a comma in it stands in quotes, as in 'calm,\"Rain, at night.ogg\"'."
            )
        if pins.get(key, cells[1]) != cells[1]:
            raise PinsError(
                f"{path}, line {line}: {key} is pinned twice, to {pins[key]!r} (line {pins.lines[key][0]}) and to "
                f"{cells[1]!r}. Delete one of the two lines."
            )
        pins[key] = cells[1]
        pins.lines.setdefault(key, []).append(line)
    return pins


def pin_for(pins: Mapping[str, str], key: str, mood: str) -> str:
    """The track pinned for a cluster, or else for its mood; empty if there is none."""
    return pins.get(key) or pins.get(mood) or ""


def pin_warnings(
    pins: Mapping[str, str],
    *,
    tracks: Iterable[str] | None = None,
    rejected: Mapping[str, str] | None = None,
    clusters: Mapping[str, str] | None = None,
) -> list[str]:
    """What is odd about pins that can be read: sentences for the user, in the order of the pins.

    Args:
        pins: From `read_pins`.
        tracks: Paths below the music folder of the tracks that can be used; None if they are not known yet.
        rejected: Why other files of that folder cannot be used, by path.
        clusters: The mood of each cluster, by its key; None if the clusters are not known yet.
    """
    paths = None if tracks is None else sorted(tracks)
    lines = pins.lines if isinstance(pins, Pins) else {}
    place = f"{pins.path}" if isinstance(pins, Pins) else "the pins"
    found = []
    for key, wanted in pins.items():
        at = f"{place}, line {lines[key][0]}" if key in lines else place
        idle = "" if clusters is None else _without_cluster(key, pins, clusters)
        again = lines.get(key, [])[1:]
        silent = "" if paths is None else _without_track(wanted, paths, rejected or {})
        problems = [
            f"the same pin for {key} is given again on line {', '.join(map(str, again))}" if again else "",
            f"{idle}, so this pin does nothing" if idle else "",
            f"{silent}, so another is chosen" if silent and not idle else silent,
            "" if paths is None else _ambiguous(wanted, paths),
        ]
        found += [f"{at}: {problem}" for problem in problems if problem]
    return found


def _without_cluster(key: str, pins: Mapping[str, str], clusters: Mapping[str, str]) -> str:
    """Why a pin goes to no cluster; empty if it goes to one."""
    if key not in MOODS:
        return "" if key in clusters else f"there is no {key} ({_known(list(clusters))})"
    of_that_mood = [cluster for cluster, mood in clusters.items() if mood == key]
    if not of_that_mood:
        return f"no cluster is {key} at present"
    if all(cluster in pins for cluster in of_that_mood):
        return f"every cluster that is {key} has a pin of its own"
    return ""


def _known(keys: Sequence[str]) -> str:
    """Which clusters there are, in words."""
    if not keys:
        return "nor any other cluster"
    return f"only {', '.join(keys)}" if len(keys) < 4 else f"only {keys[0]} to {keys[-1]}, {len(keys)} in all"


def _without_track(wanted: str, paths: Sequence[str], rejected: Mapping[str, str]) -> str:
    """Why the track of a pin cannot be taken; empty if it can."""
    if tracks_named(wanted, paths):
        return ""
    reasons = list(rejected)
    broken = tracks_named(wanted, reasons)
    if broken:
        return f"“{wanted}” cannot be used ({rejected[reasons[broken[0]]]})"
    return f"there is no track “{wanted}” in the music folder"


def _ambiguous(wanted: str, paths: Sequence[str]) -> str:
    """That several tracks bear the name that a pin gives; empty if only one does."""
    named = [f"“{paths[position]}”" for position in tracks_named(wanted, paths)]
    if len(named) < 2:
        return ""
    return f"“{wanted}” may be {len(named)} tracks ({', '.join(named)}); the first is taken: write the path of another"


def tracks_named(wanted: str, paths: Sequence[str]) -> list[int]:
    """Positions of the tracks that a pin means, whatever the case and the normal form of its letters.

    A path below the music folder comes first, then a file name, then a file name without its ending.
    """
    plain = _folded(PurePosixPath(wanted.replace("\\", "/")).as_posix())
    known = [PurePosixPath(path) for path in paths]
    for form in (lambda path: path.as_posix(), lambda path: path.name, lambda path: path.stem):
        found = [index for index, path in enumerate(known) if _folded(form(path)) == plain]
        if found:
            return found
    return []


def _folded(text: str) -> str:
    """Text as it is compared: an e with an accent is the same in one piece or in two, large or small."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def _key(text: str) -> str | None:
    """A key as it is stored: lower case, a bare number means that cluster; None if it is none."""
    key = text.lower().replace(" ", "_")
    number = re.fullmatch(r"(?:cluster_)?([0-9]{1,9})", key)
    if number:
        return partition_key(int(number[1]))
    return key if key in MOODS or key == UNCLUSTERED_KEY else None
