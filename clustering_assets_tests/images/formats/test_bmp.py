"""Bitmaps of every depth, either way up."""

import struct

import numpy as np
import pytest

from clustering_assets.images.errors import ImageError
from clustering_assets_tests.pixels import decode_image


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


def test_a_kind_of_bitmap_that_is_not_read_is_not_called_damaged():
    with pytest.raises(ImageError, match="a kind of BMP that is not read") as caught:
        decode_image(bitmap(7, bytes(96), 6), "a.bmp")
    assert caught.value.stage == "format"


def run_length_coded(*tokens: bytes) -> bytes:
    """Sixteen columns, four rows, 256 greys."""
    rows = b"".join(tokens)
    info = struct.pack("<IiiHHIIiiII", 40, 16, 4, 1, 8, 1, len(rows), 0, 0, 256, 0)
    greys = b"".join(bytes((level, level, level, 0)) for level in range(256))
    return b"BM" + struct.pack("<IHHI", 54 + 1024 + len(rows), 0, 0, 54 + 1024) + info + greys + rows


def test_pixels_that_runs_jump_over_are_of_the_first_colour():
    data = run_length_coded(
        bytes((4, 200)), bytes((0, 2, 2, 1)), bytes((5, 100)), bytes((0, 0, 16, 50, 0, 1))
    )
    expected = np.zeros((4, 16), np.uint8)
    expected[3, :4], expected[2, 6:11], expected[1] = 200, 100, 50
    np.testing.assert_array_equal(decode_image(data, "a.bmp")[..., 0], expected)


def test_a_run_of_single_pixels_that_looks_like_a_jump_is_none():
    data = run_length_coded(
        bytes((0, 4, 0, 2, 2, 1)), bytes((12, 7)), *[bytes((0, 0, 16, 9))] * 3, bytes((0, 1))
    )
    assert decode_image(data, "a.bmp")[3, :5, 0].tolist() == [0, 2, 2, 1, 7]


def test_a_fourth_value_that_is_nought_all_over_is_not_used():
    rgb = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    rows = np.dstack([rgb[..., ::-1], np.zeros((6, 8), np.uint8)])[::-1].tobytes()
    info = struct.pack("<IiiHHIIiiII", 108, 8, 6, 1, 32, 3, len(rows), 0, 0, 0, 0)
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000) + bytes(52)
    data = b"BM" + struct.pack("<IHHI", 122 + len(rows), 0, 0, 122) + info + masks + rows
    np.testing.assert_array_equal(decode_image(data, "v4.bmp"), rgb)
