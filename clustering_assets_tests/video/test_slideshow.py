"""The slideshow of a cluster as a whole."""

import logging
import os
import wave
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from moviepy import VideoClip, concatenate_videoclips, vfx

from clustering_assets.errors import ClusteringError
from clustering_assets.settings import Limits
from clustering_assets.video.colour import split, to_rgb
from clustering_assets.video.encode import BT709, LIMITED, write_video
from clustering_assets.video.moviepy_clips import PLAYABLE, between, writing_arguments
from clustering_assets.video.recipe import VideoError, recipe_digest
from clustering_assets.video.slideshow import PictureLost, make_slideshow
from clustering_assets.video.verify import verify


def clicks(path: Path, seconds: float, period: float = 0.5, offset: float = 0.2) -> dict:
    """Writes a track with a click on every beat and returns its row of `music_tracks`."""
    times = np.arange(round(seconds * 44100)) / 44100
    phase = (times - offset) % period
    sound = 0.5 * np.exp(-40 * phase) * np.sin(2 * np.pi * 660 * times) + 0.02 * np.sin(
        2 * np.pi * 220 * times
    )
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(44100)
        file.writeframes((32767 * sound).astype("<i2").tobytes())
    beats = np.arange(offset, seconds - 0.1, period)
    return {
        "path": path.name,
        "content_hash": "clicks",
        "seconds": seconds,
        "start": 0.0,
        "end": seconds,
        "beat_times": beats,
        "downbeat": 0,
        "beat_clarity": 0.9,
        "arousal": 0.5,
    }


@pytest.fixture
def music(tmp_path):
    """A function that makes a click track of a length and returns what `show` needs for it."""

    def make(seconds: float, **changed) -> dict:
        path = tmp_path / "clicks.wav"
        return {"track": clicks(path, seconds) | changed, "track_path": path}

    return make


def test_a_frame_is_the_same_whenever_it_is_asked_for(pictures, show):
    slideshow = show(pictures(*[(120, 80)] * 8))
    order = np.random.default_rng(0).permutation(slideshow.frame_count)
    later = {int(index): slideshow.frame(int(index)) for index in order}
    fresh = show(pictures(*[(120, 80)] * 8))
    assert all(np.array_equal(fresh.frame(index), later[index]) for index in range(fresh.frame_count))


def test_frames_are_rgb_pictures_of_the_wanted_size(pictures, show, small):
    slideshow = show(pictures((300, 200)))
    assert slideshow.frame(3).shape == (108, 192, 3)
    assert slideshow.planes(3).shape == (162, 192)
    assert slideshow.size == small.size
    with pytest.raises(IndexError):
        slideshow.frame(slideshow.frame_count)


def test_slides_last_as_long_as_wanted(pictures, show, small):
    settings = small.model_copy(update={"seconds_per_image": 1.5})
    slideshow = show(pictures(*[(60, 40)] * 4), settings)
    assert slideshow.duration == 6.0
    assert slideshow.timeline.cuts == (15, 30, 45)


def test_no_more_pictures_than_wanted_are_shown(pictures, show, small):
    slideshow = show(pictures(*[(60, 40)] * 9), small.model_copy(update={"max_images_per_video": 4}))
    assert len(slideshow.timeline.slides) == 4


def test_of_near_duplicates_only_the_sharpest_is_shown(pictures, show):
    images = pictures((60, 40), (60, 40), (60, 40))
    images.loc[1, "duplicate_of"] = "00.png"
    assert sorted(slide.path for slide in show(images).timeline.slides) == ["00.png", "02.png"]


def test_when_the_sharpest_is_gone_its_duplicate_is_shown(pictures, show, tmp_path):
    images = pictures((60, 40), (60, 40), (60, 40))
    images.loc[[1, 2], "duplicate_of"] = "00.png"
    (tmp_path / "images" / "00.png").unlink()
    slideshow = show(images)
    assert [slide.path for slide in slideshow.timeline.slides] == ["01.png"]
    assert slideshow.failures[0][:2] == ("00.png", "video")


def test_a_picture_that_broke_since_the_scan_is_left_out_and_listed(pictures, show, tmp_path):
    images = pictures((60, 40), (60, 40), (60, 40))
    broken = tmp_path / "images" / "01.png"
    broken.write_bytes(broken.read_bytes()[:100])
    slideshow = show(images)
    assert [slide.path for slide in slideshow.timeline.slides] == ["00.png", "02.png"]
    assert slideshow.failures[0][0] == "01.png"
    assert "damaged" in slideshow.failures[0][2]


def test_a_spare_picture_takes_the_place_of_a_broken_one(pictures, show, small, tmp_path):
    images = pictures(*[(60, 40)] * 5)
    (tmp_path / "images" / "00.png").unlink()
    slideshow = show(images, small.model_copy(update={"max_images_per_video": 4}))
    assert len(slideshow.timeline.slides) == 4


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


def test_a_cluster_without_a_usable_picture_is_an_error_that_says_why(pictures, show, tmp_path):
    images = pictures((60, 40))
    (tmp_path / "images" / "00.png").unlink()
    with pytest.raises(VideoError, match="No such file"):
        show(images)


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1), (5000, 2), (3, 3)])
def test_odd_shapes_are_rendered(pictures, show, tmp_path, size):
    slideshow = show(pictures(size, (60, 40)))
    write_video(slideshow, tmp_path / "video.mp4", quality="preview")
    assert slideshow.failures == []
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


def test_the_limits_of_the_loader_hold_here_too(pictures, show):
    with pytest.raises(VideoError, match="megapixel"):
        show(pictures((300, 200), known=False), limits=Limits(max_megapixels=0.01))


def test_the_digest_is_that_of_the_recipe(pictures, show, small, music):
    images = pictures((60, 40), (60, 40))
    slideshow = show(images, **music(20))
    assert slideshow.digest == recipe_digest(images, "clicks", "Discs", small)


def test_vectors_that_do_not_fit_the_table_are_refused(pictures, show):
    with pytest.raises(VideoError, match="3 vectors for 2 pictures"):
        show(pictures((60, 40), (60, 40)), vectors=np.eye(3))


# music


@pytest.mark.parametrize("seconds", [60, 9], ids=["long track", "looped track"])
def test_cuts_lie_on_the_beats_that_are_heard(pictures, show, small, music, tmp_path, seconds):
    settings = small.model_copy(update={"fps": 25, "seconds_per_image": 2.2})
    slideshow = show(pictures(*[(60, 40)] * 8), settings, **music(seconds))
    sound = slideshow.soundtrack
    assert sound is not None
    assert sound.seconds == slideshow.timeline.seconds
    beats = sound.beat_times(sound.seconds)
    for cut in slideshow.timeline.cuts:
        assert np.abs(beats - cut / 25).min() <= 0.021
    assert slideshow.timeline.beats_per_slide == 4
    assert slideshow.timeline.cut_error_ms is not None
    assert slideshow.timeline.cut_error_ms < 25


def test_the_clicks_in_the_finished_file_lie_at_the_cuts(pictures, show, small, music, tmp_path):
    import av

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


def test_where_the_beat_is_not_clear_cuts_follow_the_clock(pictures, show, music):
    slideshow = show(pictures(*[(60, 40)] * 3), **music(30, beat_clarity=0.1))
    assert slideshow.timeline.beats_per_slide is None
    assert slideshow.timeline.cuts == (10, 20)
    assert slideshow.soundtrack is not None


def test_cuts_follow_the_clock_where_the_beat_is_not_wanted(pictures, show, small, music):
    slideshow = show(pictures(*[(60, 40)] * 3), small.model_copy(update={"beat_sync": False}), **music(30))
    assert slideshow.timeline.beats_per_slide is None


def test_a_track_that_is_gone_makes_a_silent_video_and_is_listed(pictures, show, music, caplog):
    given = music(30)
    given["track_path"].unlink()
    with caplog.at_level(logging.WARNING, "clustering_assets.video"):
        slideshow = show(pictures((60, 40)), **given)
    assert slideshow.soundtrack is None
    assert slideshow.failures[0][1] == "soundtrack"
    assert "without music" in caplog.text


def test_a_track_that_breaks_while_rendering_is_named_and_nothing_is_left(pictures, show, music, tmp_path):
    given = music(30)
    slideshow = show(pictures((60, 40), (60, 40)), **given)
    given["track_path"].write_bytes(b"no music any more")
    with pytest.raises(ClusteringError, match=r"clicks\.wav"):
        write_video(slideshow, tmp_path / "out" / "video.mp4")
    assert list((tmp_path / "out").iterdir()) == []


# MoviePy


def test_a_slideshow_is_a_clip_that_moviepy_can_edit(pictures, show, music):
    slideshow = show(pictures(*[(120, 80)] * 3), **music(30))
    assert VideoClip in type(slideshow).__mro__
    part = slideshow.subclipped(0.5, 1.5).with_effects([vfx.MirrorX()])
    assert np.array_equal(part.get_frame(0.2), slideshow.frame(7)[:, ::-1])
    both = concatenate_videoclips([part, slideshow])
    assert both.duration == pytest.approx(1 + slideshow.duration)


def test_moviepy_hears_the_soundtrack(pictures, show, music):
    slideshow = show(pictures(*[(120, 80)] * 3), **music(30))
    assert slideshow.audio is not None
    assert slideshow.soundtrack is not None
    heard = slideshow.subclipped(0.5, 1.5).audio.to_soundarray(fps=48000)
    sound = np.concatenate(list(slideshow.soundtrack.blocks()), axis=1)
    assert np.abs(heard[:40000].T - sound[:, 24000:64000]).max() < 0.01
    assert slideshow.without_audio().audio is None


def test_moviepy_writes_an_edited_slideshow(pictures, show, music, tmp_path):
    slideshow = show(pictures(*[(120, 80)] * 2), **music(30))
    part = slideshow.subclipped(0.4, 1.0).with_effects([vfx.MirrorX(), vfx.Crop(x2=191)])
    part.write_videofile(tmp_path / "edited.mp4", logger=None)
    with av.open(str(tmp_path / "edited.mp4")) as file:
        assert [stream.codec_context.name for stream in file.streams] == ["h264", "aac"]
        assert file.streams.audio[0].codec_context.sample_rate == 48000
        frame = next(file.decode(file.streams.video[0]))
    assert (frame.format.name, frame.colorspace, frame.color_range) == ("yuv420p", BT709, LIMITED)
    written = to_rgb(split(np.asarray(frame.to_ndarray(), np.uint8)))
    drawn = np.ascontiguousarray(slideshow.frame(4)[:, ::-1][:, :191])
    wrong = np.abs(written.astype(int) - cv2.resize(drawn, (190, 108), interpolation=cv2.INTER_AREA))
    assert wrong.mean() < 3, "the colours are those that were drawn"


def test_what_is_asked_for_when_writing_is_left_as_it_is():
    assert writing_arguments("a.mp4", 25, audio_codec="libmp3lame") == {
        **PLAYABLE,
        "filename": "a.mp4",
        "fps": 25,
        "audio_codec": "libmp3lame",
    }
    assert writing_arguments("a.webm", None, "libvpx") == {
        "filename": "a.webm",
        "fps": None,
        "codec": "libvpx",
    }


@pytest.mark.parametrize("pitch", [440, 5000, 12000])
def test_sound_is_not_distorted_at_another_rate(pitch):
    samples = np.sin(2 * np.pi * pitch * np.arange(9600) / 48000)[None].astype(np.float32)
    places = np.arange(100, 8000) * 48000 / 44100
    heard = between(samples, places)[0]
    assert np.abs(heard - np.sin(2 * np.pi * pitch * places / 48000)).max() < 1e-3
    assert np.array_equal(between(samples, np.arange(50.0)), samples[:, :50])
    assert between(samples, np.asarray(7.5)).shape == (1,)
    assert between(samples, np.array([-40.0, 9700.0])).tolist() == [[0, 0]]


def test_pictures_and_music_of_another_source_are_shown_as_those_of_a_folder(
    pictures, music, show, small, tmp_path, memory_source
):
    images, given = pictures(*[(60, 40)] * 4), music(20.0)
    frame = show(images, **given).frame(5)
    kept = memory_source(tmp_path / "images")
    given["track_path"] = memory_source(tmp_path) / "clicks.wav"
    slideshow = make_slideshow(images, kept, vectors=None, title="Discs", cluster=0, settings=small, **given)
    np.testing.assert_array_equal(slideshow.frame(5), frame)
    assert slideshow.soundtrack is not None
    assert slideshow.failures == []
