"""Heads are found, framed whole, counted, and nothing breaks where faces are not looked for."""

import logging
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter

from clustering_assets.settings import VideoSettings
from clustering_assets.video import faces
from clustering_assets.video.encode import write_video
from clustering_assets.video.faces import Box, find_heads
from clustering_assets.video.framing import MOVES, Framing, frame_picture, shrunk
from clustering_assets.video.recipe import recipe_digest
from clustering_assets.video.saliency import SIDE, best_start, kept, with_heads

EVEN = np.full((SIDE, SIDE), 1 / SIDE**2, np.float32)
WIDE = (1920, 1080)

SIZES = st.tuples(st.integers(200, 6000), st.integers(200, 6000))
FRAMES = st.sampled_from([(1920, 1080), (1080, 1920), (1080, 1080), (640, 360)])
SHARES = st.floats(0, 1)


@st.composite
def people(draw, most: int = 4) -> list[Box]:
    """Boxes of one to `most` heads, somewhere in a picture, some of them at its very edge."""
    found = []
    for _ in range(draw(st.integers(1, most))):
        width, height = draw(st.floats(0.02, 0.6)), draw(st.floats(0.02, 0.8))
        left, top = draw(SHARES) * (1 - width), draw(SHARES) * (1 - height)
        found.append((left, top, left + width, top + height))
    return sorted(found, key=lambda box: -(box[2] - box[0]) * (box[3] - box[1]))


def on_canvas(head: Box, framing: Framing) -> Box:
    """A head's place on the canvas, in pixels."""
    left, top, width, height = framing.place
    return (
        left + head[0] * width,
        top + head[1] * height,
        left + head[2] * width,
        top + head[3] * height,
    )


def is_seen(head: Box, framing: Framing, frame: tuple[int, int], share: float, slack: float = 0.02) -> bool:
    """Whether the whole head is in view when this share of the time has gone."""
    view = framing.start.towards(framing.end, share)
    left, top, right, bottom = on_canvas(head, framing)
    height = view.width * frame[1] / frame[0]
    return (
        left >= view.left - slack
        and top >= view.top - slack
        and right <= view.left + view.width + slack
        and bottom <= view.top + height + slack
    )


@given(SIZES, FRAMES, people(), st.floats(0.4, 9), st.sampled_from(MOVES), st.booleans(), SHARES)
def test_every_head_is_seen_all_the_time_unless_the_view_travels(
    source, frame, boxes, seconds, move, motion, share
):
    framing = frame_picture(source, frame, EVEN, seconds=seconds, move=move, motion=motion, heads=boxes)
    if framing.kind == "pan":
        return
    for head in boxes:
        assert is_seen(head, framing, frame, share, slack=1.5 if framing.kind == "card" else 0.02)
    assert framing.kept_head == pytest.approx(1.0)


@given(
    st.tuples(st.integers(2300, 9000), st.just(1000)),
    st.sampled_from([(1920, 1080), (1080, 1080)]),
    people(),
    st.floats(1, 9),
    st.sampled_from(MOVES),
)
def test_on_the_way_along_a_panorama_every_head_is_seen_whole(source, frame, boxes, seconds, move):
    framing = frame_picture(source, frame, EVEN, seconds=seconds, move=move, heads=boxes)
    ratio = source[0] / source[1] / (frame[0] / frame[1])
    if framing.kind != "pan":
        return
    if framing.kept_head is not None and framing.kept_head < 1 - 1e-6:
        assert ratio > 3, "shorter ones are shown whole"
        return
    times = np.linspace(0, 1, 201)
    slack = abs(framing.end.left - framing.start.left) / 200 + 0.5
    for head in boxes:
        assert any(is_seen(head, framing, frame, float(time), slack) for time in times)


@given(SIZES, FRAMES, people(), st.floats(0.4, 9), st.sampled_from(MOVES))
def test_with_heads_too_the_view_never_leaves_the_canvas(source, frame, boxes, seconds, move):
    framing = frame_picture(source, frame, EVEN, seconds=seconds, move=move, heads=boxes)
    for view in (framing.start, framing.end):
        assert view.left >= -0.01
        assert view.top >= -0.01
        assert view.left + view.width <= framing.canvas[0] + 0.01
        assert view.top + view.width * frame[1] / frame[0] <= framing.canvas[1] + 0.01


@given(SIZES, FRAMES, people(), st.sampled_from(MOVES))
def test_with_heads_too_something_moves(source, frame, boxes, move):
    framing = frame_picture(source, frame, EVEN, seconds=3.8, move=move, heads=boxes)
    if framing.kind == "pan":
        return
    start, end = framing.start, framing.end
    moved = abs(start.left - end.left) + abs(start.top - end.top) + abs(start.width - end.width)
    assert moved >= 0.004 * frame[0]


@pytest.mark.parametrize("top", [0.0, 0.1, 0.7])
@pytest.mark.parametrize("move", MOVES)
def test_a_crop_goes_where_the_head_is_and_leaves_room_around_it(top, move):
    head = (0.4, top, 0.6, top + 0.3)
    framing = frame_picture((4000, 3000), WIDE, EVEN, seconds=3.8, move=move, heads=[head])
    assert framing.kind == "cover"
    for share in (0.0, 0.5, 1.0):
        view = framing.start.towards(framing.end, share)
        left, upper, right, lower = on_canvas(head, framing)
        room = min(left - view.left, view.left + view.width - right)
        assert room > 0.01 * view.width
        assert upper == 0 or upper - view.top > 0.015 * view.width
        foot = view.top + view.width * 9 / 16
        assert lower >= framing.canvas[1] - 1 or foot - lower > 0.015 * view.width


def test_a_picture_whose_heads_do_not_fit_is_shown_whole():
    above, below = (0.1, 0.02, 0.2, 0.2), (0.7, 0.8, 0.8, 0.98)
    for boxes, kind in (([above], "cover"), ([below], "cover"), ([above, below], "card")):
        framing = frame_picture((4000, 3000), WIDE, EVEN, seconds=3.8, move="in", heads=boxes)
        assert framing.kind == kind


def test_a_panorama_whose_ends_show_people_is_shown_whole_and_a_very_long_one_keeps_the_largest():
    ends = [(0.0, 0.3, 0.06, 0.6), (0.95, 0.3, 1.0, 0.5)]
    whole = frame_picture((4000, 1000), WIDE, EVEN, seconds=3.8, move="in", heads=ends)
    assert whole.kind == "card"
    long = frame_picture((9000, 1000), WIDE, EVEN, seconds=3.8, move="in", heads=ends)
    assert long.kind == "pan"
    assert any(is_seen(ends[0], long, WIDE, share) for share in (0.0, 1.0))


def test_a_smaller_canvas_keeps_the_same_heads():
    framing = frame_picture((4000, 3000), WIDE, EVEN, seconds=3.8, move="in", heads=[(0.4, 0.05, 0.6, 0.3)])
    small = shrunk(framing, 0.25)
    assert small.kept_head == framing.kept_head == pytest.approx(1.0)
    assert small.start.top / small.canvas[1] == pytest.approx(framing.start.top / framing.canvas[1], abs=0.01)


def test_heads_are_half_of_what_counts_in_a_picture():
    head = (0.125, 0.125, 0.25, 0.25)  # whole cells of the map
    weighed = with_heads(EVEN, [head])
    assert weighed.sum() == pytest.approx(1)
    assert kept(weighed, head) == pytest.approx(0.5 + 0.5 / 64)


@given(SHARES, SHARES, st.floats(0.05, 1))
def test_what_is_held_is_inside_the_best_stretch(first, second, length):
    low, high = min(first, second), max(first, second)
    high = min(high, low + length)
    profile = np.zeros(SIDE, np.float32)
    profile[50:54] = 1
    start = best_start(profile, length, (low, high))
    assert -1e-9 <= start <= low + 1e-6
    assert start + length >= high - 1e-6
    assert start + length <= 1 + 1e-6


# finding them


def drawn_face(side: int) -> Image.Image:
    """A drawn face with hair, neck and background, which fills the middle two thirds of a square."""
    n = 4 * side
    picture = Image.new("RGB", (n, n), (120, 140, 160))
    draw = ImageDraw.Draw(picture)
    skin, shade, dark = (222, 180, 150), (190, 145, 118), (60, 40, 30)

    def oval(x: float, y: float, across: float, down: float, colour: tuple[int, int, int]) -> None:
        draw.ellipse([(x - across) * n, (y - down) * n, (x + across) * n, (y + down) * n], fill=colour)

    oval(0.5, 0.45, 0.33, 0.40, dark)
    draw.rectangle([0.42 * n, 0.75 * n, 0.58 * n, n], fill=shade)
    oval(0.5, 0.52, 0.26, 0.35, skin)
    draw.chord([0.23 * n, 0.15 * n, 0.77 * n, 0.77 * n], 200, 340, fill=dark)
    for aside in (-0.11, 0.11):
        oval(0.5 + aside, 0.46, 0.065, 0.032, shade)
        oval(0.5 + aside, 0.465, 0.05, 0.02, (240, 240, 240))
        oval(0.5 + aside, 0.465, 0.02, 0.02, (30, 20, 20))
        brow = [(0.5 + aside + x, y) for x, y in ((-0.065, 0.415), (0.0, 0.395), (0.065, 0.415))]
        draw.line([(x * n, y * n) for x, y in brow], fill=dark, width=n // 50)
    oval(0.5, 0.60, 0.05, 0.022, shade)
    oval(0.48, 0.607, 0.013, 0.008, dark)
    oval(0.52, 0.607, 0.013, 0.008, dark)
    oval(0.5, 0.70, 0.095, 0.03, (170, 70, 70))
    draw.line([0.41 * n, 0.70 * n, 0.59 * n, 0.70 * n], fill=(90, 30, 30), width=n // 100)
    soft = picture.filter(ImageFilter.GaussianBlur(n / 120))
    return soft.resize((side, side), Image.Resampling.LANCZOS)


def group(size: tuple[int, int], *places: tuple[int, int, int]) -> Image.Image:
    """A picture with a drawn face of a given side at each place (left, top, side)."""
    picture = Image.new("RGB", size, (90, 120, 100))
    for left, top, side in places:
        picture.paste(drawn_face(side), (left, top))
    return picture


@pytest.fixture
def without_dlib(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if the extra were not installed."""
    monkeypatch.setitem(sys.modules, "dlib", None)
    faces.find_dlib.cache_clear()
    yield
    faces.find_dlib.cache_clear()


def test_drawn_faces_are_found_with_their_hair_the_largest_first():
    pytest.importorskip("dlib")
    found = find_heads(np.asarray(group((1600, 1000), (200, 100, 300), (1000, 500, 400)), np.uint8))
    assert found is not None
    assert len(found) == 2
    for box, (left, top, side) in zip(found, [(1000, 500, 400), (200, 100, 300)], strict=True):
        assert box[0] <= (left + 0.24 * side) / 1600 <= (left + 0.76 * side) / 1600 <= box[2]
        assert box[1] <= (top + 0.08 * side) / 1000  # the hair
        assert (top + 0.87 * side) / 1000 <= box[3]  # the chin
        assert box[2] - box[0] < 1.1 * side / 1600


def test_a_head_at_the_edge_ends_there():
    pytest.importorskip("dlib")
    found = find_heads(np.asarray(group((800, 600), (0, 0, 300)).crop((20, 60, 800, 600)), np.uint8))
    assert found is not None
    assert len(found) == 1
    assert found[0][1] == 0
    assert all(0 <= edge <= 1 for edge in found[0])


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 3000, 3), (30, 30, 3), (400, 600, 3)])
def test_there_are_no_heads_where_there_is_nothing(shape):
    pytest.importorskip("dlib")
    assert find_heads(np.full(shape, 130, np.uint8)) == ()


def test_without_the_package_it_is_said_once_that_faces_are_not_looked_for(without_dlib, caplog):
    caplog.set_level(logging.INFO, "clustering_assets.video")
    face = np.asarray(drawn_face(200), np.uint8)
    assert find_heads(face) is None
    assert find_heads(face) is None
    assert faces.version() == 0
    (record,) = [record for record in caplog.records if "Faces are not looked for" in record.message]
    assert "pip install dlib-bin" in record.message
    assert record.levelno == logging.INFO


def test_whether_faces_are_looked_for_changes_the_recipe(pictures, request):
    pytest.importorskip("dlib")
    images = pictures((300, 200))
    with_faces = recipe_digest(images, "", "", VideoSettings())
    request.getfixturevalue("without_dlib")
    assert recipe_digest(images, "", "", VideoSettings()) != with_faces


def test_a_slideshow_counts_heads_and_keeps_them(pictures, show, tmp_path):
    pytest.importorskip("dlib")
    images = pictures((400, 300), (400, 300), known=False)
    path = tmp_path / "images" / images["path"][0]
    group((800, 600), (500, 300, 300)).save(path)
    facts = write_video(show(images), tmp_path / "people.mp4")
    assert facts.heads == 1
    assert facts.kept_head == 1.0


def test_a_slideshow_without_the_package_says_that_it_did_not_look(pictures, show, tmp_path, without_dlib):
    facts = write_video(show(pictures((400, 300))), tmp_path / "video.mp4")
    assert facts.heads is None
    assert facts.kept_head is None


def test_a_preview_shows_the_same_crop_as_the_video(pictures, show, tmp_path):
    pytest.importorskip("dlib")
    images = pictures((400, 300), known=False)
    group((800, 600), (40, 330, 260), (500, 0, 240)).save(tmp_path / "images" / images["path"][0])
    slideshow = show(images)
    glance = slideshow.glance(0, 96).astype(float)
    frame = slideshow.frame(slideshow.timeline.slides[0].middle)
    small = np.asarray(Image.fromarray(frame).resize((96, 54), Image.Resampling.BOX), float)
    assert np.abs(glance - small).mean() < 6
