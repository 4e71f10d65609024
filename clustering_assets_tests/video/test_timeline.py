"""Where slides, cuts and transitions lie."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clustering_assets.video.timeline import (
    beat_cuts,
    beats_a_slide,
    cut_error,
    cuts_within,
    ease,
    fixed_cuts,
    lay_out,
)

COUNTS = st.integers(1, 30)
RATES = st.sampled_from([1, 10, 24, 25, 30, 60])


def plan(count, seconds, fps, transition):
    cuts = fixed_cuts(count, seconds, fps)
    paths = [f"{index}.jpg" for index in range(count)]
    return lay_out(paths, cuts, ["crossfade"] * count, fps=fps, transition_seconds=transition)


@given(COUNTS, st.floats(0.02, 8), RATES, st.floats(0, 4))
def test_every_frame_shows_one_slide_or_two_neighbours_that_are_in_view(count, seconds, fps, transition):
    timeline = plan(count, seconds, fps, transition)
    for frame in range(timeline.frames):
        first, joint = timeline.shown(frame)
        shown = [first] if joint is None else [first, first + 1]
        assert all(timeline.slides[k].start <= frame < timeline.slides[k].stop for k in shown)
        others = [k for k, slide in enumerate(timeline.slides) if slide.start <= frame < slide.stop]
        assert others == shown


@given(COUNTS, st.floats(0.02, 8), RATES, st.floats(0, 4))
def test_slides_follow_one_another_from_the_first_frame_to_the_last(count, seconds, fps, transition):
    timeline = plan(count, seconds, fps, transition)
    assert timeline.slides[0].cut == timeline.slides[0].start == 0
    assert timeline.slides[-1].until == timeline.slides[-1].stop == timeline.frames
    for one, other in zip(timeline.slides, timeline.slides[1:], strict=False):
        assert one.until == other.cut > one.cut
        assert one.stop >= other.start


@given(st.integers(2, 30), st.floats(0.3, 8), RATES, st.floats(0.1, 4))
def test_a_transition_lies_around_its_cut_and_takes_at_most_half_a_slide(count, seconds, fps, transition):
    timeline = plan(count, seconds, fps, transition)
    for joint, cut in zip(timeline.transitions, timeline.cuts, strict=True):
        assert joint.start <= cut <= joint.stop
        assert abs((joint.start + joint.stop) / 2 - cut) <= 0.5
        assert joint.stop - joint.start <= max(seconds * fps / 2 + 1, 0)


@given(COUNTS, st.floats(1, 8), RATES)
def test_nothing_drifts_from_the_clock(count, seconds, fps):
    cuts = fixed_cuts(count, seconds, fps)
    assert all(abs(cut - index * seconds * fps) <= 0.5 for index, cut in enumerate(cuts))


def test_without_a_transition_the_cut_is_hard():
    timeline = plan(3, 2.0, 10, 0.0)
    assert timeline.shown(19) == (0, None)
    assert timeline.shown(20) == (1, None)


def test_a_frame_outside_the_video_is_an_error():
    with pytest.raises(IndexError):
        plan(2, 1.0, 10, 0.2).shown(20)


def test_the_video_rises_from_black_and_sinks_to_black():
    timeline = plan(3, 3.0, 25, 0.8)
    light = [timeline.light(frame) for frame in range(timeline.frames)]
    assert light[0] < 0.1
    assert light[-1] == 0
    assert light[40] == 1
    steps = np.abs(np.diff(light))
    assert steps.max() < 0.2


@pytest.mark.parametrize(
    ("period", "seconds", "beats"), [(0.5, 3, 8), (0.75, 3, 4), (1.0, 2, 2), (0.4, 3, 8), (0.9, 3, 4)]
)
def test_slides_last_the_power_of_two_of_beats_nearest_to_the_wish(period, seconds, beats):
    assert beats_a_slide(period, seconds) == beats


@pytest.mark.parametrize("seconds", [20.0, 60.0, 300.0])
@pytest.mark.parametrize("bar", [3, 4, 6])
def test_slides_may_last_as_long_as_is_wished(seconds, bar):
    for period in (0.31, 0.5, 0.9):
        assert 2**-0.5 <= beats_a_slide(period, seconds, bar) * period / seconds <= 2**0.5
    cuts, _ = beat_cuts(4, seconds, 25, 0.33 * np.arange(2000), bar=bar)
    assert np.diff(cuts).max() < 1.5 * seconds * 25


@pytest.mark.parametrize("bar", [3, 6])
def test_slides_of_a_waltz_last_whole_bars(bar):
    cuts, stride = beat_cuts(8, 3.0, 25, 0.2 + 0.5 * np.arange(200), downbeat=2, bar=bar)
    assert stride == 6
    assert {(round((cut / 25 - 0.2) / 0.5) - 2) % bar for cut in cuts[1:]} == {0}


@given(
    st.floats(0.33, 1.2),
    st.floats(0, 0.9),
    st.integers(2, 20),
    st.floats(1.5, 6),
    RATES.filter(lambda fps: fps >= 24),
)
def test_cuts_lie_on_beats(period, offset, count, seconds, fps):
    rng = np.random.default_rng(3)
    beats = offset + period * np.arange(600) + rng.uniform(-0.02, 0.02, 600) * period
    cuts, _ = beat_cuts(count, seconds, fps, beats)
    nearest = np.abs(np.asarray(cuts[1:])[:, None] / fps - beats[None]).min(axis=1)
    assert nearest.max() <= 0.5 / fps + 1e-9


def test_a_tempo_that_wanders_is_followed_without_drift():
    beats = np.cumsum(0.5 + 0.03 * np.sin(np.arange(400) / 30))
    cuts, stride = beat_cuts(40, 3.0, 25, beats)
    error = cut_error(cuts, beats, 25)
    assert stride == 8
    assert error is not None
    assert error < 20


def test_cuts_lie_on_the_first_beat_of_a_bar():
    beats = 0.2 + 0.5 * np.arange(200)
    cuts, _ = beat_cuts(10, 3.0, 25, beats, downbeat=3)
    places = [int(np.abs(cut / 25 - beats).argmin()) for cut in cuts[1:]]
    assert {(place - 3) % 4 for place in places} == {0}


def test_slides_are_longest_where_the_music_rests():
    beats = 0.5 * np.arange(200)

    def resting(seconds: float) -> bool:
        return 12 <= seconds < 24

    for cuts in (
        beat_cuts(10, 2.0, 50, beats, resting=resting)[0],
        cuts_within(40, 2.0, 60.0, 50, beats, resting=resting)[0],
    ):
        slides = np.diff(cuts)[:-1]
        rests = np.array([resting((cut + 50) / 50) for cut in cuts[:-2]])
        assert rests.any() and set(slides[rests]) == {200} and set(slides[~rests]) == {100}
        assert all(cut % 100 == 0 for cut in cuts)


def test_the_mean_distance_from_the_beat_is_reported_in_milliseconds():
    assert cut_error([0, 26, 51, 75], np.array([1.0, 2.0, 3.0]), 25) == pytest.approx(40.0)
    assert cut_error([0, 75], np.array([1.0]), 25) is None


@given(st.floats(-1, 2))
def test_easing_stays_between_nothing_and_all(share):
    assert 0 <= ease(share) <= 1


@given(
    COUNTS,
    st.floats(0.3, 6),
    st.floats(2, 90),
    st.floats(0.25, 1.2),
    st.integers(0, 5),
    st.sampled_from([3, 4, 6]),
)
def test_cuts_within_a_length_lie_on_beats_and_end_where_it_does(
    most, seconds, length, period, downbeat, bar
):
    beats = np.arange(0, length, period)
    if len(beats) < 2:
        return
    cuts, stride = cuts_within(most, seconds, length, 50, beats, downbeat, bar)
    assert cuts[0] == 0 and cuts[-1] == round(length * 50) and 2 <= len(cuts) <= most + 1
    assert all(after > before for before, after in itertools.pairwise(cuts))
    assert all(abs(beats * 50 - cut).min() <= 0.51 for cut in cuts[1:-1])
    assert stride % min(stride, bar) == 0
