"""Valence and arousal: the promised rules, and that more of a thing never works the other way."""

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from clustering_assets.images.features import measure
from clustering_assets.music.emotion import IMAGE_CUES, MUSIC_CUES, image_emotion, music_emotion
from clustering_assets.music.moods import MOODS

USUAL = {name: cue.usual for name, cue in IMAGE_CUES.items()}

FEATURES = st.fixed_dictionaries(
    {
        "brightness": st.floats(0, 100),
        "chroma": st.floats(0, 100),
        "colourfulness": st.floats(0, 150),
        "contrast": st.floats(0, 0.5),
        "warmth": st.floats(0, 1),
    }
)

SOUND = st.fixed_dictionaries(
    {
        "onset_rate": st.floats(0, 15),
        "fullness": st.floats(0, 1),
        "tempo": st.floats(40, 200),
        "centroid": st.floats(100, 8000),
        "mode_score": st.floats(-1, 1),
    }
)


def mood(**features: float) -> str:
    return image_emotion(USUAL | features).mood


def photo(seed: int = 0) -> Image.Image:
    """A landscape of sorts: a sky, hills, and some coloured things."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:240, :320]
    ground = np.where((y > 120 + 30 * np.sin(x / 40 + seed))[..., None], (80, 120, 60), (110, 150, 200))
    picture = ground + 25 * np.sin(x / 9 + y / 7)[..., None]
    for _ in range(8):
        row, column, colour = rng.integers(0, 200), rng.integers(0, 280), rng.integers(0, 255, 3)
        picture[row : row + 40, column : column + 40] = colour
    return Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))


def emotion_of(picture: Image.Image) -> tuple[float, float]:
    emotion = image_emotion(asdict(measure(np.asarray(picture.convert("RGB")))))
    return emotion.valence, emotion.arousal


def test_bright_and_colourful_is_upbeat_or_energetic():
    assert mood(brightness=70, chroma=40, colourfulness=80) in ("upbeat", "energetic")


def test_dark_and_unsaturated_is_calm():
    assert mood(brightness=25, chroma=5, colourfulness=10) == "calm"


@pytest.mark.parametrize("contrast", [0.35, 0.4, 0.45, 0.5])
def test_high_contrast_is_energetic(contrast):
    assert mood(contrast=contrast) == "energetic"


@pytest.mark.parametrize("brightness", [45, 53, 60])
@pytest.mark.parametrize("contrast", [0.40, 0.45])
def test_high_contrast_without_colour_is_energetic(contrast, brightness):
    assert mood(contrast=contrast, chroma=1, colourfulness=3, brightness=brightness) == "energetic"


@pytest.mark.parametrize("contrast", [0.1, 0.2, 0.3])
def test_dark_and_unsaturated_is_calm_at_any_usual_contrast(contrast):
    assert mood(brightness=25, chroma=3, colourfulness=6, contrast=contrast) == "calm"


def test_balanced_is_neutral():
    assert mood() == "neutral"


@pytest.mark.parametrize(
    "colour", [(177, 107, 110), (144, 125, 75), (126, 130, 77), (27, 140, 143), (129, 120, 171)]
)
def test_a_card_of_neutral_feeling_is_neutral(colour):
    # L* 53 and C* 30 in five hues: the neutral region of Gao & Xin 2006
    features = asdict(measure(np.full((64, 64, 3), colour, np.uint8)))
    assert features["brightness"] == pytest.approx(53, abs=1)
    assert features["chroma"] == pytest.approx(30, abs=1)
    assert image_emotion(features).mood == "neutral"


@given(FEATURES, st.sampled_from(["chroma", "colourfulness", "contrast"]), st.floats(0, 50))
def test_more_colour_or_contrast_is_never_calmer(features, name, more):
    if name == "contrast":
        more /= 200
    assert image_emotion(features | {name: features[name] + more}).arousal >= image_emotion(features).arousal


@given(FEATURES, st.floats(0, 50))
def test_brighter_is_never_less_pleasant(features, more):
    brighter = features | {"brightness": features["brightness"] + more}
    assert image_emotion(brighter).valence >= image_emotion(features).valence


@given(SOUND, st.sampled_from(sorted(MUSIC_CUES)), st.floats(1, 3))
def test_more_of_a_musical_cue_never_lowers_either_axis(sound, name, factor):
    more = sound[name] * factor if sound[name] >= 0 else sound[name] / factor
    before, after = music_emotion(sound), music_emotion(sound | {name: more})
    assert after.valence >= before.valence
    assert after.arousal >= before.arousal


def test_how_loud_a_track_was_mastered_does_not_matter():
    sound = {"onset_rate": 3.0, "fullness": 0.6, "tempo": 100.0, "centroid": 1500.0, "mode_score": 0.1}
    assert music_emotion({**sound, "loudness": -8.0}) == music_emotion({**sound, "loudness": -30.0})


def test_usual_music_is_neutral():
    assert music_emotion({name: cue.usual for name, cue in MUSIC_CUES.items()}).mood == "neutral"


@given(FEATURES)
def test_the_plane_is_bounded_and_every_place_has_a_mood(features):
    emotion = image_emotion(features)
    assert 0 <= emotion.valence <= 1
    assert 0 <= emotion.arousal <= 1
    assert emotion.mood in MOODS


def test_what_is_known_speaks_for_what_is_not():
    lively = {"fullness": 0.95, "tempo": 105.0, "centroid": 900.0}
    unknown = music_emotion(lively | {"onset_rate": float("nan")}).arousal
    assert unknown == music_emotion(lively).arousal
    assert unknown > music_emotion(lively | {"onset_rate": MUSIC_CUES["onset_rate"].usual}).arousal > 0.5


def test_where_nothing_is_known_all_is_usual():
    assert music_emotion({}) == music_emotion({name: cue.usual for name, cue in MUSIC_CUES.items()})


def test_unknown_features_count_as_usual():
    assert image_emotion({"brightness": float("nan")}) == image_emotion(USUAL)


@pytest.mark.parametrize("seed", range(3))
def test_a_more_saturated_picture_is_never_calmer(seed):
    picture = photo(seed)
    arousal = [emotion_of(ImageEnhance.Color(picture).enhance(more))[1] for more in (0, 0.4, 0.8, 1.2, 1.6)]
    assert arousal == sorted(arousal)
    assert arousal[-1] > arousal[0] + 0.1


@pytest.mark.parametrize("seed", range(3))
def test_scaling_and_compressing_a_picture_hardly_move_it(tmp_path, seed):
    picture = photo(seed)
    picture.save(tmp_path / "rough.jpg", quality=60)
    twice = picture.resize((640, 480), Image.Resampling.LANCZOS)
    place = np.array(emotion_of(picture))
    for other in (Image.open(tmp_path / "rough.jpg"), twice, picture.transpose(Image.Transpose.ROTATE_90)):
        assert np.abs(np.array(emotion_of(other)) - place).max() < 0.03
