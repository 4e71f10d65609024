"""Pictures scaled to their place on a canvas."""

import cv2
import numpy as np
import pytest

from clustering_assets.video.canvas import scaled


def slanting_edge(side: int) -> np.ndarray:
    """Black above, white below an edge that falls by a pixel in three."""
    rows, columns = np.mgrid[0:side, 0:side] + 0.5
    light = np.clip(rows - side / 3 - columns / 3 + 0.5, 0, 1)
    return np.repeat((255 * light)[:, :, None], 3, axis=2).astype(np.uint8)


def stairs(rgb: np.ndarray) -> float:
    """How far the edge strays from a straight line, in pixels, away from the sides."""
    luma = rgb[:, :, 0].astype(float)
    height = (255 - luma).sum(axis=0)[40:-40] / 255
    places = np.arange(len(height))
    return float(np.abs(height - np.polyval(np.polyfit(places, height, 1), places)).max())


def test_a_thumbnail_enlarged_much_has_no_stairs():
    edge = slanting_edge(30)
    size = (300, 300)
    plain = cv2.resize(edge, size, interpolation=cv2.INTER_CUBIC)
    assert stairs(scaled(edge, size)) < 0.8 * stairs(plain)


def test_a_picture_enlarged_to_twice_its_size_comes_nearer_to_what_it_was_than_by_the_bicubic_filter():
    patches = np.random.default_rng(0).integers(20, 235, (40, 40, 3)).astype(np.uint8)
    whole = cv2.GaussianBlur(cv2.resize(patches, (480, 480), interpolation=cv2.INTER_NEAREST), (0, 0), 1.0)
    half = cv2.resize(whole, (240, 240), interpolation=cv2.INTER_AREA)
    plain = cv2.resize(half, (480, 480), interpolation=cv2.INTER_CUBIC)
    assert cv2.PSNR(scaled(half, (480, 480)), whole) > cv2.PSNR(plain, whole) + 0.3


@pytest.mark.parametrize("size", [(30, 20), (100, 40), (7, 600), (1000, 700)])
def test_a_picture_of_one_colour_keeps_it_at_any_size(size):
    flat = np.full((90, 120, 3), (200, 90, 30), np.uint8)
    drawn = scaled(flat, size)
    assert drawn.shape == (size[1], size[0], 3)
    assert np.abs(drawn.astype(int) - (200, 90, 30)).max() <= 1
