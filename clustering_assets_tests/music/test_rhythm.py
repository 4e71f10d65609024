"""Rhythm: beats are found where they are known to be, and where there are none it says so."""

from functools import cache

import numpy as np
import pytest
from scipy.signal import resample_poly

from clustering_assets.audio.decoding import RATE
from clustering_assets.demo.music import synthesise
from clustering_assets.demo.score import piece_of
from clustering_assets.demo.voices import SAMPLE_RATE
from clustering_assets.music.rhythm import Rhythm, rhythm_of
from clustering_assets.music.spectra import SpectrumMeter
from clustering_assets_tests.sounds import drums

TOLERANCE = 0.070  # seconds, as in MIREX


def rhythm(sound: np.ndarray) -> Rhythm:
    """The rhythm of mono or stereo sound at 44.1 kHz."""
    stereo = np.broadcast_to(np.atleast_2d(sound), (2, np.atleast_2d(sound).shape[1]))
    stereo = resample_poly(stereo, RATE // 300, SAMPLE_RATE // 300, axis=1).astype(np.float32)
    meter = SpectrumMeter()
    for start in range(0, stereo.shape[1], RATE):
        meter.add(stereo[:, start : start + RATE])
    return rhythm_of(meter.spectra())


@cache
def generated(mood: str) -> Rhythm:
    """The rhythm of the generated piece of a mood."""
    return rhythm(synthesise(mood))


def f_measure(found: np.ndarray, known: np.ndarray) -> float:
    """Share of beats found within `TOLERANCE`, each counted once."""
    hits = {int(np.argmin(np.abs(known - beat))) for beat in found if np.abs(known - beat).min() <= TOLERANCE}
    return 2 * len(hits) / (len(found) + len(known)) if len(found) else 0.0


def metrical_levels(beats: np.ndarray) -> dict[str, np.ndarray]:
    """The same beat felt as it is, at double and at half speed."""
    between = (beats[1:] + beats[:-1]) / 2
    return {
        "as it is": beats,
        "double": np.sort(np.concatenate([beats, between])),
        "half": beats[::2],
        "half, late": beats[1::2],
    }


@pytest.mark.parametrize("mood", ["upbeat", "calm", "energetic", "neutral"])
def test_beats_of_generated_music_are_found(mood):
    known = piece_of(mood)
    found = generated(mood)
    assert found.tempo == pytest.approx(known.tempo, rel=0.01)
    assert f_measure(found.beat_times, known.beat_times) >= 0.95


@pytest.mark.parametrize("mood", ["upbeat", "energetic", "neutral"])
def test_the_first_beat_of_the_bar_is_found(mood):
    found, known = generated(mood), piece_of(mood)
    first = found.beat_times[found.downbeat]
    assert int(np.argmin(np.abs(known.beat_times - first))) % 4 == 0


@pytest.mark.parametrize("tempo", [64, 80, 96, 112, 128, 150, 174])
def test_beats_of_drums_are_found_at_a_metrical_level(tempo):
    sound, known = drums(tempo, 16.0, seed=tempo)
    found = rhythm(sound)
    scores = {name: f_measure(found.beat_times, beats) for name, beats in metrical_levels(known).items()}
    level = max(scores, key=lambda name: scores[name])
    assert scores[level] >= 0.95
    factor = {"as it is": 1, "double": 2, "half": 0.5, "half, late": 0.5}[level]
    assert found.tempo == pytest.approx(tempo * factor, rel=0.01)


@pytest.mark.parametrize("tempo", [60, 72, 84, 100, 120, 140, 156, 168, 180])
def test_tempi_of_drums_are_taken_as_they_are(tempo):
    sound, _ = drums(tempo, 16.0)
    assert rhythm(sound).tempo == pytest.approx(tempo, rel=0.01)


def test_where_a_beat_may_be_felt_at_another_speed_that_is_said():
    # a stroke on every second beat only is as good a beat as the weaker strokes between
    rng = np.random.default_rng(0)
    sound = 0.001 * rng.standard_normal(16 * SAMPLE_RATE)
    hit = rng.standard_normal(4000) * np.exp(-np.arange(4000) / 800)
    for index, beat in enumerate(np.arange(0.5, 15.5, 0.5)):
        sound[round(beat * SAMPLE_RATE) :][:4000] += (0.15 if index % 2 else 0.3) * hit
    found = rhythm(sound)
    assert found.tempo == pytest.approx(120, rel=0.01)
    assert found.other_tempo == pytest.approx(60, rel=0.01)


def test_where_the_accents_leave_no_doubt_there_is_no_other_tempo():
    rng = np.random.default_rng(0)
    sound = 0.001 * rng.standard_normal(16 * SAMPLE_RATE)
    hit = rng.standard_normal(4000) * np.exp(-np.arange(4000) / 800)
    for beat in np.arange(0.5, 15.5, 0.5):
        sound[round(beat * SAMPLE_RATE) :][:4000] += 0.3 * hit
    assert np.isnan(rhythm(sound).other_tempo)


def test_beats_lie_on_the_beat():
    sound, known = drums(110, 16.0)
    found = rhythm(sound).beat_times
    away = np.array([beat - known[np.argmin(np.abs(known - beat))] for beat in found])
    assert np.abs(away).mean() < 0.015


def test_a_rhythm_follows_a_tempo_that_drifts():
    rng = np.random.default_rng(0)
    beats = 0.5 + np.cumsum(0.5 + 0.02 * np.sin(np.arange(60) / 8))
    sound = 0.001 * rng.standard_normal(round(32 * SAMPLE_RATE))
    hit = rng.standard_normal(4000) * np.exp(-np.arange(4000) / 800)
    for beat in beats:
        sound[round(beat * SAMPLE_RATE) :][:4000] += 0.3 * hit
    assert f_measure(rhythm(sound).beat_times, beats) >= 0.95


def noise() -> np.ndarray:
    return 0.1 * np.random.default_rng(0).standard_normal(12 * SAMPLE_RATE)


def drone() -> np.ndarray:
    time = np.arange(12 * SAMPLE_RATE) / SAMPLE_RATE
    return sum(0.1 * np.sin(2 * np.pi * pitch * time + np.sin(0.3 * time)) for pitch in (110, 165, 220.5))  # type: ignore[return-value]


def chimes() -> np.ndarray:
    rng = np.random.default_rng(3)
    sound = np.zeros(20 * SAMPLE_RATE)
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    for at in np.cumsum(rng.exponential(0.6, 25)):
        note = 0.2 * np.exp(-6 * time) * np.sin(2 * np.pi * 220 * 2 ** (rng.integers(0, 12) / 12) * time)
        place = sound[round(at * SAMPLE_RATE) :][: note.size]
        place += note[: place.size]
    return sound


@pytest.mark.parametrize("make", [noise, drone, chimes])
def test_music_without_a_beat_has_none(make):
    found = rhythm(make())
    assert np.isnan(found.tempo)
    assert found.beat_times.size == 0


def test_steady_noise_has_no_onsets():
    found = rhythm(noise())
    assert found.onset_rate == 0
    assert found.flux < 0.3


def test_twice_as_many_notes_are_twice_as_many_onsets():
    slow, fast = (rhythm(drums(tempo, 16.0)[0]) for tempo in (70, 140))
    assert fast.onset_rate > 1.5 * slow.onset_rate


def test_too_little_sound_has_no_rhythm():
    assert rhythm(drums(120, 1.0)[0]).beat_times.size == 0


def waltz(beats_in_bar: int, tempo: float, first: float, seconds: float = 40.0) -> np.ndarray:
    """A low note on the first beat of each bar and high ones on the others, in six also a softer low one half-way."""
    sound = 0.001 * np.random.default_rng(0).standard_normal(round(seconds * SAMPLE_RATE))
    time = np.arange(round(0.5 * SAMPLE_RATE)) / SAMPLE_RATE
    for index, at in enumerate(np.arange(first, seconds - 0.6, 60 / tempo)):
        beat = index % beats_in_bar
        pitch, level = {0: (65, 0.4), 3: (65, 0.2)}.get(beat, (262, 0.12))
        note = level * np.sin(2 * np.pi * pitch * time) * np.exp(-6 * time)
        sound[round(at * SAMPLE_RATE) :][: note.size] += note
    return sound


@pytest.mark.parametrize("bar", [3, 6])
@pytest.mark.parametrize("tempo", [96, 126, 168])
def test_bars_of_waltzes_have_three_or_six_beats(bar, tempo):
    found = rhythm(waltz(bar, tempo, 0.5))
    assert found.tempo == pytest.approx(tempo, rel=0.01)
    assert found.bar == bar
    bars = (found.beat_times[found.downbeat] - 0.5) / (bar * 60 / tempo)
    assert bars == pytest.approx(round(bars), abs=0.05)


@pytest.mark.parametrize("mood", ["upbeat", "energetic", "neutral"])
def test_bars_of_other_music_have_four_beats(mood):
    assert generated(mood).bar == 4
    assert rhythm(drums(112, 30.0)[0]).bar == 4
