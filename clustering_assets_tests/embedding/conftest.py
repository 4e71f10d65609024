"""Small generated pictures, and one converted network for all tests of the room."""

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw

from clustering_assets.download import DownloadError


def paint(seed: int, size: tuple[int, int] = (96, 72)) -> Image.Image:
    """A picture of its own for each seed: a gradient with a few shapes."""
    chance = np.random.default_rng(seed)
    ramp = np.linspace(0, 1, size[0] * size[1]).reshape(size[1], size[0], 1)
    ground, end = chance.integers(0, 256, (2, 3))
    picture = Image.fromarray((ground + (end - ground) * ramp).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    for _ in range(5):
        x, y = chance.integers(0, size[0]), chance.integers(0, size[1])
        colour = tuple(int(level) for level in chance.integers(0, 256, 3))
        draw.ellipse((x - 18, y - 12, x + 18, y + 12), fill=colour)
    return picture


def table_of(folder: Path) -> pd.DataFrame:
    """The columns that embedding needs, for every picture in a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return pd.DataFrame(
        {
            "path": [path.relative_to(folder).as_posix() for path in files],
            "content_hash": [hashlib.sha256(path.read_bytes()).hexdigest() for path in files],
            "bytes": [path.stat().st_size for path in files],
            "mtime_ns": [path.stat().st_mtime_ns for path in files],
        }
    )


@pytest.fixture
def pictures(tmp_path: Path) -> Callable[[int], tuple[pd.DataFrame, Path]]:
    """Makes a folder of n pictures, and the table of them."""

    def make(count: int) -> tuple[pd.DataFrame, Path]:
        folder = tmp_path / "images"
        folder.mkdir(exist_ok=True)
        for seed in range(count):
            paint(seed).save(folder / f"{seed:03}.png")
        return table_of(folder), folder

    return make


@pytest.fixture(scope="session")
def networks_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where converted networks are kept, so that each is converted once for all tests."""
    return tmp_path_factory.mktemp("networks")


@pytest.fixture
def cache(tmp_path: Path, networks_folder: Path) -> Path:
    """An empty cache that knows the converted networks."""
    folder = tmp_path / "cache"
    folder.mkdir()
    (folder / "models").symlink_to(networks_folder, target_is_directory=True)
    return folder


@pytest.fixture(autouse=True)
def log_of_the_room(caplog: pytest.LogCaptureFixture) -> None:
    """Keep what the room logs."""
    caplog.set_level(logging.INFO, "clustering_assets.embedding")


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A network on which no server answers; collects the files that were asked for."""
    asked: list[str] = []

    def nobody(url: str, path: Path, **how: object) -> int:
        asked.append(path.name)
        raise DownloadError(url, "nothing came")

    monkeypatch.setattr("clustering_assets.embedding.weights.download", nobody)
    return asked
