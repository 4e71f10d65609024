"""Sampling between pixels: the same places whichever way OpenCV does it."""

import cv2
import numpy as np
import pytest

from clustering_assets.video import resampling
from clustering_assets.video.resampling import edged, resize_keeps_its_scale, sampled


@pytest.fixture(scope="module")
def plane() -> np.ndarray:
    rough = np.random.default_rng(3).integers(0, 255, (400, 600), np.uint8)
    return np.clip(4.0 * cv2.GaussianBlur(rough, (0, 0), 1.2) - 380, 0, 255).astype(np.uint8)


def exact(plane: np.ndarray, scale: float, left: float, top: float, size: tuple[int, int]) -> np.ndarray:
    """Bilinear interpolation in double precision; beyond the edges lies more of the same."""
    height, width = plane.shape
    x = np.clip(left + scale * np.arange(size[0]), 0, width - 1)
    y = np.clip(top + scale * np.arange(size[1]), 0, height - 1)
    column = np.minimum(x.astype(int), width - 2)
    row = np.minimum(y.astype(int), height - 2)
    values = plane.astype(float)
    rows = values[row] * (1 - (y - row))[:, None] + values[row + 1] * (y - row)[:, None]
    return rows[:, column] * (1 - (x - column)) + rows[:, column + 1] * (x - column)


@pytest.mark.parametrize("scale", [0.7, 0.98, 1.0, 1.07, 1.2, 1.2137, 1.25, 1.2501, 1.3086, 4 / 3, 1.399])
@pytest.mark.parametrize(("left", "top"), [(0.0, 0.0), (-0.4, 0.3), (17.37, 21.118), (60.5, 9.99)])
def test_samples_are_what_lies_at_their_places(plane, scale, left, top):
    drawn = sampled(edged(plane), scale, left, top, (300, 200))
    wrong = np.abs(drawn - exact(plane, scale, left, top, (300, 200)))
    slope = np.abs(np.diff(plane.astype(int), axis=1)).max()
    assert wrong.max() <= 2 + 2 * slope * resampling.TOLERANCE
    assert wrong.mean() < 0.7


def test_beyond_the_edges_the_plane_goes_on(plane):
    drawn = sampled(edged(plane), 1.0137, -20.25, -10.5, (700, 500))
    wrong = np.abs(drawn - exact(plane, 1.0137, -20.25, -10.5, (700, 500)))
    assert wrong.mean() < 0.7


def test_several_planes_are_sampled_alike(plane):
    both = sampled(edged(np.dstack([plane, plane[::-1]])), 1.21, 5.3, 7.7, (60, 200))
    assert np.array_equal(both[..., 0], sampled(edged(plane), 1.21, 5.3, 7.7, (60, 200)))
    other = sampled(edged(np.ascontiguousarray(plane[::-1])), 1.21, 5.3, 7.7, (60, 200))
    assert np.array_equal(both[..., 1], other)


def test_both_ways_of_opencv_agree(plane, monkeypatch):
    assert resize_keeps_its_scale()
    one = sampled(edged(plane), 1.2137, 17.37, 21.118, (300, 200))
    monkeypatch.setattr(resampling, "resize_keeps_its_scale", lambda: False)
    other = sampled(edged(plane), 1.2137, 17.37, 21.118, (300, 200))
    assert not np.array_equal(one, other)  # the two ways round differently, so both were taken
    assert np.abs(one.astype(int) - other).mean() < 0.7


def test_a_resize_that_goes_by_the_sizes_is_found_out(monkeypatch):
    plain = cv2.resize

    def by_sizes(source, size, fx=0.0, fy=0.0, interpolation=cv2.INTER_LINEAR):
        height, width = source.shape
        return plain(source, size or (round(width * fx), round(height * fy)), interpolation=interpolation)

    resize_keeps_its_scale.cache_clear()
    monkeypatch.setattr(cv2, "resize", by_sizes)
    assert not resize_keeps_its_scale()
    resize_keeps_its_scale.cache_clear()
