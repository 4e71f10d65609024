"""Where a picture lies in the frame, and how the view moves over it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clustering_assets.video.framing import (
    ENOUGH,
    FINER,
    MAX_CARD_ENLARGEMENT,
    MAX_ENLARGEMENT,
    MOVES,
    Framing,
    frame_picture,
    needed_side,
    shrunk,
)
from clustering_assets.video.saliency import SIDE

WIDE = (1920, 1080)
EVEN = np.full((SIDE, SIDE), 1 / SIDE**2, np.float32)

SIZES = st.tuples(st.integers(1, 9000), st.integers(1, 9000))
FRAMES = st.sampled_from([(1920, 1080), (1080, 1920), (1080, 1080), (640, 360), (192, 108), (66, 64)])


def spot(x: float, y: float) -> np.ndarray:
    """A map with all its saliency around one point."""
    rows, columns = (np.mgrid[0:SIDE, 0:SIDE] + 0.5) / SIDE
    found = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 0.04**2)).astype(np.float32)
    return found / found.sum()


def scale(framing: Framing, source: tuple[int, int]) -> float:
    """Output pixels for each pixel of the picture in the nearest view."""
    return framing.place[2] / source[0] / FINER


@given(SIZES, FRAMES, st.floats(0.1, 20), st.sampled_from(MOVES), st.booleans())
def test_the_view_never_leaves_the_canvas(source, frame, seconds, move, motion):
    framing = frame_picture(source, frame, EVEN, seconds=seconds, move=move, motion=motion)
    width, height = framing.canvas
    for view in (framing.start, framing.end):
        assert view.left >= -0.01
        assert view.top >= -0.01
        assert view.left + view.width <= width + 0.01
        assert view.top + view.width * frame[1] / frame[0] <= height + 0.01


@given(SIZES, FRAMES, st.floats(0.1, 20), st.sampled_from(MOVES), st.booleans())
def test_a_canvas_is_even_and_never_much_larger_than_the_frame(source, frame, seconds, move, motion):
    framing = frame_picture(source, frame, EVEN, seconds=seconds, move=move, motion=motion)
    width, height = framing.canvas
    assert width % 2 == height % 2 == 0
    assert width * height <= 4.5 * frame[0] * frame[1]


@given(SIZES, FRAMES, st.sampled_from(MOVES))
def test_the_shape_of_a_picture_is_kept(source, frame, move):
    framing = frame_picture(source, frame, EVEN, seconds=3.8, move=move)
    width, height = framing.place[2:]
    assert abs(width - height * source[0] / source[1]) <= 2 + 2 * source[0] / source[1]


@given(SIZES, FRAMES, st.sampled_from(MOVES))
def test_only_thumbnails_are_enlarged_much_and_they_stay_small(source, frame, move):
    framing = frame_picture(source, frame, EVEN, seconds=3.8, move=move)
    if framing.place[2] <= 4 or framing.place[3] <= 4:
        return
    enlarged = scale(framing, source)
    if enlarged > 1.1 * max(MAX_ENLARGEMENT, MAX_CARD_ENLARGEMENT):
        assert framing.kind == "card"
        assert max(framing.place[2:]) <= 0.4 * min(frame) * FINER * 1.06 + 2


def test_a_landscape_picture_fills_the_frame():
    framing = frame_picture((3000, 2000), WIDE, EVEN, seconds=3.8, move="in")
    assert framing.kind == "cover"
    assert not framing.backed


def test_a_portrait_picture_is_shown_whole_all_the_time():
    framing = frame_picture((2000, 3000), WIDE, EVEN, seconds=3.8, move="in")
    left, top, width, height = framing.place
    assert framing.kind == "card"
    for view in (framing.start, framing.end):
        assert view.left <= left
        assert view.top <= top
        assert view.left + view.width >= left + width
        assert view.top + view.width * 9 / 16 >= top + height


def test_in_an_upright_video_it_is_the_other_way_round():
    assert frame_picture((2000, 3000), (1080, 1920), EVEN, seconds=3.8, move="in").kind == "cover"
    assert frame_picture((3000, 2000), (1080, 1920), EVEN, seconds=3.8, move="in").kind == "card"


@pytest.mark.parametrize(
    ("source", "frame", "axis"), [((6000, 2000), WIDE, 0), ((1500, 6000), (1080, 1920), 1)]
)
def test_the_view_travels_along_a_panorama(source, frame, axis):
    framing = frame_picture(source, frame, EVEN, seconds=3.8, move="in")
    travelled = (framing.end.left - framing.start.left, framing.end.top - framing.start.top)
    assert framing.kind == "pan"
    assert abs(travelled[axis]) > 0.1 * frame[axis]
    assert abs(travelled[1 - axis]) < 1
    assert framing.start.width == framing.end.width


def test_without_motion_the_view_stands_still():
    for source in ((3000, 2000), (2000, 3000), (9000, 2000)):
        framing = frame_picture(source, WIDE, EVEN, seconds=3.8, move="in", motion=False)
        assert framing.start == framing.end


@pytest.mark.parametrize("place", [(0.5, 0.1), (0.5, 0.9), (0.2, 0.5), (0.8, 0.15)])
@pytest.mark.parametrize("move", MOVES)
def test_the_subject_stays_in_view(place, move):
    framing = frame_picture((2000, 1600), WIDE, spot(*place), seconds=3.8, move=move)
    assert framing.kept > 0.9


def test_a_picture_that_would_lose_its_subject_is_shown_whole():
    subjects = (spot(0.5, 0.04) + spot(0.5, 0.96)) / 2
    assert frame_picture((2000, 1500), WIDE, EVEN, seconds=3.8, move="in").kind == "cover"
    assert frame_picture((2000, 1500), WIDE, subjects, seconds=3.8, move="in").kind == "card"


def test_a_zoom_keeps_its_subject_where_it_is_on_the_screen():
    framing = frame_picture((3200, 1800), WIDE, spot(0.7, 0.4), seconds=3.8, move="in")
    width, height = framing.canvas
    seen = [
        ((0.7 * width - view.left) / view.width, (0.4 * height - view.top) / view.width)
        for view in (framing.start, framing.end)
    ]
    assert np.allclose(seen[0], seen[1], atol=0.01)


def test_motion_is_gentle():
    for source in ((3000, 2000), (2000, 3000), (5000, 2000)):
        for move in MOVES:
            framing = frame_picture(source, WIDE, EVEN, seconds=4, move=move)
            start, end = framing.start, framing.end
            assert abs(end.width / start.width - 1) <= 0.07
            moved = np.hypot(
                start.left + start.width / 2 - end.left - end.width / 2,
                start.top - end.top + (start.width - end.width) * 9 / 32,
            )
            assert moved / start.width / 4 <= 0.05


@given(SIZES, FRAMES)
def test_a_picture_is_decoded_large_enough_for_its_place(source, frame):
    framing = frame_picture(source, frame, EVEN, seconds=3.8, move="in")
    wanted = min(min(framing.place[2:]) * ENOUGH / FINER, min(source))
    assert needed_side(source, frame, 3.8) >= 0.98 * wanted - 2


def test_a_picture_that_is_shown_whole_is_not_decoded_as_if_it_filled_the_frame():
    upright, landscape = needed_side((3000, 4000), WIDE, 3.8), needed_side((4000, 3000), WIDE, 3.8)
    assert upright <= 0.8 * WIDE[1]
    assert WIDE[1] <= landscape <= 1500  # half of its shorter side


@given(SIZES, FRAMES, st.floats(0.05, 1))
def test_a_smaller_canvas_has_the_same_layout(source, frame, share):
    framing = frame_picture(source, frame, EVEN, seconds=3.8, move="in")
    small = shrunk(framing, share)
    left, _top, width, _height = small.place
    assert small.backed == framing.backed or min(small.place[2:]) <= 4 or share < 0.3
    assert left + width <= small.canvas[0] + 1 or small.kind == "pan"
    assert small.start.width == pytest.approx(framing.start.width * share)
