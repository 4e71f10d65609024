"""Words for where and when pictures were taken: the folder they lie in, the day, month or year."""

from collections import Counter
from collections.abc import Callable, Hashable
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

MOST_OF_THEM = 0.8
"""Least share of a cluster's pictures that must have a folder or a time in common for it to be named by that."""

ELSEWHERE = 0.4
"""Largest share of all other pictures that may have the same."""

_TIMES: tuple[tuple[Callable[[Any], Hashable], Callable[[Any], str]], ...] = (
    (lambda t: (t.year, t.month, t.day), lambda t: f"{t.day} {t.month_name()} {t.year}"),
    (lambda t: (t.year, t.month), lambda t: f"{t.month_name()} {t.year}"),
    (lambda t: t.year, lambda t: f"{t.year}"),
)
"""How times are compared and how they are told, finest first."""


def origins(labels: NDArray[np.integer], images: pd.DataFrame, clusters: list[int]) -> dict[int, str]:
    """For each cluster the folder or else the time that sets it apart, '' where there is none.

    Args:
        labels: (n,) cluster ids.
        images: n rows; `path` and `taken_at` are used where they are there.
        clusters: The ids to find words for.
    """
    levels = [*_folders(images), *_times(images)]
    return {c: next(filter(None, (_common(level, labels == c) for level in levels)), "") for c in clusters}


def _folders(images: pd.DataFrame) -> list[list[tuple[Hashable, str] | None]]:
    """The folders of each picture, level by level, deepest first: what is compared and what is told."""
    if "path" not in images:
        return []
    parents = [PurePosixPath(str(path)).parent.parts for path in images["path"]]
    depth = max(map(len, parents), default=0)
    return [
        [(own[:level], own[level - 1]) if len(own) >= level else None for own in parents]
        for level in range(depth, 0, -1)
    ]


def _times(images: pd.DataFrame) -> list[list[tuple[Hashable, str] | None]]:
    """The day, the month and the year of each picture."""
    if "taken_at" not in images:
        return []
    times = pd.to_datetime(images["taken_at"], errors="coerce")
    return [[None if pd.isna(t) else (key(t), told(t)) for t in times] for key, told in _TIMES]


def _common(level: list[tuple[Hashable, str] | None], here: NDArray[np.bool_]) -> str:
    """What most of the pictures here have and few of the others; '' for nothing."""
    own = Counter(value for value, inside in zip(level, here, strict=True) if inside and value is not None)
    if not own:
        return ""
    value, count = own.most_common(1)[0]
    beyond = sum(other == value for other, inside in zip(level, here, strict=True) if not inside)
    if count < MOST_OF_THEM * here.sum() or beyond > ELSEWHERE * max((~here).sum(), 1) or here.all():
        return ""
    return value[1]
