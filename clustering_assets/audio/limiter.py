"""A look-ahead limiter: louder sound whose peaks stay below a ceiling.

The gain is worked out for every millisecond before any of it is applied, so a peak is met by a gain that has come down
already, and which never depends on how the sound was cut into blocks (hold and release, then a window as long as the
hold: Giannoulis, Massberg & Reiss 2012, "Digital dynamic range compressor design", J. Audio Eng. Soc. 60).
"""

import numpy as np
from numpy.typing import NDArray

from clustering_assets.audio.decoding import RATE
from clustering_assets.audio.loudness import TAPS, interpolator

STEP = RATE // 1000
"""Samples that share a peak: a millisecond."""

AHEAD = 5
"""Milliseconds that the gain comes down before a peak."""

RELEASE = 80.0
"""Milliseconds in which the gain has come back up by 63 %: slower than a cycle of the bass, faster than a beat. With
200, drums hold down what is between them and need 2 to 5 dB more."""


class PeakMeter:
    """True peaks of every millisecond of sound that is handed to it block by block."""

    def __init__(self) -> None:
        self._tail = np.zeros((2, TAPS), dtype=np.float32)
        self._levels = np.zeros(0, dtype=np.float32)
        self._peaks: list[NDArray[np.float32]] = []
        self._interpolator = interpolator().astype(np.float32)
        self._skipped = TAPS // 2  # samples before the first one

    def add(self, block: NDArray[np.float32]) -> None:
        """Measure on through `block`, shape (2, n)."""
        from scipy.ndimage import correlate1d

        sound = np.concatenate([self._tail, block], axis=1)
        self._tail = sound[:, -TAPS:]
        level = np.abs(sound)
        for taps in self._interpolator:
            np.maximum(level, np.abs(correlate1d(sound, taps, axis=1)), out=level)
        # around its ends the block is interpolated with what is not there: that is done by its neighbours
        inside = level[:, TAPS // 2 : TAPS // 2 + block.shape[1]].max(axis=0)
        levels = np.concatenate([self._levels, inside[self._skipped :]])
        self._skipped = max(self._skipped - len(inside), 0)
        whole = len(levels) // STEP * STEP
        self._peaks.append(levels[:whole].reshape(-1, STEP).max(axis=1))
        self._levels = levels[whole:]

    @property
    def peaks(self) -> NDArray[np.float32]:
        """The peak of each millisecond so far, as amplitudes; the last few samples are not interpolated."""
        last = np.abs(self._tail[:, -TAPS // 2 :]).max(initial=0.0)
        ends = [max(float(self._levels.max(initial=0.0)), float(last))] * 2
        return np.concatenate([*self._peaks, np.array(ends, dtype=np.float32)])


def limiting(peaks: NDArray[np.floating], ceiling: float) -> NDArray[np.float64]:
    """The gain (0 to 1) at the middle of each millisecond that keeps peaks below a ceiling, both as amplitudes."""
    from scipy.ndimage import minimum_filter1d, uniform_filter1d

    wanted = np.minimum(ceiling / np.maximum(peaks, 1e-9), 1.0)
    held = minimum_filter1d(
        wanted, 2 * AHEAD + 3
    )  # one more on each side, as gains are drawn from middle to middle
    at = np.arange(len(held)) / RELEASE
    cut = np.exp(np.maximum.accumulate(np.log(np.maximum(1 - held, 1e-9)) + at) - at)
    return uniform_filter1d(np.minimum(1 - cut + 1e-9, 1.0), 2 * AHEAD + 1)


def limited(block: NDArray[np.float32], position: int, gains: NDArray[np.float64]) -> NDArray[np.float32]:
    """A block (2, n) that begins at sample `position` of the sound, with the gains of its milliseconds."""
    at = (np.arange(position, position + block.shape[1]) + 0.5) / STEP - 0.5
    first = max(int(at[0]) - 1, 0)
    part = gains[first : int(at[-1]) + 3]
    return block * np.interp(at - first, np.arange(len(part)), part).astype(np.float32)
