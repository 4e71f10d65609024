"""Small pictures and tables of pictures for the tests of the videos."""

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from clustering_assets.audio.loudness import LoudnessMeter
from clustering_assets.settings import VideoSettings
from clustering_assets.video.slideshow import Slideshow, make_slideshow

_SMALL = VideoSettings(resolution="192x108", fps=10, seconds_per_image=1.0, transition_seconds=0.4)


def scene(width: int, height: int, hue: int) -> Image.Image:
    """A smooth picture with a bright disc off its middle, different for each hue."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    base = np.stack(
        [0.2 + 0.5 * x / width, 0.3 + 0.3 * y / height, 0.25 + 0.2 * (x + y) / (width + height)], -1
    )
    base = np.roll(base, hue, axis=2) * (0.6 + 0.1 * (hue % 4))
    disc = np.exp(
        -(((x - 0.65 * width) ** 2 + (y - 0.4 * height) ** 2) / (0.06 * (width * height) ** 0.5) ** 2)
    )
    return Image.fromarray(np.clip(255 * (base + 0.5 * disc[..., None]), 0, 255).astype(np.uint8))


class Hum:
    """A soundtrack: a quiet chord of exactly the wanted length."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.samples = round(seconds * 48000)
        self.track_start = 0.0
        self.limit = ""
        times = np.arange(self.samples) / 48000
        chord = sum(np.sin(2 * np.pi * pitch * times) for pitch in (220, 277.18, 329.63))
        self._sound = np.stack([0.08 * chord, 0.08 * chord]).astype(np.float32)
        meter = LoudnessMeter()
        meter.add(self._sound)
        self.loudness, self.true_peak = meter.integrated, meter.true_peak

    def blocks(self) -> Iterator[np.ndarray]:
        for start in range(0, self.samples, 7001):
            yield self._sound[:, start : start + 7001]

    def beat_times(self, seconds: float) -> np.ndarray:
        return np.arange(0, seconds, 0.5)


@functools.cache
def _hum(seconds: float) -> Hum:
    """Measuring its loudness takes longer than most tests."""
    return Hum(seconds)


@pytest.fixture
def hum() -> Callable[[float], Hum]:
    """Makes a soundtrack of a given length in seconds: a quiet chord."""
    return _hum


@pytest.fixture
def small() -> VideoSettings:
    """Settings of a video that renders in no time: 192x108, 10 frames per second, a second a picture."""
    return _SMALL


@pytest.fixture
def pictures(tmp_path: Path) -> Callable[..., pd.DataFrame]:
    """Makes pictures of given sizes in `tmp_path / "images"` and returns their table."""

    def make(*sizes: tuple[int, int], known: bool = True) -> pd.DataFrame:
        folder = tmp_path / "images"
        folder.mkdir(exist_ok=True)
        rows = []
        for number, (width, height) in enumerate(sizes):
            path = folder / f"{number:02d}.png"
            scene(width, height, number).save(path)
            facts = path.stat()
            row: dict[str, Any] = {
                "path": path.name,
                "content_hash": f"{number:064x}",
                "duplicate_of": "",
                "cluster": 0,
            }
            if known:
                row |= {
                    "width": width,
                    "height": height,
                    "bytes": facts.st_size,
                    "mtime_ns": facts.st_mtime_ns,
                }
            rows.append(row)
        return pd.DataFrame(rows)

    return make


@pytest.fixture
def show(tmp_path: Path) -> Callable[..., Slideshow]:
    """Makes the slideshow of a table that `pictures` made."""

    def make(images: pd.DataFrame, settings: VideoSettings = _SMALL, **given: Any) -> Slideshow:
        arguments: dict[str, Any] = {
            "vectors": None,
            "track": None,
            "track_path": None,
            "title": "Discs",
            "cluster": 0,
            **given,
        }
        return make_slideshow(images, tmp_path / "images", settings=settings, **arguments)

    return make
