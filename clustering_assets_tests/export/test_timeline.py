"""A slideshow as an editable timeline, as other programs read it."""

import sys
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import opentimelineio as otio
import pytest
from PIL import Image

from clustering_assets.export.folders import ExportError
from clustering_assets.export.timeline import export_timeline
from clustering_assets.video.slideshow import Slideshow
from clustering_assets.video.storyboard import Material, make_storyboard


@pytest.fixture
def slideshow(pictures, tmp_path, small, chord):
    """Makes a slideshow of five pictures, with music that has a beat and comes to its end on the way."""
    track = replace(
        chord,
        end=4.0,
        full_from=0.0,
        full_until=4.0,
        beat_times=np.arange(0, 4, 0.5),
        beat_clarity=0.9,
        downbeat=1,
    )

    def make(title="Discs", track=track):
        settings = small.model_copy(update={"titles": True})
        material = Material(
            pictures(*[(80, 60)] * 5), tmp_path / "images", settings, title=title, track=track
        )
        return Slideshow(make_storyboard(material))

    return make


def read(path: Path) -> otio.schema.Timeline:
    timeline = otio.adapters.read_from_file(str(path))
    assert isinstance(timeline, otio.schema.Timeline)
    return timeline


def test_slides_transitions_and_music_are_where_they_are_in_the_video(slideshow, tmp_path):
    show = slideshow()
    export_timeline(show, tmp_path / "out/cluster_0.otio")
    timeline = read(tmp_path / "out/cluster_0.otio")
    pictures, music = timeline.tracks
    clips = list(pictures.find_clips())
    cuts = [pictures.range_of_child(clip).start_time.to_frames() for clip in clips]
    assert len(clips) == 6
    assert cuts == [0, *show.timeline.cuts]
    assert timeline.duration().to_frames() == show.timeline.frames
    crossings = [child for child in pictures if isinstance(child, otio.schema.Transition)]
    for crossing, cut, planned in zip(crossings, show.timeline.cuts, show.timeline.transitions, strict=True):
        assert cut - crossing.in_offset.to_frames() == planned.start
        assert cut + crossing.out_offset.to_frames() == planned.stop
        assert crossing.name == planned.kind
    assert show.soundtrack is not None and len(show.soundtrack.passes) > 1
    assert music.duration().to_seconds() == pytest.approx(show.soundtrack.seconds)
    assert len(list(music.find_clips())) == len(show.soundtrack.passes)
    assert len(otio.algorithms.track_with_expanded_transitions(pictures)) == 11


def test_every_clip_can_be_opened_and_has_what_its_transitions_need(slideshow, tmp_path):
    export_timeline(slideshow(), tmp_path / "cluster_0.otio")
    timeline = read(tmp_path / "cluster_0.otio")
    for clip in timeline.find_clips():
        assert Path(unquote(urlsplit(clip.media_reference.target_url).path)).is_file()
        there, used = clip.available_range(), clip.source_range
        assert there.start_time <= used.start_time
        assert used.end_time_exclusive() <= there.end_time_exclusive()


def test_beats_are_markers_and_bars_are_told_apart(slideshow, tmp_path):
    show = slideshow()
    export_timeline(show, tmp_path / "cluster_0.otio")
    timeline = read(tmp_path / "cluster_0.otio")
    markers = timeline.tracks.markers
    seconds = [marker.marked_range.start_time.to_seconds() for marker in markers]
    assert seconds == pytest.approx(show.soundtrack.beat_times())
    assert [marker.name for marker in markers][:6] == ["beat", "bar", "beat", "beat", "beat", "bar"]


def test_the_title_card_is_a_picture_beside_the_timeline(slideshow, tmp_path):
    written = export_timeline(slideshow(), tmp_path / "cluster_0.otio")
    assert [path.name for path in written] == ["cluster_0.otio", "cluster_0_title.png"]
    with Image.open(written[1]) as card:
        assert card.size == (192, 108)


def test_without_title_and_music_only_pictures_are_written(slideshow, tmp_path):
    written = export_timeline(slideshow(title="", track=None), tmp_path / "cluster_0.otio")
    assert len(written) == 1
    timeline = read(written[0])
    assert [track.kind for track in timeline.tracks] == ["Video"]


def test_without_opentimelineio_what_to_install_is_said(slideshow, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "opentimelineio", None)
    with pytest.raises(ExportError, match="pip install opentimelineio"):
        export_timeline(slideshow(), tmp_path / "cluster_0.otio")
    assert not (tmp_path / "cluster_0.otio").exists()
