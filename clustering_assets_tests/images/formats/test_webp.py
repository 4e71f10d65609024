"""WEBP animations: the first frame in its place."""

import struct

import numpy as np
from PIL import Image

from clustering_assets_tests.pixels import decode_image


def test_a_first_frame_that_is_smaller_lies_on_the_ground(encoded):
    """As GIF does it; Pillow fills the rest with black where the file says that nothing is transparent."""
    frame = Image.new("RGB", (6, 4), (0, 255, 0))
    plain = encoded(frame, "WEBP", lossless=True)
    image = plain[12:]
    place = [4, 2, frame.width - 1, frame.height - 1, 100]
    content = (
        b"".join(struct.pack("<I", value)[:3] for value in (place[0] // 2, place[1] // 2, *place[2:])) + b"\0"
    )
    body = b"ANMF" + struct.pack("<I", len(content) + len(image)) + content + image
    canvas = struct.pack("<I", 0x02) + struct.pack("<I", 15)[:3] + struct.pack("<I", 9)[:3]
    head = b"WEBPVP8X" + struct.pack("<I", 10) + canvas + b"ANIM" + struct.pack("<I", 6) + bytes(6)
    data = b"RIFF" + struct.pack("<I", len(head) + len(body)) + head + body
    expected = np.full((10, 16, 3), (7, 8, 9))
    expected[2:6, 4:10] = (0, 255, 0)
    np.testing.assert_array_equal(decode_image(data, "part.webp", background=(7, 8, 9)), expected)
