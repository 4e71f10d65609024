"""In which order a film shows its slideshows."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clustering_assets.clustering.keys import UNCLUSTERED
from clustering_assets.video.selection import short_path

SAME_TRACK = 100.0
"""What two neighbours with the same music cost, in cosine distance: more than any order of looks saves."""


@dataclass(frozen=True, eq=False)
class Scene:
    """What decides where a slideshow stands.

    Attributes:
        cluster: Number of its cluster.
        taken: When its pictures were taken, NaT where that is not known.
        look: The mean of their vectors (d,); None where there are none.
        track: Its music; empty without.
    """

    cluster: int
    taken: pd.Series
    look: NDArray[np.floating] | None
    track: str


def in_sequence(scenes: Sequence[Scene]) -> list[int]:
    """Positions of scenes in the order shown; what belongs to no cluster comes last.

    By the middle of the times where two thirds of the scenes have some, those that have none behind; else along a short
    path through looks from the largest scene; else as they come. Where another order keeps neighbours from having the
    same music, it is taken: along the path any, in time only of scenes that were taken over the same while.
    """
    real = [place for place, scene in enumerate(scenes) if scene.cluster != UNCLUSTERED]
    rest = [place for place in range(len(scenes)) if place not in real]
    middles = {place: _middle(scenes[place].taken) for place in real}
    dated = [place for place in real if middles[place] is not pd.NaT]
    if real and 3 * len(dated) >= 2 * len(real):
        undated = [place for place in real if place not in dated]
        ordered = sorted(dated, key=lambda place: (middles[place], place))
        return [*_parted(ordered, scenes), *undated, *rest]
    looks = [look for place in real if (look := scenes[place].look) is not None]
    if not real or len(looks) < len(real):
        return [*real, *rest]
    unit = np.array([look / max(float(np.linalg.norm(look)), 1e-12) for look in looks], float)
    tracks = np.array([scenes[place].track for place in real])
    same = (tracks[:, None] == tracks[None, :]) & (tracks != "")[:, None]
    largest = max(range(len(real)), key=lambda number: len(scenes[real[number]].taken))
    path = short_path(1 - unit @ unit.T + SAME_TRACK * same, largest)
    return [*(real[number] for number in path), *rest]


def _parted(order: list[int], scenes: Sequence[Scene]) -> list[int]:
    """Scenes in order of time; one comes between two of the same music if its time overlaps that of all it passes."""
    spans = {}
    for place in order:
        times = pd.to_datetime(scenes[place].taken, errors="coerce").dropna().sort_values()
        spans[place] = (times.iloc[len(times) // 10], times.iloc[-1 - len(times) // 10])

    def may_pass(one: int, others: Sequence[int]) -> bool:
        (first, last), beside = spans[one], [spans[other] for other in others]
        return all(first <= end and begin <= last for begin, end in beside)

    for after in range(1, len(order)):
        ways = [order]
        if _repeats(order[after - 1 : after + 1], scenes):
            for at in range(len(order)):
                passed = order[after:at] if at >= after else order[at + 1 : after]
                if passed and may_pass(order[at], passed):
                    left = [*order[:at], *order[at + 1 :]]
                    to = after if at > after else after - 1
                    ways.append([*left[:to], order[at], *left[to:]])
        order = min(ways, key=lambda way: (_repeats(way, scenes), _moved(way, order)))
    return order


def _repeats(order: Sequence[int], scenes: Sequence[Scene]) -> int:
    """How many scenes have the same music as the one before."""
    tracks = [scenes[place].track for place in order]
    return sum(one == other != "" for one, other in pairwise(tracks))


def _moved(way: Sequence[int], order: Sequence[int]) -> int:
    """How many scenes are not where they were."""
    return sum(one != other for one, other in zip(way, order, strict=True))


def _middle(taken: pd.Series) -> pd.Timestamp:
    """The median of times; NaT where fewer than half are known."""
    known = pd.to_datetime(taken, errors="coerce").dropna()
    return (
        known.sort_values().iloc[len(known) // 2] if 2 * len(known) >= len(taken) and len(known) else pd.NaT
    )  # type: ignore[return-value]
