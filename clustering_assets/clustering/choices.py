"""The user's last word on pictures, from a small CSV file, which every later clustering keeps to.

    IMG_0815.jpg,exclude
    party/IMG_0907.jpg,cover
    party/IMG_0911.jpg,together Anna's birthday

A line may begin with `#`. The picture is a path below the folder of pictures, the choice one of

- `exclude`: the picture is in no video, contact sheet or preview, nor are those that look the same;
- `must`: the picture is always shown, also where another looks the same or there is no room for more;
- `cover`: it is shown first, and stands for its cluster in gallery and plot;
- `together NAME`: it is in the cluster of that name, with the others of which this is said. NAME is that of a cluster
  that there is, or its key (`cluster_3`); where there is none, these pictures become a cluster of this name;
- `apart`: it belongs to no cluster, as those do that density methods leave over.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from upath import UPath

from clustering_assets.clustering.keys import UNCLUSTERED, is_key, partition_key
from clustering_assets.errors import ClusteringError
from clustering_assets.user_lists import read_lines
from clustering_assets.words import one_line

EXCLUDE, MUST, COVER, TOGETHER, APART = "exclude", "must", "cover", "together", "apart"

_EXAMPLE = "IMG_0815.jpg,exclude"


class ChoicesError(ClusteringError):
    """A file of choices that cannot be read at all; a line that is wrong costs only itself."""


class _Row(NamedTuple):
    """A line of the file: where it is, the picture as it is written there, what is chosen, the name it is given."""

    line: int
    picture: str
    kind: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}".rstrip()


@dataclass(frozen=True)
class Choices:
    """What the user has chosen.

    Attributes:
        shown: `exclude`, `must` or `cover`, by path, in the order of the file.
        groups: The name of the cluster that a picture shall be in, by path; empty: in none.
        odd: What is wrong with lines of the file that were left out, in sentences.
    """

    shown: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    odd: tuple[str, ...] = ()


def read_choices(path: Path | UPath, manifest: pd.DataFrame | None = None) -> Choices:
    """The user's choices; none where there is no file.

    Args:
        path: The file, in UTF-8.
        manifest: The table `image_manifest`, which says what pictures there are; None: only whether the file can be
            read is of interest. What is said of an exact copy is said of the picture that stands for it.

    Raises:
        ChoicesError: The file is none, or no CSV.
    """
    pictures = None if manifest is None else _Pictures(manifest)
    taken: dict[tuple[str, bool], _Row] = {}
    odd = []
    for number, (line, cells) in enumerate(read_lines(path, ChoicesError, _EXAMPLE)):
        if not number and cells[0].casefold() in ("path", "picture", "image", "file"):
            continue  # a heading
        try:
            row = _row(line, cells)
            picture = row.picture if pictures is None else pictures.meant(row.picture)
            _enter(taken, picture, row)
        except _Odd as problem:
            odd.append(f"{path}, line {line}: {problem}")
    rows = [(picture, groups, row) for (picture, groups), row in taken.items()]
    return Choices(
        shown={picture: row.kind for picture, groups, row in rows if not groups},
        groups={picture: row.name for picture, groups, row in rows if groups},
        odd=tuple(odd),
    )


class _Odd(ValueError):
    """A line that does nothing, and why."""


def _row(line: int, cells: list[str]) -> _Row:
    kind, _, name = (cells[1] if len(cells) > 1 else "").partition(" ")
    row = _Row(line, cells[0], kind.casefold(), one_line(name))
    named = row.kind == TOGETHER
    right = cells[0] and not any(cells[2:]) and named == bool(row.name)
    if row.kind not in (EXCLUDE, MUST, COVER, TOGETHER, APART) or not right:
        raise _Odd(
            f"{one_line(','.join(cells))!r} is no choice. Write a picture, a comma and one of {EXCLUDE}, {MUST}, "
            f"{COVER}, {TOGETHER} NAME and {APART}, as in '{_EXAMPLE}'; what has a comma in it stands in quotes."
        )
    return row


def _enter(taken: dict[tuple[str, bool], _Row], picture: str, row: _Row) -> None:
    """Enter a line beside those before it. A cover is shown in any case, so it goes with `must`.

    Raises:
        _Odd: An earlier line says something else.
    """
    place = (picture, row.kind in (TOGETHER, APART))
    before = taken.get(place)
    if before is None or {before.kind, row.kind} == {MUST, COVER}:
        taken[place] = row if before is None or row.kind == COVER else before
    elif _folded(str(before)) != _folded(str(row)):
        raise _Odd(
            f"{one_line(picture)} is to be “{before}” (line {before.line}) and not “{row}”. Delete one of the lines."
        )


class _Pictures:
    """What pictures there are, to be found whatever the normal form of their letters."""

    def __init__(self, manifest: pd.DataFrame) -> None:
        columns = (manifest[name].astype(str) for name in ("path", "outcome", "reason", "duplicate_of"))
        self._facts = {path: facts for path, *facts in zip(*columns, strict=True)}
        self._known, self._named = {}, {}
        for path in self._facts:
            self._known.setdefault(_plain(path), path)
            self._named.setdefault(PurePosixPath(_plain(path)).name, path)

    def meant(self, text: str) -> str:
        """The path of the picture that is meant, or of the one with the same pixels that stands for it.

        Raises:
            _Odd: There is none, or it is not used.
        """
        plain = _plain(text)
        path = (
            text
            if text in self._facts
            else self._known.get(plain) or self._known.get(plain.removeprefix("'"))
        )
        if path is None:
            near = self._named.get(PurePosixPath(plain).name)
            hint = f"; did you mean {one_line(near)}?" if near else ""
            raise _Odd(f"there is no picture {one_line(text)} in the folder{hint}")
        outcome, reason, original = self._facts[path]
        if outcome == "rejected":
            raise _Odd(f"{one_line(path)} is not used: {reason}")
        return original or path


def _plain(path: str) -> str:
    return unicodedata.normalize("NFC", path.replace("\\", "/")).strip()


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def regroup(
    ids: NDArray[np.int64],
    paths: list[str],
    choices: Choices,
    names: Mapping[int, str],
    *,
    own: Mapping[str, int],
    used: set[int],
) -> tuple[NDArray[np.int64], dict[int, str], list[str]]:
    """The clusters as the user wants them.

    Args:
        ids: (n,) cluster ids that were found.
        paths: n paths.
        choices: What the user has chosen.
        names: Name of each cluster that was found, by id.
        own: Ids of the clusters that were made by choice before, by name.
        used: Every id that was ever used.

    Returns:
        (n,) ids, the name of each cluster that is made by choice, by id, and what a person should know.
    """
    known = {_folded(name): number for name, number in own.items()}
    known |= {_folded(partition_key(number)): number for number in (*own.values(), *names)}
    known |= {_folded(name): number for number, name in names.items()}
    fresh = max(used, default=UNCLUSTERED) + 1
    ids, made, notes = ids.copy(), {}, []
    wanted = np.array([_folded(choices.groups[path]) if path in choices.groups else None for path in paths])
    for name in dict.fromkeys(choices.groups[path] for path in paths if path in choices.groups):
        key = _folded(name)
        if name and key not in known:
            if is_key(key):
                notes.append(f"there is no {name}: what was to be together there stays where it is")
                continue
            known[key], fresh = fresh, fresh + 1
        number = known[key] if name else UNCLUSTERED
        if number not in names and number != UNCLUSTERED:
            made.setdefault(number, name)
        ids[wanted == key] = number
    return ids, made, notes


def own_clusters(previous: pd.DataFrame | None) -> dict[str, int]:
    """Ids of the clusters that were made by choice in an earlier run, by name.

    Args:
        previous: Its table `cluster_assignments`.
    """
    if previous is None or "cluster_hint" not in previous:
        return {}
    made = previous[(previous["cluster"] >= 0) & ~previous["cluster"].isin(found_clusters(previous))]
    return dict(zip(made["cluster_hint"].astype(str), made["cluster"].astype(int), strict=True))


def found_clusters(table: pd.DataFrame) -> pd.Series:
    """The cluster that each picture would be in without the user's choices, of a table `cluster_assignments`."""
    return table["found_cluster"].fillna(table["cluster"]) if "found_cluster" in table else table["cluster"]


def with_choices(table: pd.DataFrame, choices: Choices) -> tuple[pd.DataFrame, list[str]]:
    """The table of assignments with what the user has chosen to be shown, and what a person should know.

    A picture that must be shown is a duplicate of none, and those that look the same are duplicates of it. The cover
    stands for its cluster; a picture that is left out does not.

    Args:
        table: Rows of `cluster_assignments`, without duplicates across clusters.
        choices: What the user has chosen.
    """
    table, notes = table.assign(choice=[choices.shown.get(path, "") for path in table["path"]]), []
    order = {path: place for place, path in enumerate(choices.shown)}
    covers = table[table["choice"] == COVER].sort_values("path", key=lambda paths: paths.map(order))
    extra = covers[covers.duplicated("cluster")]
    for path in extra["path"]:
        notes.append(
            f"{one_line(path)} is one of several covers of its cluster; an earlier line has the first"
        )
    table.loc[extra.index, "choice"] = MUST
    table["duplicate_of"] = _stood_for(table)
    for _, members in table.groupby("cluster"):
        first = members[members["choice"] == COVER]
        if first.empty and members.loc[members["is_representative"], "choice"].eq(EXCLUDE).any():
            first = members[is_shown(members)].nlargest(1, "typicality")
        if len(first):
            table.loc[members.index, "is_representative"] = members.index == first.index[0]
    for _, members in table.groupby("cluster"):
        if not is_shown(members).any():
            notes.append(f"every picture of {members['cluster_name'].iloc[0]} is left out: it has no video")
    return table, notes


def _stood_for(table: pd.DataFrame) -> NDArray[np.object_]:
    """(n,) for each picture the one that is shown in its place, '' where it is shown itself."""
    paths, copies = (table[name].astype(str).to_numpy(dtype=object) for name in ("path", "duplicate_of"))
    wanted = table["choice"].isin([MUST, COVER]).to_numpy()
    roots = np.where(copies == "", paths, copies)
    heads: dict[Any, Any] = {}
    for root, path in zip(roots[wanted], paths[wanted], strict=True):
        heads[root] = root if path == root else heads.get(root, path)
    stands = np.array([heads.get(root, root) for root in roots], dtype=object)
    return np.where(wanted | (stands == paths), "", stands)


def chosen(rows: pd.DataFrame, *kinds: str) -> NDArray[np.bool_]:
    """Which of the rows of `cluster_assignments`, which older versions wrote without choices, the user chose so."""
    return rows["choice"].isin(kinds).to_numpy() if "choice" in rows else np.zeros(len(rows), dtype=bool)


def is_shown(rows: pd.DataFrame) -> NDArray[np.bool_]:
    """Which of the rows of `cluster_assignments` may be shown: neither near-duplicates nor left out by the user."""
    return (rows["duplicate_of"] == "").to_numpy() & ~chosen(rows, EXCLUDE)
