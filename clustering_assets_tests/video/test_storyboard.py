"""What is decided before anything is drawn."""

import itertools
import logging

import numpy as np
import pytest

from clustering_assets.settings import Limits
from clustering_assets.video.errors import Failure, VideoError
from clustering_assets.video.framing import MOVES
from clustering_assets.video.recipe import recipe_digest
from clustering_assets.video.storyboard import Material, make_storyboard, plan


@pytest.fixture
def board(tmp_path, small):
    """Makes the storyboard of a table that `pictures` made."""

    def make(images, settings=small, **given):
        return make_storyboard(Material(images, tmp_path / "images", settings, **{"title": "Discs", **given}))

    return make


def test_a_picture_that_is_left_out_is_not_shown_nor_one_that_looks_the_same(pictures, board):
    images = pictures(*[(60, 40)] * 4).assign(choice=["exclude", "", "", "cover"])
    images.loc[1, "duplicate_of"] = images.loc[0, "path"]
    shown = [slide.path for slide in board(images).timeline.slides]
    assert shown == images.loc[[3, 2], "path"].tolist()


@pytest.mark.parametrize(("length", "slides", "seconds"), [(3, 3, 3.0), (6, 5, 6.0), (60, 5, 10.0)])
def test_a_video_is_as_long_as_its_setting_says_as_far_as_its_pictures_go(
    pictures, board, small, length, slides, seconds
):
    storyboard = board(pictures(*[(60, 40)] * 5), small.model_copy(update={"length": length}))
    assert storyboard.timeline.seconds == seconds
    assert len(storyboard.timeline.slides) == slides


def test_music_and_pictures_end_together_and_what_must_be_shown_is(pictures, board, small, chord):
    images = pictures(*[(60, 40)] * 6).assign(choice="must")
    settings = small.model_copy(update={"length": 4, "titles": True})
    storyboard = board(images, settings, track=chord)
    assert len(storyboard.slides) == 7 and storyboard.slides[0] is None
    assert storyboard.timeline.seconds == storyboard.soundtrack.seconds <= 4


def test_slides_last_as_long_as_wanted(pictures, board, small):
    settings = small.model_copy(update={"seconds_per_image": 1.5})
    storyboard = board(pictures(*[(60, 40)] * 4), settings)
    assert storyboard.timeline.seconds == 6.0
    assert storyboard.timeline.cuts == (15, 30, 45)


def test_no_more_pictures_than_wanted_are_shown(pictures, board, small):
    storyboard = board(pictures(*[(60, 40)] * 9), small.model_copy(update={"max_images_per_video": 4}))
    assert len(storyboard.timeline.slides) == 4


def test_of_near_duplicates_only_the_sharpest_is_shown(pictures, board):
    images = pictures((60, 40), (60, 40), (60, 40))
    images.loc[1, "duplicate_of"] = "00.png"
    assert sorted(slide.path for slide in board(images).timeline.slides) == ["00.png", "02.png"]


def test_when_the_sharpest_is_gone_its_duplicate_is_shown(pictures, board, tmp_path):
    images = pictures((60, 40), (60, 40), (60, 40))
    images.loc[[1, 2], "duplicate_of"] = "00.png"
    (tmp_path / "images" / "00.png").unlink()
    storyboard = board(images)
    assert [slide.path for slide in storyboard.timeline.slides] == ["01.png"]
    assert storyboard.failures[0][:2] == ("00.png", "video")


def test_a_picture_that_broke_since_the_scan_is_left_out_and_listed(pictures, board, tmp_path):
    images = pictures((60, 40), (60, 40), (60, 40))
    broken = tmp_path / "images" / "01.png"
    broken.write_bytes(broken.read_bytes()[:100])
    storyboard = board(images)
    assert [slide.path for slide in storyboard.timeline.slides] == ["00.png", "02.png"]
    assert storyboard.failures[0][0] == "01.png"
    assert "damaged" in storyboard.failures[0][2]


def test_a_spare_picture_takes_the_place_of_a_broken_one(pictures, board, small, tmp_path):
    images = pictures(*[(60, 40)] * 5)
    (tmp_path / "images" / "00.png").unlink()
    storyboard = board(images, small.model_copy(update={"max_images_per_video": 4}))
    assert len(storyboard.timeline.slides) == 4


def test_a_cluster_without_a_usable_picture_is_an_error_that_says_why(pictures, board, tmp_path):
    images = pictures((60, 40))
    (tmp_path / "images" / "00.png").unlink()
    with pytest.raises(VideoError, match="No such file"):
        board(images)


def test_the_limits_of_the_loader_hold_here_too(pictures, board):
    with pytest.raises(VideoError, match="megapixel"):
        board(pictures((300, 200), known=False), limits=Limits(max_megapixels=0.01))


def test_the_digest_is_that_of_the_recipe(pictures, board, small, music):
    images = pictures((60, 40), (60, 40))
    storyboard = board(images, **music(20))
    assert storyboard.digest == recipe_digest(images, "clicks", "Discs", small)


def test_vectors_that_do_not_fit_the_table_are_refused(pictures, board):
    with pytest.raises(VideoError, match="3 vectors for 2 pictures"):
        board(pictures((60, 40), (60, 40)), vectors=np.eye(3))


@pytest.mark.parametrize("seconds", [60, 9], ids=["long track", "looped track"])
def test_cuts_lie_on_the_beats_that_are_heard(pictures, board, small, music, tmp_path, seconds):
    settings = small.model_copy(update={"fps": 25, "seconds_per_image": 2.2})
    storyboard = board(pictures(*[(60, 40)] * 8), settings, **music(seconds))
    sound = storyboard.soundtrack
    assert sound is not None
    assert sound.seconds == storyboard.timeline.seconds
    beats = sound.beat_times(sound.seconds)
    for cut in storyboard.timeline.cuts:
        assert np.abs(beats - cut / 25).min() <= 0.021
    assert storyboard.timeline.beats_per_slide == 4
    assert storyboard.timeline.cut_error_ms is not None
    assert storyboard.timeline.cut_error_ms < 25


def test_where_the_beat_is_not_clear_cuts_follow_the_clock(pictures, board, music):
    storyboard = board(pictures(*[(60, 40)] * 3), **music(30, beat_clarity=0.1))
    assert storyboard.timeline.beats_per_slide is None
    assert storyboard.timeline.cuts == (10, 20)
    assert storyboard.soundtrack is not None


def test_cuts_follow_the_clock_where_the_beat_is_not_wanted(pictures, board, small, music):
    storyboard = board(pictures(*[(60, 40)] * 3), small.model_copy(update={"beat_sync": False}), **music(30))
    assert storyboard.timeline.beats_per_slide is None


def test_a_track_that_is_gone_makes_a_silent_video_and_is_listed(pictures, board, music, caplog):
    given = music(30)
    given["track"].path.unlink()
    with caplog.at_level(logging.WARNING, "clustering_assets.video"):
        storyboard = board(pictures((60, 40)), **given)
    assert storyboard.soundtrack is None
    assert storyboard.failures[0][1] == "soundtrack"
    assert "without music" in caplog.text


def test_the_plan_is_made_without_a_look_at_any_file(tmp_path, small, pictures):
    images = pictures(*[(60, 40)] * 3)
    material = Material(images, tmp_path / "nowhere", small)
    assert [still.path for still in plan(material).slides] == ["00.png", "01.png", "02.png"]
    lost = (Failure("01.png", "video", "gone"),)
    assert [still.path for still in plan(material, lost).slides] == ["00.png", "02.png"]
    assert plan(material, lost).failures == lost
    assert plan(material, lost).digest != plan(material).digest


def test_what_is_lost_later_changes_only_what_it_must(board, pictures, music):
    first = board(pictures(*[(60, 40)] * 4), **music(30))
    later = first.without(Failure("02.png", "decode", "damaged"))
    assert later.material is first.material
    assert [still.path for still in later.slides] == ["00.png", "01.png", "03.png"]
    assert later.moves == first.moves[:3]
    assert later.soundtrack.seconds == later.timeline.seconds < first.timeline.seconds
    assert len(first.slides) == 4, "the first storyboard stays what it was"


def test_a_track_without_sound_makes_a_silent_video_and_is_listed(board, pictures, music):
    storyboard = board(pictures((60, 40)), **music(30, end=0.05))
    assert storyboard.soundtrack is None
    assert storyboard.failures[0].stage == "soundtrack"


def test_no_two_slides_in_a_row_move_the_same_way(board, pictures):
    moves = board(pictures(*[(60, 40)] * 30)).moves
    assert all(one != other for one, other in itertools.pairwise(moves))
    assert set(moves) == set(MOVES)
