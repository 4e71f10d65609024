"""Scanning, preparing and rendering go through any engine: here one of these tests, which runs in this process."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from clustering_assets.images.manifest import scan
from clustering_assets.work.engine import Lost
from clustering_assets.work.threads import Threads


class OneByOne:
    """An engine that does a unit when its result is asked for, and loses those of certain names."""

    def __init__(self, lost=()):
        self.done, self.lost = [], lost

    def run(self, task, units):
        for unit in units:
            self.done.append(task.name(unit))
            if self.done[-1] in self.lost:
                yield Lost("crash", "crashed on it (SIGSEGV)")
            else:
                yield from task.function([unit])


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "images"
    place.mkdir()
    for seed in range(4):
        noise = np.random.default_rng(seed).integers(0, 256, (60, 80, 3), np.uint8)
        Image.fromarray(noise).save(place / f"{seed}.png")
    return place


def test_scanning(folder):
    engine = OneByOne(lost=["2.png"])
    manifest = scan(folder, engine=engine)
    assert engine.done == ["0.png", "1.png", "2.png", "3.png"]
    row = manifest.loc[2]
    assert (row["stage"], row["reason"]) == ("decode", "the decoder crashed on it (SIGSEGV)")
    others = manifest["path"] != "2.png"
    pd.testing.assert_frame_equal(manifest[others], scan(folder, engine=Threads(2))[others])
