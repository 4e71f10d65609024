"""BMP files."""

from PIL import BmpImagePlugin  # noqa: F401 - makes the format known

from clustering_assets.images.formats.reader import Reader

_HEADER_SIZES = (12, 16, 40, 52, 56, 64, 108, 124)


class Bmp(Reader):
    """A bitmap."""

    format = "BMP"

    @classmethod
    def sniff(cls, head: bytes) -> bool:
        """As a bitmap begins: `BM`, which also begins many a text, and a header of a size that bitmaps use."""
        return head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _HEADER_SIZES

    def kind_not_read(self, error: Exception) -> str:
        """What Pillow calls unsupported."""
        return "a kind of BMP that is not read" if "Unsupported" in str(error) else ""
