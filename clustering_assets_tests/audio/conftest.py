"""Tracks with known beats as files, and their rows of `music_tracks`."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clustering_assets.music.analysis import analyse_track
from clustering_assets_tests.sounds import Writer, drums, sine, write_sound


def tune(seconds: float, rate: int = 44_100) -> np.ndarray:
    """A melody of soft notes without drums, stereo."""
    sound = np.zeros((2, round(seconds * rate)))
    rng = np.random.default_rng(4)
    for index, at in enumerate(np.arange(0, seconds, 0.37)):
        length = min(round(0.9 * rate), sound.shape[1] - round(at * rate))
        time = np.arange(length) / rate
        pitch = 220 * 2 ** (rng.choice([0, 3, 5, 7, 10, 12]) / 12)
        note = 0.2 * np.sin(2 * np.pi * pitch * time) * np.exp(-3 * time) * np.minimum(time / 0.02, 1)
        sound[index % 2, round(at * rate) :][:length] += note
        sound[1 - index % 2, round(at * rate) :][:length] += 0.4 * note
    return sound


@pytest.fixture(scope="session")
def tracks(tmp_path_factory) -> dict[str, tuple[Path, dict[str, Any]]]:
    """File and row by name: a beat of 30 s, a tune of 20 s without drums, and one of 2 s."""
    folder = tmp_path_factory.mktemp("tracks")
    sounds = {"beat": drums(120, 30.0)[0], "tune": tune(20.0), "short": tune(2.0), "tone": sine(9.0, 330.0)}
    found = {}
    for name, sound in sounds.items():
        path = write_sound(folder / f"{name}.flac", np.clip(sound, -1, 1))
        facts = analyse_track(path)
        assert facts.outcome == "used", facts.reason
        found[name] = (path, vars(facts))
    return found


@pytest.fixture
def write() -> Writer:
    return write_sound
