"""The measures of a picture's looks: known values, and what must not change them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from clustering_assets.images.features import fit, measure
from clustering_assets_tests.pixels import decode_image


def flat(*colour: int) -> np.ndarray:
    return np.full((60, 80, 3), colour, np.uint8)


@pytest.mark.parametrize(
    ("colour", "lightness"),
    [
        ((0, 0, 0), 0),
        ((255, 255, 255), 100),
        ((119, 119, 119), 50),
        ((0, 0, 255), 32.3),
        ((255, 255, 0), 97.1),
    ],
)
def test_brightness_is_the_lightness_that_people_see(colour, lightness):
    assert measure(flat(*colour)).brightness == pytest.approx(lightness, abs=0.5)


def test_colourfulness_follows_hasler_and_suesstrunk(photo):
    rgb = photo(width=128, height=96)
    red, green, blue = rgb.reshape(-1, 3).astype(float).T
    rg, yb = red - green, (red + green) / 2 - blue
    expected = np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean())
    assert measure(rgb).colourfulness == pytest.approx(expected, rel=1e-3)


def test_contrast_is_the_standard_deviation_of_the_luma(photo):
    rgb = photo(width=128, height=96)
    assert measure(rgb).contrast == pytest.approx((rgb @ (0.299, 0.587, 0.114)).std() / 255, rel=1e-3)


def test_black_and_white_halves_have_a_contrast_of_one_half():
    rgb = np.zeros((64, 64, 3), np.uint8)
    rgb[:, 32:] = 255
    assert measure(rgb).contrast == pytest.approx(0.5, abs=0.005)


def test_grey_has_no_colour():
    features = measure(flat(130, 130, 130))
    assert (features.colourfulness, features.chroma, features.saturation, features.warmth) == (0, 0, 0, 0)


def test_chroma_stays_low_in_noisy_shadows_where_saturation_rises():
    noise = np.random.default_rng(0).normal(3, 2, (48, 64, 3)).clip(0, 255).astype(np.uint8)
    features = measure(noise)
    assert features.saturation > 0.5
    assert features.chroma < 3


@pytest.mark.parametrize(
    ("colour", "warmth"), [((220, 60, 40), 1), ((230, 160, 60), 1), ((40, 80, 220), 0), ((40, 180, 60), 0)]
)
def test_red_to_yellow_is_warm(colour, warmth):
    assert measure(flat(*colour)).warmth == pytest.approx(warmth, abs=0.01)


def test_blurring_lowers_sharpness(photo):
    image = Image.fromarray(photo(width=512, height=384))
    values = [
        measure(np.asarray(image.filter(ImageFilter.GaussianBlur(radius)))).sharpness
        for radius in (0, 1, 2, 4, 8)
    ]
    assert values == sorted(values, reverse=True)
    assert values[-1] < values[0] / 4


def test_scaling_hardly_changes_sharpness(photo):
    image = Image.fromarray(photo(width=1024, height=768))
    whole = measure(np.asarray(image)).sharpness
    half = measure(np.asarray(image.resize((512, 384), Image.Resampling.LANCZOS))).sharpness
    assert half == pytest.approx(whole, rel=0.08)


@pytest.mark.parametrize("change", ["half the size", "JPEG 85", "turned", "mirrored"])
def test_the_looks_survive_what_does_not_change_a_picture(change, photo, encoded):
    rgb = photo(3, width=800, height=600)
    changed = {
        "half the size": lambda: np.asarray(Image.fromarray(rgb).resize((400, 300), Image.Resampling.BOX)),
        "JPEG 85": lambda: decode_image(encoded(rgb, "JPEG", quality=85), "a.jpg"),
        "turned": lambda: np.ascontiguousarray(np.rot90(rgb)),
        "mirrored": lambda: np.ascontiguousarray(rgb[:, ::-1]),
    }[change]()
    before, after = measure(rgb), measure(changed)
    for name in ("brightness", "colourfulness", "contrast", "chroma", "saturation"):
        assert getattr(after, name) == pytest.approx(getattr(before, name), rel=0.015), name


def test_the_main_colours_come_with_the_commonest_first():
    rgb = flat(30, 60, 200)
    rgb[:20] = (240, 200, 40)
    assert measure(rgb).dominant_colours == "#1e3cc8 #f0c828"


def test_close_shades_count_as_one_main_colour():
    rgb = flat(100, 100, 100)
    rgb[:, ::2] = 104
    assert len(measure(rgb).dominant_colours.split()) == 1


@settings(max_examples=40)
@given(st.integers(1, 700), st.integers(1, 700), st.sampled_from([1, 16, 128, 256]))
def test_fitting_keeps_the_shape_and_never_enlarges(width, height, side):
    rgb = np.full((height, width, 3), 77, np.uint8)
    small = fit(rgb, side)
    longer = max(width, height)
    assert max(small.shape[:2]) == min(longer, side)
    shorter = max(1, min(width, height) * min(1, side / longer))
    assert abs(min(small.shape[:2]) - shorter) <= 2
    assert (small == 77).all()


@settings(max_examples=30)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(0, 2**32 - 1))
def test_every_picture_has_finite_looks(width, height, seed):
    rgb = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    features = measure(rgb)
    for name, value in vars(features).items():
        if name == "dominant_colours":
            assert all(len(code) == 7 for code in value.split())
        else:
            assert np.isfinite(value) and value >= 0, name
    assert 0 <= features.warmth <= 1 and 0 <= features.saturation <= 1 and features.brightness <= 100.001
