"""Small pictures and tables of pictures for the tests of the videos."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from clustering_assets.audio.soundtrack import Soundtrack, Track
from clustering_assets.settings import VideoSettings
from clustering_assets.video.slideshow import Slideshow
from clustering_assets.video.storyboard import Material, make_storyboard
from clustering_assets_tests.sounds import write_sound

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


@pytest.fixture(scope="session")
def chord(tmp_path_factory: pytest.TempPathFactory) -> Track:
    """A track of 20 s: a chord."""
    times = np.arange(20 * 48_000) / 48_000
    sound = sum(0.08 * np.sin(2 * np.pi * pitch * times) for pitch in (220, 277.18, 329.63))
    path = write_sound(tmp_path_factory.mktemp("music") / "chord.flac", np.stack([sound, sound]), 48_000)
    return Track(path, end=20.0)


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
def music(tmp_path: Path) -> Callable[..., dict[str, Track]]:
    """Makes a track of some seconds with a click on every half second; as what a slideshow is given for it."""

    def make(seconds: float, **changed: Any) -> dict[str, Track]:
        times = np.arange(round(seconds * 48_000)) / 48_000
        clicks = 0.5 * np.exp(-40 * ((times - 0.2) % 0.5)) * np.sin(2 * np.pi * 660 * times)
        sound = clicks + 0.02 * np.sin(2 * np.pi * 220 * times)
        path = write_sound(tmp_path / "clicks.flac", np.stack([sound, sound]), 48_000)
        row = {"content_hash": "clicks", "end": seconds, "beat_times": np.arange(0.2, seconds - 0.1, 0.5)}
        return {"track": Track.of(path, row | {"beat_clarity": 0.9, "arousal": 0.5} | changed)}

    return make


@pytest.fixture
def show(tmp_path: Path) -> Callable[..., Slideshow]:
    """Makes the slideshow of a table that `pictures` made, under it the `sound` that is given for its length."""

    def make(
        images: pd.DataFrame,
        settings: VideoSettings = _SMALL,
        *,
        sound: Callable[[float], Soundtrack] | None = None,
        **given: Any,
    ) -> Slideshow:
        material = Material(images, tmp_path / "images", settings, **{"title": "Discs", **given})
        storyboard = make_storyboard(material)
        if sound is not None:
            storyboard = dataclasses.replace(storyboard, soundtrack=sound(storyboard.timeline.seconds))
        return Slideshow(storyboard)

    return make
