"""The sample music: clean sound, known beats, the same for the same seed."""

import json
from pathlib import Path

import av
import numpy as np
import pytest

from clustering_assets.demo import music
from clustering_assets.demo.music import make_music, synthesise
from clustering_assets.demo.score import BEATS_PER_BAR, MOODS, TAIL, piece_of
from clustering_assets.demo.voices import SAMPLE_RATE

SECONDS = 10.0


@pytest.fixture(scope="module")
def pieces():
    return {mood: synthesise(mood, SECONDS) for mood in MOODS}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The four files, of pieces cut short so that they are made quickly."""
    folder = tmp_path_factory.mktemp("music")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(music, "synthesise", lambda mood, seed: synthesise(mood, 4.0, seed))
        make_music(folder)
    return folder


def _decoded(path: Path):
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray().reshape(-1, 2).T for frame in container.decode(audio=0)]
        return np.concatenate(frames, axis=1) / 32_768, dict(container.metadata)


@pytest.mark.parametrize("mood", MOODS)
def test_a_piece_is_stereo_float32_of_the_exact_length(pieces, mood):
    assert pieces[mood].dtype == np.float32
    assert pieces[mood].shape == (2, round(SECONDS * SAMPLE_RATE))


@pytest.mark.parametrize("mood", MOODS)
def test_a_piece_never_clips_and_is_loud_enough(pieces, mood):
    peak, rms = np.abs(pieces[mood]).max(), np.sqrt(np.mean(pieces[mood] ** 2))
    assert 0.3 < peak < 0.9
    assert 0.06 < rms < 0.25


@pytest.mark.parametrize("mood", MOODS)
def test_a_piece_begins_and_ends_in_silence_and_without_an_offset(pieces, mood):
    sound = pieces[mood]
    assert np.abs(sound[:, :20]).max() < 1e-3
    assert np.abs(sound[:, -20:]).max() < 1e-3
    assert np.abs(sound.mean(axis=1)).max() < 1e-3


def test_the_calm_piece_has_no_click(pieces):
    """Without drums no sample jumps: a sine of full scale at 800 Hz moves by 0.11 a sample."""
    assert np.abs(np.diff(pieces["calm"])).max() < 0.11


@pytest.mark.parametrize("mood", ["upbeat", "energetic", "neutral"])
def test_the_drums_are_on_the_known_beats(pieces, mood):
    """Sound gets louder at the beats of the grid more than on the same grid shifted by less than a third."""
    from scipy.signal import butter, sosfiltfilt

    grid = piece_of(mood, seconds=SECONDS)
    low = sosfiltfilt(butter(4, 150, fs=SAMPLE_RATE, output="sos"), pieces[mood].mean(axis=0))
    energy = np.convolve(np.square(low)[::49], np.hanning(27), mode="same")  # 900 values a second, 30 ms
    rise = np.clip(np.diff(energy), 0, None)
    shifts = np.arange(-round(300 / grid.tempo * 60), round(300 / grid.tempo * 60))
    beats = np.round(grid.beat_times[4:-4] * 900).astype(int)
    strength = [rise[beats + shift].mean() for shift in shifts]
    assert abs(shifts[int(np.argmax(strength))] / 900) < 0.02


@pytest.mark.parametrize("mood", MOODS)
def test_the_grid_has_the_moods_tempo_and_lies_inside_the_piece(mood):
    grid = piece_of(mood)
    assert grid.tempo == {"upbeat": 122, "calm": 72, "energetic": 140, "neutral": 96}[mood]
    assert np.allclose(np.diff(grid.beat_times), 60 / grid.tempo)
    assert len(grid.beat_times) % BEATS_PER_BAR == 0
    assert 30 < grid.beat_times[-1] < 45


def test_the_moods_get_busier_from_calm_to_energetic(pieces):
    """Share of energy above 2 kHz, which is where drums and attacks are."""
    bright = {}
    for mood, sound in pieces.items():
        power = np.abs(np.fft.rfft(sound.mean(axis=0))) ** 2
        bright[mood] = power[round(2_000 * SECONDS) :].sum() / power.sum()
    assert bright["calm"] < bright["neutral"] < bright["upbeat"] < bright["energetic"]


def test_the_same_seed_gives_the_same_sound_and_another_seed_another():
    again = synthesise("neutral", 8.0, seed=3)
    assert np.array_equal(again, synthesise("neutral", 8.0, seed=3))
    assert not np.array_equal(again, synthesise("neutral", 8.0, seed=4))


@pytest.mark.parametrize("mood", MOODS)
@pytest.mark.parametrize("seed", [0, 1, 7])
def test_every_note_of_the_melody_is_in_the_key(mood, seed):
    piece = piece_of(mood, seed)
    notes = [note for part in piece.style.parts if part.plays == "tune" for note in piece.notes(part)]
    assert notes
    assert {(note.pitch - piece.tonic) % 12 for note in notes} <= set(piece.style.scale)


@pytest.mark.parametrize("mood", MOODS)
def test_every_part_plays_within_the_piece_and_the_closing_chord_is_at_home(mood):
    piece = piece_of(mood)
    last = (piece.bars - 1) * BEATS_PER_BAR
    for part in piece.style.parts:
        notes = list(piece.notes(part))
        assert notes and all(0 <= note.beat < last + 1 and 0 < note.level <= 1 for note in notes)
        if part.plays == "bass":
            assert (notes[-1].pitch - piece.tonic) % 12 == 0


def test_a_very_short_piece_still_works():
    assert synthesise("energetic", 0.3).shape == (2, round(0.3 * SAMPLE_RATE))


def test_an_unknown_mood_is_refused_with_the_moods_there_are():
    with pytest.raises(ValueError, match="upbeat, calm, energetic, neutral"):
        synthesise("gloomy")


def test_impossible_seconds_are_refused():
    with pytest.raises(ValueError, match="seconds"):
        synthesise("calm", 0)


def test_the_files_carry_mood_and_title_and_hold_the_piece(folder):
    files = make_music(folder)
    assert [path.name.split("_")[0] for path in files] == list(MOODS)
    for mood, path in zip(MOODS, files, strict=True):
        sound, tags = _decoded(path)
        assert tags["title"] == piece_of(mood).style.title
        assert np.abs(sound - synthesise(mood, 4.0)).max() < 1e-4


def test_a_whole_piece_is_as_long_as_its_grid_says():
    seconds = synthesise("upbeat").shape[1] / SAMPLE_RATE
    grid = piece_of("upbeat")
    assert 30 <= seconds <= 46
    assert seconds == pytest.approx(grid.beat_times[-1] + 60 / grid.tempo + TAIL, abs=1e-3)


def test_music_that_is_there_is_not_made_again(folder):
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    make_music(folder)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_another_version_or_a_lost_file_makes_the_music_again(tmp_path, monkeypatch):
    monkeypatch.setattr(music, "synthesise", lambda mood, seed: synthesise(mood, 1.0, seed))
    first = make_music(tmp_path)
    first[2].unlink()
    assert all(path.is_file() for path in make_music(tmp_path))
    monkeypatch.setattr(music, "VERSION", music.VERSION + 1)
    make_music(tmp_path)
    assert json.loads((tmp_path / ".made_music.json").read_text())["recipe"]["version"] == music.VERSION


def test_no_partial_file_stays_behind(folder):
    assert not list(folder.glob("*.partial")) + list(folder.glob(".*.partial"))


@pytest.mark.slow
def test_each_piece_is_heard_as_its_mood(tmp_path):
    from clustering_assets.music.library import analyse_library

    make_music(tmp_path)
    heard = analyse_library(tmp_path).set_index("path")["mood"]
    assert len(heard) == len(MOODS)
    for path, mood in heard.items():
        assert str(path).startswith(mood)
