"""The limiter keeps peaks below its ceiling and leaves the rest alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clustering_assets.audio.decoding import RATE
from clustering_assets.audio.limiter import AHEAD, PeakMeter, limited, limiting
from clustering_assets.audio.loudness import LoudnessMeter


def peaks_of(sound: np.ndarray, block: int) -> np.ndarray:
    meter = PeakMeter()
    for start in range(0, sound.shape[1], block):
        meter.add(sound[:, start : start + block])
    return meter.peaks


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.1, 0.5, 0.9]), st.sampled_from([1_111, 24_000]))
def test_no_peak_is_above_the_ceiling(seed, ceiling, block):
    random = np.random.default_rng(seed)
    sound = (0.1 * random.standard_normal((2, RATE))).astype(np.float32)
    for at in random.integers(100, RATE - 4_000, 8):
        sound[:, at : at + random.integers(1, 2_000)] *= random.uniform(2, 12)
    gains = limiting(peaks_of(sound, block), ceiling)
    meter = LoudnessMeter()
    meter.add(limited(sound, 0, gains))
    assert 10 ** (meter.true_peak / 20) <= 1.01 * ceiling


def test_blocks_make_no_difference():
    sound = np.random.default_rng(0).standard_normal((2, RATE)).astype(np.float32)
    gains = limiting(peaks_of(sound, RATE), 0.5)
    assert np.allclose(gains[:-2], limiting(peaks_of(sound, 999), 0.5)[: len(gains) - 2], atol=1e-6)
    parts = [limited(sound[:, at : at + 999], at, gains) for at in range(0, RATE, 999)]
    assert np.allclose(np.concatenate(parts, axis=1), limited(sound, 0, gains), atol=1e-6)


def test_the_gain_is_down_before_the_peak_and_comes_back_after_it():
    peaks = np.full(2_000, 0.2)
    peaks[500] = 1.0
    gains = limiting(peaks, 0.5)
    assert gains[500] == pytest.approx(0.5, abs=0.01)
    assert gains[: 500 - 3 * AHEAD] == pytest.approx(1.0)
    assert (np.diff(gains[510:]) >= -1e-12).all()
    assert gains[700] > 0.75
    assert gains[-1] > 0.99


def test_what_stays_below_is_left_alone():
    assert limiting(np.full(500, 0.3), 0.5) == pytest.approx(1.0)
