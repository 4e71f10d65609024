"""TIFF files: sums are checked, and kinds that would come out wrong are refused by name."""

import base64
import io
import struct

import numpy as np
import PIL
import pytest
from PIL import Image

from clustering_assets.images.errors import ImageError
from clustering_assets_tests.pixels import decode_image


@pytest.mark.parametrize("white_is_zero", [False, True])
def test_sixteen_bit_grey_tiff_is_right_either_way_round(white_is_zero, encoded):
    levels = np.linspace(0, 65535, 256).round().astype(np.uint16).reshape(16, 16)
    stored = 65535 - levels if white_is_zero else levels
    data = encoded(stored, "TIFF", tiffinfo={262: 0 if white_is_zero else 1})
    np.testing.assert_array_equal(decode_image(data, "scan.tif")[..., 1].ravel(), np.arange(256))


def test_a_camera_raw_file_does_not_pass_for_its_preview(quadrants, encoded):
    data = encoded(quadrants, "TIFF", tiffinfo={254: 1})
    with pytest.raises(ImageError, match="camera raw"):
        decode_image(data, "photo.nef")


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


@pytest.mark.parametrize("factor", [1, 257])
def test_a_colour_map_of_8_or_16_bits_has_its_colours(factor):
    random = np.random.default_rng(0)
    colours, numbers = random.integers(0, 256, (256, 3)), random.integers(0, 256, (8, 16), np.uint8)
    entries = [(256, 16), (257, 8), (258, 8), (259, 1), (262, 3), (273, 0), (278, 8), (279, 128), (320, 0)]
    at = 8 + 2 + 12 * len(entries) + 4
    values = dict(entries) | {273: at + 1536, 320: at}
    rows = (
        struct.pack("<HHII", tag, 3 if tag == 320 else 4, 768 if tag == 320 else 1, value)
        for tag, value in values.items()
    )
    table = (colours.T * factor).astype("<u2").tobytes()
    data = (
        b"II*\0\x08\0\0\0"
        + struct.pack("<H", len(entries))
        + b"".join(rows)
        + bytes(4)
        + table
        + numbers.tobytes()
    )
    np.testing.assert_array_equal(decode_image(data, "map.tif"), colours[numbers])


def test_a_bigtiff_in_motorolas_order_is_not_called_damaged():
    with pytest.raises(ImageError, match="a BigTIFF with its bytes in Motorola's order") as caught:
        decode_image(b"MM\0+\0\x08\0\0" + struct.pack(">QQ", 16, 0) + bytes(64), "big.tif")
    assert caught.value.stage == "format"


ZSTD = (
    "Nl7XI8UO$QD77#B0ANJ`00>P10G!kb0RRaA009F40RR915C8xG0RaO50RR912mk;80s#X60RR912mk;80|5g70RR91P{RNK1_1*A0RR91"
    "0RR915dj1M0RR912mk;876AhQ0RR912mk;87XbtS0RR915dZ)H903CW0RR910RR9100000"
)
"""A grey of 77, compressed as only newer builds of Pillow can; in base 85."""


def test_a_compression_that_pillow_was_built_without_is_not_called_damage():
    data = base64.b85decode(ZSTD)
    if int(PIL.__version__.partition(".")[0]) >= 13:
        assert (decode_image(data, "a.tif") == 77).all()
    else:
        with pytest.raises(ImageError, match="a TIFF compressed as ZSTD, which is not read"):
            decode_image(data, "a.tif")


def with_a_value_far_away(data: bytes, tag: int, values: int) -> bytes:
    """A little-endian TIFF in which a text of so many letters is said to begin behind the end of the file."""
    big = data[2] == 43
    entry = struct.pack("<HH", tag, 2)
    at = data.index(entry, int.from_bytes(data[8:16] if big else data[4:8], "little"))
    lost = struct.pack("<QQ" if big else "<II", values, len(data) + 9_000)
    return data[: at + 4] + lost + data[at + 4 + len(lost) :]


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate"])
@pytest.mark.parametrize("values", [1_000, 0xFFFF_FFF0])
def test_a_note_whose_text_is_lost_costs_neither_the_pixels_nor_what_follows_it(
    values, compression, big, quadrants, encoded
):
    notes = {270: "a description of some length", 274: 3, 305: "some program"}
    data = encoded(quadrants, "TIFF", tiffinfo=notes, compression=compression, big_tiff=big)
    broken = with_a_value_far_away(data, 270, values)
    turned = decode_image(broken, "scan.tif")
    np.testing.assert_array_equal(turned, quadrants[::-1, ::-1])
    np.testing.assert_array_equal(turned, decode_image(data, "scan.tif"))


def test_a_kind_of_subfile_that_is_no_number_is_not_taken_for_one(quadrants):
    data = plain_tiff(quadrants, 1, 1)
    begin = int.from_bytes(data[4:8], "little")
    unknown = data[: begin + 2] + struct.pack("<HHII", 254, 7, 1, 0) + data[begin + 14 :]
    with pytest.raises(ImageError, match="damaged TIFF") as told:  # the width stood there
        decode_image(unknown, "scan.tif")
    assert "operand" not in str(told.value)


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
@pytest.mark.parametrize("kind", [1, 2], ids=["associated", "not associated"])
def test_a_fourth_value_that_is_zero_everywhere_does_not_blank_the_picture(
    kind, compression, quadrants, encoded
):
    unused = np.dstack([quadrants, np.zeros(quadrants.shape[:2], np.uint8)])
    data = encoded(unused, "TIFF", compression=compression)
    at = data.index(struct.pack("<HHI", 338, 3, 1)) + 8
    data = data[:at] + struct.pack("<H", kind) + data[at + 2 :]
    np.testing.assert_array_equal(decode_image(data, "render.tif"), quadrants)
