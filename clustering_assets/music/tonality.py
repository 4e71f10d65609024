"""Tonality: the key a track seems to be in, and how clearly it is major or minor."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Krumhansl & Kessler 1982 (Psychological Review 89), how well each pitch class fits a key of C.
_MAJOR = np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88])
_MINOR = np.array([6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17])


@dataclass(frozen=True)
class Tonality:
    """The key of a track.

    Attributes:
        tonic: Pitch class, 0 to 11, C = 0.
        mode: "major" or "minor".
        score: Correlation with the best major key less that with the best minor key, times two and held
            within -1 to 1: relative keys share their notes, so values near 0 are the rule.
    """

    tonic: int
    mode: str
    score: float


def tonality_of(chroma: NDArray[np.float32]) -> Tonality:
    """The tonality of a track from its chroma frames, shape (frames, 12)."""
    mean = chroma.mean(axis=0) if len(chroma) else np.zeros(12)
    if not mean.std() > 1e-6:
        return Tonality(0, "major", 0.0)
    fits = {name: _fits(mean, profile) for name, profile in (("major", _MAJOR), ("minor", _MINOR))}
    mode = "major" if fits["major"].max() >= fits["minor"].max() else "minor"
    score = float(np.clip(2 * (fits["major"].max() - fits["minor"].max()), -1, 1))
    return Tonality(int(np.argmax(fits[mode])), mode, score)


def _fits(mean: NDArray[np.floating], profile: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlation of the mean chroma with `profile` on each of the twelve tonics."""
    return np.array([np.corrcoef(mean, np.roll(profile, tonic))[0, 1] for tonic in range(12)])
