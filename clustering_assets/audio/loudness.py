"""Loudness and true peak after ITU-R BS.1770-4 and EBU R128, measured while the sound streams by."""

import math

import numpy as np
from numpy.typing import NDArray

from clustering_assets.audio.decoding import RATE

SILENCE = -70.0
"""Absolute gate of BS.1770, in LUFS: what is quieter does not count as sound."""

OFFSET = -0.691
"""What BS.1770 adds to the decibels of the weighted power, in LU."""

STEP = RATE // 10
"""Samples between two gating blocks: blocks of 400 ms overlap by 75 %."""

# K-weighting at 48 kHz, BS.1770-4 tables 1 and 2: a high shelf for the head, then a high pass.
_SHELF = ((1.53512485958697, -2.69169618940638, 1.19839281085285), (1.0, -1.69065929318241, 0.73248077421585))
_HIGH_PASS = ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621))

TAPS = 32
"""Length of the windowed sinc that interpolates four-fold for the true peak: more than in BS.1770-4, annex 2."""

_PHASES = 4


def interpolator() -> NDArray[np.float64]:
    """Weights (3, `TAPS`) of the three points between two samples; each row sums to 1."""
    offsets = np.arange(TAPS) - (TAPS / 2 - 1)
    rows = []
    for phase in range(1, _PHASES):
        distance = offsets - phase / _PHASES
        window = np.kaiser(2048, 5.0)
        at = np.interp(distance, np.linspace(-TAPS / 2, TAPS / 2, 2048), window)
        row = np.sinc(distance) * at
        rows.append(row / row.sum())
    return np.array(rows)


class LoudnessMeter:
    """Measures sound that is handed to it block by block.

    The integrated loudness is gated as BS.1770-4 says (absolute at -70 LUFS, relative at -10 LU). For the
    true peak only the neighbourhoods of samples within 6 dB of the highest sample so far are interpolated:
    a peak between two samples lies beside such a sample in all but contrived signals, and it costs a tenth.
    """

    def __init__(self) -> None:
        self._sections = np.array([[*_SHELF[0], *_SHELF[1]], [*_HIGH_PASS[0], *_HIGH_PASS[1]]])
        self._state = np.zeros((2, 2, 2))
        self._powers: list[NDArray[np.float64]] = []
        self._rest = np.zeros((2, 0))
        self._tail = np.zeros((2, TAPS), dtype=np.float32)
        self._sample_peak = 0.0
        self._peak = 0.0
        self._interpolator = interpolator().astype(np.float32)
        self.samples = 0

    def add(self, block: NDArray[np.float32]) -> None:
        """Measure on through `block`, shape (2, n)."""
        from scipy.signal import sosfilt

        if not block.shape[1]:
            return
        self.samples += block.shape[1]
        weighted, self._state = sosfilt(self._sections, block.astype(np.float64), axis=1, zi=self._state)
        weighted = np.concatenate([self._rest, weighted], axis=1)
        whole = weighted.shape[1] // STEP * STEP
        self._rest = weighted[:, whole:]
        if whole:
            steps = weighted[:, :whole].reshape(2, -1, STEP)
            self._powers.append(np.einsum("cns,cns->n", steps, steps) / STEP)
        self._add_peaks(block)

    def _add_peaks(self, block: NDArray[np.float32]) -> None:
        """Look for higher peaks in a block and between it and the one before."""
        joined = np.concatenate([self._tail, block], axis=1)
        self._tail = joined[:, -TAPS:]
        level = np.abs(joined)
        self._sample_peak = max(self._sample_peak, float(level.max()))
        self._peak = max(self._peak, self._sample_peak)
        if self._sample_peak == 0:
            return
        for channel in range(2):
            near = np.flatnonzero(level[channel] >= 0.5 * self._sample_peak)
            starts = np.unique(np.concatenate([near - TAPS // 2, near - TAPS // 2 + 1]))
            starts = starts[(starts >= 0) & (starts <= joined.shape[1] - TAPS)]
            if starts.size:
                windows = np.lib.stride_tricks.sliding_window_view(joined[channel], TAPS)[starts]
                self._peak = max(
                    self._peak, float(np.abs(np.einsum("nt,pt->np", windows, self._interpolator)).max())
                )

    @property
    def true_peak(self) -> float:
        """Highest level between or on samples, in dBTP; -inf for silence."""
        return decibel(self._peak)

    @property
    def integrated(self) -> float:
        """Gated loudness of everything so far, in LUFS; -inf for silence or less than 400 ms."""
        return gated(self.powers)

    def sliding(self, seconds: float) -> NDArray[np.float64]:
        """Loudness of each stretch of `seconds` (0.4: momentary, 3: short-term), one for every 100 ms, in LUFS.

        The i-th stretch begins at i / 10 s. Empty where the sound is shorter.
        """
        powers = _means(self.powers, max(round(10 * seconds), 1))
        return OFFSET + 10 * np.log10(np.maximum(powers, 1e-12))

    @property
    def powers(self) -> NDArray[np.float64]:
        """The weighted power of every whole 100 ms so far."""
        return np.concatenate([np.zeros(0), *self._powers])


def gated(powers: NDArray[np.float64]) -> float:
    """Gated loudness (LUFS) of sound with these weighted powers of every 100 ms; -inf for silence or under 400 ms."""
    blocks = _means(powers, 4)
    loud = blocks[blocks > 10 ** ((SILENCE - OFFSET) / 10)]
    if not loud.size:
        return -math.inf
    loud = loud[loud > loud.mean() / 10]
    return OFFSET + 10 * math.log10(float(loud.mean()))


def _means(powers: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """The mean of each `count` powers in a row."""
    if powers.size < count:
        return np.zeros(0)
    return np.convolve(powers, np.full(count, 1 / count), mode="valid")


def decibel(amplitude: float) -> float:
    """An amplitude in dB; -inf for 0."""
    return 20 * math.log10(amplitude) if amplitude > 0 else -math.inf


def amplitude(decibels: float) -> float:
    """The factor that changes the level by `decibels`."""
    return 10 ** (decibels / 20)
