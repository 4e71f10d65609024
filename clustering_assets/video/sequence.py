"""In which order a film shows its slideshows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clustering_assets.clustering.keys import UNCLUSTERED
from clustering_assets.video.selection import short_path

SAME_TRACK = 1.0
"""What two neighbours with the same music cost, in cosine distance: as much as looking like nothing of each other."""


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
    path through looks from the largest scene, on which neighbours rather have different music; else as they come.
    """
    real = [place for place, scene in enumerate(scenes) if scene.cluster != UNCLUSTERED]
    rest = [place for place in range(len(scenes)) if place not in real]
    middles = {place: _middle(scenes[place].taken) for place in real}
    dated = [place for place in real if middles[place] is not pd.NaT]
    if real and 3 * len(dated) >= 2 * len(real):
        undated = [place for place in real if place not in dated]
        return [*sorted(dated, key=lambda place: (middles[place], place)), *undated, *rest]
    looks = [look for place in real if (look := scenes[place].look) is not None]
    if not real or len(looks) < len(real):
        return [*real, *rest]
    unit = np.array([look / max(float(np.linalg.norm(look)), 1e-12) for look in looks], float)
    tracks = np.array([scenes[place].track for place in real])
    same = (tracks[:, None] == tracks[None, :]) & (tracks != "")[:, None]
    largest = max(range(len(real)), key=lambda number: len(scenes[real[number]].taken))
    path = short_path(1 - unit @ unit.T + SAME_TRACK * same, largest)
    return [*(real[number] for number in path), *rest]


def _middle(taken: pd.Series) -> pd.Timestamp:
    """The median of times; NaT where fewer than half are known."""
    known = pd.to_datetime(taken, errors="coerce").dropna()
    return (
        known.sort_values().iloc[len(known) // 2] if 2 * len(known) >= len(taken) and len(known) else pd.NaT
    )  # type: ignore[return-value]
