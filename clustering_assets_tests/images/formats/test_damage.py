"""Holes of zeros in the pixels of WEBP, HEIC, AVIF and PNG files."""

import numpy as np
import pytest

from clustering_assets.images.errors import ImageError
from clustering_assets_tests.pixels import decode_image


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF"])
def test_a_file_whose_second_half_is_zeros_is_refused(format, photo, encoded):
    data = encoded(photo(width=640, height=480), format)
    half = len(data) // 2
    with pytest.raises(ImageError, match="damaged"):
        decode_image(data[:half] + bytes(len(data) - half), "hole.x")


@pytest.mark.parametrize("format", ["WEBP", "AVIF", "HEIF"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_hole_in_the_middle_is_refused(format, share, photo, encoded):
    data = bytearray(encoded(photo(width=640, height=480), format, quality=90))
    at = int(len(data) * share)
    data[at : at + 512] = bytes(512)
    with pytest.raises(ImageError, match="damaged"):
        decode_image(bytes(data), "hole.x")


@pytest.mark.parametrize("format", ["WEBP", "AVIF", "HEIF", "PNG"])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_even_pictures_are_not_taken_for_holes(format, level, encoded):
    pixels = np.full((900, 1200, 3), level, np.uint8)
    for options in ({"quality": 60}, {"lossless": True} if format == "WEBP" else {"quality": 95}):
        np.testing.assert_allclose(decode_image(encoded(pixels, format, **options), "x"), pixels, atol=3)
