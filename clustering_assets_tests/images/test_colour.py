"""Whatever a file holds becomes the sRGB pixels that its profile, bits, palette and transparency mean."""

import numpy as np
import pytest
from PIL import Image, ImageCms

from clustering_assets.images.errors import ImageError
from clustering_assets_tests.pixels import decode_image

LOSSY = 8


DISPLAY_P3 = np.array(
    [[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]]
)


ADOBE_RGB = np.array([[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]])


SRGB = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])


def through(primaries: np.ndarray, gamma: float, rgb: np.ndarray) -> np.ndarray:
    """What numbers of an RGB space look like in sRGB (IEC 61966-2-1), by the formulas."""
    linear = np.linalg.solve(SRGB, primaries @ ((rgb / 255) ** gamma).reshape(-1, 3).T).T.clip(0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return (encoded * 255).reshape(rgb.shape)


@pytest.mark.parametrize(("space", "gamma"), [(DISPLAY_P3, 2.2), (ADOBE_RGB, 2.19921875)])
@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF", "WEBP", "AVIF"])
def test_a_colour_profile_is_followed(space, gamma, format, quadrants, encoded, centres, rgb_profile):
    data = encoded(quadrants, format, icc_profile=rgb_profile(space, gamma), quality=97)
    expected = through(space, gamma, quadrants.astype(float))
    assert np.abs(expected - quadrants).max() > 15, "the profile should matter"
    np.testing.assert_allclose(centres(decode_image(data, "wide")), centres(expected), atol=LOSSY + 2)


def test_a_colour_profile_holds_behind_transparent_parts(quadrants, encoded, rgb_profile, centres):
    rgba = np.dstack([quadrants, np.full(quadrants.shape[:2], 255, np.uint8)])
    rgba[:32, :48, 3] = 0
    data = encoded(rgba, "PNG", icc_profile=rgb_profile(ADOBE_RGB, 2.19921875))
    expected = through(ADOBE_RGB, 2.19921875, quadrants.astype(float))
    expected[:32, :48] = (10, 20, 30)
    rgb = decode_image(data, "sticker.png", background=(10, 20, 30))
    np.testing.assert_allclose(centres(rgb), centres(expected), atol=2)


def test_an_srgb_profile_changes_nothing(quadrants, encoded):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = encoded(quadrants, "PNG", icc_profile=profile)
    np.testing.assert_array_equal(decode_image(data, "plain.png"), quadrants)


@pytest.mark.parametrize("profile", [b"nonsense", bytes(200)])
def test_a_broken_profile_is_passed_over(profile, quadrants, encoded):
    data = encoded(quadrants, "PNG", icc_profile=profile)
    np.testing.assert_array_equal(decode_image(data, "broken.png"), quadrants)


def test_sixteen_bit_grey_keeps_its_range(raw_png):
    levels = np.linspace(0, 65535, 256).round().astype(">u2").reshape(16, 16)
    rgb = decode_image(raw_png(16, 16, 16, 0, levels.tobytes()), "deep.png")
    np.testing.assert_array_equal(rgb[..., 0].ravel(), np.arange(256))
    assert (rgb[..., 0] == rgb[..., 2]).all()


def test_sixteen_bit_colour_keeps_its_range(quadrants, raw_png):
    deep = quadrants.astype(">u2") * 257
    rgb = decode_image(raw_png(96, 64, 16, 2, deep.astype(">u2").tobytes()), "deep.png")
    np.testing.assert_allclose(rgb.astype(int), quadrants, atol=1)


def test_floating_point_grey_runs_from_nought_to_one(encoded):
    levels = np.linspace(0, 1, 256).astype(np.float32).reshape(16, 16)
    np.testing.assert_array_equal(
        decode_image(encoded(levels, "TIFF"), "f.tif")[..., 1].ravel(), np.arange(256)
    )


@pytest.mark.parametrize("pixels", [np.full((8, 8), 1000.0, np.float32), np.full((8, 8), 70000, np.int32)])
def test_numbers_without_a_white_are_refused_rather_than_guessed(pixels, encoded):
    with pytest.raises(ImageError, match="do not say what white is") as caught:
        decode_image(encoded(pixels, "TIFF"), "data.tif")
    assert caught.value.stage == "format"


@pytest.mark.parametrize("colours", [2, 4, 16, 256])
@pytest.mark.parametrize("format", ["PNG", "GIF", "BMP", "TIFF"])
def test_a_palette_is_looked_up(colours, format, quadrants, encoded, centres):
    image = Image.fromarray(quadrants).quantize(colours)
    expected = np.asarray(image.convert("RGB"))
    np.testing.assert_allclose(centres(decode_image(encoded(image, format), "p")), centres(expected), atol=1)


@pytest.mark.parametrize("background", [(255, 255, 255), (0, 0, 0), (90, 120, 30)])
def test_rgba_lies_on_the_ground_colour(background, quadrants, encoded):
    alpha = np.zeros(quadrants.shape[:2], np.uint8)
    alpha[:, 32:64], alpha[:, 64:] = 128, 255
    rgb = decode_image(encoded(np.dstack([quadrants, alpha]), "PNG"), "sticker.png", background=background)
    share = alpha[..., None] / 255
    expected = quadrants * share + np.array(background) * (1 - share)
    np.testing.assert_allclose(rgb, expected, atol=1)


@pytest.mark.parametrize(("format", "options"), [("WEBP", {"lossless": True, "exact": True}), ("TIFF", {})])
def test_alpha_of_other_formats_lies_on_white(format, options, quadrants, encoded):
    rgba = np.dstack([quadrants, np.full(quadrants.shape[:2], 128, np.uint8)])
    rgb = decode_image(encoded(rgba, format, **options), "sticker")
    np.testing.assert_allclose(rgb, quadrants * (128 / 255) + 255 * (127 / 255), atol=1)


def test_grey_with_alpha_lies_on_the_ground_colour(encoded):
    grey = np.full((8, 8), 100, np.uint8)
    alpha = np.repeat(np.array([0, 255], np.uint8), 4)[None].repeat(8, axis=0)
    image = Image.merge("LA", (Image.fromarray(grey), Image.fromarray(alpha)))
    rgb = decode_image(encoded(image, "PNG"), "la.png", background=(1, 2, 3))
    assert rgb[0, 0].tolist() == [1, 2, 3]
    assert rgb[0, 7].tolist() == [100, 100, 100]


def test_a_palette_with_alpha_lies_on_the_ground_colour(raw_png):
    data = raw_png(2, 1, 8, 3, bytes([0, 1]), PLTE=bytes([255, 0, 0, 0, 0, 255]), tRNS=bytes([0, 255]))
    assert decode_image(data, "p.png").tolist() == [[[255, 255, 255], [0, 0, 255]]]


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "GIF"])
def test_one_bit_is_black_and_white(format, encoded):
    pattern = np.indices((16, 16)).sum(axis=0) % 2 == 0
    rgb = decode_image(encoded(Image.fromarray(pattern), format), "bits")
    np.testing.assert_array_equal(rgb[..., 0] == 255, pattern)
    assert set(np.unique(rgb)) == {0, 255}


@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP"])
def test_what_is_transparent_all_over_is_shown_if_there_is_something(format, quadrants, encoded):
    hidden = np.dstack([quadrants, np.zeros(quadrants.shape[:2], np.uint8)])
    options = {"WEBP": {"lossless": True, "exact": True}}.get(format, {})
    np.testing.assert_array_equal(decode_image(encoded(hidden, format, **options), "a"), quadrants)


def test_a_picture_of_one_colour_that_is_transparent_all_over_is_the_ground(encoded):
    data = encoded(Image.new("RGBA", (8, 6), (9, 9, 9, 0)), "PNG")
    assert (decode_image(data, "a.png", background=(1, 2, 3)) == (1, 2, 3)).all()
