"""What was left out of a video for a moment comes back."""

import wave

import numpy as np

from clustering_assets.video.encode import read_digest, write_video
from clustering_assets.video.omissions import SOUNDTRACK, digest_of_what_is_left, readable_again


def test_a_video_made_without_a_picture_does_not_pass_for_the_whole_one(pictures, show, tmp_path):
    images = pictures((60, 40), (60, 40), (60, 40))
    whole = show(images).digest
    lost = tmp_path / "images" / "01.png"
    kept = lost.read_bytes()
    lost.write_bytes(b"on its way")
    poorer = show(images)
    write_video(poorer, tmp_path / "video.mp4")
    assert read_digest(tmp_path / "video.mp4") == poorer.digest != whole
    assert show(images).digest == poorer.digest  # nothing has changed: the same video
    assert readable_again(poorer.failures, tmp_path / "images") == ()
    lost.write_bytes(kept)
    assert readable_again(poorer.failures, tmp_path / "images") == ("01.png",)
    assert show(images).digest == whole


def test_a_picture_lost_while_rendering_counts_as_well(pictures, show, tmp_path):
    images = pictures((60, 40), (60, 40), (60, 40))
    slideshow = show(images)
    planned = slideshow.digest
    (tmp_path / "images" / "01.png").unlink()
    facts = write_video(slideshow, tmp_path / "video.mp4")
    assert facts.digest == read_digest(tmp_path / "video.mp4") == slideshow.digest != planned


def test_the_order_and_the_reasons_of_losses_do_not_matter():
    one = [("a.png", "decode", "damaged"), ("b.png", "video", "No such file")]
    other = [("b.png", "decode", "damaged"), ("a.png", "decode", "cut off")]
    assert digest_of_what_is_left("x", one) == digest_of_what_is_left("x", other) != "x"
    assert digest_of_what_is_left("x", one[:1]) != digest_of_what_is_left("x", one)
    assert digest_of_what_is_left("x", []) == "x"


def test_a_track_counts_as_readable_when_it_can_be_heard(tmp_path):
    track = tmp_path / "track.wav"
    failures = [(str(track), SOUNDTRACK, "No such file or directory")]
    assert readable_again(failures, tmp_path / "images") == ()
    track.write_bytes(b"no music")
    assert readable_again(failures, tmp_path / "images") == ()
    tone = 8000 * np.sin(np.arange(48_000) / 20)
    with wave.open(str(track), "wb") as file:
        file.setparams((1, 2, 48_000, 0, "NONE", ""))
        file.writeframes(tone.astype("<i2").tobytes())
    assert readable_again(failures, tmp_path / "images") == (str(track),)
