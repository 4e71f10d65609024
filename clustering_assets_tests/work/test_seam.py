"""Scanning, preparing and rendering go through any engine: here one of these tests, which runs in this process."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from clustering_assets.embedding.catalogue import NetworkSpec
from clustering_assets.embedding.embed import Inputs, RuntimeOptions, embed
from clustering_assets.images.manifest import scan
from clustering_assets.settings import VideoSettings
from clustering_assets.video.encode import write_video
from clustering_assets.video.slideshow import make_slideshow
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


def test_preparing_pictures_for_the_network(folder):
    images = scan(folder, engine=Threads(1))
    engine = OneByOne(lost=["1.png"])
    network = NetworkSpec("efficientnet_lite0")
    embedded = embed(Inputs(images, folder), network, RuntimeOptions(engine=engine))
    assert engine.done == ["0.png", "1.png", "2.png", "3.png"]
    assert embedded.paths == ["0.png", "2.png", "3.png"]
    assert embedded.failures == [("1.png", "decode", "the decoder crashed on it (SIGSEGV)")]
    on_threads = embed(Inputs(images.drop(1), folder), network)
    np.testing.assert_array_equal(embedded.vectors, on_threads.vectors)


def test_rendering(folder, tmp_path):
    images = scan(folder, engine=Threads(1))
    settings = VideoSettings(resolution="64x64", fps=5, seconds_per_image=0.6, transition_seconds=0.2)
    engine = OneByOne()
    written = []
    for name, chosen in (("engine", engine), ("threads", None)):
        slideshow = make_slideshow(
            images, folder, vectors=None, track=None, track_path=None, title="", cluster=0, settings=settings
        )
        written.append(tmp_path / f"{name}.mp4")
        facts = write_video(slideshow, written[-1], engine=chosen)
    assert engine.done == [str(number) for number in range(facts.frames)]
    assert written[0].read_bytes() == written[1].read_bytes()
