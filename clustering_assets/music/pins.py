"""Pins: the user's own choice of tracks, for a cluster or for a mood, from a small CSV file.

    cluster_0,Evening/slow river.ogg
    upbeat,fanfare.mp3

A line may begin with `#`. The track is a path below the music folder or just a file name, with or without its ending.
"""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from upath import UPath

from clustering_assets.clustering.keys import UNCLUSTERED_KEY, partition_key
from clustering_assets.errors import ClusteringError
from clustering_assets.music.moods import MOODS


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
    pins = Pins(path)
    for line, cells in _rows(path, required):
        key = _key(cells[0])
        if not pins and key in ("cluster", "key", "mood"):
            continue  # a header
        if len(cells) < 2 or not cells[1] or any(cells[2:]) or not _is_key(key):
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


def _rows(path: Path | UPath, required: bool) -> list[tuple[int, list[str]]]:
    """Line number and cells of each line of a pins file that says something."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as problem:
        if required:
            raise PinsError(
                f"{path}: the pins file does not exist. Make it, or leave the setting pins_file empty."
            ) from problem
        return []
    except (OSError, UnicodeDecodeError) as problem:
        raise PinsError(
            f"{path}: the pins file cannot be read as text ({problem}). Save it as a CSV file in UTF-8."
        ) from problem
    rows = []
    reader = csv.reader(text.splitlines(), skipinitialspace=True)
    try:
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            if any(cells) and not cells[0].startswith("#"):
                rows.append((reader.line_num, cells))
    except csv.Error as problem:
        raise PinsError(
            f"{path}, line {reader.line_num}: not a line of a CSV file ({problem}). Write a key and a track, as in "
            "'cluster_0,song.mp3'."
        ) from problem
    return rows


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
        silent = "" if paths is None else _without_track(wanted, paths, rejected or {})
        problems = [
            _repeated(key, lines.get(key, [])),
            f"{idle}, so this pin does nothing" if idle else "",
            f"{silent}, so another is chosen" if silent and not idle else silent,
            "" if paths is None else _ambiguous(wanted, paths),
        ]
        found += [f"{at}: {problem}" for problem in problems if problem]
    return found


def _repeated(key: str, lines: Sequence[int]) -> str:
    if len(lines) < 2:
        return ""
    return f"the same pin for {key} is given again on line {', '.join(str(line) for line in lines[1:])}"


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
    """Positions of the tracks that a pin means, whatever the case.

    A path below the music folder comes first, then a file name, then a file name without its ending.
    """
    plain = PurePosixPath(wanted.replace("\\", "/")).as_posix().casefold()
    known = [PurePosixPath(path) for path in paths]
    for form in (lambda path: path.as_posix(), lambda path: path.name, lambda path: path.stem):
        found = [index for index, path in enumerate(known) if form(path).casefold() == plain]
        if found:
            return found
    return []


def _key(text: str) -> str:
    """A key as it is stored: lower case, a bare number means that cluster."""
    key = text.lower().replace(" ", "_")
    number = re.fullmatch(r"(?:cluster_)?([0-9]{1,9})", key)
    return partition_key(int(number[1])) if number else key


def _is_key(key: str) -> bool:
    return key == UNCLUSTERED_KEY or key in MOODS or re.fullmatch(r"cluster_[0-9]{1,9}", key) is not None
