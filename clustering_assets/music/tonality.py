"""Tonality: the key a track seems to be in, and how clearly it is major or minor."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Albrecht & Shanahan 2013 (Music Perception 31), how much each pitch class is heard in a key of C.
_MAJOR = np.array([0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081])
_MINOR = np.array([0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052])

EVEN = 0.05
"""By how much the best major key correlates better than the best minor key when neither is meant: the minor profile
spreads over more notes and fits everything a little less."""


@dataclass(frozen=True)
class Tonality:
    """Whether a track is in a major or a minor key.

    Attributes:
        mode: "major" or "minor".
        score: Correlation with the best major key less that with the best minor key and less `EVEN`, times two and
            held within -1 to 1: relative keys share their notes, so values near 0 are the rule.
    """

    mode: str
    score: float


def tonality_of(chroma: NDArray[np.float32]) -> Tonality:
    """The tonality of a track from its chroma frames, shape (frames, 12)."""
    mean = chroma.mean(axis=0) if len(chroma) else np.zeros(12)
    if not mean.std() > 1e-6:
        return Tonality("major", 0.0)
    major, minor = (
        max(np.corrcoef(mean, np.roll(profile, tonic))[0, 1] for tonic in range(12))
        for profile in (_MAJOR, _MINOR)
    )
    score = float(np.clip(2 * (major - minor - EVEN), -1, 1))
    return Tonality("major" if score >= 0 else "minor", score)
