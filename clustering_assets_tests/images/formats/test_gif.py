"""GIF files: the first frame in its place."""

import struct

import numpy as np
from PIL import Image

from clustering_assets_tests.pixels import decode_image


def test_a_gif_whose_first_frame_is_smaller_lies_on_the_ground(encoded):
    frame = Image.new("P", (4, 2), 1)
    frame.putpalette([255, 0, 0, 0, 255, 0])
    data = bytearray(encoded(frame, "GIF"))
    data[6:10] = struct.pack("<HH", 10, 8)
    at = data.index(b",", 13)
    data[at + 1 : at + 5] = struct.pack("<HH", 3, 5)
    rgb = decode_image(bytes(data), "part.gif", background=(7, 8, 9))
    expected = np.full((8, 10, 3), (7, 8, 9))
    expected[5:7, 3:7] = (0, 255, 0)
    np.testing.assert_array_equal(rgb, expected)
