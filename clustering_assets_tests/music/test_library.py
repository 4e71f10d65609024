"""The library: one row per file, bad files with their reason, nothing decoded twice."""

import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from clustering_assets.files.local import LocalFolder
from clustering_assets.music import library
from clustering_assets.music.library import analyse_library, track_table, usable_tracks
from clustering_assets.tables import MUSIC_TRACKS
from clustering_assets_tests.sounds import drums, sine, write_sound


@pytest.fixture
def folder(tmp_path) -> Path:
    music = tmp_path / "music"
    (music / "Deep").mkdir(parents=True)
    write_sound(music / "Battle of drums.flac", drums(120, 8.0)[0])
    write_sound(
        music / "Deep" / "tone.mp3", sine(3.0), title="A Still Lake", artist="Nobody", genre="Ambient"
    )
    return music


def row(table: pd.DataFrame, path: str) -> dict:
    return table.set_index("path").loc[path].to_dict()


def test_each_track_has_a_row_with_its_facts(folder):
    table = analyse_library(folder)
    assert list(table["path"]) == ["Battle of drums.flac", "Deep/tone.mp3"]
    assert set(table["outcome"]) == {"used"}
    beat = row(table, "Battle of drums.flac")
    assert beat["seconds"] == pytest.approx(8.0, abs=0.01)
    assert beat["tempo"] == pytest.approx(120, rel=0.01)
    assert len(beat["beat_times"]) >= 14
    assert beat["title"] == "Battle of drums"
    assert beat["tags"] == "energetic"
    tone = row(table, "Deep/tone.mp3")
    assert (tone["title"], tone["artist"], tone["genre"], tone["tags"]) == (
        "A Still Lake",
        "Nobody",
        "Ambient",
        "calm",
    )
    assert np.isnan(tone["tempo"])
    assert tone["centroid"] == pytest.approx(440, abs=60)
    assert tone["arousal"] < beat["arousal"]
    assert tone["loudness"] < -10


def test_of_several_titles_none_is_believed(tmp_path):
    write_sound(tmp_path / "yard.flac", sine(2.0), title="Hell;Jungle;Graveyard")
    write_sound(tmp_path / "lake.flac", sine(2.0), title="Suite; Lake")
    titles = analyse_library(tmp_path).set_index("path")["title"]
    assert titles.to_dict() == {"lake.flac": "Suite; Lake", "yard.flac": "yard"}


def test_the_table_keeps_its_schema_through_parquet(folder, tmp_path):
    table = analyse_library(folder)
    table.to_parquet(tmp_path / "tracks.parquet")
    again = pd.read_parquet(tmp_path / "tracks.parquet")
    assert list(again.columns) == list(MUSIC_TRACKS.columns)
    assert pa.Table.from_pandas(again, schema=MUSIC_TRACKS.schema, preserve_index=False).num_rows == 2


def test_a_track_is_decoded_once(folder, tmp_path, monkeypatch):
    first = analyse_library(folder)
    first.to_parquet(tmp_path / "tracks.parquet")
    decoded = []
    monkeypatch.setattr(library, "analyse_track", lambda path, *_, **__: decoded.append(path))
    again = analyse_library(folder, pd.read_parquet(tmp_path / "tracks.parquet"))
    assert decoded == []
    pd.testing.assert_frame_equal(first, again)


def test_a_track_that_is_moved_or_touched_is_known_by_its_content(folder, monkeypatch):
    first = analyse_library(folder)
    (folder / "Deep" / "tone.mp3").rename(folder / "battle.mp3")
    os.utime(folder / "Battle of drums.flac", (1, 1))
    decoded = []
    monkeypatch.setattr(library, "analyse_track", lambda path, *_, **__: decoded.append(path))
    again = analyse_library(folder, first)
    assert decoded == []
    assert row(again, "battle.mp3")["tags"] == "calm energetic"
    assert row(again, "battle.mp3")["arousal"] == row(first, "Deep/tone.mp3")["arousal"]


def test_a_changed_track_is_decoded_again(folder):
    first = analyse_library(folder)
    write_sound(folder / "Deep" / "tone.mp3", sine(5.0))
    again = analyse_library(folder, first)
    assert row(again, "Deep/tone.mp3")["seconds"] == pytest.approx(5.0, abs=0.1)


def test_rows_of_another_version_are_made_again(folder):
    first = analyse_library(folder)
    again = analyse_library(folder, first.assign(analysis_version=0, loudness=0.0))
    assert (again["loudness"] < 0).all()


@pytest.mark.parametrize("there", [False, True])
def test_no_music_is_an_empty_table_and_a_warning(tmp_path, caplog, there):
    if there:
        (tmp_path / "music").mkdir()
    table = analyse_library(tmp_path / "music")
    assert table.empty
    assert list(table.columns) == list(MUSIC_TRACKS.columns)
    assert "No music" in caplog.text


def test_bad_files_cost_only_themselves(folder, caplog):
    (folder / "empty.mp3").write_bytes(b"")
    (folder / "text.ogg").write_text("Not music at all.\n" * 50)
    write_sound(folder / "silent.flac", np.zeros(3 * 44_100))
    write_sound(folder / "blip.flac", sine(0.2))
    write_sound(folder / "padded.flac", np.pad(sine(0.2), 3 * 44_100))
    (folder / "gone.mp3").symlink_to(folder / "nowhere.mp3")
    (folder / "folder.mp3").mkdir()
    os.mkfifo(folder / "pipe.mp3")
    table = analyse_library(folder)
    assert len(usable_tracks(table)) == 2
    reasons = table[table["outcome"] == "rejected"].set_index("path")["reason"]
    assert set(reasons.index) == {
        "empty.mp3", "text.ogg", "silent.flac", "blip.flac", "padded.flac", "pipe.mp3",
    } | ({"gone.mp3"} & set(reasons.index))  # fmt: skip
    assert "not readable as audio" in reasons["empty.mp3"]
    assert reasons["silent.flac"] == "silent"
    assert "too short" in reasons["blip.flac"]
    assert re.match(r"too short \(0\.[1-4] s of sound in 6\.2 s\)", reasons["padded.flac"])
    assert reasons["pipe.mp3"] == "not a regular file"
    for path in reasons.index:
        assert path in caplog.text


def test_files_beside_the_music_are_passed_over(folder):
    (folder / "readme").write_text("All music by nobody.")
    (folder / "pins.csv").write_text("cluster_0,tone.mp3\n")
    (folder / ".hidden.mp3").write_bytes((folder / "Deep" / "tone.mp3").read_bytes())
    (folder / ".x.flac.1234.partial").write_bytes(b"half")
    from PIL import Image

    Image.new("RGB", (32, 32)).save(folder / "cover.png")
    assert len(analyse_library(folder)) == 2


@pytest.mark.parametrize("name", ["song.mid", "song.mod"])
def test_notes_without_sound_are_listed_with_the_reason(tmp_path, name):
    (tmp_path / name).write_bytes(b"MThd\0\0\0\6\0\1\0\1\0\x60MTrk\0\0\0\4\0\xff\x2f\0")
    table = analyse_library(tmp_path)
    assert list(table["outcome"]) == ["rejected"]
    assert "notes for a synthesiser" in table["reason"].iloc[0]


def test_music_without_a_telling_ending_is_found(folder):
    (folder / "Deep" / "tone.mp3").rename(folder / "tone.bin")
    assert "tone.bin" in set(analyse_library(folder)["path"])


def test_links_out_of_the_folder_are_not_followed_and_say_so(tmp_path, caplog):
    (tmp_path / "elsewhere").mkdir()
    write_sound(tmp_path / "elsewhere" / "outside.flac", sine(2.0))
    folder = tmp_path / "music"
    folder.mkdir()
    (folder / "link.flac").symlink_to(tmp_path / "elsewhere" / "outside.flac")
    (folder / "album").symlink_to(tmp_path / "elsewhere")
    (folder / "lost").symlink_to(tmp_path / "nowhere")
    reasons = analyse_library(folder).set_index("path")["reason"]
    assert set(reasons.index) == {"link.flac", "album", "lost"}
    assert "put the music itself there" in reasons["album"]
    assert "link to nothing" in reasons["lost"]
    assert "lost is not used" in caplog.text
    assert caplog.text.count("follow_links") == 1 and "2 links lead out of" in caplog.text
    followed = analyse_library(LocalFolder(folder, follow_links=True))
    assert set(followed.loc[followed["outcome"] == "used", "path"]) == {"album/outside.flac", "link.flac"}


def test_a_link_within_the_folder_is_the_track_it_leads_to(folder):
    (folder / "alias.flac").symlink_to(folder / "Battle of drums.flac")
    table = analyse_library(folder)
    assert "alias.flac" in set(table["path"])
    assert len(usable_tracks(table)) == 2


def test_an_unknown_rhythm_survives_the_table_and_the_next_run(tmp_path):
    write_sound(tmp_path / "snippet.flac", sine(1.5))
    first = analyse_library(tmp_path)
    first.to_parquet(tmp_path / "tracks.parquet")
    again = analyse_library(tmp_path, pd.read_parquet(tmp_path / "tracks.parquet"))
    assert np.isnan(again["onset_rate"].iloc[0])
    pd.testing.assert_frame_equal(first, again)


def test_a_file_has_no_rows_for_what_is_not_there():
    assert usable_tracks(track_table([])) == []


def test_a_rejected_file_is_tried_again(folder, monkeypatch):
    (folder / "late.mp3").write_bytes(b"")
    first = analyse_library(folder)
    tried = []
    original = library.analyse_track
    monkeypatch.setattr(
        library, "analyse_track", lambda path, *a, **k: tried.append(path.name) or original(path, *a, **k)
    )
    analyse_library(folder, first)
    assert tried == ["late.mp3"]


def test_tracks_of_another_source_are_analysed_as_those_of_a_folder(folder, memory_source):
    (folder / "notes.txt").write_text("no music")
    expected = analyse_library(folder)
    pd.testing.assert_frame_equal(analyse_library(memory_source(folder)), expected)
