"""Decoding JPEGs strictly: the pixels that Pillow gives, no damaged ones, and no sound ones refused."""

import base64
import io
import re
import struct

import numpy as np
import PIL
import pytest
import simplejpeg
from PIL import Image, ImageFile

from clustering_assets.images.errors import ImageError
from clustering_assets.images.formats.jpeg import load_jpeg
from clustering_assets.images.load import read_picture
from clustering_assets_tests.pixels import decode_image

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
    monkeypatch.setattr(PIL, "__version__", "12.3.0")
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


def junk(count: int, seed: int = 0) -> bytes:
    """Bytes of any value but the one that begins markers."""
    return np.random.default_rng(seed).integers(0, 255, count, np.uint8).tobytes()


def before_restarts(filler, every: int = 1):
    """Fillers before restart markers, as action cameras, scanners and drones write them."""

    def fill(data: bytes) -> bytes:
        begin = data.index(b"\xff\xda")
        first, *parts = re.split(rb"(?=\xff[\xd0-\xd7])", data[begin:])
        filled = [filler(number) * (number % every == 0) + part for number, part in enumerate(parts)]
        return data[:begin] + first + b"".join(filled)

    return fill


@pytest.mark.parametrize("restart", [{"restart_marker_rows": 1}, {"restart_marker_blocks": 3}])
@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize(
    "filler",
    [lambda n: b"\0", lambda n: bytes(9), lambda n: b"\xff" * 2, lambda n: junk(2, n), lambda n: junk(9, n)],
)
def test_fillers_before_restart_markers_do_not_cost_the_picture(filler, every, mode, restart, photo, encoded):
    data = encoded(Image.fromarray(photo()).convert(mode), "JPEG", quality=88, **restart)
    untidy = before_restarts(filler, every)(data)
    np.testing.assert_array_equal(decode_image(untidy, "odd.jpg"), decode_image(data, "plain.jpg"))


@pytest.mark.parametrize("options", [{}, {"quality": 95, "subsampling": 0}, {"restart_marker_rows": 1}])
@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("end", [b"\xff\xd9", b""])
@pytest.mark.parametrize(
    "filler",
    [bytes(5_000), b"\xff" * 700, b"\xaa" * 9, junk(1), junk(30), junk(5_000), b"SEFH trailer " * 40],
)
def test_bytes_behind_the_last_block_do_not_cost_the_picture(filler, end, mode, options, photo, encoded):
    data = encoded(Image.fromarray(photo()).convert(mode), "JPEG", **options)
    untidy = data[:-2] + filler + end
    np.testing.assert_array_equal(decode_image(untidy, "odd.jpg"), decode_image(data, "plain.jpg"))
    scaled = decode_image(untidy, "odd.jpg", min_side=40)
    np.testing.assert_array_equal(scaled, decode_image(data, "plain.jpg", min_side=40))


VENDOR = b"SEFH" + np.random.default_rng(0).bytes(2_000) + b"SEFT"
"""What a phone writes behind its pictures, with bytes of every value."""


@pytest.mark.parametrize(
    "trailer",
    [
        bytes(3_000) + b"\xff\xd9",
        b"\xff" * 3_000 + b"\xff\xd9",
        b"<?xml version='1.0'?><vendor>Camera</vendor>\n\xff\xd9",
        b"\x00\xff\x55\xaa" * 200 + b"\xff\xd9",
        VENDOR,
        VENDOR + b"\xff\xd9",
        b"<?xml version='1.0'?><vendor>Camera</vendor>\n",
        b"\xff\xe4\x00\x10of some device\xff\xd9",
        b"\xff\xd8\xff\xe1\x00\x08a second picture",
    ],
)
@pytest.mark.parametrize(
    "options", [{"progressive": True}, {"progressive": True, "restart_marker_rows": 2}, {}]
)
@pytest.mark.parametrize("mode", ["RGB", "CMYK"])
def test_what_a_device_writes_behind_the_pixels_does_not_cost_them(trailer, mode, options, photo, encoded):
    data = encoded(Image.fromarray(photo()).convert(mode), "JPEG", **options)
    untidy = data[:-2] + trailer
    np.testing.assert_array_equal(decode_image(untidy, "odd.jpg"), decode_image(data, "plain.jpg"))


def test_blocks_that_show_in_a_smooth_picture_are_not_taken_for_damage(encoded):
    ground = np.add.outer(np.arange(480), np.arange(640)) * 200 / 1120
    waves = 20 * np.sin(np.arange(640) / 9)[None] * np.sin(np.arange(480) / 7)[:, None]
    smooth = np.repeat((ground + waves).astype(np.uint8)[..., None], 3, axis=-1)
    data = encoded(smooth, "JPEG", quality=40)
    untidy = data[:-2] + junk(30) + data[-2:]
    np.testing.assert_array_equal(decode_image(untidy, "odd.jpg"), decode_image(data, "plain.jpg"))


def zeroed(data: bytes, at: int, other: int, count: int) -> bytes:
    return data[:at] + bytes(count) + data[at + count :]


def swapped(data: bytes, at: int, other: int, count: int) -> bytes:
    low, high = sorted((at, other))
    one, two = data[low : low + count], data[high : high + count]
    return data[:low] + two + data[low + count : high] + one + data[high + count :]


def left_out(data: bytes, at: int, other: int, count: int) -> bytes:
    return data[:at] + data[at + count :]


@pytest.mark.parametrize(
    ("damage", "options"),
    [
        (left_out, {}),
        (left_out, {"quality": 95, "subsampling": 0}),
        (zeroed, {}),
        *((damage, {"restart_marker_rows": 1}) for damage in (left_out, zeroed, swapped)),
    ],
)
@pytest.mark.parametrize("filler", [b"", bytes(50), b"SEFH trailer " * 4], ids=["nothing", "zeros", "text"])
def test_damage_is_refused_whatever_lies_behind_the_last_block(damage, options, filler, photo, encoded):
    random = np.random.default_rng(3)
    for seed in range(6):
        data = encoded(photo(seed), "JPEG", **options)
        begin, end, count = data.index(b"\xff\xda") + 14, len(data) - 2, 700
        at = int(random.integers(begin, (begin + end) // 2 - count))
        other = int(random.integers((begin + end) // 2, end - count))
        with pytest.raises(ImageError, match="damaged JPEG"):
            decode_image(damage(data[:end], at, other, count) + filler + data[end:], "disk.jpg")


LOSSY = 8


def test_an_mpo_of_a_stereo_camera_gives_its_first_picture(quadrants, encoded, centres):
    others = [Image.fromarray(255 - quadrants)]
    data = encoded(quadrants, "MPO", save_all=True, append_images=others, quality=95)
    np.testing.assert_allclose(centres(decode_image(data, "stereo.mpo")), centres(quadrants), atol=LOSSY)


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


def test_damaged_notes_do_not_cost_the_picture(quadrants, encoded):
    data = encoded(quadrants, "JPEG")
    notes = b"Exif\0\0II*\0\xff\xff\xff\x7f" + bytes(12)
    spoilt = data[:2] + b"\xff\xe1" + struct.pack(">H", 2 + len(notes)) + notes + data[2:]
    np.testing.assert_array_equal(decode_image(spoilt, "a"), decode_image(data, "b"))


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


def test_scaled_decoding_turns_the_picture_and_keeps_its_full_size_as_a_fact(oriented, photo, encoded, save):
    path = save("a.jpg", encoded(photo(width=800, height=400), "JPEG", exif=oriented(6)))
    picture = read_picture(path, min_side=100)
    assert (picture.width, picture.height) == (400, 800)
    assert picture.image.size == (100, 200)


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
def test_a_jpeg_survives_segments_that_readers_stumble_over(oriented, notes, quadrants, encoded):
    data = encoded(quadrants, "JPEG", exif=oriented(6))
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
    def refuses(*args, **kwargs):
        raise ValueError("Unsupported")

    monkeypatch.setattr(
        simplejpeg, "decode_jpeg", refuses
    )  # the strict decoder, so that Pillow gets its turn,
    monkeypatch.setattr(
        ImageFile, "MAXBLOCK", 100
    )  # which hands on as much at a time; this coding cannot wait
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


@pytest.mark.parametrize("named", ["a.jls", "a.jpg"])
def test_jpeg_ls_is_called_by_its_name(named, quadrants, encoded):
    data = encoded(quadrants, "JPEG").replace(b"\xff\xc0", b"\xff\xf7", 1)
    with pytest.raises(ImageError, match="a JPEG-LS picture, which is not read"):
        decode_image(data, named)
