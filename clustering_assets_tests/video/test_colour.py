"""Conversion between RGB and planes."""

import numpy as np
import pytest

from clustering_assets.video.colour import dim, empty, from_rgb, split, to_rgb


def flat(colour: tuple[int, ...], width: int = 16, height: int = 8) -> np.ndarray:
    return np.tile(np.array(colour, np.uint8), (height, width, 1))


@pytest.mark.parametrize(
    ("colour", "y", "u", "v"),
    [
        ((0, 0, 0), 16, 128, 128),
        ((255, 255, 255), 235, 128, 128),
        ((255, 0, 0), 63, 102, 240),
        ((0, 255, 0), 173, 42, 26),
        ((0, 0, 255), 32, 240, 118),
    ],
)
def test_primaries_have_the_code_values_of_bt709(colour, y, u, v):
    planes = from_rgb(flat(colour))
    assert (planes.y[0, 0], planes.u[0, 0], planes.v[0, 0]) == (y, u, v)


def test_flat_colours_come_back_within_two_levels():
    rng = np.random.default_rng(0)
    for colour in rng.integers(0, 256, (50, 3)):
        rgb = flat(tuple(int(value) for value in colour))
        assert np.abs(to_rgb(from_rgb(rgb)).astype(int) - rgb).max() <= 2


def test_grey_stays_without_colour():
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None].repeat(4, 0), 3, axis=2)
    planes = from_rgb(ramp)
    assert np.all(planes.u == 128)
    assert np.all(planes.v == 128)


def test_chroma_is_the_average_of_four_pixels():
    rgb = flat((0, 0, 0), 2, 2)
    rgb[0, 0] = (255, 0, 0)
    full = int(from_rgb(flat((255, 0, 0), 2, 2)).v[0, 0]) - 128
    assert abs(int(from_rgb(rgb).v[0, 0]) - 128 - full / 4) <= 1


def test_planes_share_the_memory_of_their_frame():
    frame, planes = empty(10, 6)
    planes.y[:], planes.u[:], planes.v[:] = 1, 2, 3
    assert frame.shape == (9, 10)
    assert sorted(np.unique(frame, return_counts=True)[1].tolist()) == [15, 15, 60]
    assert np.all(split(frame).v == 3)


def test_no_light_is_black_and_full_light_changes_nothing():
    frame, planes = empty(16, 8)
    lit = from_rgb(flat((200, 120, 40)))
    planes.y[:], planes.u[:], planes.v[:] = lit.y, lit.u, lit.v
    same = frame.copy()
    dim(same, 1.0)
    assert np.array_equal(same, frame)
    dim(frame, 0.0)
    assert np.all(to_rgb(split(frame)) == 0)
