"""Tonality: the key a track seems to be in, and how clearly it is major or minor."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_MAJOR, _MINOR = range(2)

PROFILES = {
    # how well each pitch class was judged to fit: Psychological Review 89
    "Krumhansl & Kessler 1982": (
        (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
        (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
    ),
    # the same, revised by theory: Music Perception 17, "What's key for key?"
    "Temperley 1999": (
        (5.0, 2.0, 3.5, 2.0, 4.5, 4.0, 2.0, 4.5, 2.0, 3.5, 1.5, 4.0),
        (5.0, 2.0, 3.5, 4.5, 2.0, 4.0, 2.0, 4.5, 3.5, 2.0, 1.5, 4.0),
    ),
    # counted in chords of the 18th and 19th century by Budge 1943: Ninth International Symposium on Music Perception
    "Bellman 2005": (
        (16.80, 0.86, 12.95, 1.41, 13.49, 11.93, 1.25, 20.28, 1.80, 8.04, 0.62, 10.57),
        (18.16, 0.69, 12.99, 13.34, 1.07, 11.15, 1.38, 21.07, 7.49, 1.53, 0.92, 10.21),
    ),
    # counted in 982 pieces: Music Perception 31
    "Albrecht & Shanahan 2013": (
        (0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081),
        (0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052),
    ),
}
"""Published key profiles: how much each pitch class belongs to the keys of C major and C minor. No one of them is right
for all music; where all four agree, so does what is made of them."""

NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


@dataclass(frozen=True)
class Tonality:
    """The key of a track.

    Attributes:
        tonic: Name of its keynote, C to B; '' where no tones are heard.
        mode: "major" or "minor".
        score: Correlation with the best major key less that with the best minor key, the mean over `PROFILES`, times
            two and held within -1 to 1: relative keys share their notes, so values near 0 are the rule.
    """

    tonic: str
    mode: str
    score: float


def tonality_of(chroma: NDArray[np.float32]) -> Tonality:
    """The tonality of a track from its chroma frames, shape (frames, 12)."""
    mean = chroma.mean(axis=0) if len(chroma) else np.zeros(12)
    if not mean.std() > 1e-6:
        return Tonality("", "major", 0.0)
    fits = key_fits(mean)
    lead = fits[:, _MAJOR].max(axis=1) - fits[:, _MINOR].max(axis=1)
    score = float(np.clip(2 * lead.mean(), -1, 1))
    mode = _MAJOR if score >= 0 else _MINOR
    tonic = fits[:, mode].mean(axis=0).argmax()
    return Tonality(NAMES[tonic], ("major", "minor")[mode], score)


def key_fits(chroma: NDArray[np.floating]) -> NDArray[np.float64]:
    """How well the keys fit a mean chroma (12,): correlations, shape (profiles, 2 for major and minor, 12 tonics)."""
    keys = [
        np.roll(profile, tonic) for modes in PROFILES.values() for profile in modes for tonic in range(12)
    ]
    return np.corrcoef(np.vstack([chroma, keys]))[0, 1:].reshape(len(PROFILES), 2, 12)
