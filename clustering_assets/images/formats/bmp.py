"""BMP files."""

import numpy as np
from PIL import (
    BmpImagePlugin,  # noqa: F401 - makes the format known
    Image,
)

from clustering_assets.images.formats.damage import DamageError
from clustering_assets.images.formats.reader import Reader

_RUN_LENGTHS = {1: 1, 2: 2}
"""Pixels in a byte for each kind of run-length coding."""

_HEADER_SIZES = (12, 16, 40, 52, 56, 64, 108, 124)


class Bmp(Reader):
    """A bitmap."""

    format = "BMP"

    @classmethod
    def sniff(cls, head: bytes) -> bool:
        """As a bitmap begins: `BM`, which also begins many a text, and a header of a size that bitmaps use."""
        return head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _HEADER_SIZES

    def decode(self, image: Image.Image) -> Image.Image:
        """The picture; where it is run-length coded and leaves out pixels, those are of the first colour."""
        if not _leaves_out(self.data):
            return super().decode(image)
        import cv2

        pixels = cv2.imdecode(np.frombuffer(self.data, np.uint8), cv2.IMREAD_COLOR)
        if pixels is None:
            raise DamageError("its pixels cannot be decoded")
        return Image.fromarray(np.ascontiguousarray(pixels[..., ::-1]))

    def kind_not_read(self, error: Exception) -> str:
        """What Pillow calls unsupported."""
        return "a kind of BMP that is not read" if "Unsupported" in str(error) else ""


def _leaves_out(data: bytes) -> bool:
    """Whether runs jump over pixels ("delta"), which Pillow gets wrong."""
    packed = _RUN_LENGTHS.get(data[30]) if data[14] >= 40 else None
    at = int.from_bytes(data[10:14], "little")
    while packed and at + 1 < len(data):
        count, value = data[at : at + 2]
        at += 2
        if count == 0 and value in (1, 2):
            return value == 2
        if count == 0 and value > 2:
            size = -(-value // packed)
            at += size + size % 2
    return False
