"""How a moving picture looks: without jitter, without standstill."""

import itertools

import numpy as np
import pytest
from PIL import Image

from clustering_assets.video.canvas import Canvas, lay
from clustering_assets.video.colour import empty, split
from clustering_assets.video.framing import MOVES, frame_picture
from clustering_assets.video.saliency import saliency

SIZE = (640, 360)
FRAMES = 95


def dotted(width: int, height: int) -> np.ndarray:
    """A soft bright dot a little above the middle of grey."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    distance = ((x - 0.5 * width) ** 2 + (y - 0.47 * height) ** 2) / (2 * (height / 120) ** 2)
    return np.repeat((40 + 200 * np.exp(-distance))[..., None], 3, axis=2).astype(np.uint8)


def place(luma: np.ndarray) -> tuple[float, float]:
    """Where the dot is in a frame, to a small part of a pixel."""
    row, column = np.unravel_index(int(luma.argmax()), luma.shape)
    around = slice(row - 16, row + 17), slice(column - 16, column + 17)
    light = luma[around].astype(float)
    weight = np.clip(light - light.min() - 0.1 * (light.max() - light.min()), 0, None)
    rows, columns = np.mgrid[around]
    return (weight * columns).sum() / weight.sum(), (weight * rows).sum() / weight.sum()


def track(canvas: Canvas, frames: int = FRAMES) -> np.ndarray:
    """Where the dot is in each frame (frames, 2)."""
    places = []
    for index in range(frames):
        _, planes = empty(*SIZE)
        canvas.draw(canvas.view((index + 0.5) / frames), planes, SIZE[0])
        places.append(place(planes.y))
    return np.array(places)


@pytest.mark.parametrize(
    "source", [(1280, 800), (600, 800), (2000, 750), (3000, 750)], ids=["cover", "card", "pan", "band"]
)
@pytest.mark.parametrize("move", MOVES)
def test_a_dot_moves_evenly_and_never_backward(source, move):
    rgb = dotted(*source)
    framing = frame_picture(source, SIZE, saliency(rgb), seconds=FRAMES / 25, move=move)
    places = track(lay(rgb, framing))
    assert np.abs(np.diff(places, 2, axis=0)).mean(axis=0).max() < 0.05
    steps = np.diff(places, axis=0)
    backward = steps * np.sign(steps.sum(axis=0)) < -0.02
    assert not backward.any()


@pytest.mark.parametrize("fps", [24, 30, 60])
def test_a_dot_moves_evenly_at_any_frame_rate(fps):
    rgb = dotted(1280, 800)
    framing = frame_picture((1280, 800), SIZE, saliency(rgb), seconds=3.8, move="left")
    places = track(lay(rgb, framing), round(3.8 * fps))
    assert np.abs(np.diff(places, 2, axis=0)).mean(axis=0).max() < 0.05
    assert np.linalg.norm(places[-1] - places[0]) > 2


@pytest.mark.parametrize("fps", [25, 60])
def test_a_dot_neither_stops_nor_jumps_where_a_crossfade_begins_and_ends(
    pictures, show, tmp_path, small, fps
):
    width, height = SIZE
    settings = small.model_copy(
        update={
            "resolution": f"{width}x{height}",
            "fps": fps,
            "seconds_per_image": 2.0,
            "transition_seconds": 0.8,
        }
    )
    images = pictures((1280, 800), (1280, 800), known=False)
    Image.fromarray(dotted(1280, 800)).save(tmp_path / "images" / "00.png")
    Image.new("RGB", (1280, 800), (40, 40, 40)).save(tmp_path / "images" / "01.png")
    slideshow = show(images, settings)
    joint = slideshow.timeline.transitions[0]
    seen = range(
        slideshow.timeline.fade_in, joint.stop - (joint.stop - joint.start) // 4
    )  # until it has faded
    places = np.array([place(split(slideshow.planes(index)).y) for index in seen])
    accelerations = np.abs(np.diff(places, 2, axis=0))
    assert accelerations.mean(axis=0).max() < 0.05
    assert accelerations.max() < 0.3


def test_both_pictures_move_on_through_a_crossfade(pictures, show, small):
    settings = small.model_copy(update={"fps": 25, "seconds_per_image": 2.0, "transition_seconds": 0.8})
    slideshow = show(pictures((800, 500), (800, 500)), settings)
    joint = slideshow.timeline.transitions[0]
    for slide in (0, 1):
        views = [
            slideshow._shot(slide, index)[1]
            for index in range(joint.start - 1 if slide == 0 else joint.start, joint.stop)
        ]
        widths = np.array([(view.left, view.top, view.width) for view in views])
        assert np.abs(np.diff(widths, axis=0)).sum(axis=1).min() > 0.01


def test_no_two_slides_in_a_row_move_the_same_way(pictures, show):
    moves = show(pictures(*[(60, 40)] * 30))._moves
    assert all(one != other for one, other in itertools.pairwise(moves))
    assert set(moves) == set(MOVES)
