"""TIFF files: sums are checked, and kinds that would come out wrong are refused by name."""

import io
import struct

import numpy as np
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
