"""HEIC files as phones write them: made of tiles, cut, turned and mirrored by their container."""

import struct

import numpy as np
import pytest

from clustering_assets.images.errors import ImageError
from clustering_assets.images.formats.heif import boxes, coded_pixels
from clustering_assets_tests.pixels import decode_image

LOSSY = 8
SIDE, WIDTH, HEIGHT = 128, 256, 192


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + kind + content


def full(kind: bytes, content: bytes, version: int = 0) -> bytes:
    return box(kind, bytes([version, 0, 0, 0]) + content)


def size(width: int, height: int) -> tuple[bytes, bytes]:
    return b"ispe", struct.pack(">III", 0, width, height)


def turned(quarters: int) -> tuple[bytes, bytes]:
    return b"irot", bytes([quarters])


def mirrored(axis: int) -> tuple[bytes, bytes]:
    return b"imir", bytes([axis])


def cropped(width: int, height: int, right: int, down: int) -> tuple[bytes, bytes]:
    """The middle part of that size, moved from the middle (ISO/IEC 14496-12, 12.1.4)."""
    return b"clap", struct.pack(">IIIIiIiI", width, 1, height, 1, right, 1, down, 1)


def properties_and_pixels(data: bytes) -> tuple[dict[bytes, bytes], bytes]:
    """What describes the one picture of a HEIC file, and its coded pixels."""
    meta = dict(boxes(dict(boxes(memoryview(data)))[b"meta"], 4))
    described = boxes(dict(boxes(meta[b"iprp"]))[b"ipco"])
    [(begin, end)] = coded_pixels(data)
    return {kind: bytes(content) for kind, content in described}, data[begin:end]


@pytest.fixture
def tiled(photo, encoded):
    """A picture and its HEIC of four tiles (ISO/IEC 23008-12, 6.6.2.3), with properties of the whole."""
    picture = photo(5, WIDTH, HEIGHT)
    padded = np.pad(picture, ((0, 2 * SIDE - HEIGHT), (0, 0), (0, 0)), "edge")
    tiles = [padded[y : y + SIDE, x : x + SIDE].copy() for y in (0, SIDE) for x in (0, SIDE)]
    parts = [properties_and_pixels(encoded(tile, "HEIF", quality=95)) for tile in tiles]
    known = parts[0][0]
    coded = [pixels for _, pixels in parts]

    def make(*more: tuple[bytes, bytes]) -> bytes:
        grid = b"\0\0\1\1" + struct.pack(">HH", WIDTH, HEIGHT)
        whole, part = size(WIDTH, HEIGHT), size(SIDE, SIDE)
        listed = [
            (b"hvcC", known[b"hvcC"]),
            part,
            whole,
            (b"colr", known[b"colr"]),
            (b"pixi", known[b"pixi"]),
        ]
        of_items = [bytes([3, 4, 5, *(0x86 + k for k in range(len(more)))])] + [bytes([0x81, 2, 4, 5])] * 4
        types = [b"grid"] + [b"hvc1"] * 4

        def meta(begin: int) -> bytes:
            places = struct.pack(">HHHHII", 1, 1, 0, 1, 0, len(grid))
            for item, pixels in enumerate(coded, 2):
                places += struct.pack(">HHHHII", item, 0, 0, 1, begin, len(pixels))
                begin += len(pixels)
            entries = [
                full(b"infe", struct.pack(">HH", item, 0) + kind + b"\0", 2)
                for item, kind in enumerate(types, 1)
            ]
            owned = [struct.pack(">HB", item, len(used)) + used for item, used in enumerate(of_items, 1)]
            return full(
                b"meta",
                full(b"hdlr", bytes(4) + b"pict" + bytes(13))
                + full(b"pitm", struct.pack(">H", 1))
                + full(b"iloc", b"\x44\0" + struct.pack(">H", 5) + places, 1)
                + full(b"iinf", struct.pack(">H", 5) + b"".join(entries))
                + full(b"iref", box(b"dimg", struct.pack(">6H", 1, 4, 2, 3, 4, 5)))
                + box(
                    b"iprp",
                    box(b"ipco", b"".join(box(*one) for one in [*listed, *more]))
                    + full(b"ipma", struct.pack(">I", 5) + b"".join(owned)),
                )
                + box(b"idat", grid),
            )

        kind = box(b"ftyp", b"heic\0\0\0\0mif1heic")
        return kind + meta(len(kind) + len(meta(0)) + 8) + box(b"mdat", b"".join(coded))

    return picture, make


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ([], lambda rgb: rgb),
        ([turned(1)], lambda rgb: np.rot90(rgb, 1)),
        ([turned(2)], lambda rgb: np.rot90(rgb, 2)),
        ([turned(3)], lambda rgb: np.rot90(rgb, 3)),
        ([mirrored(0)], lambda rgb: rgb[::-1]),
        ([mirrored(1)], lambda rgb: rgb[:, ::-1]),
        ([turned(1), mirrored(1)], lambda rgb: np.rot90(rgb, 1)[:, ::-1]),
        ([mirrored(1), turned(1)], lambda rgb: np.rot90(rgb[:, ::-1], 1)),
        ([cropped(200, 100, 0, 0)], lambda rgb: rgb[46:146, 28:228]),
        ([cropped(96, 64, -80, -64), turned(1)], lambda rgb: np.rot90(rgb[:64, :96], 1)),
    ],
)
def test_a_picture_of_tiles_is_whole_and_upright(more, expected, tiled):
    picture, make = tiled
    rgb = decode_image(make(*more), "phone.heic")
    assert rgb.shape == expected(picture).shape
    assert np.abs(rgb.astype(int) - expected(picture)).mean() < LOSSY / 2


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7, 0.9, 0.995])
def test_a_picture_that_lost_tiles_is_refused(share, tiled):
    data = tiled[1]()
    with pytest.raises(ImageError, match="its end is missing"):
        decode_image(data[: int(len(data) * share)], "phone.heic")


def test_a_hole_in_one_tile_is_refused(tiled):
    data = bytearray(tiled[1]())
    data[-3000:-2600] = bytes(400)
    with pytest.raises(ImageError, match="a hole of zero bytes"):
        decode_image(bytes(data), "phone.heic")


def test_a_heic_from_a_phone_says_how_it_is_turned_in_its_container(oriented, quadrants, encoded):
    assert b"irot" in encoded(quadrants, "HEIF", exif=oriented(6), quality=95)


def test_an_avif_that_names_no_colours_is_srgb(quadrants, encoded, centres):
    # ISO/IEC 23000-22, 7.3.6.4: without the property, code points 1 and 13 hold, whatever the stream says.
    data = encoded(quadrants, "AVIF", quality=95).replace(b"colrnclx", b"freenclx")
    np.testing.assert_allclose(centres(decode_image(data, "a.avif")), centres(quadrants), atol=LOSSY)
