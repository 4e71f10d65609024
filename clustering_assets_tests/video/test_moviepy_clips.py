"""Slideshows as clips that MoviePy edits, plays and writes."""

import av
import cv2
import numpy as np
import pytest
from moviepy import VideoClip, concatenate_videoclips, vfx

from clustering_assets.video.colour import split, to_rgb
from clustering_assets.video.encode import BT709, LIMITED
from clustering_assets.video.moviepy_clips import PLAYABLE, between, writing_arguments


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
