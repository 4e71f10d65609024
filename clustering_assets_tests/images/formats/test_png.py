"""PNG files: sums, notes, transparency and animations."""

import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from clustering_assets.images.errors import ImageError
from clustering_assets_tests.pixels import decode_image


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


def test_notes_of_a_png_turn_it_wherever_they_are(oriented, quadrants, encoded):
    data = encoded(quadrants, "PNG")
    turned = data[:-12] + chunk(b"eXIf", oriented(6)[6:]) + data[-12:]
    np.testing.assert_array_equal(decode_image(turned, "a.png"), np.rot90(quadrants, -1))


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
