"""The truth table of the loader: every kind of file gives the right pixels, or says why not."""

import io
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from clustering_assets.files.local import LocalFolder
from clustering_assets.images.errors import ImageError
from clustering_assets.settings import Limits
from clustering_assets_tests.pixels import decode_image, load_image

LOSSY = 8


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


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_every_orientation_is_turned_upright_once(oriented, format, orientation, quadrants, encoded, centres):
    data = encoded(quadrants, format, exif=oriented(orientation), quality=95)
    expected = UPRIGHT[orientation](quadrants)
    rgb = decode_image(data, "turned")
    assert rgb.shape == expected.shape
    np.testing.assert_allclose(centres(rgb), centres(expected), atol=LOSSY)


@pytest.mark.parametrize("orientation", [0, 9, 4711])
def test_an_orientation_that_does_not_exist_counts_as_upright(oriented, orientation, quadrants, encoded):
    data = encoded(quadrants, "PNG", exif=oriented(orientation))
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
    rgb = decode_image(encoded(quadrants, format, **options), "colours")
    assert rgb.shape == quadrants.shape
    np.testing.assert_allclose(centres(rgb), centres(quadrants), atol=tolerance)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "AVIF"])
def test_an_animation_gives_its_first_frame(format, quadrants, encoded, centres):
    others = [Image.fromarray(255 - quadrants), Image.fromarray(quadrants[::-1])]
    data = encoded(quadrants, format, save_all=True, append_images=others)
    np.testing.assert_allclose(centres(decode_image(data, "moving")), centres(quadrants), atol=12)


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


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (4000, 2), (2, 1)])
def test_tiny_and_thin_pictures_load(size, encoded):
    image = Image.new("RGB", size, (9, 99, 199))
    rgb = decode_image(encoded(image, "PNG"), "thin.png", min_side=224)
    assert rgb.shape == (size[1], size[0], 3)
    assert (rgb == (9, 99, 199)).all()


def test_the_pixels_can_be_written_to(quadrants, encoded):
    assert decode_image(encoded(quadrants, "PNG"), "a.png").flags.writeable


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "HEIF"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_truncated_file_is_refused(format, share, photo, encoded):
    data = encoded(photo(), format)
    with pytest.raises(ImageError, match="damaged") as caught:
        decode_image(data[: int(len(data) * share)], "half.x")
    assert caught.value.stage == "decode"


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


def test_loading_leaves_pillow_strict(quadrants, encoded):
    decode_image(encoded(quadrants, "JPEG"), "a.jpg")
    assert not ImageFile.LOAD_TRUNCATED_IMAGES
    with pytest.raises(OSError):
        Image.open(io.BytesIO(encoded(quadrants, "PNG")[:-60])).load()


def test_a_file_that_grows_while_it_is_read_is_left_for_the_next_time(quadrants, encoded, save):
    class Growing(LocalFolder):
        def stat(self, path):
            seen = super().stat(path)
            save(path, (self.folder / path).read_bytes() + b"more")
            return seen

    save("growing.png", encoded(quadrants, "PNG"))
    with pytest.raises(ImageError, match="changed while it was read") as caught:
        load_image(Growing(save("other", b"").parent) / "growing.png")
    assert caught.value.stage == "read"


def test_a_picture_of_any_source_is_loaded(quadrants, encoded, save, memory_source):
    source = memory_source(save("album/a.png", encoded(quadrants, "PNG")).parent)
    np.testing.assert_array_equal(load_image(source / "a.png"), quadrants)
    with pytest.raises(ImageError, match=r"memory:/b\.png: No such file"):
        load_image(source / "b.png")
