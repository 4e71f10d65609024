"""Soundtracks as AAC: whole, and never with higher peaks than promised."""

import av
import numpy as np
import pytest

from clustering_assets.audio import aac
from clustering_assets.audio.decoding import RATE, decode
from clustering_assets.audio.loudness import LoudnessMeter
from clustering_assets.audio.soundtrack import CEILING, Soundtrack, Track, make_soundtrack
from clustering_assets_tests.sounds import write_sound


def encoded(path, sound: Soundtrack) -> np.ndarray:
    """The soundtrack as it comes back from a file, shape (2, n)."""
    with av.open(str(path), "w", format="mp4") as file:
        writer = aac.add_soundtrack(file, sound, 192_000)
        writer.write_until(0.3)
        writer.finish()
    return np.concatenate(list(decode(path)), axis=1)


def true_peak(sound: np.ndarray) -> float:
    meter = LoudnessMeter()
    meter.add(sound)
    return meter.true_peak


def test_every_sample_comes_back_in_its_place(tracks, tmp_path):
    path, row = tracks["beat"]
    sound = make_soundtrack(Track.of(path, row), 5.013)
    heard, planned = encoded(tmp_path / "beat.m4a", sound), np.concatenate(list(sound.blocks()), axis=1)
    assert 0 <= heard.shape[1] - sound.samples < aac.AUDIO_FRAME
    assert np.corrcoef(heard[0, : sound.samples], planned[0])[0, 1] > 0.98


def test_sound_that_swings_against_itself_keeps_its_true_peak(tmp_path):
    # what intensity stereo makes of highs in opposite phase is 3 dB higher
    time = np.arange(4 * RATE) / RATE
    tone, noise = np.sin(2 * np.pi * 300 * time), np.random.default_rng(0).standard_normal(time.size)
    burst = 0.1 * np.diff(noise, prepend=0.0) * np.exp(-30 * (time % 0.25))
    path = write_sound(tmp_path / "wide.flac", np.stack([0.4 * tone + burst, 0.4 * tone - burst]), RATE)
    sound = make_soundtrack(Track(path, end=4.0), 3.0, target=-6.0)
    assert sound.true_peak == pytest.approx(CEILING, abs=0.01)
    assert true_peak(encoded(tmp_path / "wide.m4a", sound)) < aac.PEAK


def test_sound_whose_peaks_would_be_too_high_in_aac_is_lowered(tmp_path, monkeypatch):
    tone = 0.4 * np.sin(2 * np.pi * 300 * np.arange(4 * RATE) / RATE)
    path = write_sound(tmp_path / "tone.flac", np.stack([tone, tone]), RATE)
    sound = make_soundtrack(Track(path, end=4.0), 3.0, target=0.0, ceiling=-1.0)
    assert sound.true_peak == pytest.approx(-1.0, abs=0.01)
    assert true_peak(encoded(tmp_path / "lowered.m4a", sound)) <= aac.PEAK + 0.03
    monkeypatch.setattr(aac, "MOST_CUT", 0.0)
    assert true_peak(encoded(tmp_path / "as planned.m4a", sound)) > aac.PEAK
