"""WEBP files by their chunks (RFC 9649)."""

from collections.abc import Iterator

from PIL import (
    Image,
    WebPImagePlugin,  # noqa: F401 - makes the format known
)

from clustering_assets.images.formats.damage import check_holes
from clustering_assets.images.formats.reader import Reader


class Webp(Reader):
    """A WEBP picture or animation."""

    format = "WEBP"

    @classmethod
    def sniff(cls, head: bytes) -> bool:
        """As a RIFF container of pictures begins."""
        return head.startswith(b"RIFF") and head[8:12] == b"WEBP"

    def open(self) -> Image.Image:
        """Read the header of a file without holes.

        Raises:
            DamageError: There is a hole in its pixels.
        """
        pixels = [(begin, end) for kind, begin, end in _chunks(self.data) if kind in (b"VP8 ", b"VP8L")]
        check_holes(self.data, pixels)
        return super().open()

    def decode(self, image: Image.Image) -> Image.Image:
        """The first frame; where it leaves out parts of the picture, those are transparent."""
        image.load()
        at = next((begin for kind, begin, _ in _chunks(self.data) if kind == b"ANMF"), None)
        if at is None:
            return image
        x, y, width, height = (int.from_bytes(self.data[at + k : at + k + 3], "little") for k in (0, 3, 6, 9))
        part = 2 * x, 2 * y, 2 * x + width + 1, 2 * y + height + 1  # 2.7.1.1
        return image if part == (0, 0, *image.size) else self.on_canvas(image, part)


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, begin and end of the content of each chunk (2.3), frames opened."""
    at = 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        kind = data[at : at + 4]
        yield kind, at + 8, at + 8 + size
        at += 24 if kind == b"ANMF" else 8 + size + size % 2
