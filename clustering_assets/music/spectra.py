"""Spectra of a track, gathered while it is decoded: what rhythm, timbre and mode are measured from."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clustering_assets.audio.decoding import RATE

HOP = 512
"""Samples between two frames of `Spectra.bands` (10.7 ms)."""

FRAME_RATE = RATE / HOP
"""Frames per second of `Spectra.bands`."""

WINDOW = 2048
"""Samples under the window of one frame (43 ms)."""

BANDS = 25
"""Mel bands from `LOWEST` to `HIGHEST` hertz."""

LOWEST, HIGHEST = 30.0, 3540.0
"""What is heard of a track, in hertz: the band that every copy of it has. A rate of 8,000 samples a second carries up
to 4 kHz less the edge of its filter, and codecs at low bit rates cut off above that. Were more heard where there is
more, the same music would be another track at another rate."""

FULLNESS_RANGE = 30.0
"""Decibels below the loudest band down to which a band is heard beside it."""

TONE_WINDOW = 16_384
"""Samples under the window of one frame of `Spectra.chroma`: 341 ms, which tells semitones apart from 100 Hz up."""

LOWEST_TONE, HIGHEST_TONE = 65.0, 1000.0
"""Range of the tones that count for the key, in hertz: bass and middle, which carry the harmony."""


@dataclass(frozen=True)
class Spectra:
    """The spectra of one track.

    Attributes:
        bands: Power in mel bands, shape (frames, `BANDS`), float32; frame i is centred at
            (i * HOP + WINDOW / 2) / RATE seconds.
        chroma: Share of the twelve pitch classes (C = 0) in each tone frame, shape (tone frames, 12); rows sum
            to 1, or are 0 where it is silent.
        seconds: Length of the sound.
    """

    bands: NDArray[np.float32]
    chroma: NDArray[np.float32]
    seconds: float

    @property
    def centroid(self) -> float:
        """Mean spectral centroid up to `HIGHEST` hertz; NaN in silence.

        The centre of the amplitudes of the bands, in the frames down to 40 dB below the loud parts.
        """
        amplitude = np.sqrt(self.bands[self._heard])
        if not len(amplitude):
            return math.nan
        centres = _edges()[1:-1].astype(np.float32)
        return float((amplitude @ centres / np.maximum(amplitude.sum(axis=1), 1e-9)).mean())

    @property
    def fullness(self) -> float:
        """How much of the spectrum sounds at once, 0 to 1; NaN in silence.

        The mean share of bands within `FULLNESS_RANGE` of the loudest, down to 40 dB below the loud parts.
        """
        bands = self.bands[self._heard]
        if not len(bands):
            return math.nan
        return float((bands > 10 ** (-FULLNESS_RANGE / 10) * bands.max(axis=1, keepdims=True)).mean())

    @property
    def _heard(self) -> NDArray[np.bool_]:
        """Which frames are at most 40 dB below the loud parts of the track."""
        power = self.bands.sum(axis=1)
        loud = float(np.percentile(power, 95)) if power.size else 0.0
        return power > max(1e-4 * loud, 1e-12)


def _edges() -> NDArray[np.float64]:
    """Where each band begins, its neighbour's centre, in hertz, and where the last two end; shape (BANDS + 2,)."""
    mel = np.linspace(2595 * np.log10(1 + LOWEST / 700), 2595 * np.log10(1 + HIGHEST / 700), BANDS + 2)
    return 700 * (10 ** (mel / 2595) - 1)


def mel_bands() -> NDArray[np.float32]:
    """Triangular filters of shape (WINDOW // 2 + 1, BANDS) on the mel scale of O'Shaughnessy (1987)."""
    edges = _edges()
    frequencies = np.fft.rfftfreq(WINDOW, 1 / RATE)[:, None]
    # the lowest bands are narrower than a bin; widened to one so that none stays empty
    width = RATE / WINDOW
    rising = (frequencies - edges[:-2]) / np.maximum(edges[1:-1] - edges[:-2], width)
    falling = (edges[2:] - frequencies) / np.maximum(edges[2:] - edges[1:-1], width)
    return np.clip(np.minimum(rising, falling), 0, 1).astype(np.float32)


def pitch_classes() -> NDArray[np.float32]:
    """Which bin sounds which pitch class between `LOWEST_TONE` and `HIGHEST_TONE`, shape (TONE_WINDOW // 2 + 1, 12)."""
    frequencies = np.fft.rfftfreq(TONE_WINDOW, 1 / RATE)
    pitch = 69 + 12 * np.log2(np.maximum(frequencies, 1) / 440)
    away = np.abs((pitch[:, None] - np.arange(12) + 6) % 12 - 6)
    weights = np.clip(1 - away / 0.5, 0, 1)
    weights[(frequencies < LOWEST_TONE) | (frequencies > HIGHEST_TONE)] = 0
    return weights.astype(np.float32)


class SpectrumMeter:
    """Gathers `Spectra` from blocks of stereo sound."""

    def __init__(self) -> None:
        from scipy.sparse import csr_array

        # sparse, as most weights are 0; a dense product of this size is also slowed down by the threads of BLAS
        self._bands_of, self._pitches = csr_array(mel_bands().T), csr_array(pitch_classes().T)
        self._window = np.hanning(WINDOW).astype(np.float32)
        self._tone_window = np.hanning(TONE_WINDOW).astype(np.float32)
        self._rest = np.zeros(0, dtype=np.float32)
        self._tone_rest = np.zeros(0, dtype=np.float32)
        self._bands: list[NDArray[np.float32]] = []
        self._chroma: list[NDArray[np.float32]] = []
        self._samples = 0

    def add(self, block: NDArray[np.float32]) -> None:
        """Measure on through `block`, shape (2, n)."""
        mono = block.mean(axis=0)
        self._samples += mono.size
        self._rest = self._add_bands(np.concatenate([self._rest, mono]))
        self._tone_rest = self._add_tones(np.concatenate([self._tone_rest, mono]))

    def _add_bands(self, sound: NDArray[np.float32]) -> NDArray[np.float32]:
        """Add what sounds in whole windows; what is left for the next ones."""
        from scipy.fft import rfft

        if sound.size < WINDOW:
            return sound
        frames = np.lib.stride_tricks.sliding_window_view(sound, WINDOW)[::HOP]
        spectrum = np.asarray(rfft(frames * self._window, axis=1))
        self._bands.append(_shares(self._bands_of, np.square(np.abs(spectrum))))
        return sound[len(frames) * HOP :]

    def _add_tones(self, sound: NDArray[np.float32]) -> NDArray[np.float32]:
        """Add the tones in whole windows; what is left for the next ones."""
        from scipy.fft import rfft

        hop = TONE_WINDOW // 2
        if sound.size < TONE_WINDOW:
            return sound
        frames = np.lib.stride_tricks.sliding_window_view(sound, TONE_WINDOW)[::hop]
        level = np.abs(np.asarray(rfft(frames * self._tone_window, axis=1)))
        # only peaks are tones: the floor of drums and noise would level the classes
        peaks = np.zeros_like(level)
        middle = level[:, 1:-1]
        peaks[:, 1:-1] = np.where((middle > level[:, :-2]) & (middle >= level[:, 2:]), middle, 0)
        chroma = _shares(self._pitches, peaks)
        total = chroma.sum(axis=1, keepdims=True)
        self._chroma.append(np.divide(chroma, total, out=np.zeros_like(chroma), where=total > 1e-6))
        return sound[len(frames) * hop :]

    def spectra(self) -> Spectra:
        """Everything gathered so far."""
        return Spectra(
            bands=np.concatenate([np.zeros((0, BANDS), np.float32), *self._bands]),
            chroma=np.concatenate([np.zeros((0, 12), np.float32), *self._chroma]),
            seconds=self._samples / RATE,
        )


def _shares(weights: Any, frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sums of `frames`, shape (frames, bins), under each row of a sparse matrix of weights (rows, bins)."""
    return np.asarray(weights @ frames.T, dtype=np.float32).T
