"""The learned model: found where it is installed, asked for what it was trained on, and left out everywhere else."""

import math

import numpy as np
import pytest

from clustering_assets.audio.decoding import RATE
from clustering_assets.music.analysis import analyse_track
from clustering_assets.music.emotion import music_emotion
from clustering_assets.music.learned_mood import (
    LearnedMoodError,
    MoodMeter,
    decibels,
    learned_mood,
    mel_filters,
)
from clustering_assets.music.library import analyse_library
from clustering_assets.preflight import check_named
from clustering_assets.settings import Settings, SettingsError
from clustering_assets_tests.sounds import sine, write_sound


def field(number: int, value: bytes | str | int) -> bytes:
    """A field of a protocol buffer."""

    def varint(value: int) -> bytes:
        return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + varint(value >> 7)

    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def onnx(weights: np.ndarray) -> bytes:
    """A network that says the means of the bands (1, 128, frames) times `weights` (128, 7), in ONNX format."""

    def tensor(name: str, *sides: int | str) -> bytes:
        dims = b"".join(field(1, field(2 if isinstance(side, str) else 1, side)) for side in sides)
        return field(1, name) + field(2, field(1, field(1, 1) + field(2, dims)))

    over = field(1, "axes") + field(8, 2) + field(20, 7)
    kept = field(1, "keepdims") + field(3, 0) + field(20, 2)
    mean = field(1, "x") + field(2, "mean") + field(4, "ReduceMean") + field(5, over) + field(5, kept)
    product = field(1, "mean") + field(1, "w") + field(2, "out") + field(4, "MatMul")
    held = field(1, 128) + field(1, 7) + field(2, 1) + field(8, "w")
    held += field(9, weights.astype("<f4").tobytes())
    graph = field(1, mean) + field(1, product) + field(2, "g") + field(5, held)
    graph += field(11, tensor("x", 1, 128, "frames")) + field(12, tensor("out", 1, 7))
    return field(1, 8) + field(8, field(1, "") + field(2, 13)) + field(7, graph)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A package of the model's name, whose code must not be run: its energy is the level of the band at 1 kHz."""
    weights = np.zeros((128, 7))
    weights[mel_filters()[64].argmax(), 2] = 0.01
    weights[:, 6] = -1
    package = tmp_path / "site" / "vibenet"
    (package / "artifacts").mkdir(parents=True)
    (package / "__init__.py").write_text("raise AssertionError('the code of the package is run')\n")
    (package / "artifacts" / "efficientnet_model.onnx").write_bytes(onnx(weights))
    (tmp_path / "site" / "vibenet-9.8.dist-info").mkdir()
    (tmp_path / "site" / "vibenet-9.8.dist-info" / "METADATA").write_text("Name: vibenet\nVersion: 9.8\n")
    monkeypatch.syspath_prepend(tmp_path / "site")


@pytest.fixture
def missing(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)


def test_where_it_is_installed_it_is_asked_unless_it_is_not_wanted(installed):
    assert learned_mood() == learned_mood("vibenet") == "vibenet 9.8"
    assert learned_mood("none") == ""


def test_where_it_is_missing_only_who_asks_for_it_is_told(missing):
    assert learned_mood() == ""
    with pytest.raises(LearnedMoodError, match="pip install --no-deps vibenet"):
        learned_mood("vibenet")


def test_an_update_that_cannot_ask_it_does_not_begin(missing, tmp_path):
    with pytest.raises(LearnedMoodError, match="mood_model = 'vibenet' needs VibeNet"):
        check_named(Settings(mood_model="vibenet", output=str(tmp_path)))
    with pytest.raises(SettingsError, match="mood_model"):
        Settings(mood_model="other")  # pyright: ignore[reportArgumentType]


def test_a_tone_is_heard_in_its_band_however_loud(installed):
    tone = sine(3.0, 1000.0, 0.5, RATE)
    meter = MoodMeter()
    for start in range(0, tone.size, 7_000):  # in pieces that fit no frame
        meter.add(np.stack([tone[start : start + 7_000]] * 2).astype(np.float32))
    energy, valence = meter.mood()
    frame = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(640) / 16_000) * np.hanning(641)[:-1]
    power = np.square(np.abs(np.fft.rfft(frame, 1024))) @ mel_filters()
    assert energy == pytest.approx(0.01 * 10 * math.log10(power.max()), abs=0.002)
    assert valence == 1.0  # held within 0 and 1


def test_filters_are_triangles_that_overlap_and_have_one_area():
    filters = mel_filters()
    assert filters.shape == (513, 128)
    assert (np.diff(filters.argmax(axis=0)) >= 0).all()
    np.testing.assert_allclose(filters[:, 40:].sum(axis=0) * 15.625, 1, atol=0.15)


def test_of_a_passage_only_the_loud_is_heard():
    assert decibels(np.array([[1.0, 1e-9, 1e-30]], np.float32)).tolist() == [[0.0, -80.0, -80.0]]


def test_what_it_hears_counts_as_much_as_what_is_measured(installed, tmp_path):
    path = write_sound(tmp_path / "tone.flac", sine(4.0, 1000.0))
    alone, both = analyse_track(path), analyse_track(path, mood_model=learned_mood())
    assert math.isnan(alone.learned_energy) and alone.mood_model == ""
    assert both.mood_model == "vibenet 9.8" and 0 < both.learned_energy < 1
    assert both.valence > alone.valence
    heard = {name: value for name, value in vars(both).items() if not name.startswith("learned")}
    assert music_emotion(heard).valence == alone.valence


def test_tracks_are_heard_again_when_the_model_comes_or_goes(installed, tmp_path, monkeypatch):
    write_sound(tmp_path / "tone.flac", sine(4.0, 1000.0))
    without, asked = analyse_library(tmp_path), analyse_library(tmp_path, mood_model=learned_mood())
    assert analyse_library(tmp_path, asked)["valence"].equals(without["valence"])
    assert analyse_library(tmp_path, without, mood_model=learned_mood()).equals(asked)
    monkeypatch.setattr(
        "clustering_assets.music.library.analyse_track", lambda *_, **__: pytest.fail("heard anew")
    )
    assert analyse_library(tmp_path, asked, mood_model=learned_mood()).equals(asked)
