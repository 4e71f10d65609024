"""The slideshow of a cluster as it is drawn and written."""

import dataclasses
import os

import av
import numpy as np
import pytest

from clustering_assets.errors import ClusteringError
from clustering_assets.video.encode import write_video
from clustering_assets.video.errors import PictureLost
from clustering_assets.video.slideshow import Slideshow
from clustering_assets.video.storyboard import Material, make_storyboard
from clustering_assets.video.verify import verify


def test_a_frame_is_the_same_whenever_it_is_asked_for(pictures, show):
    slideshow = show(pictures(*[(120, 80)] * 8))
    order = np.random.default_rng(0).permutation(slideshow.timeline.frames)
    later = {int(index): slideshow.frame(int(index)) for index in order}
    fresh = show(pictures(*[(120, 80)] * 8))
    assert all(np.array_equal(fresh.frame(index), later[index]) for index in range(fresh.timeline.frames))


def test_frames_are_rgb_pictures_of_the_wanted_size(pictures, show, small):
    slideshow = show(pictures((300, 200)))
    assert slideshow.frame(3).shape == (108, 192, 3)
    assert slideshow.planes(3).shape == (162, 192)
    assert slideshow.size == small.size
    with pytest.raises(IndexError):
        slideshow.frame(slideshow.timeline.frames)


def test_a_picture_damaged_without_a_trace_is_left_out_while_rendering(pictures, show, tmp_path):
    images = pictures((300, 200), (300, 200), (300, 200))
    broken = tmp_path / "images" / "01.png"
    facts = broken.stat()
    data = bytearray(broken.read_bytes())
    data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
    broken.write_bytes(data)
    os.utime(broken, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    slideshow = show(images)
    assert len(slideshow.timeline.slides) == 3
    write_video(slideshow, tmp_path / "video.mp4")
    assert [slide.path for slide in slideshow.timeline.slides] == ["00.png", "02.png"]
    assert [check for check in verify(tmp_path / "video.mp4", slideshow) if not check.passed] == []


def test_drawing_a_picture_that_has_vanished_names_it(pictures, show, tmp_path):
    slideshow = show(pictures((60, 40)))
    (tmp_path / "images" / "00.png").unlink()
    with pytest.raises(PictureLost, match=r"00\.png"):
        slideshow.frame(0)


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1), (5000, 2), (3, 3)])
def test_odd_shapes_are_rendered(pictures, show, tmp_path, size):
    slideshow = show(pictures(size, (60, 40)))
    write_video(slideshow, tmp_path / "video.mp4", quality="preview")
    assert slideshow.failures == ()
    assert slideshow.frame(5).std() > 0


@pytest.mark.parametrize("size", [(90, 160), (100, 100), (66, 68), (192, 110)])
def test_videos_of_any_even_shape_keep_the_contract(pictures, show, small, tmp_path, size):
    settings = small.model_copy(update={"resolution": f"{size[0]}x{size[1]}"})
    slideshow = show(pictures((300, 200), (200, 300)), settings)
    write_video(slideshow, tmp_path / "video.mp4")
    assert [check for check in verify(tmp_path / "video.mp4", slideshow) if not check.passed] == []


def test_a_single_picture_makes_a_video(pictures, show, tmp_path):
    slideshow = show(pictures((300, 200)))
    assert write_video(slideshow, tmp_path / "video.mp4").slides == 1


def test_without_motion_nothing_moves(pictures, show, small):
    slideshow = show(
        pictures((300, 200)), small.model_copy(update={"motion": False, "seconds_per_image": 3.0})
    )
    assert np.array_equal(slideshow.planes(8), slideshow.planes(15))


def test_the_clicks_in_the_finished_file_lie_at_the_cuts(pictures, show, small, music, tmp_path):
    settings = small.model_copy(update={"fps": 25, "seconds_per_image": 2.2})
    slideshow = show(pictures(*[(60, 40)] * 4), settings, **music(30))
    write_video(slideshow, tmp_path / "video.mp4")
    with av.open(str(tmp_path / "video.mp4")) as file:
        sound = np.concatenate([frame.to_ndarray() for frame in file.decode(audio=0)], axis=1)[0]
    for cut in slideshow.timeline.cuts:
        place = cut / 25 * 48000
        around = np.abs(sound[round(place - 4800) : round(place + 4800)])
        strong = np.flatnonzero(around > 0.5 * around.max())[0]
        assert abs(strong - 4800) / 48 <= 45
    assert [check for check in verify(tmp_path / "video.mp4", slideshow) if not check.passed] == []


def test_a_track_that_breaks_while_rendering_is_named_and_nothing_is_left(pictures, show, music, tmp_path):
    given = music(30)
    slideshow = show(pictures((60, 40), (60, 40)), **given)
    given["track"].path.write_bytes(b"no music any more")
    with pytest.raises(ClusteringError, match=r"clicks\.flac"):
        write_video(slideshow, tmp_path / "out" / "video.mp4")
    assert list((tmp_path / "out").iterdir()) == []


def test_pictures_and_music_of_another_source_are_shown_as_those_of_a_folder(
    pictures, music, show, small, tmp_path, memory_source
):
    images, given = pictures(*[(60, 40)] * 4), music(20.0)
    frame = show(images, **given).frame(5)
    kept = memory_source(tmp_path / "images")
    track = dataclasses.replace(given["track"], path=memory_source(tmp_path) / "clicks.flac")
    material = Material(images, kept, small, track=track, title="Discs")
    slideshow = Slideshow(make_storyboard(material))
    np.testing.assert_array_equal(slideshow.frame(5), frame)
    assert slideshow.soundtrack is not None
    assert slideshow.failures == ()
