"""Writing a slideshow, and checking what was written."""

import contextlib
import io
import logging
import resource
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from moviepy import VideoFileClip
from PIL import Image
from upath import UPath

from clustering_assets.audio.soundtrack import make_soundtrack
from clustering_assets.video import encode
from clustering_assets.video.encode import choose_encoder, read_digest, write_video
from clustering_assets.video.errors import VideoError
from clustering_assets.video.slideshow import Slideshow
from clustering_assets.video.verify import plays_through, top_level_boxes, verify


def failed(path: Path, slideshow: Slideshow) -> list[str]:
    return [f"{check.name}: {check.value}" for check in verify(path, slideshow) if not check.passed]


def test_a_written_video_keeps_the_whole_contract(pictures, show, tmp_path):
    slideshow = show(pictures((400, 300), (300, 400), (900, 300)))
    facts = write_video(slideshow, tmp_path / "video.mp4")
    assert failed(tmp_path / "video.mp4", slideshow) == []
    assert facts.frames == 30
    assert facts.seconds == 3.0
    assert facts.bytes == (tmp_path / "video.mp4").stat().st_size


def test_the_sound_is_as_long_as_the_pictures_and_as_loud_as_planned(pictures, show, chord, tmp_path):
    images = pictures((400, 300), (300, 400), (300, 200))
    slideshow = show(images, sound=lambda seconds: make_soundtrack(chord, seconds))
    write_video(slideshow, tmp_path / "video.mp4")
    checks = {check.name: check for check in verify(tmp_path / "video.mp4", slideshow)}
    assert checks["same_length"].passed, checks["same_length"]
    assert checks["loudness"].passed, checks["loudness"]
    assert checks["sound_format"].passed, checks["sound_format"]
    assert failed(tmp_path / "video.mp4", slideshow) == []


def test_solid_colours_come_back_as_they_were(pictures, show, tmp_path):
    colours = [(220, 30, 30), (30, 200, 40), (40, 50, 210)]
    images = pictures(*[(384, 216)] * 3, known=False)
    for number, colour in enumerate(colours):
        Image.new("RGB", (384, 216), colour).save(tmp_path / "images" / f"{number:02d}.png")
    slideshow = show(images)
    write_video(slideshow, tmp_path / "video.mp4")
    with av.open(str(tmp_path / "video.mp4")) as file:
        frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    for slide, colour in zip(slideshow.timeline.slides, colours, strict=True):
        assert np.abs(frames[slide.middle].astype(int) - colour).max() <= 6


def test_the_index_stands_before_the_data(pictures, show, tmp_path):
    write_video(show(pictures((200, 100))), tmp_path / "video.mp4")
    boxes = list(top_level_boxes(tmp_path / "video.mp4"))
    assert boxes.index("moov") < boxes.index("mdat")


def test_the_digest_is_read_back_from_the_file(pictures, show, tmp_path):
    slideshow = show(pictures((200, 100)))
    write_video(slideshow, tmp_path / "video.mp4")
    assert read_digest(tmp_path / "video.mp4") == slideshow.digest
    assert read_digest(UPath(tmp_path / "video.mp4")) == slideshow.digest
    foreign = (
        (tmp_path / "video.mp4")
        .read_bytes()
        .replace(b"clustering_assets recipe", b"clustering_\xe4\xf6\xfcets recipe")
    )
    (tmp_path / "foreign.mp4").write_bytes(foreign)
    assert read_digest(tmp_path / "foreign.mp4") is None


@pytest.mark.parametrize("folder", ["a:b", "http:", "pipe:1"])
def test_a_folder_that_looks_like_a_protocol_is_a_folder(folder, pictures, show, tmp_path, monkeypatch):
    slideshow = show(pictures((200, 100)))
    monkeypatch.chdir(tmp_path)
    place = Path(folder) / "video.mp4"
    write_video(slideshow, place)
    assert failed(place, slideshow) == [] and read_digest(place) == slideshow.digest and plays_through(place)


def test_there_is_no_digest_in_other_files(tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    assert read_digest(tmp_path / "text.mp4") is None
    assert read_digest(tmp_path / "missing.mp4") is None


def test_a_damaged_file_fails_the_contract(pictures, show, tmp_path):
    slideshow = show(pictures((400, 300), (300, 400)))
    path = tmp_path / "video.mp4"
    write_video(slideshow, path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert failed(path, slideshow)


def test_a_video_of_other_pictures_fails_the_contract(pictures, show, tmp_path):
    images = pictures((400, 300), (300, 400), (300, 200))
    write_video(show(images), tmp_path / "video.mp4")
    names = [line.split(":")[0] for line in failed(tmp_path / "video.mp4", show(images.iloc[:2]))]
    assert {"frames", "recipe_digest"} <= set(names)


def test_a_picture_that_vanishes_while_rendering_is_left_out(pictures, show, tmp_path):
    slideshow = show(pictures((400, 300), (300, 400), (300, 200)))
    (tmp_path / "images" / "01.png").unlink()
    facts = write_video(slideshow, tmp_path / "video.mp4")
    assert [failure[0] for failure in slideshow.failures] == ["01.png"]
    assert facts.slides == 2
    assert failed(tmp_path / "video.mp4", slideshow) == []


def test_when_every_picture_vanishes_there_is_an_error_and_no_file(pictures, show, tmp_path):
    slideshow = show(pictures((400, 300)))
    (tmp_path / "images" / "00.png").unlink()
    with pytest.raises(VideoError, match="no usable picture"):
        write_video(slideshow, tmp_path / "out" / "video.mp4")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_place_that_cannot_be_written_to_is_named(pictures, show, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(VideoError, match="could not be written"):
        write_video(show(pictures((200, 100))), tmp_path / "file" / "video.mp4")


def test_a_full_disk_leaves_no_part_behind(pictures, show, tmp_path, small):
    slideshow = show(pictures((400, 300), (300, 400)), small.model_copy(update={"resolution": "640x360"}))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(VideoError, match=r"video\.mp4: could not be written"):
            write_video(slideshow, tmp_path / "out" / "video.mp4")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_of_a_full_disk_it_is_said_how_much_room_the_video_needs(pictures, show, tmp_path, monkeypatch):
    """`/dev/full` takes no byte, as a full disk does."""
    partial = tmp_path / "partial"
    partial.symlink_to("/dev/full")
    monkeypatch.setattr(encode, "atomic_path", lambda path: contextlib.nullcontext(partial))
    with pytest.raises(VideoError, match=r"video\.mp4: .* no space left .* needs about \d+\.\d MB and \d"):
        write_video(show(pictures((400, 300), (300, 400))), tmp_path / "video.mp4")


def test_the_room_a_video_needs_is_judged_by_what_was_written(pictures, show):
    slideshow = show(pictures((400, 300), (300, 400)))
    half = slideshow.timeline.frames // 2
    assert encode.needed_bytes(slideshow, 128_000, frames=half, written=500_000) == pytest.approx(1e6)
    assert 30_000 < encode.needed_bytes(slideshow, 128_000, frames=0, written=0) < 50_000


@pytest.mark.parametrize("encoder", ["nvenc", "videotoolbox", "vaapi"])
def test_a_hardware_encoder_that_does_not_work_gives_way_with_a_warning(
    pictures, show, tmp_path, caplog, encoder
):
    slideshow = show(pictures((400, 300), (300, 400)))
    with caplog.at_level(logging.WARNING, "clustering_assets.video"):
        facts = write_video(slideshow, tmp_path / "video.mp4", encoder=encoder)
    assert failed(tmp_path / "video.mp4", slideshow) == []
    if facts.encoder == "libx264":
        assert f"encoder = {encoder} does not work here (" in caplog.text
    else:
        assert facts.encoder == f"h264_{encoder}"


def test_an_unknown_encoder_is_refused_with_the_names_of_all():
    with pytest.raises(VideoError, match="x264, nvenc"):
        choose_encoder("divx", "standard")


def test_the_same_slideshow_is_written_the_same_twice_however_many_cores_there_are(
    pictures, show, tmp_path, monkeypatch
):
    images = pictures((400, 300), (300, 400))
    write_video(show(images), tmp_path / "a.mp4")
    monkeypatch.setattr(encode, "available_cores", lambda: 24)
    write_video(show(images.iloc[::-1]), tmp_path / "b.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_players_show_the_first_picture_for_the_file_that_begins_in_black(pictures, show, tmp_path):
    images = pictures(*[(384, 216)] * 3, known=False)
    for number in range(3):
        Image.new("RGB", (384, 216), (30, 200, 40)).save(tmp_path / "images" / f"{number:02d}.png")
    slideshow = show(images)
    write_video(slideshow, tmp_path / "video.mp4")
    with av.open(str(tmp_path / "video.mp4")) as file:
        film, cover = file.streams.video
        assert not film.disposition & Disposition.attached_pic
        assert cover.disposition & Disposition.attached_pic
        (packet,) = [packet for packet in file.demux(cover) if packet.size]
    picture = np.asarray(Image.open(io.BytesIO(bytes(packet))), int)
    assert picture.shape[1] / picture.shape[0] == pytest.approx(
        slideshow.size[0] / slideshow.size[1], rel=0.02
    )
    assert np.abs(picture - (30, 200, 40)).max() <= 8
    assert failed(tmp_path / "video.mp4", slideshow) == []
    with VideoFileClip(str(tmp_path / "video.mp4")) as clip:
        assert tuple(clip.size) == slideshow.size
        assert clip.duration == pytest.approx(slideshow.duration, abs=0.05)
