"""Uprights share a slide of a wide video where two fit together; nothing else does."""

import numpy as np
import pytest

from clustering_assets.video.pairs import fit_together, in_pairs, joined, joined_size

WIDE, UPRIGHT = (1920, 1080), (1080, 1920)
TALL, BROAD = (3000, 4000), (4000, 3000)


def test_two_neighbours_that_stand_against_the_frame_share_a_slide():
    assert in_pairs([BROAD, TALL, TALL, TALL, BROAD, BROAD], WIDE) == [(0,), (1, 2), (3,), (4,), (5,)]
    assert in_pairs([BROAD, TALL, TALL, BROAD, BROAD, TALL], UPRIGHT) == [(0,), (1,), (2,), (3, 4), (5,)]


def test_the_first_and_the_last_picture_stand_alone():
    assert in_pairs([TALL] * 4, WIDE) == [(0,), (1, 2), (3,)]
    assert in_pairs([TALL] * 2, WIDE) == [(0,), (1,)]
    assert in_pairs([BROAD, None, None, BROAD], WIDE) == [(0,), (1,), (2,), (3,)]


@pytest.mark.parametrize("other", [(1000, 3000), (4000, 4000), (4000, 3000)])
def test_pictures_of_other_shapes_do_not_fit(other):
    assert not fit_together(TALL, other, WIDE)


@pytest.mark.parametrize(
    ("frame", "sizes"), [(WIDE, [(300, 400), (200, 300)]), (UPRIGHT, [(400, 300), (300, 200)])]
)
def test_both_are_seen_whole_at_the_side_of_the_smaller_one(frame, sizes):
    one, other = (
        np.full((height, width, 3), level, np.uint8)
        for (width, height), level in zip(sizes, (60, 200), strict=True)
    )
    both = joined(one, other, frame)
    assert both.shape[1::-1] == joined_size(*sizes, frame)
    share = [(both == level).all(axis=2).mean() for level in (60, 200)]
    assert min(share) > 0.45 and sum(share) > 0.98


def test_a_slide_shows_both_and_tells_what_is_lost(pictures, show, small, tmp_path):
    images = pictures((160, 90), (90, 120), (90, 120), (160, 90))
    slideshow = show(images, small)
    still = slideshow.storyboard.slides[1]
    assert [slide.paths for slide in slideshow.storyboard.slides] == [
        ("00.png",),
        ("01.png", "02.png"),
        ("03.png",),
    ]
    assert slideshow.frame(slideshow.timeline.slides[1].middle).std() > 5
    (tmp_path / "images" / still.beside.path).unlink()
    assert still.failure(slideshow.storyboard.material).path == still.beside.path
