"""Where the eye goes."""

import numpy as np
import pytest

from clustering_assets.video.framing import MOVES, frame_picture
from clustering_assets.video.saliency import SIDE, anchor, best_start, kept, saliency


def scene(x: float, y: float, size: int = 400) -> np.ndarray:
    """A red disc on a textured blue-grey ground."""
    rng = np.random.default_rng(1)
    rows, columns = np.mgrid[0:size, 0:size] / size
    rgb = np.stack([90 + 20 * rows, 100 + 20 * columns, 130 + 0 * rows], -1) + rng.normal(
        0, 4, (size, size, 1)
    )
    rgb[(columns - x) ** 2 + (rows - y) ** 2 < 0.05**2] = (220, 40, 30)
    return np.clip(rgb, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("place", [(0.3, 0.3), (0.7, 0.35), (0.25, 0.7), (0.5, 0.5)])
def test_the_odd_thing_out_is_found(place):
    x, y = anchor(saliency(scene(*place)))
    assert abs(x - place[0]) < 0.06
    assert abs(y - place[1]) < 0.06


def test_a_map_is_a_share_of_one():
    for rgb in (scene(0.5, 0.5), np.full((10, 3000, 3), 90, np.uint8), np.zeros((1, 1, 3), np.uint8)):
        found = saliency(rgb)
        assert found.shape == (SIDE, SIDE)
        assert found.min() >= 0
        assert found.sum() == pytest.approx(1, abs=1e-4)


def test_a_picture_without_anything_has_its_anchor_a_little_above_the_middle():
    x, y = anchor(saliency(np.full((300, 400, 3), 128, np.uint8)))
    assert x == pytest.approx(0.5, abs=0.02)
    assert 0.35 < y < 0.5


def test_the_whole_picture_keeps_everything_and_half_of_an_even_one_half():
    even = np.full((SIDE, SIDE), 1 / SIDE**2, np.float32)
    assert kept(even, (0, 0, 1, 1)) == pytest.approx(1)
    assert kept(even, (0, 0.5, 1, 1)) == pytest.approx(0.5)
    assert kept(even, (0.1, 0.1, 0.6, 0.3)) == pytest.approx(0.1, abs=1e-3)


def test_the_best_stretch_holds_the_peak():
    profile = np.zeros(SIDE, np.float32)
    profile[50:54] = 1
    start = best_start(profile, 0.3)
    assert start <= 50 / SIDE
    assert start + 0.3 >= 54 / SIDE
    assert best_start(profile, 1.0) == 0


def walker(top: float, size: tuple[int, int]) -> np.ndarray:
    """Somebody seen from behind on a lawn: a thin dark head above a coat and light trousers that reach to the foot."""
    rows, columns = np.mgrid[0 : size[1], 0 : size[0]] / size[1]
    rgb = np.random.default_rng(2).normal((70, 120, 60), 5, (size[1], size[0], 3))
    middle, tall = 0.5 * size[0] / size[1], 0.97 - top
    down = (rows - top) / tall
    beside = np.abs(columns - middle) / tall
    rgb[(down > 0.14) & (down < 0.55) & (beside < 0.13)] = (40, 45, 70)
    rgb[(down >= 0.55) & (down < 1) & (beside < 0.1)] = (200, 195, 185)
    rgb[((down - 0.08) / 0.08) ** 2 + (beside / 0.05) ** 2 < 1] = (60, 45, 35)
    return np.clip(rgb, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize(("size", "frame"), [((480, 360), (1920, 1080)), ((360, 480), (1080, 1080))])
def test_what_stands_keeps_its_head_though_no_face_is_seen(size, frame, move):
    top = 0.07
    picture = saliency(walker(top, size))
    framing = frame_picture((8 * size[0], 8 * size[1]), frame, picture, seconds=3.8, move=move)
    assert framing.kind == "cover"
    assert max(framing.start.top, framing.end.top) / framing.canvas[1] <= top


def test_what_lies_at_the_foot_is_kept_all_the_same():
    profile = np.zeros(SIDE, np.float32)
    profile[58:62] = 1
    assert best_start(profile, 0.75, down=True) + 0.75 >= 62 / SIDE
    assert best_start(np.ones(SIDE, np.float32), 0.75, down=True) < 0.01
