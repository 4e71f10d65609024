"""Loudness: the figures of BS.1770 for tones whose loudness is known, and agreement with FFmpeg's meter."""

import math

import numpy as np
import pytest

from clustering_assets.audio.decoding import RATE
from clustering_assets.audio.loudness import LoudnessMeter


def measured(sound: np.ndarray, block: int = 10_000) -> LoudnessMeter:
    meter = LoudnessMeter()
    for start in range(0, sound.shape[1], block):
        meter.add(sound[:, start : start + block].astype(np.float32))
    return meter


def tone(level: float, frequency: float = 997.0, seconds: float = 10.0, phase: float = 0.0) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    return np.tile(10 ** (level / 20) * np.sin(2 * np.pi * frequency * time + phase), (2, 1))


def test_a_stereo_tone_at_minus_23_is_minus_23_lufs():
    # EBU Tech 3341, case 1
    assert measured(tone(-23.0, 1000.0)).integrated == pytest.approx(-23.0, abs=0.1)


def test_quiet_parts_are_gated():
    # EBU Tech 3341, case 3
    sound = np.concatenate([tone(-36.0, 1000), tone(-23.0, 1000, 60), tone(-36.0, 1000)], axis=1)
    assert measured(sound).integrated == pytest.approx(-23.0, abs=0.1)


def test_doubling_the_level_is_six_decibels():
    noise = 0.1 * np.random.default_rng(0).standard_normal((2, 5 * RATE))
    louder, softer = measured(2 * noise), measured(noise)
    assert louder.integrated - softer.integrated == pytest.approx(6.02, abs=0.01)
    assert louder.true_peak - softer.true_peak == pytest.approx(6.02, abs=0.01)


def test_blocks_of_any_size_measure_alike():
    noise = 0.1 * np.random.default_rng(0).standard_normal((2, 3 * RATE))
    one, many = measured(noise, 10**9), measured(noise, 777)
    assert one.integrated == pytest.approx(many.integrated, abs=1e-6)
    assert one.true_peak == pytest.approx(many.true_peak, abs=1e-4)


def test_a_peak_between_samples_is_seen():
    # a quarter of the rate, 45 degrees off: every sample is 3 dB below the peak
    sound = tone(0.0, RATE / 4, 1.0, phase=math.pi / 4)
    assert np.abs(sound).max() == pytest.approx(0.7071, abs=1e-3)
    assert measured(sound).true_peak == pytest.approx(0.0, abs=0.25)


def test_silence_has_no_loudness():
    meter = measured(np.zeros((2, RATE)))
    assert meter.integrated == -math.inf
    assert meter.true_peak == -math.inf


def test_it_agrees_with_the_meter_of_ffmpeg():
    import av

    rng = np.random.default_rng(2)
    envelope = 0.02 + 0.3 * np.abs(np.sin(np.arange(12 * RATE) / RATE))
    noise = rng.standard_normal((2, 12 * RATE + 3))
    # smoothed a little: nothing that is heard lies just below half the sampling rate
    sound = (envelope * (noise[:, 3:] + noise[:, 2:-1] + noise[:, 1:-2] + noise[:, :-3]) / 8).astype(
        np.float32
    )
    graph = av.filter.Graph()
    source = graph.add(
        "abuffer", f"sample_rate={RATE}:sample_fmt=fltp:channel_layout=stereo:time_base=1/{RATE}"
    )
    meter, sink = graph.add("ebur128", "metadata=1:peak=true"), graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound), format="fltp", layout="stereo")
    frame.sample_rate = RATE
    frame.pts = 0
    source.push(frame)
    source.push(None)
    seen: dict[str, str] = {}
    while True:
        try:
            seen = dict(sink.pull().metadata) or seen
        except (av.error.BlockingIOError, av.error.EOFError):
            break
    own = measured(sound)
    assert own.integrated == pytest.approx(float(seen["lavfi.r128.I"]), abs=0.05)
    peak = max(float(value) for key, value in seen.items() if "true_peaks_ch" in key)
    assert own.true_peak == pytest.approx(20 * math.log10(peak), abs=0.1)
