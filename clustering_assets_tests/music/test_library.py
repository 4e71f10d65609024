"""The library: one row per file, bad files with their reason, nothing decoded twice."""

import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import resample_poly

from clustering_assets.demo.music import SAMPLE_RATE, synthesise
from clustering_assets.music import library
from clustering_assets.music.analysis import TrackFacts, analyse_track
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


def test_a_link_out_of_the_folder_is_passed_over(folder, tmp_path, caplog):
    outside = write_sound(tmp_path / "outside.flac", sine(2.0))
    (folder / "link.flac").symlink_to(outside)
    (folder / "alias.flac").symlink_to(folder / "Battle of drums.flac")
    table = analyse_library(folder)
    assert "link.flac" not in set(table["path"])
    assert "alias.flac" in set(table["path"])
    assert "link.flac" in caplog.text
    assert len(usable_tracks(table)) == 2


def test_damage_is_noticed(tmp_path):
    rng = np.random.default_rng(1)
    path = write_sound(tmp_path / "noise.wav", 0.3 * rng.standard_normal((2, 3 * 44_100)), codec="pcm_f32le")
    data = bytearray(path.read_bytes())
    for at in rng.integers(200, len(data) // 4, 4000) * 4:
        data[at + 3] ^= 0x40
    path.write_bytes(bytes(data))
    facts = analyse_track(path)
    assert facts.outcome == "rejected"
    assert "damaged" in facts.reason


def test_silence_at_both_ends_is_left_out(tmp_path):
    sound = np.concatenate([np.zeros(2 * 44_100), sine(6.0), np.zeros(3 * 44_100)])
    facts = analyse_track(write_sound(tmp_path / "tone.flac", sound))
    assert facts.seconds == pytest.approx(11.0, abs=0.01)
    assert facts.start == pytest.approx(2.0, abs=0.15)
    assert facts.end == pytest.approx(8.0, abs=0.15)
    assert facts.start <= 2.0 + 1e-6


def test_a_quiet_intro_and_a_fading_end_are_known(tmp_path):
    sound = 0.5 * np.random.default_rng(0).standard_normal(20 * 44_100)
    sound *= np.interp(np.arange(sound.size) / 44_100, [0, 5, 5.1, 14, 20], [0.05, 0.05, 1, 1, 0.02])
    facts = analyse_track(write_sound(tmp_path / "fades.flac", np.clip(0.3 * sound, -1, 1)))
    assert facts.full_from == pytest.approx(5.0, abs=0.3)
    assert 16 < facts.full_until < 19
    assert facts.start < 0.5


def test_the_mode_of_plain_chords_is_told(tmp_path):
    def chords(triads) -> np.ndarray:
        parts = []
        for pitches in triads:
            parts.append(sum(sine(1.0, 440 * 2 ** ((pitch - 69) / 12), 0.15) for pitch in pitches))
        return np.concatenate(parts)

    major = chords([(48, 60, 64, 67), (53, 60, 65, 69), (55, 59, 62, 67), (48, 60, 64, 67)] * 2)
    minor = chords([(48, 60, 63, 67), (53, 60, 65, 68), (55, 59, 62, 67), (48, 60, 63, 67)] * 2)
    assert analyse_track(write_sound(tmp_path / "major.flac", major)).mode == "major"
    assert analyse_track(write_sound(tmp_path / "minor.flac", minor)).mode == "minor"


def test_brighter_sound_has_a_higher_centroid(tmp_path):
    low, high = (analyse_track(write_sound(tmp_path / f"{f}.flac", sine(3.0, f))) for f in (300, 3000))
    assert high.centroid > 5 * low.centroid
    assert high.arousal > low.arousal


@pytest.fixture(scope="module")
def lively(tmp_path_factory) -> tuple[np.ndarray, TrackFacts]:
    """A lively piece at 44.1 kHz, full of drums and cymbals, and what is heard of it."""
    sound = synthesise("energetic")
    return sound, analyse_track(write_sound(tmp_path_factory.mktemp("lively") / "whole.flac", sound))


def same_music(one: TrackFacts, other: TrackFacts) -> None:
    assert other.mood == one.mood
    assert (other.valence, other.arousal) == pytest.approx((one.valence, one.arousal), abs=0.02)
    assert other.tempo == pytest.approx(one.tempo, rel=0.01)
    assert other.onset_rate == pytest.approx(one.onset_rate, rel=0.08)


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 48_000, 96_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_music_is_the_same_at_any_sampling_rate(tmp_path, lively, rate, channels):
    sound, facts = lively
    divisor = np.gcd(rate, SAMPLE_RATE)
    copy = resample_poly(sound, rate // divisor, SAMPLE_RATE // divisor, axis=1)
    copy = copy.mean(axis=0) if channels == 1 else copy
    same_music(facts, analyse_track(write_sound(tmp_path / "copy.flac", np.clip(copy, -1, 1), rate)))


@pytest.mark.parametrize(
    ("ending", "rate"), [(".mp3", 44_100), (".mp3", 16_000), (".opus", 48_000), (".m4a", 44_100)]
)
def test_music_is_the_same_in_any_codec(tmp_path, lively, ending, rate):
    sound, facts = lively
    divisor = np.gcd(rate, SAMPLE_RATE)
    copy = np.clip(resample_poly(sound, rate // divisor, SAMPLE_RATE // divisor, axis=1), -1, 1)
    same_music(facts, analyse_track(write_sound(tmp_path / f"copy{ending}", copy, rate)))


@pytest.mark.parametrize("seconds", [1.2, 1.9])
def test_of_a_snippet_no_rhythm_is_claimed(tmp_path, lively, seconds):
    sound, facts = lively
    start = 4 * SAMPLE_RATE
    snippet = analyse_track(
        write_sound(tmp_path / "snippet.flac", sound[:, start : start + round(seconds * SAMPLE_RATE)])
    )
    assert snippet.outcome == "used"
    assert np.isnan([snippet.onset_rate, snippet.flux, snippet.tempo]).all()
    # what is known of its sound speaks for the rest
    assert snippet.arousal == pytest.approx(facts.arousal, abs=0.2)


def test_an_unknown_rhythm_survives_the_table_and_the_next_run(tmp_path, lively):
    sound, _ = lively
    write_sound(tmp_path / "snippet.flac", sound[:, : round(1.5 * SAMPLE_RATE)])
    first = analyse_library(tmp_path)
    first.to_parquet(tmp_path / "tracks.parquet")
    again = analyse_library(tmp_path, pd.read_parquet(tmp_path / "tracks.parquet"))
    assert np.isnan(again["onset_rate"].iloc[0])
    pd.testing.assert_frame_equal(first, again)


def test_loudness_does_not_depend_on_the_length(tmp_path):
    one, two = (analyse_track(write_sound(tmp_path / f"{s}.flac", sine(s))) for s in (4.0, 8.0))
    assert one.loudness == pytest.approx(two.loudness, abs=0.1)


def test_a_file_has_no_rows_for_what_is_not_there():
    assert usable_tracks(track_table([])).empty


@pytest.fixture(scope="module")
def whole_files(tmp_path_factory) -> dict[str, bytes]:
    """The same short beat in several formats."""
    folder = tmp_path_factory.mktemp("whole")
    sound = np.clip(drums(120, 3.0, rate=48_000)[0], -1, 1)
    endings = (".mp3", ".flac", ".ogg", ".m4a", ".wav", ".mka")
    return {ending: write_sound(folder / f"beat{ending}", sound, 48_000).read_bytes() for ending in endings}


@settings(max_examples=60)
@given(
    ending=st.sampled_from([".mp3", ".flac", ".ogg", ".m4a", ".wav", ".mka"]),
    seed=st.integers(0, 2**32 - 1),
    share=st.sampled_from([1e-5, 1e-3, 1e-1]),
    kept=st.floats(0.05, 1.0),
)
def test_damage_of_any_kind_is_a_row_and_never_an_error(
    whole_files, tmp_path_factory, ending, seed, share, kept
):
    rng = np.random.default_rng(seed)
    data = np.frombuffer(whole_files[ending], np.uint8).copy()
    at = rng.integers(0, data.size, max(1, round(data.size * share)))
    data[at] ^= (1 << rng.integers(0, 8, at.size)).astype(np.uint8)
    path = tmp_path_factory.getbasetemp() / f"damaged{ending}"
    path.write_bytes(data[: round(data.size * kept)].tobytes())
    facts = analyse_track(path)
    assert facts.outcome in ("used", "rejected")
    if facts.outcome == "rejected":
        assert facts.reason
    else:
        assert not facts.reason or "left out what does not decode" in facts.reason
        assert np.isfinite(
            [facts.loudness, facts.true_peak, facts.valence, facts.arousal, facts.start, facts.end]
        ).all()
        assert 0 <= facts.start < facts.end <= facts.seconds


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
