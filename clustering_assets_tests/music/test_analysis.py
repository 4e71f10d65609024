"""What is heard of one file: the same in any form, and never an error."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import resample_poly

from clustering_assets.demo.music import synthesise
from clustering_assets.demo.voices import SAMPLE_RATE
from clustering_assets.music.analysis import TrackFacts, analyse_track
from clustering_assets_tests.sounds import drums, sine, write_sound


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
    start = 14 * SAMPLE_RATE  # after the opening, which is calmer than the piece
    snippet = analyse_track(
        write_sound(tmp_path / "snippet.flac", sound[:, start : start + round(seconds * SAMPLE_RATE)])
    )
    assert snippet.outcome == "used"
    assert np.isnan([snippet.onset_rate, snippet.flux, snippet.tempo]).all()
    # what is known of its sound speaks for the rest
    assert snippet.arousal == pytest.approx(facts.arousal, abs=0.2)


def test_loudness_does_not_depend_on_the_length(tmp_path):
    one, two = (analyse_track(write_sound(tmp_path / f"{s}.flac", sine(s))) for s in (4.0, 8.0))
    assert one.loudness == pytest.approx(two.loudness, abs=0.1)


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
