"""Views drawn ahead: the same frames as those that are sampled one by one."""

import dataclasses

import cv2
import numpy as np
import pytest

from clustering_assets.video.canvas import Canvas, lay
from clustering_assets.video.colour import Planes, empty
from clustering_assets.video.framing import Framing, frame_picture
from clustering_assets.video.saliency import saliency

SIZE = (320, 180)


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    rough = np.random.default_rng(3).integers(0, 255, (500, 1400, 3), np.uint8)
    smooth = cv2.GaussianBlur(rough.astype(np.float32), (0, 0), 12)
    return np.clip(127 + 24 * (smooth - 127), 0, 255).astype(np.uint8)


def framed(rgb: np.ndarray, move: str, *, motion: bool = True) -> Framing:
    size = rgb.shape[1], rgb.shape[0]
    return frame_picture(size, SIZE, saliency(rgb), seconds=3.8, move=move, motion=motion)


def drawn(canvas: Canvas, share: float, columns: slice = slice(0, SIZE[0])) -> np.ndarray:
    frame, planes = empty(*SIZE)
    frame[:] = 0
    half = slice(columns.start // 2, columns.stop // 2)
    part = Planes(planes.y[:, columns], planes.u[:, half], planes.v[:, half])
    canvas.draw(canvas.view(share), part, SIZE[0], offset=columns.start)
    return frame.astype(int)


@pytest.mark.parametrize("shape", ["panorama", "cover", "card", "upright"])
@pytest.mark.parametrize("move", ["left", "right"])
def test_frames_are_those_that_sampling_gives(picture, shape, move):
    pieces = {
        "panorama": np.s_[:],
        "cover": np.s_[:, :800],
        "card": np.s_[:, :500],
        "upright": np.s_[:, :360],
    }
    rgb = np.ascontiguousarray(picture[pieces[shape]])
    canvas = lay(rgb, framed(rgb, move), SIZE)
    assert canvas.strips is not None
    one_by_one = dataclasses.replace(canvas, strips=None)
    for share in (0.0, 0.013, 0.5, 0.77, 1.0):
        wrong = np.abs(drawn(canvas, share) - drawn(one_by_one, share))
        assert wrong.mean() < 0.45  # a quarter of a pixel off, it is 0.5 to 0.9
        assert np.quantile(wrong, 0.99) <= 4


def test_some_columns_are_those_of_the_whole_frame(picture):
    canvas = lay(picture, framed(picture, "right"), SIZE)
    whole, part = drawn(canvas, 0.3), drawn(canvas, 0.3, slice(100, 180))
    assert np.array_equal(part[: SIZE[1], 100:180], whole[: SIZE[1], 100:180])
    assert not part[: SIZE[1], :100].any()


def test_a_view_that_stands_still_is_drawn_once(picture):
    still = lay(picture, framed(picture, "in", motion=False), SIZE)
    assert still.strips is not None
    assert len(still.strips.luma) == 1
    assert np.array_equal(drawn(still, 0.1), drawn(still, 0.9))


def test_a_view_that_comes_nearer_is_not_drawn_ahead(picture):
    rgb = np.ascontiguousarray(picture[:, :800])
    assert lay(rgb, framed(rgb, "in"), SIZE).strips is None


def test_a_view_from_elsewhere_is_left_to_sampling(picture):
    canvas = lay(picture, framed(picture, "right"), SIZE)
    assert canvas.strips is not None
    _, planes = empty(*SIZE)
    view = canvas.view(0.5)
    assert canvas.strips.draw(view, planes)
    assert not canvas.strips.draw(dataclasses.replace(view, width=view.width / 1.1), planes)
    assert not canvas.strips.draw(dataclasses.replace(view, top=view.top - 3), planes)
    assert not canvas.strips.draw(dataclasses.replace(view, left=view.left - 1000), planes)
