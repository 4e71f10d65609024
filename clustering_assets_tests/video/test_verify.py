"""The output contract: each line of it fails for a file that breaks it, and for no other reason."""

import dataclasses
import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from imageio_ffmpeg import get_ffmpeg_exe

from clustering_assets.audio.soundtrack import make_soundtrack
from clustering_assets.video.encode import MARK, write_video
from clustering_assets.video.slideshow import Slideshow
from clustering_assets.video.verify import verify


@dataclass
class Making:
    """How a file is made; each fault is one field changed. The frames are numbers of frames of the slideshow."""

    frames: Sequence[int]
    digest: str
    sound: np.ndarray
    codec: str = "libx264"
    pixels: str = "yuv420p"
    tag: int = 1
    fps: int = 10
    gop: int = 20
    first: int = 0
    swapped: bool = False
    black: range = field(default_factory=lambda: range(0))
    audio: str = "aac"
    layout: str = "stereo"
    rate: int = 48_000
    flags: str = "+faststart"


def make(path: Path, slideshow: Slideshow, making: Making) -> None:
    """Write a file by hand, with no help from the code under test but the slideshow's frames."""
    options = {"movflags": making.flags} if making.flags else {}
    with av.open(str(path), "w", format="mp4", options=options) as file:
        file.metadata["comment"] = MARK + making.digest
        video: Any = file.add_stream(making.codec, rate=making.fps)
        video.width, video.height = slideshow.settings.size
        video.pix_fmt = making.pixels
        context = video.codec_context
        context.time_base = Fraction(1, making.fps)
        context.gop_size = making.gop
        context.colorspace = context.color_primaries = context.color_trc = making.tag
        context.color_range = 1
        context.options = (
            {"crf": "16", "x264-params": "scenecut=0"} if making.codec == "libx264" else {"b": "8M"}
        )
        audio: Any = None
        if making.sound.size:
            audio = file.add_stream(making.audio, rate=making.rate, layout=making.layout)
        for index, number in enumerate(making.frames):
            planes = slideshow.planes(number)
            if index in making.black:
                planes[: slideshow.size[1]] = 16
                planes[slideshow.size[1] :] = 128
            if making.swapped:
                width, height = slideshow.size
                chroma = planes[height:].reshape(2, height // 2, width // 2)
                planes[height:] = chroma[::-1].reshape(height // 2, width)
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.colorspace = frame.color_range = 1
            frame = frame.reformat(format=making.pixels)
            frame.pts, frame.time_base = index + making.first, Fraction(1, making.fps)
            file.mux(video.encode(frame))
        file.mux(video.encode(None))
        size = 1024 if making.audio == "aac" else 1536
        for start in range(0, making.sound.shape[1], size) if audio else ():
            channels = 1 if making.layout == "mono" else 2
            piece = np.ascontiguousarray(making.sound[:channels, start : start + size])
            heard = av.AudioFrame.from_ndarray(piece, format="fltp", layout=making.layout)
            heard.sample_rate, heard.pts, heard.time_base = making.rate, start, Fraction(1, making.rate)
            file.mux(audio.encode(heard))
        if audio:
            file.mux(audio.encode(None))


@pytest.fixture
def planned(pictures, show, chord) -> tuple[Slideshow, Making]:
    """A slideshow with sound, and how a file of it is made that keeps the contract."""
    slideshow = show(pictures(*[(400, 300)] * 3), sound=lambda seconds: make_soundtrack(chord, seconds))
    sound = np.concatenate(list(slideshow.soundtrack.blocks()), axis=1)
    return slideshow, Making(range(slideshow.timeline.frames), slideshow.digest, sound)


def failed(path: Path, slideshow: Slideshow) -> set[str]:
    return {check.name for check in verify(path, slideshow) if not check.passed}


def test_a_file_made_by_hand_can_keep_the_contract(planned, tmp_path):
    slideshow, making = planned
    make(tmp_path / "video.mp4", slideshow, making)
    assert failed(tmp_path / "video.mp4", slideshow) == set()


def test_the_check_of_the_loudness_says_why_less_is_expected(pictures, show, chord, tmp_path):
    slideshow = show(
        pictures((400, 300)), sound=lambda seconds: make_soundtrack(chord, seconds, ceiling=-40.0)
    )
    write_video(slideshow, tmp_path / "video.mp4")
    check = next(check for check in verify(tmp_path / "video.mp4", slideshow) if check.name == "loudness")
    assert check.passed
    assert slideshow.soundtrack.limit
    assert check.expected.endswith(slideshow.soundtrack.limit)


FAULTS: dict[str, tuple[Callable[[Making], dict[str, Any]], set[str]]] = {
    "frames missing": (lambda made: {"frames": made.frames[:-3]}, {"frames", "same_length"}),
    "a frame twice": (
        lambda made: {"frames": [0, *made.frames], "sound": np.pad(made.sound, ((0, 0), (0, 4800)), "edge")},
        {"frames"},
    ),
    "slides in another order": (lambda made: {"frames": [*range(15, 30), *range(15)]}, {"slides"}),
    "cuts too late": (lambda made: {"frames": [0, 0, 0, *made.frames[:-3]]}, {"slides"}),
    "black in the middle": (lambda _: {"black": range(12, 24)}, {"slides", "no_black_stretch"}),
    "red and blue swapped": (lambda _: {"swapped": True}, {"slides"}),
    "frozen": (
        lambda _: {"frames": [*range(12), *[12] * 12, *range(24, 30)]},
        {"slides", "no_frozen_stretch"},
    ),
    "another codec": (lambda _: {"codec": "mpeg4"}, {"picture_format"}),
    "colour at full size": (lambda _: {"pixels": "yuv444p"}, {"picture_format", "slides"}),
    "tagged as BT.601": (lambda _: {"tag": 6}, {"colour_tags"}),
    "not tagged": (lambda _: {"tag": 2}, {"colour_tags"}),
    "another frame rate": (lambda _: {"fps": 12}, {"frame_rate", "same_length"}),
    "few key frames": (lambda _: {"gop": 30}, {"key_frames"}),
    "a late start": (lambda _: {"first": 5}, {"start"}),
    "the index at the end": (lambda _: {"flags": ""}, {"index_first"}),
    "no sound": (lambda _: {"sound": np.zeros((2, 0), np.float32)}, {"streams"}),
    "sound too short": (lambda made: {"sound": made.sound[:, :-2400]}, {"same_length"}),
    "sound too long": (
        lambda made: {"sound": np.pad(made.sound, ((0, 0), (0, 2400)), "edge")},
        {"same_length"},
    ),
    "sound too loud": (lambda made: {"sound": made.sound * np.float32(1.15)}, {"loudness"}),
    "sound too quiet": (lambda made: {"sound": made.sound * np.float32(0.88)}, {"loudness"}),
    "silence": (lambda made: {"sound": made.sound * 0}, {"loudness"}),
    "clipped sound": (lambda made: {"sound": np.clip(made.sound * 9, -1.1, 1.1)}, {"loudness", "true_peak"}),
    "one channel": (lambda _: {"layout": "mono"}, {"sound_format"}),
    "another codec of sound": (lambda _: {"audio": "ac3"}, {"sound_format"}),
    "another video": (lambda _: {"digest": "0" * 32}, {"recipe_digest"}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found(planned, tmp_path, fault):
    slideshow, making = planned
    change, expected = FAULTS[fault]
    make(tmp_path / "video.mp4", slideshow, dataclasses.replace(making, **change(making)))
    found = failed(tmp_path / "video.mp4", slideshow)
    assert expected <= found
    # where a fault lies in the pictures or the sound, what it does to the other lines depends on them
    assert found - expected <= {
        "slides",
        "no_frozen_stretch",
        "frames",
        "key_frames",
        "same_length",
        "loudness",
    }


def test_a_single_damaged_byte_is_found(pictures, show, tmp_path):
    slideshow = show(pictures(*[(400, 300)] * 3))
    path = tmp_path / "video.mp4"
    write_video(slideshow, path)
    data = bytearray(path.read_bytes())
    data[data.index(b"mdat") + len(data) // 3] ^= 0x55
    path.write_bytes(data)
    assert failed(path, slideshow) & {"undamaged", "readable"}


def test_a_text_file_is_no_video(planned, tmp_path):
    slideshow, _ = planned
    (tmp_path / "video.mp4").write_text("no video")
    assert failed(tmp_path / "video.mp4", slideshow) == {"readable"}


def test_a_picture_that_broke_before_the_video_was_made_is_no_fault(pictures, show, tmp_path):
    """Its size and time are those of the scan, so only drawing it shows the damage."""
    images = pictures(*[(300, 200)] * 3)
    broken = tmp_path / "images" / "01.png"
    facts = broken.stat()
    data = bytearray(broken.read_bytes())
    data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
    broken.write_bytes(data)
    os.utime(broken, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    write_video(show(images), tmp_path / "video.mp4")
    fresh = show(images)  # as a later step plans it, which has not tried to draw the picture
    assert failed(tmp_path / "video.mp4", fresh) == set()
    assert [failure[0] for failure in fresh.failures] == ["01.png"]


def test_a_picture_lost_since_is_no_fault_of_the_video(pictures, show, tmp_path):
    images = pictures(*[(300, 200)] * 3)
    slideshow = show(images)
    write_video(slideshow, tmp_path / "video.mp4")
    (tmp_path / "images" / "01.png").unlink()
    assert failed(tmp_path / "video.mp4", slideshow) == set()


def test_other_decoders_agree_on_the_frames(pictures, show, tmp_path):
    """A second implementation decodes the file without complaint, and counts the same frames."""
    slideshow = show(pictures((400, 300), (300, 400)))
    write_video(slideshow, tmp_path / "video.mp4")
    command = [get_ffmpeg_exe(), "-v", "error", "-xerror", "-i", str(tmp_path / "video.mp4")]
    done = subprocess.run(
        [*command, "-f", "framemd5", "-"], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    lines = [line for line in done.stdout.splitlines() if line and not line.startswith("#")]
    assert len(lines) == slideshow.timeline.frames
