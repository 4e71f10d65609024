"""The film of all slideshows: pictures copied as they are, a chapter and a card for each, sound as in the videos."""

import io
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image

from clustering_assets.audio.loudness import LoudnessMeter
from clustering_assets.video.encode import choose_encoder, write_video
from clustering_assets.video.film import cards_fit, look_at, plan_film, verify_film, write_film
from clustering_assets.video.verify import plays_through


@pytest.fixture
def part(show, pictures, tmp_path):
    """Makes a slideshow of two pictures and writes its video; returns its storyboard and the finished video."""

    def make(name, settings, **given):
        slideshow = show(pictures((240, 160), (200, 200)), settings, title=name, **given)
        path = tmp_path / f"{name}.mp4"
        write_video(slideshow, path, quality="preview")
        finished = look_at(path)
        assert finished is not None
        return slideshow.storyboard, finished

    return make


@pytest.fixture
def preview(small):
    return small.model_copy(update={"quality": "preview"})


def written(film, path: Path):
    write_film(film, path, quality="preview", encoder="x264")
    failed = [check for check in verify_film(path, film) if not check.passed]
    assert not failed and plays_through(path)
    return path


def packets(path):
    """The coded pictures of a file, in the order in which they lie there."""
    with av.open(str(path)) as file:
        return [bytes(packet) for packet in file.demux(file.streams.video[0]) if packet.size]


def heard(path):
    """The sound of a file, (2, n)."""
    with av.open(str(path)) as file:
        return np.concatenate([frame.to_ndarray() for frame in file.decode(file.streams.audio[0])], axis=1)


def test_pictures_are_copied_behind_cards_and_each_slideshow_is_a_chapter(part, preview, chord, tmp_path):
    parts = [part("Lake", preview, track=chord), part("Hill", preview)]
    film = plan_film(parts)
    path = written(film, tmp_path / "film.mp4")
    cards = [round(2.4 * preview.fps)] * 2
    assert [chapter.card for chapter in film.chapters] == cards
    coded = packets(path)
    start = 0
    for card, (_, video) in zip(cards, parts, strict=True):
        own = packets(video.path)
        assert coded[start + card : start + card + video.frames] == own
        start += card + video.frames
    assert start == len(coded) == film.frames
    with av.open(str(path)) as file:
        titles = [chapter["metadata"]["title"] for chapter in file.chapters()]
        (cover,) = [one for one in file.streams.video if one.disposition & Disposition.attached_pic]
        frames = [frame.to_ndarray(format="gray") for frame in file.decode(file.streams.video[0])]
        assert (cover.width, cover.height) == Image.open(io.BytesIO(parts[0][1].cover)).size
    assert titles == ["Lake", "Hill"]
    middle = frames[cards[0] // 2].astype(int)
    assert middle.max() > 200 and np.median(middle) < 120, "white letters on a dim picture"


def test_the_sound_is_that_of_the_videos_with_silence_where_one_has_none(part, preview, chord, tmp_path):
    film = plan_film(
        [part("Lake", preview, track=chord), part("Hill", preview), part("Sea", preview, track=chord)]
    )
    sound = heard(written(film, tmp_path / "film.mp4"))
    second = {chapter.title: (chapter.start + chapter.card) / preview.fps for chapter in film.chapters}
    loud = {
        title: float(np.abs(sound[:, round((at + 0.5) * 48_000) :][:, :48_000]).max())
        for title, at in second.items()
    }
    assert loud["Lake"] > 0.05 and loud["Sea"] > 0.05 and loud["Hill"] < 1e-3
    meter = LoudnessMeter()
    meter.add(sound.astype(np.float32))
    assert abs(meter.integrated + 16) < 1 and meter.true_peak < -1.4
    faded = sound[:, round(film.chapters[1].start / preview.fps * 48_000) :][:, :4800]
    assert np.abs(faded).max() > 1e-3, "the music goes on under the card that follows, and fades out there"


def test_slideshows_with_title_cards_follow_each_other_without_others(part, preview, tmp_path):
    titled = preview.model_copy(update={"titles": True})
    film = plan_film([part("Lake", titled), part("Hill", titled)])
    assert [chapter.card for chapter in film.chapters] == [0, 0] and film.sound is None
    path = written(film, tmp_path / "film.mp4")
    assert sum(video.frames for _, video in [part("Lake", titled), part("Hill", titled)]) == len(
        packets(path)
    )


def test_a_film_is_known_by_what_it_is_made_of(part, preview):
    lake, hill = part("Lake", preview), part("Hill", preview)
    film = plan_film([lake, hill])
    assert film.digest == plan_film([lake, hill]).digest
    assert film.digest != plan_film([hill, lake]).digest != plan_film([lake]).digest
    assert film.digest != plan_film([lake, hill], cards=False).digest
    other = replace(hill[1], digest="0" * 32)
    assert film.digest != plan_film([lake, (hill[0], other)]).digest


def test_cards_are_left_out_where_the_videos_were_encoded_otherwise(part, preview):
    film = plan_film([part("Lake", preview)])
    assert choose_encoder("x264", "preview")[0] == "libx264"
    assert cards_fit(film.chapters[0], quality="preview", encoder="x264")
    assert not cards_fit(film.chapters[0], quality="high", encoder="x264")


def test_what_is_no_video_is_told(tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no film")
    assert look_at(broken) is None and look_at(tmp_path / "none.mp4") is None


def test_a_cut_film_is_found(part, preview, tmp_path):
    film = plan_film([part("Lake", preview)])
    path = written(film, tmp_path / "film.mp4")
    path.write_bytes(path.read_bytes()[:-3000])
    assert any(not check.passed for check in verify_film(path, film))
