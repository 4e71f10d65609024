"""Words for what pictures have in common beside their looks: folder, word in the file name, day, month or year."""

import re
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

NOT_WORDS = (
    " img image images pic picture pict photo foto scan screenshot screen shot copy edit edited final small large "
    "thumb dsc dscn dscf sam pxl mvi mov vid dji gopr cimg imgp sdc whatsapp signal telegram facebook instagram "
    "unsplash pexels pixabay frame page file untitled unnamed jpg jpeg png burst cover portrait hdr pano "
)
"""What cameras and programs begin the names of files with, and what says nothing about a picture."""

_TIMES: tuple[tuple[Callable[[Any], Hashable], Callable[[Any], str]], ...] = (
    (lambda t: (t.year, t.month, t.day), lambda t: f"{t.day} {t.month_name()} {t.year}"),
    (lambda t: (t.year, t.month), lambda t: f"{t.month_name()} {t.year}"),
    (lambda t: t.year, lambda t: f"{t.year}"),
)
"""How times are compared and how they are told, finest first."""


def origins(labels: NDArray[np.integer], images: pd.DataFrame, clusters: list[int]) -> dict[int, str]:
    """For each cluster the folder, the word in file names or the time that sets it apart, '' where there is none.

    Args:
        labels: (n,) cluster ids.
        images: n rows; `path` and `taken_at` are used where they are there.
        clusters: The ids to find words for.
    """
    levels = [*_folders(images), *_file_words(images), *_times(images)]
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


def _file_words(images: pd.DataFrame) -> list[list[tuple[Hashable, str] | None]]:
    """The first word in the name of each file: `harbour` of `harbour_012.jpg`, nothing of `IMG_0012.jpg`."""
    if "path" not in images:
        return []
    return [[_word(PurePosixPath(str(path)).stem) for path in images["path"]]]


def _word(stem: str) -> tuple[Hashable, str] | None:
    words = (word.lower() for word in re.findall(r"[^\W\d_]{3,}", stem))
    word = next((word for word in words if f" {word} " not in NOT_WORDS), None)
    return None if word is None else (word, word)


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
