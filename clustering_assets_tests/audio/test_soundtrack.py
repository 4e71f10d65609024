"""Soundtracks: exactly as long as the video, at one loudness, looped without a click, on the beat throughout."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clustering_assets.audio.decoding import BLOCK, RATE
from clustering_assets.audio.loudness import LoudnessMeter
from clustering_assets.audio.soundtrack import (
    CEILING,
    TARGET,
    TOLERANCE,
    Soundtrack,
    SoundtrackError,
    Track,
    beginning,
    make_soundtrack,
    window,
)
from clustering_assets.music.analysis import analyse_track
from clustering_assets_tests.sounds import drums, sine, write_sound


def heard(soundtrack: Soundtrack) -> np.ndarray:
    return np.concatenate(list(soundtrack.blocks()), axis=1)


def measured(sound: np.ndarray) -> LoudnessMeter:
    meter = LoudnessMeter()
    meter.add(sound)
    return meter


@pytest.mark.parametrize("name", ["beat", "tune", "short", "tone"])
@pytest.mark.parametrize("seconds", [0.3, 5.0, 61.04])
def test_it_is_exactly_as_long_as_the_video(tracks, name, seconds):
    path, row = tracks[name]
    soundtrack = make_soundtrack(Track.of(path, row), seconds)
    blocks = list(soundtrack.blocks())
    assert sum(block.shape[1] for block in blocks) == soundtrack.samples == round(seconds * RATE)
    assert all(block.shape[0] == 2 and block.dtype == np.float32 for block in blocks)
    assert all(np.isfinite(block).all() for block in blocks)


@pytest.mark.parametrize("name", ["beat", "tune", "short", "tone"])
def test_loudness_and_peak_are_what_it_says(tracks, name):
    soundtrack = make_soundtrack(Track.of(*tracks[name]), 40.0)
    meter = measured(heard(soundtrack))
    assert meter.integrated == pytest.approx(soundtrack.loudness, abs=0.05)
    assert meter.true_peak == pytest.approx(soundtrack.true_peak, abs=0.05)
    assert soundtrack.true_peak <= CEILING + 1e-3
    at_target = soundtrack.loudness == pytest.approx(TARGET, abs=0.1)
    assert at_target or soundtrack.true_peak == pytest.approx(CEILING, abs=0.01)


def test_where_peaks_forbid_the_target_that_is_said(tmp_path, caplog):
    quiet = 0.02 * np.random.default_rng(0).standard_normal((2, 10 * 44_100))
    quiet[:, 44_100 * 3 : 44_100 * 3 + 40] = 0.9
    path = write_sound(tmp_path / "crack.flac", quiet)
    soundtrack = make_soundtrack(Track.of(path, vars(analyse_track(path))), 8.0)
    with caplog.at_level("INFO", "clustering_assets.video"):
        meter = measured(heard(soundtrack))
    assert meter.true_peak <= CEILING + 0.05
    assert meter.integrated < TARGET - TOLERANCE
    assert f"stays at {meter.integrated:.1f} LUFS instead of -16" in soundtrack.limit
    assert "peaks" in soundtrack.limit
    assert soundtrack.limit in caplog.text


def cracking(level: float, seconds: float = 12.0) -> np.ndarray:
    """Steady noise with a loud crack every second."""
    sound = 0.05 * np.random.default_rng(0).standard_normal((2, round(seconds * 44_100)))
    for at in np.arange(0.5, seconds - 0.5, 1.0):
        sound[:, round(at * 44_100) :][:, :60] = level * np.random.default_rng(1).choice([-1, 1], 60)
    return sound


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_peaks_in_the_way_of_the_target_are_pressed_down(tmp_path, level):
    path = write_sound(tmp_path / "crack.flac", cracking(level))
    soundtrack = make_soundtrack(Track.of(path, vars(analyse_track(path))), 10.0)
    sound = heard(soundtrack)
    meter = measured(sound)
    assert meter.integrated == pytest.approx(TARGET, abs=0.3)
    assert meter.true_peak <= CEILING + 0.02
    assert soundtrack.limit == ""
    # half-way between two cracks nothing is left of it
    plain = make_soundtrack(Track.of(path, vars(analyse_track(path))), 10.0, target=-40.0)
    ratio = np.abs(sound[:, 43_000:46_000]).mean() / np.abs(heard(plain)[:, 43_000:46_000]).mean()
    assert 20 * np.log10(ratio) == pytest.approx(soundtrack.gain - plain.gain, abs=0.3)


def test_limited_sound_is_the_same_however_long_it_is_read(tmp_path):
    path = write_sound(tmp_path / "crack.flac", cracking(0.9))
    first, second = (
        heard(make_soundtrack(Track.of(path, vars(analyse_track(path))), 10.0)) for _ in range(2)
    )
    assert np.array_equal(first, second)
    assert first.shape == (2, 10 * RATE)


def test_of_a_moment_it_is_not_said_that_nothing_is_heard(tracks):
    soundtrack = make_soundtrack(Track.of(*tracks["tone"]), 0.3)
    assert "too short for its loudness" in soundtrack.limit
    assert np.abs(heard(soundtrack)).max() > 0.1


def test_a_soundtrack_at_the_target_says_nothing(tracks):
    assert make_soundtrack(Track.of(*tracks["tune"]), 20.0, target=-30.0).limit == ""


def test_one_gain_leaves_the_dynamics_alone(tracks):
    path, row = tracks["tune"]
    quiet, loud = (make_soundtrack(Track.of(path, row), 10.0, target=target) for target in (-30.0, -24.0))
    ratio = amplitude_ratio(heard(loud), heard(quiet))
    assert ratio == pytest.approx(10 ** (6 / 20), rel=1e-3)


def amplitude_ratio(one: np.ndarray, other: np.ndarray) -> float:
    loud = np.abs(other) > 1e-3
    ratios = one[loud] / other[loud]
    assert ratios.std() < 1e-3
    return float(ratios.mean())


def test_it_is_the_same_every_time(tracks):
    first, second = (heard(make_soundtrack(Track.of(*tracks["beat"]), 45.0)) for _ in range(2))
    assert np.array_equal(first, second)


@pytest.mark.parametrize("name", ["beat", "tune", "short"])
def test_loops_make_no_click(tracks, name):
    soundtrack = make_soundtrack(Track.of(*tracks[name]), 50.0)
    sound = heard(soundtrack)
    assert len(soundtrack.passes) > 1
    steps = np.abs(np.diff(sound, axis=1)).max(axis=0)
    joints = np.zeros(steps.size, dtype=bool)
    for run in soundtrack.passes[1:]:
        joints[max(round((run.at - 0.01) * RATE), 0) : round((run.at + run.fade_in + 0.01) * RATE)] = True
    if joints.all():
        pytest.skip("nothing but joints")
    assert steps[joints].max() <= 1.1 * steps[~joints].max()


def test_a_pure_tone_is_looped_without_a_step(tracks):
    # of all sounds a tone shows a broken joint best: its own steps are tiny
    soundtrack = make_soundtrack(Track.of(*tracks["tone"]), 30.0)
    sound = heard(soundtrack)
    level = np.abs(sound).max()
    largest = 2 * np.pi * 330 / RATE * level * math.sqrt(2)
    assert len(soundtrack.passes) > 2
    assert np.abs(np.diff(sound, axis=1)).max() <= 1.05 * largest


@pytest.mark.parametrize("pitch", [None, 330.35])
def test_a_crossfade_keeps_the_power_of_noise_and_of_tones_in_any_phase(tmp_path, pitch):
    noise = 0.1 * np.random.default_rng(0).standard_normal((2, 10 * 44_100))
    path = write_sound(tmp_path / "steady.flac", noise if pitch is None else sine(10.0, pitch))
    soundtrack = make_soundtrack(Track.of(path, vars(analyse_track(path))), 25.0)
    sound = heard(soundtrack)
    joint = soundtrack.passes[1]
    begin, length = round(joint.at * RATE), round(joint.fade_in * RATE)
    there = (sound[:, begin : begin + length // 9600 * 9600].reshape(2, -1, 9600) ** 2).mean(axis=(0, 2))
    elsewhere = (sound[:, 2 * RATE : 4 * RATE] ** 2).mean()
    assert np.abs(10 * np.log10(there / elsewhere)).max() < 0.5


def test_music_that_comes_again_is_looped_to_the_sample(tmp_path):
    bar = 0.1 * np.random.default_rng(0).standard_normal((2, 2 * RATE))
    path = write_sound(tmp_path / "bars.flac", np.tile(bar, 6), RATE)
    beats = np.arange(0.5, 12.0, 0.5)
    beats[12:] += 0.009  # what beats are off by where they are heard
    row = {"seconds": 12.0, "end": 12.0, "full_until": 12.0, "beat_times": beats, "downbeat": 0}
    soundtrack = make_soundtrack(Track.of(path, row), 15.0)
    sound, joint = heard(soundtrack), soundtrack.passes[1]
    assert len(soundtrack.passes) == 2
    begin, stop = round((joint.at - 0.1) * RATE), round((joint.at + 1.5) * RATE)
    assert np.abs(sound[:, begin:stop] - sound[:, begin - 2 * RATE : stop - 2 * RATE]).max() < 0.002


def test_it_fades_in_and_out(tracks):
    sound = heard(make_soundtrack(Track.of(*tracks["tone"]), 20.0))
    level = np.abs(sound).max(axis=0)
    assert level[:48].max() < 0.01
    assert level[-2400:].max() < 10 ** (-50 / 20)
    assert level[-RATE * 2 :][:4800].max() < level[-RATE * 3 :][:4800].max()
    assert level[RATE // 5 : RATE // 2].max() == pytest.approx(level[5 * RATE : 6 * RATE].max(), rel=0.05)


def test_loops_are_whole_bars(tracks):
    path, row = tracks["beat"]
    soundtrack = make_soundtrack(Track.of(path, row), 70.0)
    assert len(soundtrack.passes) > 2
    bar = 4 * 60 / row["tempo"]
    for run in soundtrack.passes[1:-1]:
        bars = (run.length - run.fade_out) / bar
        assert bars == pytest.approx(round(bars), abs=0.03)


@pytest.mark.parametrize("bar", [3, 6])
@pytest.mark.parametrize("seconds", [17.3, 25.0, 31.9])
def test_waltzes_loop_on_whole_bars_and_are_counted_on_in_them(bar, seconds):
    beats = np.arange(2.0, seconds - 0.2, 0.5)
    row = {"seconds": seconds, "end": seconds, "beat_times": beats, "bar": bar, "downbeat": 1}
    soundtrack = make_soundtrack(Track.of(Path("waltz.ogg"), row), 100.0)
    first = soundtrack.beat_times()[0]
    bars = (beats[1] - first - 0.5) / (bar * 0.5)
    assert (first - 0.5 * (row["downbeat"] - 1)) >= 0
    assert bars == pytest.approx(round(bars), abs=1e-6)
    assert len(soundtrack.passes) > 3
    for run in soundtrack.passes[1:]:
        bars = (run.source - beats[1]) / (bar * 0.5)
        assert bars == pytest.approx(round(bars), abs=1e-6)
    for run in soundtrack.passes[1:-1]:
        bars = (run.length - run.fade_out) / (bar * 0.5)
        assert bars == pytest.approx(round(bars), abs=1e-6)


def test_the_beat_goes_on_through_loops(tracks):
    soundtrack = make_soundtrack(Track.of(*tracks["beat"]), 70.0)
    steps = np.diff(soundtrack.beat_times())
    assert steps.min() == pytest.approx(0.5, abs=0.05)
    assert steps.max() == pytest.approx(0.5, abs=0.05)


def test_beats_are_where_the_drums_are_heard(tracks):
    soundtrack = make_soundtrack(Track.of(*tracks["beat"]), 70.0)
    sound = np.abs(heard(soundtrack)).max(axis=0)
    rising = []
    for beat in soundtrack.beat_times():
        at = round(beat * RATE)
        if at < 4800 or at > sound.size - 3 * RATE:
            continue
        before, after = sound[at - 3360 : at - 1440], sound[at - 960 : at + 2400]
        rising.append(after.max() > 2 * before.max())
    assert np.mean(rising) > 0.95


def test_beats_end_where_asked(tracks):
    soundtrack = make_soundtrack(Track.of(*tracks["beat"]), 70.0)
    every = soundtrack.beat_times()
    assert np.array_equal(soundtrack.beat_times(31.0), every[every < 31.0])
    assert (np.diff(every) > 0).all()


def test_beats_are_counted_where_nothing_is_struck():
    struck = np.arange(10.3, 40.0, 0.5)
    row = {"seconds": 50.0, "end": 50.0, "beat_times": struck, "downbeat": 1}
    beats = make_soundtrack(Track.of(Path("x.ogg"), row), 50.0).beat_times()
    assert beats[0] < 2.0
    assert beats[-1] > 49.0
    assert np.diff(beats) == pytest.approx(0.5)
    # whole bars, so that the beats of the row stay the same beats of the bar
    assert int(np.abs(beats - struck[0]).argmin()) % 4 == 0
    assert set(struck.round(6)) <= set(beats.round(6))


def test_without_a_clear_beat_there_are_no_beats(tracks):
    assert make_soundtrack(Track.of(*tracks["tone"]), 30.0).beat_times().size == 0


def test_planning_decodes_nothing(tracks):
    _, row = tracks["beat"]
    soundtrack = make_soundtrack(Track.of(Path("/nowhere/gone.flac"), row), 30.0)
    assert soundtrack.beat_times().size > 50
    assert soundtrack.track_start >= 0


def test_a_track_that_is_gone_is_said_before_the_first_block(tracks):
    soundtrack = make_soundtrack(Track.of(Path("/nowhere/gone.flac"), tracks["beat"][1]), 30.0)
    with pytest.raises(SoundtrackError, match=r"gone\.flac"):
        next(soundtrack.blocks())
    with pytest.raises(SoundtrackError, match=r"gone\.flac"):
        _ = soundtrack.loudness


def test_a_track_that_has_become_shorter_is_said(tmp_path):
    path = write_sound(tmp_path / "beat.flac", drums(120, 20.0)[0])
    row = vars(analyse_track(path))
    write_sound(path, drums(120, 6.0)[0])
    with pytest.raises(SoundtrackError, match="shorter than when it was analysed"):
        heard(make_soundtrack(Track.of(path, row), 18.0))


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.nan, math.inf])
def test_a_length_that_is_none_is_refused(tracks, seconds):
    with pytest.raises(SoundtrackError, match="length"):
        make_soundtrack(Track.of(*tracks["beat"]), seconds)


@pytest.mark.parametrize(("channels", "rate"), [(1, 8_000), (1, 44_100), (2, 96_000), (6, 48_000)])
def test_any_rate_and_layout_will_do(tmp_path, channels, rate):
    path = write_sound(tmp_path / "tone.flac", np.tile(sine(3.0, rate=rate), (channels, 1)), rate)
    sound = heard(make_soundtrack(Track.of(path, vars(analyse_track(path))), 7.0))
    assert sound.shape == (2, 7 * RATE)
    assert measured(sound).integrated == pytest.approx(TARGET, abs=TOLERANCE)


def test_a_long_quiet_intro_is_left_out(tmp_path):
    beat, known = drums(120, 60.0)
    beat *= np.where(np.arange(beat.size) < 10.2 * 44_100, 0.04, 1.0)
    path = write_sound(tmp_path / "intro.flac", np.clip(beat, -1, 1))
    soundtrack = make_soundtrack(Track.of(path, vars(analyse_track(path))), 30.0)
    assert 9.5 < soundtrack.track_start < 13
    assert np.abs(known - soundtrack.track_start).min() < 0.1
    assert np.abs(heard(soundtrack)[:, : RATE // 2]).max() > 0.1


def test_silence_at_the_beginning_is_left_out(tmp_path):
    path = write_sound(tmp_path / "late.flac", np.concatenate([np.zeros(3 * 44_100), sine(10.0)]))
    soundtrack = make_soundtrack(Track.of(path, vars(analyse_track(path))), 8.0)
    assert soundtrack.track_start == pytest.approx(3.0, abs=0.11)


def test_memory_does_not_grow_with_the_length(tracks):
    soundtrack = make_soundtrack(Track.of(*tracks["tune"]), 240.0)
    assert max(block.shape[1] for block in soundtrack.blocks()) <= BLOCK
    assert len(soundtrack.passes) > 10


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(["beat", "tune", "short"]), seconds=st.floats(0.05, 25))
def test_of_any_length_it_is_whole_clean_and_within_the_ceiling(tracks, name, seconds):
    sound = heard(make_soundtrack(Track.of(*tracks[name]), seconds))
    assert sound.shape == (2, round(seconds * RATE))
    assert np.isfinite(sound).all()
    assert measured(sound).true_peak <= CEILING + 0.05
    assert np.abs(sound[:, :2]).max() < 0.01
    assert np.abs(sound[:, -2:]).max() < 0.01


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    start=st.floats(0, 3),
    length=st.floats(0.2, 60),
    period=st.one_of(st.none(), st.floats(0.3, 1.2)),
    downbeat=st.integers(0, 3),
    seconds=st.floats(0.1, 200),
)
def test_passes_cover_the_whole_video_and_stay_inside_the_track(start, length, period, downbeat, seconds):
    end = start + length
    beats = [] if period is None else list(np.arange(start + 0.1, end, period))
    row = {"start": start, "end": end, "seconds": end, "beat_times": beats, "downbeat": downbeat}
    soundtrack = make_soundtrack(Track.of(Path("x.ogg"), row), seconds)
    passes = soundtrack.passes
    assert passes[0].at == 0
    assert passes[-1].at + passes[-1].length == pytest.approx(seconds)
    for before, after in itertools.pairwise(passes):
        assert after.at == pytest.approx(before.at + before.length - before.fade_out)
        assert after.fade_in >= before.fade_out
    for run in passes:
        assert run.source >= start - 1e-6
        assert run.source + run.length <= end + 1e-6
        assert run.length > 0
    assert all(one.at + one.length <= other.at + 1e-6 for one, other in zip(passes, passes[2:], strict=False))
    beats = soundtrack.beat_times()
    assert (np.diff(beats) > 0).all()


def beaten(seconds: float, **facts: object) -> Track:
    """A track with a bar every two seconds from 0.5 s on."""
    beats = np.arange(0.5, seconds - 0.2, 0.5)
    return Track(Path("song.ogg"), **{"end": seconds, "beat_times": beats, "beat_clarity": 1.0, **facts})


@pytest.mark.parametrize(("seconds", "unit"), [(15, 2), (30, 2), (60, 8), (90, 8)])
def test_a_window_of_a_long_track_ends_with_a_phrase_or_where_none_does_with_a_bar(seconds, unit):
    begin, length = window(beaten(300.0), seconds)
    assert 0.85 * seconds <= length <= seconds
    assert (begin + length - 0.5) % unit == pytest.approx(0)


def test_a_window_ends_with_the_track_where_that_is_little_longer_and_takes_all_of_it_where_it_is_little_shorter():
    begin, length = window(beaten(40.0), 30)
    assert begin + length == pytest.approx(40) and 25.5 <= length <= 30
    assert (begin + 0.06 - 0.5) % 2 == pytest.approx(0)
    assert window(beaten(28.0), 30) == (0.0, 28.0)


def test_a_window_without_a_beat_or_of_a_short_track_is_as_long_as_wanted():
    assert window(beaten(300.0, beat_times=np.zeros(0)), 30) == (0.0, 30)
    assert window(beaten(12.0), 30) == (0.0, 30)


def test_a_window_begins_where_the_music_has_come_to_its_strength():
    begin, length = window(beaten(300.0, full_from=40.0), 30)
    assert begin == pytest.approx(40.44) and (begin + length - 0.5) % 2 == pytest.approx(0)


def quiet_then_loud(seconds: float, rise: float) -> Track:
    """A beaten track of five minutes that is louder by `rise` LU from 2:00 to 4:00."""
    curve = np.full(round(seconds), -20.0)
    curve[120:240] += rise
    return beaten(seconds, loudness_curve=curve)


def test_a_video_starts_with_the_phrase_from_which_a_long_track_is_fullest():
    begin = beginning(quiet_then_loud(300.0, 6.0), 60.0)
    assert 118 <= begin <= 128
    assert (begin + 0.06 - 0.5) % 8 == pytest.approx(0)
    assert make_soundtrack(quiet_then_loud(300.0, 6.0), 60.0).track_start == begin
    assert window(quiet_then_loud(300.0, 6.0), 60)[0] == begin


@pytest.mark.parametrize(
    ("track", "seconds"),
    [
        (quiet_then_loud(300.0, 0.8), 60.0),
        (quiet_then_loud(300.0, 6.0), 180.0),
        (beaten(300.0, beat_times=np.zeros(0), loudness_curve=np.arange(300.0) / 10 - 40), 60.0),
        (beaten(300.0), 60.0),
    ],
    ids=["hardly fuller", "no room", "no bars", "loudness not known"],
)
def test_where_no_later_part_is_clearly_fuller_a_video_starts_as_the_track_does(track, seconds):
    assert beginning(track, seconds) == 0.0
