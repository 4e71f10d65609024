"""Pins: the user's own choice of tracks, for a cluster or for a mood, from a small CSV file.

    cluster_0,Evening/slow river.ogg
    upbeat,fanfare.mp3

A line may begin with `#`. The track is a path below the music folder or just a file name.
"""

import csv
import re
from collections.abc import Mapping
from pathlib import Path

from clustering_assets.clustering.identity import UNCLUSTERED_KEY
from clustering_assets.errors import ClusteringError
from clustering_assets.music.moods import MOODS


class PinsError(ClusteringError):
    """A pins file that cannot be read; the message names file and line."""


def read_pins(path: Path, *, required: bool = False) -> dict[str, str]:
    """Read a pins file.

    Args:
        path: The file, in UTF-8.
        required: Whether a missing file is an error; otherwise it pins nothing.

    Returns:
        The track for each key: `cluster_<id>`, `unclustered`, or a mood.

    Raises:
        PinsError: A line is no pin, a key is pinned twice, or the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as problem:
        if required:
            raise PinsError(f"{path}: the pins file does not exist") from problem
        return {}
    except (OSError, UnicodeDecodeError) as problem:
        raise PinsError(f"{path}: the pins file cannot be read as UTF-8 text ({problem})") from problem
    pins: dict[str, str] = {}
    rows = csv.reader(text.splitlines(), skipinitialspace=True)
    for cells in rows:
        cells = [cell.strip() for cell in cells]
        if not any(cells) or cells[0].startswith("#"):
            continue
        key = _key(cells[0])
        if not pins and key in ("cluster", "key", "mood"):
            continue  # a header
        if len(cells) < 2 or not cells[1] or any(cells[2:]) or not _is_key(key):
            raise PinsError(
                f"{path}, line {rows.line_num}: expected a key and a track, as in 'cluster_0,song.mp3'; the key is "
                f"cluster_<number>, {UNCLUSTERED_KEY}, or a mood ({', '.join(MOODS)})"
            )
        if key in pins:
            raise PinsError(f"{path}, line {rows.line_num}: {key} is pinned twice")
        pins[key] = cells[1]
    return pins


def pin_for(pins: Mapping[str, str], key: str, mood: str) -> str:
    """The track pinned for a cluster, or else for its mood; empty if there is none."""
    return pins.get(key) or pins.get(mood) or ""


def _key(text: str) -> str:
    """A key as it is stored: lower case, a bare number means that cluster."""
    key = text.lower().replace(" ", "_")
    return f"cluster_{int(key)}" if re.fullmatch(r"\d+", key) else key


def _is_key(key: str) -> bool:
    return key == UNCLUSTERED_KEY or key in MOODS or re.fullmatch(r"cluster_\d+", key) is not None
