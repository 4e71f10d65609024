"""Decoding JPEGs strictly: the pixels that Pillow gives, no damaged ones, and no sound ones refused."""

import io

import numpy as np
import pytest
from PIL import Image

from clustering_assets.images.formats import jpeg
from clustering_assets.images.formats.jpeg import load_jpeg
from clustering_assets.images.load import ImageError, decode_image

KINDS = [
    ("RGB", {}),
    ("RGB", {"subsampling": 0, "quality": 95}),
    ("RGB", {"subsampling": 1, "restart_marker_rows": 1}),
    ("RGB", {"progressive": True}),
    ("L", {}),
    ("CMYK", {}),
]


def opened(data: bytes, side: int) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.draft(None, (side, side))
    return image


@pytest.mark.parametrize(("mode", "options"), KINDS)
@pytest.mark.parametrize("side", [333, 100, 41])
def test_the_strict_decoder_gives_the_pixels_of_pillow(mode, options, side, photo, encoded):
    data = encoded(Image.fromarray(photo(width=401, height=333)).convert(mode), "JPEG", **options)
    image, expected = load_jpeg(data, opened(data, side)), opened(data, side)
    assert image.mode == mode
    np.testing.assert_array_equal(np.asarray(image), np.asarray(expected))


def as_text(data: bytes) -> bytes:
    return data.replace(b"\n", b"\r\n")


def without_the_middle(data: bytes) -> bytes:
    return data[: len(data) // 2] + data[len(data) // 2 + 200 :]


def with_noise(data: bytes) -> bytes:
    noise = np.random.default_rng(0).integers(1, 255, 300, np.uint8).tobytes()
    return data[: len(data) // 2] + noise + data[len(data) // 2 + 300 :]


def ending_in_zeros(data: bytes) -> bytes:
    return data[: len(data) // 2] + bytes(len(data) - len(data) // 2)


@pytest.mark.parametrize("damage", [as_text, without_the_middle, with_noise, ending_in_zeros])
@pytest.mark.parametrize(("mode", "options"), KINDS)
def test_damage_that_decoders_hide_is_refused(damage, mode, options, photo, encoded):
    data = encoded(Image.fromarray(photo()).convert(mode), "JPEG", **options)
    with pytest.raises(ImageError, match="damaged JPEG"):
        decode_image(damage(data), "copied.jpg")


def without_end_mark(data: bytes) -> bytes:
    return data[:-2]


def with_zeros_before_the_end_mark(data: bytes) -> bytes:
    return data[:-2] + bytes(3) + data[-2:]


def with_a_byte_between_segments(data: bytes) -> bytes:
    tables = data.index(b"\xff\xdb")
    return data[:tables] + b"\0" + data[tables:]


def with_a_second_picture_behind(data: bytes) -> bytes:
    return data + data


def test_an_older_pillow_is_handed_a_copy_with_the_same_pixels(photo, encoded, monkeypatch):
    data = encoded(photo(), "JPEG")
    expected = decode_image(data, "a.jpg")
    monkeypatch.setattr(jpeg, "_HANDS_ON", False)
    np.testing.assert_array_equal(decode_image(data, "a.jpg"), expected)


@pytest.mark.parametrize(
    "oddity",
    [
        without_end_mark,
        with_zeros_before_the_end_mark,
        with_a_byte_between_segments,
        with_a_second_picture_behind,
    ],
)
@pytest.mark.parametrize("options", [{}, {"subsampling": 0, "quality": 95}])
def test_what_does_no_harm_does_not_cost_the_picture(oddity, options, photo, encoded):
    data = encoded(photo(), "JPEG", **options)
    np.testing.assert_array_equal(decode_image(oddity(data), "odd.jpg"), decode_image(data, "plain.jpg"))
