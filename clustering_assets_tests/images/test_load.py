"""The truth table of the loader: every kind of file gives the right pixels, or says why not."""

import base64
import io
import os
import pickle
import re
import struct
import threading
import time
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageFile, PngImagePlugin

from clustering_assets.images.budget import PixelBudget
from clustering_assets.images.errors import ImageError
from clustering_assets.images.formats import jpeg
from clustering_assets.images.load import decode_image, load_image, read_picture
from clustering_assets.settings import Limits

LOSSY = 8
DISPLAY_P3 = np.array(
    [[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]]
)
ADOBE_RGB = np.array([[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]])
SRGB = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])

UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a),
}


def exif(orientation: int) -> bytes:
    notes = Image.Exif()
    notes[274] = orientation
    return notes.tobytes()


def through(primaries: np.ndarray, gamma: float, rgb: np.ndarray) -> np.ndarray:
    """What numbers of an RGB space look like in sRGB (IEC 61966-2-1), by the formulas."""
    linear = np.linalg.solve(SRGB, primaries @ ((rgb / 255) ** gamma).reshape(-1, 3).T).T.clip(0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return (encoded * 255).reshape(rgb.shape)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_every_orientation_is_turned_upright_once(format, orientation, quadrants, encoded, centres):
    pytest.importorskip("pillow_heif").register_heif_opener()
    data = encoded(quadrants, format, exif=exif(orientation), quality=95)
    expected = UPRIGHT[orientation](quadrants)
    rgb = decode_image(data, "turned")
    assert rgb.shape == expected.shape
    np.testing.assert_allclose(centres(rgb), centres(expected), atol=LOSSY)


def test_a_heic_from_a_phone_says_how_it_is_turned_in_its_container(quadrants, encoded):
    pytest.importorskip("pillow_heif").register_heif_opener()
    assert b"irot" in encoded(quadrants, "HEIF", exif=exif(6), quality=95)


@pytest.mark.parametrize("orientation", [0, 9, 4711])
def test_an_orientation_that_does_not_exist_counts_as_upright(orientation, quadrants, encoded):
    data = encoded(quadrants, "PNG", exif=exif(orientation))
    np.testing.assert_array_equal(decode_image(data, "odd.png"), quadrants)


@pytest.mark.parametrize(
    ("format", "options", "tolerance"),
    [
        ("JPEG", {"quality": 95}, LOSSY),
        ("JPEG", {"quality": 95, "progressive": True}, LOSSY),
        ("JPEG", {"quality": 95, "subsampling": 0, "restart_marker_blocks": 2}, LOSSY),
        ("PNG", {}, 0),
        ("BMP", {}, 0),
        ("WEBP", {"quality": 95}, LOSSY),
        ("WEBP", {"lossless": True}, 0),
        ("TIFF", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("TIFF", {"compression": "jpeg"}, LOSSY),
        ("AVIF", {"quality": 95}, LOSSY),
        ("HEIF", {"quality": 95}, LOSSY),
    ],
)
def test_every_format_keeps_its_colours(format, options, tolerance, quadrants, encoded, centres):
    pytest.importorskip("pillow_heif").register_heif_opener()
    rgb = decode_image(encoded(quadrants, format, **options), "colours")
    assert rgb.shape == quadrants.shape
    np.testing.assert_allclose(centres(rgb), centres(quadrants), atol=tolerance)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "AVIF"])
def test_an_animation_gives_its_first_frame(format, quadrants, encoded, centres):
    others = [Image.fromarray(255 - quadrants), Image.fromarray(quadrants[::-1])]
    data = encoded(quadrants, format, save_all=True, append_images=others)
    np.testing.assert_allclose(centres(decode_image(data, "moving")), centres(quadrants), atol=12)


def test_an_mpo_of_a_stereo_camera_gives_its_first_picture(quadrants, encoded, centres):
    others = [Image.fromarray(255 - quadrants)]
    data = encoded(quadrants, "MPO", save_all=True, append_images=others, quality=95)
    np.testing.assert_allclose(centres(decode_image(data, "stereo.mpo")), centres(quadrants), atol=LOSSY)


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


def test_a_cmyk_jpeg_has_the_right_colours(quadrants, encoded, centres):
    data = encoded(Image.fromarray(quadrants).convert("CMYK"), "JPEG", quality=95)
    np.testing.assert_allclose(centres(decode_image(data, "print.jpg")), centres(quadrants), atol=LOSSY)


def test_a_ycck_jpeg_has_the_right_colours(quadrants, encoded, centres):
    # Adobe writes luma and chroma of the inks, and black inverted. Pillow writes four channels as they come, inverted,
    # so such a file is made by giving it those four and saying "YCCK" in the Adobe marker.
    black = np.full(quadrants.shape[:2], 40, np.uint8)
    inks = 255 - np.round(quadrants / (1 - 40 / 255)).clip(0, 255).astype(np.uint8)
    luma_chroma = np.asarray(Image.fromarray(inks).convert("YCbCr"))
    channels = np.dstack([255 - luma_chroma, black])
    data = bytearray(encoded(Image.fromarray(channels, "CMYK"), "JPEG", quality=97, subsampling=0))
    marker = data.index(b"Adobe")
    assert data[marker + 11] == 0
    data[marker + 11] = 2
    np.testing.assert_allclose(
        centres(decode_image(bytes(data), "print.jpg")), centres(quadrants), atol=LOSSY
    )


def test_sixteen_bit_grey_keeps_its_range(raw_png):
    levels = np.linspace(0, 65535, 256).round().astype(">u2").reshape(16, 16)
    rgb = decode_image(raw_png(16, 16, 16, 0, levels.tobytes()), "deep.png")
    np.testing.assert_array_equal(rgb[..., 0].ravel(), np.arange(256))
    assert (rgb[..., 0] == rgb[..., 2]).all()


def test_sixteen_bit_colour_keeps_its_range(quadrants, raw_png):
    deep = quadrants.astype(">u2") * 257
    rgb = decode_image(raw_png(96, 64, 16, 2, deep.astype(">u2").tobytes()), "deep.png")
    np.testing.assert_allclose(rgb.astype(int), quadrants, atol=1)


@pytest.mark.parametrize("white_is_zero", [False, True])
def test_sixteen_bit_grey_tiff_is_right_either_way_round(white_is_zero, encoded):
    levels = np.linspace(0, 65535, 256).round().astype(np.uint16).reshape(16, 16)
    stored = 65535 - levels if white_is_zero else levels
    data = encoded(stored, "TIFF", tiffinfo={262: 0 if white_is_zero else 1})
    np.testing.assert_array_equal(decode_image(data, "scan.tif")[..., 1].ravel(), np.arange(256))


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


@pytest.mark.parametrize(
    ("depth", "colour", "pixels", "transparent", "opaque"),
    [
        (8, 0, bytes([7, 200]), struct.pack(">H", 7), 200),
        (16, 0, struct.pack(">HH", 1799, 51400), struct.pack(">H", 1799), 200),
        (8, 2, bytes([7] * 3 + [200] * 3), struct.pack(">HHH", 7, 7, 7), 200),
        (16, 2, struct.pack(">6H", *[1799] * 3, *[51400] * 3), struct.pack(">HHH", *[1799] * 3), 200),
    ],
)
def test_one_transparent_level_shows_the_ground(depth, colour, pixels, transparent, opaque, raw_png):
    data = raw_png(2, 1, depth, colour, pixels, tRNS=transparent)
    rgb = decode_image(data, "key.png", background=(5, 6, 7))
    assert rgb.tolist() == [[[5, 6, 7], [opaque] * 3]]


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "GIF"])
def test_one_bit_is_black_and_white(format, encoded):
    pattern = np.indices((16, 16)).sum(axis=0) % 2 == 0
    rgb = decode_image(encoded(Image.fromarray(pattern), format), "bits")
    np.testing.assert_array_equal(rgb[..., 0] == 255, pattern)
    assert set(np.unique(rgb)) == {0, 255}


@pytest.mark.parametrize(
    "name",
    ["photo.png", "photo.JPEG", "photo", "with space.jpg", "été 写真.jpg", "two\nlines.jpg", "a'b\"c$.jpg"],
)
def test_the_name_of_a_file_does_not_matter(name, quadrants, encoded, save, centres):
    path = save(name, encoded(quadrants, "JPEG", quality=95))
    np.testing.assert_allclose(centres(load_image(path)), centres(quadrants), atol=LOSSY)


def test_what_follows_the_end_of_a_picture_is_ignored(quadrants, encoded):
    data = encoded(quadrants, "JPEG")
    np.testing.assert_array_equal(decode_image(data + b"more" * 99, "a"), decode_image(data, "b"))


def test_damaged_notes_do_not_cost_the_picture(quadrants, encoded):
    data = encoded(quadrants, "JPEG")
    notes = b"Exif\0\0II*\0\xff\xff\xff\x7f" + bytes(12)
    spoilt = data[:2] + b"\xff\xe1" + struct.pack(">H", 2 + len(notes)) + notes + data[2:]
    np.testing.assert_array_equal(decode_image(spoilt, "a"), decode_image(data, "b"))


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (4000, 2), (2, 1)])
def test_tiny_and_thin_pictures_load(size, encoded):
    image = Image.new("RGB", size, (9, 99, 199))
    rgb = decode_image(encoded(image, "PNG"), "thin.png", min_side=224)
    assert rgb.shape == (size[1], size[0], 3)
    assert (rgb == (9, 99, 199)).all()


@pytest.mark.parametrize("min_side", [64, 100, 224, 300, 599, 600, 2000])
def test_scaled_decoding_keeps_the_shorter_side_and_the_pixels(min_side, photo, encoded):
    import cv2

    data = encoded(photo(width=800, height=600), "JPEG", quality=90)
    full, scaled = decode_image(data, "a"), decode_image(data, "b", min_side=min_side)
    assert min(scaled.shape[:2]) >= min(min_side, 600)
    if min_side <= 300:
        assert scaled.shape[0] < 600
    averaged = cv2.resize(full, scaled.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(averaged.astype(int) - scaled).mean() <= 2


def test_scaled_decoding_turns_the_picture_and_keeps_its_full_size_as_a_fact(photo, encoded, save):
    path = save("a.jpg", encoded(photo(width=800, height=400), "JPEG", exif=exif(6)))
    picture = read_picture(path, min_side=100)
    assert (picture.width, picture.height) == (400, 800)
    assert picture.image.size == (100, 200)


def test_the_pixels_can_be_written_to(quadrants, encoded):
    assert decode_image(encoded(quadrants, "PNG"), "a.png").flags.writeable


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "HEIF"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_truncated_file_is_refused(format, share, photo, encoded):
    pytest.importorskip("pillow_heif").register_heif_opener()
    data = encoded(photo(), format)
    with pytest.raises(ImageError, match="damaged") as caught:
        decode_image(data[: int(len(data) * share)], "half.x")
    assert caught.value.stage == "decode"


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF"])
def test_a_file_whose_second_half_is_zeros_is_refused(format, photo, encoded):
    pytest.importorskip("pillow_heif").register_heif_opener()
    data = encoded(photo(width=640, height=480), format)
    half = len(data) // 2
    with pytest.raises(ImageError, match="damaged"):
        decode_image(data[:half] + bytes(len(data) - half), "hole.x")


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_a_jpeg_that_was_cut_and_closed_again_is_refused(share, photo, encoded):
    data = encoded(photo(), "JPEG")
    with pytest.raises(ImageError, match="parts of the picture are missing"):
        decode_image(data[: int(len(data) * share)] + b"\xff\xd9", "grey.jpg")


@pytest.mark.parametrize("colour", [(255, 255, 255), (0, 0, 0), (60, 90, 120)])
@pytest.mark.parametrize("rows", [8, 60, 200])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_with_an_even_lower_edge_is_sound(colour, rows, progressive, photo, encoded):
    pixels = photo()
    pixels[-rows:] = colour
    rgb = decode_image(encoded(pixels, "JPEG", progressive=progressive), "product.jpg")
    np.testing.assert_allclose(rgb[-2].mean(axis=0), colour, atol=3)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0.05, 0.98), bit=st.integers(0, 7))
def test_a_flipped_bit_in_a_png_never_gives_other_pixels(place, bit, photo, encoded):
    pixels = photo(width=64, height=48)
    data = bytearray(encoded(pixels, "PNG"))
    data[int(len(data) * place)] ^= 1 << bit
    try:
        rgb = decode_image(bytes(data), "flip.png")
    except ImageError:
        return
    np.testing.assert_array_equal(rgb, pixels)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    format=st.sampled_from(["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF"]),
    changes=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=12),
)
def test_any_damage_ends_in_pixels_or_in_a_reason(format, changes, photo, encoded):
    data = bytearray(encoded(photo(width=48, height=32), format))
    for place, value in changes:
        data[int(len(data) * place)] = value
    try:
        assert decode_image(bytes(data), "spoilt.x", limits=Limits(max_megapixels=4)).ndim == 3
    except ImageError as error:
        assert error.reason


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (bytes(4000), "nothing but zero bytes"),
        (b"8BPS\0\1" + bytes(400), "Photoshop"),
        (b"%PDF-1.7", "PDF"),
        (b"<!DOCTYPE html><title>404</title>", "web page"),
        (b"\r\n<HTML><HEAD>", "web page"),
        (b"PK\3\4" + bytes(99), "ZIP"),
        (b"P6 2 2 255\n" + bytes(12), "PNM"),
        (b"qoif" + bytes(20), "QOI"),
        (b"P.S. more tomorrow", "not a picture"),
        (b"hello", "not a picture"),
        (b"\0\0\0\x18ftypmp42" + bytes(99), "video"),
        (b"\0\0\2\0\1\0" + bytes(60), "a Windows cursor"),
        (b"\0\0\2" + bytes(9) + b"\x40\1\xc8\0\x18\0", "a Targa picture"),
        (b"\x8aMNG\r\n\x1a\n", "an MNG animation"),
        (b"\x01\xda\1\1" + bytes(60), "an SGI picture"),
        (b"PF\n2 2\n-1.0\n" + bytes(48), "a PFM picture"),
        (b"FOVb" + bytes(60), "a camera raw file"),
        (b"BMW is a maker of cars and motorcycles", "not a picture"),
    ],
)
def test_other_things_named_like_pictures_are_refused_unread(data, reason, save):
    with pytest.raises(ImageError, match=reason) as caught:
        load_image(save("photo.jpg", data))
    assert caught.value.stage == "format"


def test_a_psd_named_jpg_never_reaches_a_decoder(save, monkeypatch):
    def opened(*args, **kwargs):
        raise AssertionError("decoder reached")

    monkeypatch.setattr(Image, "open", opened)
    with pytest.raises(ImageError, match="Photoshop"):
        load_image(save("photo.jpg", b"8BPS\0\1" + bytes(4000)))


def test_a_text_that_does_not_claim_to_be_a_picture_is_told_apart(save):
    with pytest.raises(ImageError) as caught:
        load_image(save("notes.txt", b"hello"))
    assert caught.value.stage == "other"


def test_a_bomb_is_refused_before_it_is_decoded(raw_png):
    with pytest.raises(ImageError, match="20000 x 20000 pixels, more than max_megapixels = 120") as caught:
        decode_image(raw_png(20000, 20000, 8, 0, b""), "bomb.png")
    assert caught.value.stage == "limits"


def test_a_bomb_beyond_pillows_own_guard_is_refused_by_ours(raw_png):
    with pytest.raises(ImageError, match="max_megapixels") as caught:
        decode_image(raw_png(60000, 60000, 1, 0, b""), "bomb.png")
    assert caught.value.stage == "limits"


def test_the_pixel_cap_is_a_setting(quadrants, encoded):
    data = encoded(quadrants, "PNG")
    assert decode_image(data, "a.png", limits=Limits(max_megapixels=96 * 64 / 1e6)).shape == (64, 96, 3)
    with pytest.raises(ImageError, match="max_megapixels"):
        decode_image(data, "a.png", limits=Limits(max_megapixels=0.006))


def test_the_size_cap_is_checked_before_reading(quadrants, encoded, save):
    path = save("a.png", encoded(quadrants, "PNG") + bytes(20_000))
    with pytest.raises(ImageError, match=r"max_file_megabytes = 0\.01") as caught:
        load_image(path, limits=Limits(max_file_megabytes=0.01))
    assert caught.value.stage == "limits"


def test_a_fifo_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(ImageError, match="not an ordinary file") as caught:
        load_image(tmp_path / "pipe.jpg")
    assert caught.value.stage == "find"


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(ImageError, match=r"gone\.jpg: No such file") as caught:
        load_image(tmp_path / "gone.jpg")
    assert caught.value.stage == "read"


def test_a_camera_raw_file_does_not_pass_for_its_preview(quadrants, encoded):
    data = encoded(quadrants, "TIFF", tiffinfo={254: 1})
    with pytest.raises(ImageError, match="camera raw"):
        decode_image(data, "photo.nef")


def test_an_error_survives_the_way_between_processes():
    error = pickle.loads(pickle.dumps(ImageError("a.jpg", "decode", "damaged JPEG")))
    assert (error.path, error.stage, error.reason) == ("a.jpg", "decode", "damaged JPEG")
    assert str(error) == "a.jpg: damaged JPEG"


def test_loading_leaves_pillow_strict(quadrants, encoded):
    from PIL import ImageFile

    decode_image(encoded(quadrants, "JPEG"), "a.jpg")
    assert not ImageFile.LOAD_TRUNCATED_IMAGES
    with pytest.raises(OSError):
        Image.open(io.BytesIO(encoded(quadrants, "PNG")[:-60])).load()


def test_threads_wait_for_memory_and_one_huge_picture_still_gets_its_turn():
    budget = PixelBudget(100)
    held, most, lock = 0, 0, threading.Lock()

    def work(pixels: int) -> None:
        nonlocal held, most
        with budget.spend(pixels):
            with lock:
                held += min(pixels, 100)
                most = max(most, held)
            time.sleep(0.002)
            with lock:
                held -= min(pixels, 100)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, [30, 60, 500, 10, 90, 40] * 6))
    assert most <= 100 and held == 0


def test_a_long_text_in_a_png_does_not_cost_the_picture(quadrants, encoded):
    notes = PngImagePlugin.PngInfo()
    notes.add_text("workflow", "nodes and wires " * 200_000, zip=True)
    np.testing.assert_array_equal(decode_image(encoded(quadrants, "PNG", pnginfo=notes), "a.png"), quadrants)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_a_transparent_level_counts_in_the_bits_of_the_file(depth, raw_png):
    levels = np.arange(2**depth * 8) % 2**depth
    bits = np.unpackbits(levels.astype(np.uint8)[:, None], axis=1)[:, -depth:]
    grey = np.repeat((levels * 255 // (2**depth - 1))[None, :, None], 3, axis=2)
    for level in range(2**depth):
        data = raw_png(len(levels), 1, depth, 0, np.packbits(bits).tobytes(), tRNS=struct.pack(">H", level))
        expected = np.where(levels[None, :, None] == level, (5, 6, 7), grey)
        np.testing.assert_array_equal(decode_image(data, "key.png", background=(5, 6, 7)), expected)


def test_a_transparent_colour_of_sixteen_bits_leaves_its_neighbour(raw_png):
    pixels = struct.pack(">6H", 9000, 9000, 9000, 9000, 9001, 9000)
    data = raw_png(2, 1, 16, 2, pixels, tRNS=struct.pack(">3H", 9000, 9000, 9000))
    np.testing.assert_allclose(decode_image(data, "key.png"), [[[255] * 3, [35] * 3]], atol=1)


def test_an_animation_behind_a_picture_for_old_readers_gives_its_first_frame(quadrants, encoded):
    frames = [Image.fromarray(quadrants), Image.fromarray(quadrants[::-1])]
    notice = np.full_like(quadrants, 9)
    data = encoded(notice, "PNG", save_all=True, default_image=True, append_images=frames)
    np.testing.assert_array_equal(decode_image(data, "moving.png"), quadrants)


def test_a_gif_whose_first_frame_is_smaller_lies_on_the_ground(encoded):
    frame = Image.new("P", (4, 2), 1)
    frame.putpalette([255, 0, 0, 0, 255, 0])
    data = bytearray(encoded(frame, "GIF"))
    data[6:10] = struct.pack("<HH", 10, 8)
    at = data.index(b",", 13)
    data[at + 1 : at + 5] = struct.pack("<HH", 3, 5)
    rgb = decode_image(bytes(data), "part.gif", background=(7, 8, 9))
    expected = np.full((8, 10, 3), (7, 8, 9))
    expected[5:7, 3:7] = (0, 255, 0)
    np.testing.assert_array_equal(rgb, expected)


def chunk(kind: bytes, content: bytes, wrong: int = 0) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content) ^ wrong)
    )


@pytest.mark.parametrize(
    "kind", [b"tEXt", b"zTXt", b"iTXt", b"tIME", b"pHYs", b"gAMA", b"iCCP", b"eXIf", b"abCd"]
)
@pytest.mark.parametrize("content", [b"", b"key\0\0nonsense"])
def test_notes_with_a_wrong_sum_do_not_cost_a_png(kind, content, quadrants, encoded):
    data = encoded(quadrants, "PNG")
    spoilt = data[:33] + chunk(kind, content, wrong=1) + data[33:]
    np.testing.assert_array_equal(decode_image(spoilt, "a.png"), quadrants)


@pytest.mark.parametrize(
    "bomb",
    [
        chunk(b"zTXt", b"key\0\0" + zlib.compress(bytes(30_000_000))),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(bytes(30_000_000))),
        chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(bytes(30_000_000))),
        chunk(b"iCCP", b"bomb\0\0" + zlib.compress(bytes(30_000_000))),
    ],
)
def test_a_bomb_among_the_notes_of_a_png_is_never_opened(bomb, quadrants, encoded):
    data = encoded(quadrants, "PNG")
    tracemalloc.start()
    rgb = decode_image(data[:33] + bomb * 4 + data[33:], "bomb.png")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(rgb, quadrants)
    assert peak < 24_000_000


@pytest.mark.parametrize("kind", ["IDAT", "PLTE", "tRNS"])
def test_a_wrong_sum_in_what_decides_about_pixels_is_refused(kind, raw_png):
    data = bytearray(
        raw_png(2, 1, 8, 3, bytes([0, 1]), PLTE=bytes([255, 0, 0, 0, 0, 255]), tRNS=bytes([0, 255]))
    )
    data[data.index(kind.encode()) + 4] ^= 1
    with pytest.raises(ImageError, match="checksum"):
        decode_image(bytes(data), "a.png")


def test_a_png_without_its_palette_is_refused(raw_png):
    with pytest.raises(ImageError, match="no palette"):
        decode_image(raw_png(2, 1, 8, 3, bytes([0, 1])), "a.png")


def test_notes_of_a_png_turn_it_wherever_they_are(quadrants, encoded):
    data = encoded(quadrants, "PNG")
    turned = data[:-12] + chunk(b"eXIf", exif(6)[6:]) + data[-12:]
    np.testing.assert_array_equal(decode_image(turned, "a.png"), UPRIGHT[6](quadrants))


@pytest.mark.parametrize(
    "notes",
    [
        b"\xff\xee\0\7Adobe",
        b"\xff\xe2\0\x10ICC_PROFILE\0\0\0",
        b"\xff\xed\0\x1fPhotoshop 3.0\08BIM\3\xed\0\0\0\0\0\2\0\0\0",
        b"\xff\xe2\0\x1aMPF\0MM\0*\0\0\0\x08\0\1\xb0\1\xff\xff\xff\xff\xff\xff",
        b"\xff\xff\xff",
    ],
)
def test_a_jpeg_survives_segments_that_readers_stumble_over(notes, quadrants, encoded):
    data = encoded(quadrants, "JPEG", exif=exif(6))
    expected = decode_image(data, "a.jpg")
    assert expected.shape == (96, 64, 3)
    np.testing.assert_array_equal(decode_image(data[:2] + notes + data[2:], "b.jpg"), expected)


def test_a_jpeg_of_twelve_bits_is_refused_by_name(quadrants, encoded):
    data = bytearray(encoded(quadrants, "JPEG"))
    data[data.index(b"\xff\xc0") + 4] = 12
    with pytest.raises(ImageError, match="12 bits") as caught:
        decode_image(bytes(data), "scan.jpg")
    assert caught.value.stage == "format"


@pytest.mark.parametrize(
    ("kind", "reason"), [(0xC3, "a lossless JPEG"), (0xC5, "a hierarchical JPEG"), (0xC7, "a lossless JPEG")]
)
def test_a_coding_of_jpeg_that_is_not_read_is_not_called_damage(kind, reason, quadrants, encoded):
    data = bytearray(encoded(quadrants, "JPEG"))
    data[data.index(b"\xff\xc0") + 1] = kind
    with pytest.raises(ImageError, match=reason) as caught:
        decode_image(bytes(data), "scan.jpg")
    assert caught.value.stage == "format"


@pytest.mark.parametrize("ratio", ["440", "411"])
def test_unusual_subsampling_of_a_jpeg_keeps_its_colours(ratio, quadrants, centres):
    import cv2

    factor = getattr(cv2, f"IMWRITE_JPEG_SAMPLING_FACTOR_{ratio}")
    _, data = cv2.imencode(".jpg", quadrants[..., ::-1], [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor])
    np.testing.assert_allclose(centres(decode_image(data.tobytes(), "a.jpg")), centres(quadrants), atol=LOSSY)


def bitmap(bits: int, rows: bytes, height: int) -> bytes:
    """An uncompressed BMP of eight columns; a negative height means that the first row is the upper one."""
    info = struct.pack("<IiiHHIIiiII", 40, 8, height, 1, bits, 0, len(rows), 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(rows), 0, 0, 54) + info + rows


@pytest.mark.parametrize("downwards", [False, True])
@pytest.mark.parametrize("bits", [16, 24, 32])
def test_a_bitmap_has_its_colours_and_the_right_way_up(bits, downwards):
    rgb = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    levels = rgb >> 3 if bits == 16 else rgb
    if bits == 16:
        red, green, blue = levels.astype("<u2").transpose(2, 0, 1)
        stored = red << 10 | green << 5 | blue
    else:
        unused = np.zeros((6, 8, bits // 8 - 3), np.uint8)
        stored = np.dstack([levels[..., ::-1], unused])
    rows = stored if downwards else stored[::-1]
    expected = np.rint(levels * (255 / 31)) if bits == 16 else levels
    data = bitmap(bits, rows.tobytes(), -6 if downwards else 6)
    np.testing.assert_allclose(decode_image(data, "a.bmp"), expected, atol=1)


def test_a_bitmap_of_os2_is_read(quadrants):
    header = b"BM" + struct.pack("<IHHIIHHHH", 26 + quadrants.size, 0, 0, 26, 12, 96, 64, 1, 24)
    data = header + quadrants[::-1, :, ::-1].tobytes()
    np.testing.assert_array_equal(decode_image(data, "os2.bmp"), quadrants)


def test_an_avif_that_names_no_colours_is_srgb(quadrants, encoded, centres):
    # ISO/IEC 23000-22, 7.3.6.4: without the property, code points 1 and 13 hold, whatever the stream says.
    data = encoded(quadrants, "AVIF", quality=95).replace(b"colrnclx", b"freenclx")
    np.testing.assert_allclose(centres(decode_image(data, "a.avif")), centres(quadrants), atol=LOSSY)


@pytest.mark.parametrize("filling", [b"\0", b"\xff"])
@pytest.mark.parametrize("restart", [0, 1])
def test_a_jpeg_with_a_hole_is_refused(filling, restart, photo, encoded):
    data = bytearray(encoded(photo(), "JPEG", quality=92, restart_marker_rows=restart))
    middle = len(data) // 2
    data[middle : middle + 1024] = filling * 1024
    with pytest.raises(ImageError, match="damaged JPEG"):
        decode_image(bytes(data), "disk.jpg")


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_a_progressive_jpeg_that_was_cut_and_closed_again_is_refused(share, photo, encoded):
    data = encoded(photo(), "JPEG", progressive=True)
    with pytest.raises(ImageError, match="parts of the picture are missing"):
        decode_image(data[: int(len(data) * share)] + b"\xff\xd9", "coarse.jpg")


@pytest.mark.parametrize("optimize", [False, True])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_jpeg_of_one_colour_is_sound(level, progressive, optimize, encoded):
    pixels = np.full((480, 640, 3), level, np.uint8)
    data = encoded(pixels, "JPEG", optimize=optimize, progressive=progressive)
    np.testing.assert_allclose(decode_image(data, "even.jpg"), pixels, atol=1)


@pytest.mark.parametrize("format", ["WEBP", "AVIF", "HEIF"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_hole_in_the_middle_is_refused(format, share, photo, encoded):
    pytest.importorskip("pillow_heif").register_heif_opener()
    data = bytearray(encoded(photo(width=640, height=480), format, quality=90))
    at = int(len(data) * share)
    data[at : at + 512] = bytes(512)
    with pytest.raises(ImageError, match="damaged"):
        decode_image(bytes(data), "hole.x")


@pytest.mark.parametrize("format", ["WEBP", "AVIF", "HEIF", "PNG"])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_even_pictures_are_not_taken_for_holes(format, level, encoded):
    pytest.importorskip("pillow_heif").register_heif_opener()
    pixels = np.full((900, 1200, 3), level, np.uint8)
    for options in ({"quality": 60}, {"lossless": True} if format == "WEBP" else {"quality": 95}):
        np.testing.assert_allclose(decode_image(encoded(pixels, format, **options), "x"), pixels, atol=3)


def plain_tiff(pixels: np.ndarray, sample_format: int, planes: int) -> bytes:
    """An uncompressed TIFF in one strip for each plane (TIFF 6.0)."""
    height, width, count = pixels.shape
    strips = [pixels[..., k].tobytes() for k in range(count)] if planes == 2 else [pixels.tobytes()]
    begin = 8 + sum(map(len, strips))
    numbers = [8 + sum(map(len, strips[:k])) for k in range(len(strips))]
    after = begin + 2 + 12 * 11 + 4
    bits, formats = struct.pack("<3H", *[8 * pixels.itemsize] * 3), struct.pack("<3H", *[sample_format] * 3)
    offsets, sizes = (
        struct.pack(f"<{len(strips)}I", *numbers),
        struct.pack(f"<{len(strips)}I", *map(len, strips)),
    )
    fields = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 3, after), (259, 3, 1, 1), (262, 3, 1, 2)]
    where = after + 12
    single = len(strips) == 1
    fields += [
        (273, 4, len(strips), numbers[0] if single else where),
        (277, 3, 1, count),
        (278, 4, 1, height),
    ]
    fields += [(279, 4, len(strips), len(strips[0]) if single else where + len(offsets)), (284, 3, 1, planes)]
    fields += [(339, 3, 3, after + 6)]
    table = struct.pack("<H", 11) + b"".join(struct.pack("<HHII", *field) for field in fields) + bytes(4)
    return (
        struct.pack("<2sHI", b"II", 42, begin) + b"".join(strips) + table + bits + formats + offsets + sizes
    )


def test_the_plain_tiff_of_these_tests_is_sound(quadrants):
    np.testing.assert_array_equal(decode_image(plain_tiff(quadrants, 1, 1), "a.tif"), quadrants)
    deep = plain_tiff(quadrants.astype("<u2") * 257, 1, 1)
    np.testing.assert_allclose(decode_image(deep, "b.tif").astype(int), quadrants, atol=1)


def test_planes_of_sixteen_bits_are_refused_since_they_would_come_out_wrong(quadrants):
    with pytest.raises(ImageError, match="separate planes") as caught:
        decode_image(plain_tiff(quadrants.astype("<u2") * 257, 1, 2), "a.tif")
    assert caught.value.stage == "format"


def test_a_kind_of_tiff_that_is_not_read_is_not_called_damaged(quadrants):
    with pytest.raises(ImageError, match="a kind of TIFF that is not read") as caught:
        decode_image(plain_tiff((quadrants / 255).astype("<f4"), 3, 1), "light.tif")
    assert caught.value.stage == "format"


def test_a_deflated_tiff_with_a_wrong_sum_is_refused(photo, encoded):
    data = bytearray(encoded(photo(), "TIFF", compression="tiff_adobe_deflate"))
    tags = Image.open(io.BytesIO(data)).tag_v2  # type: ignore[attr-defined]
    decode_image(bytes(data), "whole.tif")
    data[tags[273][0] + tags[279][0] - 1] ^= 1  # the decoder never looks at the last bytes of a strip
    with pytest.raises(ImageError, match="damaged TIFF: a wrong checksum"):
        decode_image(bytes(data), "flipped.tif")


@pytest.mark.parametrize(("number", "name"), [(34887, "LERC"), (34712, "JPEG 2000"), (50002, "JPEG XL")])
def test_a_compression_of_tiff_that_is_not_read_is_called_by_its_name(number, name, quadrants, encoded):
    data = encoded(quadrants, "TIFF", compression="tiff_lzw")
    tag = struct.pack("<HHIHH", 259, 3, 1, 5, 0)
    assert data.count(tag) == 1
    data = data.replace(tag, struct.pack("<HHIHH", 259, 3, 1, number, 0))
    with pytest.raises(ImageError, match=f"a TIFF compressed as {name}, which is not read") as caught:
        decode_image(data, "map.tif")
    assert caught.value.stage == "format"


def test_a_file_that_grows_while_it_is_read_is_left_for_the_next_time(quadrants, encoded, save, monkeypatch):
    path = save("growing.png", encoded(quadrants, "PNG"))
    calls = []

    def growing(number: int) -> os.stat_result:
        calls.append(number)
        facts = list(os.stat(number))
        facts[6] += len(calls)
        return os.stat_result(facts, {"st_mtime_ns": os.stat(number).st_mtime_ns})

    monkeypatch.setattr(os, "fstat", growing)
    with pytest.raises(ImageError, match="changed while it was read") as caught:
        load_image(path)
    assert caught.value.stage == "read"


ARITHMETIC = (
    "|JeWF01!$>Nk#wx0RR9200961|JwjV00RO70|EjA0|NsD0|NvF2n7WM1O*BQ2L=cX3JeSj3JVJj4iXRz4iOFu3lJ6%5fc;@6"
    "%`B*7Z?^47!ni}6#v@*LjeN>1O)^I2?YfS6b%av6ciK`6ciK`6ciK`6ciK`6ciK`6ciK`6ciK`6ciK`6ciK`6ciK`6ciK`6c"
    "iK`6cqo-01*fPKmcF^0U`hb5di}c0sqVZ3IGrg1pyEd1^?Or3<CiG0ucid06zf#0MY*d<pKgL4XAT92-rLecDx?{02~5Hbj-"
    "7bCCW)&7o^6}DSy1M;nTFbKtj)LO_=}L"
)
ARITHMETIC_PROGRESSIVE = (
    "|JeWF01!$>Nk#wx0RR9200961|JwjV00RO70|EjA0|NsD0|NvF2n7WM1O*BQ2L=cX3JeSj3JVJj4iXRz4iOFu3lJ6%5fc;@6"
    "%`B*7Z?^47!ni}6#v@*LjeN>1O)^I2?YfS6b%av6ciK`6ciK`6ciK`6ciK`6ciK`6ciK`6ciK`6ciK`6ciK`6ciK`6ciK`6c"
    "iK`6cqo;01*fPKmcF^0U`hb5di}c0sqVZ1^^HN5dYc$3<CiG0uTcb000610Hqd`oWTr<;Rj|O1<U=J7fd@j74e_I<LI!}D3N"
    "Yg9^g`XhwW4}y<0>7%m4%s1^?Or2mt{A0R;l6|I7dc5e5I+00;pC0RcY&u>Z^e1Q7-"
    "Q+5iXv0s#R(0kHqf00a;P|Jncu0RaF8KLV)#%m4%s1^?Or2mt{A0Y4$A|Jncy0|5X600RI301)~|B1@qYvLw0`7kjZcZ5O)}"
    "|I7dc5e5I+00;pC0RcY{u>Z^e1Q7-Q+5iXv0s#R(5U~Hu00a;P|Jncu0RaF3KM<(@*#"
)
"""The quadrants as JPEG with arithmetic coding, which no library here writes; in base 85."""


@pytest.mark.parametrize("text", [ARITHMETIC, ARITHMETIC_PROGRESSIVE])
def test_an_arithmetic_jpeg_is_read_however_long_it_is(text, quadrants, centres, monkeypatch):
    monkeypatch.setattr(
        ImageFile, "MAXBLOCK", 100
    )  # Pillow hands on as much at a time, and this coding cannot wait
    monkeypatch.setattr(
        jpeg, "_strictly", lambda *_: None
    )  # as with kinds that the strict decoder does not read
    rgb = decode_image(base64.b85decode(text), "a.jpg")
    np.testing.assert_allclose(centres(rgb), centres(quadrants), atol=LOSSY)


@pytest.mark.parametrize("text", [ARITHMETIC, ARITHMETIC_PROGRESSIVE])
@pytest.mark.parametrize("lost", [2, 10, 30])
def test_an_arithmetic_jpeg_that_was_cut_is_refused(text, lost):
    with pytest.raises(ImageError, match="damaged JPEG"):
        decode_image(base64.b85decode(text)[:-lost], "a.jpg")


@pytest.mark.parametrize("share", [0.7, 0.8, 0.95, 0.99])
def test_a_progressive_jpeg_without_its_last_details_is_refused(share, photo, encoded):
    data = encoded(photo(), "JPEG", progressive=True, quality=85)
    with pytest.raises(ImageError, match="parts of the picture are missing"):
        decode_image(data[: int(len(data) * share)] + b"\xff\xd9", "soft.jpg")


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_progressive_jpeg_without_a_whole_scan_is_refused(mode, photo, encoded):
    data = encoded(Image.fromarray(photo()).convert(mode), "JPEG", progressive=True, quality=85)
    scans = [match.start() for match in re.finditer(b"\xff\xda", data)]
    decode_image(data, "whole.jpg")
    for at in scans[1:]:
        with pytest.raises(ImageError, match="its last scans are missing"):
            decode_image(data[:at] + b"\xff\xd9", "soft.jpg")


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (9, 300), (16, 16)])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_small_progressive_jpegs_are_whole(size, mode, photo, encoded):
    pixels = Image.fromarray(photo()).crop((0, 0, *size)).convert(mode)
    for quality in (1, 75, 100):
        data = encoded(pixels, "JPEG", progressive=True, quality=quality)
        assert decode_image(data, "small.jpg").shape == (size[1], size[0], 3)


def test_a_jpeg_that_lost_its_last_blocks_is_refused(photo, encoded):
    data = encoded(photo(), "JPEG", quality=92)
    with pytest.raises(ImageError, match="parts of the picture are missing"):
        decode_image(data[: int(len(data) * 0.985)] + b"\xff\xd9", "corner.jpg")


@pytest.mark.parametrize("kind", [0, 2, 3, 4, 6])
@pytest.mark.parametrize("interlaced", [False, True])
def test_a_png_with_too_few_rows_is_refused(kind, interlaced, photo):
    bands = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
    samples = np.repeat(photo()[..., :1], bands, axis=2)
    passes = [(0, 0, 1, 1)]
    if interlaced:
        passes = [
            (0, 0, 8, 8),
            (4, 0, 8, 8),
            (0, 4, 4, 8),
            (2, 0, 4, 4),
            (0, 2, 2, 4),
            (1, 0, 2, 2),
            (0, 1, 1, 2),
        ]
    parts = [samples[top::down, left::across] for left, top, across, down in passes]
    rows = b"".join(b"\0" + row.tobytes() for part in parts for row in part)
    header = struct.pack(">IIBBBBB", 320, 240, 8, kind, 0, 0, int(interlaced))
    palette = (chunk(b"PLTE", bytes(range(256)) * 3),) if kind == 3 else ()

    def png(content: bytes) -> bytes:
        body = (chunk(b"IHDR", header), *palette, chunk(b"IDAT", zlib.compress(content)), chunk(b"IEND", b""))
        return b"\x89PNG\r\n\x1a\n" + b"".join(body)

    assert decode_image(png(rows), "whole.png").shape == (240, 320, 3)
    assert decode_image(png(bytes(len(rows))), "empty.png").shape == (240, 320, 3)
    with pytest.raises(
        ImageError, match="damaged PNG: image file is truncated" if interlaced else "rows are missing"
    ):
        decode_image(png(rows[: len(rows) * 2 // 3]), "short.png")


def test_an_animation_that_begins_with_a_part_of_its_picture_is_refused_rather_than_mixed(quadrants, encoded):
    whole, part = (encoded(image, "PNG") for image in (quadrants, quadrants[:32, :48].copy()))
    begin, end = whole.index(b"IDAT") - 4, whole.index(b"IEND") - 4
    pixels = part[part.index(b"IDAT") + 4 : part.index(b"IEND") - 8]
    frame = struct.pack(">IIIIIHHBB", 0, 48, 32, 8, 8, 1, 10, 0, 0)
    data = (
        whole[:begin]
        + chunk(b"acTL", struct.pack(">II", 1, 0))
        + whole[begin:end]
        + chunk(b"fcTL", frame)
        + chunk(b"fdAT", struct.pack(">I", 1) + pixels)
        + whole[end:]
    )
    with pytest.raises(ImageError, match="begins with a part of its picture") as caught:
        decode_image(data, "stamp.png")
    assert caught.value.stage == "format"


@pytest.mark.parametrize("named", ["a.jls", "a.jpg"])
def test_jpeg_ls_is_called_by_its_name(named, quadrants, encoded):
    data = encoded(quadrants, "JPEG").replace(b"\xff\xc0", b"\xff\xf7", 1)
    with pytest.raises(ImageError, match="a JPEG-LS picture, which is not read"):
        decode_image(data, named)


def test_a_kind_of_bitmap_that_is_not_read_is_not_called_damaged():
    with pytest.raises(ImageError, match="a kind of BMP that is not read") as caught:
        decode_image(bitmap(7, bytes(96), 6), "a.bmp")
    assert caught.value.stage == "format"
