"""A slideshow as a small moving picture."""

import numpy as np
import pytest
from PIL import Image, ImageSequence

from clustering_assets.export.preview import FADE, HOLD, STEPS, write_preview
from clustering_assets.video.slideshow import Slideshow
from clustering_assets.video.storyboard import Material, make_storyboard


@pytest.fixture
def slideshow(pictures, tmp_path, small):
    def make(count):
        return Slideshow(make_storyboard(Material(pictures(*[(80, 60)] * count), tmp_path / "images", small)))

    return make


def shown(moving):
    """How long each frame is shown, in milliseconds, and its pixels."""
    frames = []
    for frame in ImageSequence.Iterator(moving):
        pixels = np.asarray(frame.convert("RGB"), float)
        frames.append((frame.info["duration"], pixels))
    return frames


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_every_slide_is_shown_and_faded_into_the_next_for_ever(slideshow, tmp_path, kind):
    show = slideshow(3)
    write_preview(show, tmp_path / f"out/show.{kind}", width=96)
    with Image.open(tmp_path / f"out/show.{kind}") as moving:
        assert moving.size == (96, 54) and moving.info["loop"] == 0
        frames = shown(moving)
    held = [pixels for duration, pixels in frames if duration == HOLD]
    assert len(held) == 3 and len(frames) == 15
    for number, pixels in enumerate(held):
        assert np.abs(pixels - show.glance(number, 96)).mean() < 12


def test_a_single_picture_stands_still(slideshow, tmp_path):
    write_preview(slideshow(1), tmp_path / "one.webp", width=96)
    with Image.open(tmp_path / "one.webp") as still:
        assert getattr(still, "n_frames", 1) == 1


def test_of_a_long_video_twelve_slides_are_shown(slideshow, tmp_path):
    write_preview(slideshow(30), tmp_path / "long.gif", width=96)
    with Image.open(tmp_path / "long.gif") as moving:
        assert sum(duration for duration, _ in shown(moving)) == 12 * (HOLD + STEPS * FADE)
