"""Colours without a profile: code points, gamma, Adobe RGB by the camera's mark, high dynamic range."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from clustering_assets.images.colour_spaces import (
    ADOBE_RGB,
    SRGB,
    Coding,
    UnknownCodingError,
    changes_nothing,
    convert,
    from_code_points,
)
from clustering_assets.images.errors import ImageError
from clustering_assets.images.formats.heif import code_points, coded_pixels
from clustering_assets.images.load import decode_picture
from clustering_assets_tests.pixels import decode_image

# Linear light to linear sRGB light for a D65 white, as printed in CSS Color 4, chapter 18.
P3_TO_SRGB = np.array(
    [
        [1.2249401762, -0.2249401763, 0.0],
        [-0.0420569547, 1.0420569547, 0.0],
        [-0.0196375546, -0.0786360456, 1.0982736001],
    ]
)
BT2020_TO_SRGB = np.array(
    [
        [1.6604910021, -0.5876411388, -0.0728498633],
        [-0.1245504745, 1.1328998971, -0.0083494226],
        [-0.0181507634, -0.1005788980, 1.1187296614],
    ]
)
ADOBE_TO_SRGB = np.array(
    [[1.3983557440, -0.3983557440, 0.0], [0.0, 1.0, 0.0], [0.0, -0.0429289893, 1.0429289893]]
)


def linear(level):
    level = np.asarray(level) / 255
    return np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)


def seen(light, matrix=None):
    """sRGB levels of linear light."""
    matrix = np.eye(3) if matrix is None else matrix
    light = (light.reshape(-1, 3) @ matrix.T).clip(0, 1).reshape(light.shape)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def code(*values):
    return {"cICP": bytes(values)}


def gamma(value, *primaries):
    chunks = {"gAMA": struct.pack(">I", value)}
    return chunks | ({"cHRM": struct.pack(">8I", 31270, 32900, *primaries)} if primaries else {})


ADOBE_PRIMARIES = (64000, 33000, 21000, 71000, 15000, 6000)
PNG_ROWS = [
    ("code points of Display P3", code(12, 13, 0, 1), lambda a: seen(linear(a), P3_TO_SRGB)),
    ("code points of BT.2020", code(9, 13, 0, 1), lambda a: seen(linear(a), BT2020_TO_SRGB)),
    ("code points of linear light", code(1, 8, 0, 1), lambda a: seen(a / 255)),
    ("code points of sRGB", code(1, 13, 0, 1), lambda a: a),
    ("code points that say nothing", code(2, 2, 0, 1), lambda a: a),
    ("gamma of linear light", gamma(100000), lambda a: seen(a / 255)),
    ("gamma of an old Macintosh", gamma(55556), lambda a: seen((a / 255) ** 1.8)),
    ("gamma that means sRGB", gamma(45455), lambda a: a),
    ("gamma of nought", gamma(0), lambda a: a),
    ("gamma and primaries", gamma(45455, *ADOBE_PRIMARIES), lambda a: seen((a / 255) ** 2.2, ADOBE_TO_SRGB)),
    ("primaries that make no sense", gamma(100000, 1, 1, 1, 1, 1, 1), lambda a: seen(a / 255)),
    ("sRGB goes before gamma", gamma(100000) | {"sRGB": b"\0"}, lambda a: a),
    ("code points go before sRGB", {"sRGB": b"\0"} | code(1, 8, 0, 1), lambda a: seen(a / 255)),
]


@pytest.mark.parametrize(("chunks", "truth"), [row[1:] for row in PNG_ROWS], ids=[row[0] for row in PNG_ROWS])
def test_a_png_without_a_profile_is_read_as_it_says(chunks, truth, quadrants, raw_png):
    data = raw_png(96, 64, 8, 2, quadrants.tobytes(), **chunks)
    np.testing.assert_allclose(decode_image(data, "a.png"), truth(quadrants), atol=1.1)


def test_grey_of_a_png_follows_its_gamma_too(raw_png):
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    rgb = decode_image(raw_png(16, 16, 8, 0, levels.tobytes(), **gamma(100000)), "a.png")
    np.testing.assert_allclose(rgb[..., 1], seen(np.repeat(levels[..., None], 3, 2) / 255)[..., 1], atol=1.1)


def test_code_points_go_before_a_profile_and_a_profile_before_gamma(quadrants, encoded, rgb_profile, raw_png):
    primaries = np.array(
        [[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]]
    )
    profile = {"iCCP": b"x\0\0" + zlib.compress(rgb_profile(primaries, 563 / 256))}
    pixels = quadrants.tobytes()
    with_profile = decode_image(raw_png(96, 64, 8, 2, pixels, **profile), "a.png")
    assert np.abs(with_profile.astype(int) - quadrants).max() > 15
    both = raw_png(96, 64, 8, 2, pixels, **profile, **gamma(100000))
    np.testing.assert_array_equal(decode_image(both, "b.png"), with_profile)
    all_three = raw_png(96, 64, 8, 2, pixels, **profile, **gamma(100000), **code(1, 13, 0, 1))
    np.testing.assert_array_equal(decode_image(all_three, "c.png"), quadrants)


@pytest.mark.parametrize(
    "values", [(12, 13, 1, 1), (12, 13, 0, 0), (3, 13, 0, 1), (1, 9, 0, 1), (200, 13, 0, 1)]
)
def test_code_points_that_are_not_known_are_refused_rather_than_guessed(values, quadrants, raw_png):
    with pytest.raises(ImageError) as caught:
        decode_image(raw_png(96, 64, 8, 2, quadrants.tobytes(), **code(*values)), "a.png")
    assert caught.value.stage == "format"


@pytest.mark.parametrize("format", ["AVIF", "HEIF"])
@pytest.mark.parametrize(
    ("primaries", "transfer", "truth"),
    [
        (12, 13, lambda a: seen(linear(a), P3_TO_SRGB)),
        (9, 1, lambda a: seen(linear(a), BT2020_TO_SRGB)),
        (1, 8, lambda a: seen(a / 255)),
        (1, 13, lambda a: a),
        (2, 2, lambda a: a),
    ],
)
def test_heic_and_avif_without_a_profile_are_read_as_they_say(
    format, primaries, transfer, truth, quadrants, encoded, centres
):
    data = encoded(quadrants, format, quality=97, **({"save_nclx_profile": True} if format == "HEIF" else {}))
    at = data.index(b"nclx") + 4
    data = data[:at] + struct.pack(">HH", primaries, transfer) + data[at + 4 :]
    assert code_points(data) == (primaries, transfer)
    np.testing.assert_allclose(centres(decode_image(data, "a")), centres(truth(quadrants)), atol=9)


@pytest.mark.parametrize("format", ["AVIF", "HEIF"])
def test_the_boxes_say_where_the_pixels_lie(format, quadrants, encoded):
    data = encoded(quadrants, format, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0" + bytes(3000))
    (begin, end), *_ = coded_pixels(data)
    assert 0 < begin < end <= len(data)
    assert bytes(3000) not in data[begin:end]
    assert decode_image(data, "padded").shape == quadrants.shape


@pytest.mark.parametrize("cut", range(0, 400, 7))
def test_boxes_that_are_cut_off_say_nothing(cut, quadrants, encoded):
    data = encoded(quadrants, "AVIF")[:cut]
    assert code_points(data) is None or cut > data.index(b"nclx")
    assert coded_pixels(data) == [] or cut > data.index(b"iloc")


@pytest.mark.parametrize(("transfer", "white"), [(16, 0.5807), (18, 0.75)])
def test_high_dynamic_range_is_brought_down(transfer, white):
    coding = from_code_points(9, transfer)
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    shown = convert(ramp, coding)[0].astype(int)
    assert np.ptp(shown, axis=1).max() <= 1, "grey stays grey"
    assert (np.diff(shown[:, 1]) >= 0).all()
    assert shown[0, 1] == 0 and shown[255, 1] == 255
    # Reinhard's curve takes diffuse white (203 cd/m2) to a little over half of the light.
    assert shown[round(white * 255), 1] == pytest.approx(
        seen(np.full(3, (1 + (203 / 1000) ** 2) / 2))[0], abs=3
    )


def test_high_dynamic_range_keeps_hues():
    pixels = np.array([[[200, 120, 60], [60, 200, 120], [120, 60, 200]]], np.uint8)
    shown = convert(pixels, Coding(SRGB.primaries, transfer=16)).astype(int)
    for colour, result in zip(pixels[0], shown[0], strict=True):
        assert np.argsort(colour).tolist() == np.argsort(result).tolist()


def test_a_camera_that_says_adobe_rgb_without_a_profile_is_believed(quadrants, encoded, centres):
    notes = Image.Exif()
    notes[0x8769] = {0xA001: 0xFFFF, 0xA005: {1: "R03", 2: b"0100"}}
    expected = seen((quadrants / 255) ** (563 / 256), ADOBE_TO_SRGB)
    rgb = decode_image(encoded(quadrants, "JPEG", quality=97, exif=notes), "_DSC0001.JPG")
    np.testing.assert_allclose(centres(rgb), centres(expected), atol=8)
    notes[0x8769] = {0xA001: 0xFFFF, 0xA005: {1: "R98", 2: b"0100"}}
    rgb = decode_image(encoded(quadrants, "JPEG", quality=97, exif=notes), "DSC00001.JPG")
    np.testing.assert_allclose(centres(rgb), centres(quadrants), atol=8)


def test_white_stays_white_in_every_space():
    white = np.full((1, 1, 3), 255, np.uint8)
    for primaries in (1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 22):
        assert np.abs(convert(white, from_code_points(primaries, 13)).astype(int) - 255).max() <= 1
    assert changes_nothing(SRGB) and not changes_nothing(ADOBE_RGB)


def test_an_unknown_coding_names_its_number():
    with pytest.raises(UnknownCodingError, match="99"):
        from_code_points(99, 13)


def with_a_clean_aperture(
    avif: bytes, left: int, upper: int, width: int, height: int, size: tuple[int, int]
) -> bytes:
    """An AVIF file of which only a part is to be shown; it takes the place of what the file says of its bits."""
    numbers = [width, 1, height, 1, 2 * left + width - size[0], 2, 2 * upper + height - size[1], 2]
    box = struct.pack(">I4s4IiIiI", 40, b"clap", *numbers)
    properties = avif.index(b"ipco") - 4
    end = properties + int.from_bytes(avif[properties : properties + 4], "big")
    kinds, at = [], properties + 8
    while at < end:
        kinds.append(avif[at + 4 : at + 8])
        at += int.from_bytes(avif[at : at + 4], "big")
    changed = bytearray(avif[:end] + box + avif[end:])
    for kind in (b"meta", b"iprp", b"ipco"):
        place = avif.index(kind) - 4
        changed[place : place + 4] = (int.from_bytes(avif[place : place + 4], "big") + 40).to_bytes(4, "big")
    linked = avif.index(b"ipma") + 15  # behind the header, one item and its number of properties
    linked = 40 + avif.index(bytes([kinds.index(b"pixi") + 1]), linked)
    changed[linked] = 0x80 | (len(kinds) + 1)
    begin, _ = coded_pixels(avif)[0]
    place = avif.index(begin.to_bytes(4, "big"), avif.index(b"iloc"))
    changed[place : place + 4] = (begin + 40).to_bytes(4, "big")
    return bytes(changed)


def test_only_the_part_of_an_avif_that_is_to_be_shown_is_read(quadrants, encoded):
    data = encoded(quadrants, "AVIF", quality=100, subsampling="4:4:4")
    height, width = quadrants.shape[:2]
    cut = with_a_clean_aperture(data, 20, 10, 60, 40, (width, height))
    picture = decode_picture(cut, "cut.avif")
    assert (picture.width, picture.height) == (60, 40)
    np.testing.assert_allclose(np.asarray(picture.image), decode_image(data, "a.avif")[10:50, 20:80], atol=1)
    beyond = with_a_clean_aperture(data, 20, 10, width, height, (width, height))
    assert decode_image(beyond, "beyond.avif").shape == (height, width, 3)
