"""What a reader of a picture format is: it tells its files, opens and decodes them, and says why not."""

from io import BytesIO
from typing import ClassVar

from PIL import Image

from clustering_assets.images.colour_spaces import ADOBE_RGB, Coding
from clustering_assets.images.exif import Facts


class KindNotReadError(ValueError):
    """A sound file of a known format, but of a kind that is not read; its text says which."""


class Reader:
    """One file in one format; a subclass is a format, and overrides what differs from what Pillow does by itself.

    A decoder answers damage with every kind of exception there is, and so may `open` and `decode`.

    Attributes:
        format: Pillow's name of the format.
        signatures: What its files begin with.
        data: The whole file.
    """

    format: ClassVar[str]
    signatures: ClassVar[tuple[bytes, ...]] = ()

    def __init__(self, data: bytes) -> None:
        self.data = data

    @classmethod
    def sniff(cls, head: bytes) -> bool:
        """Whether a file is in this format, by its first bytes."""
        return head.startswith(cls.signatures)

    def open(self) -> Image.Image:
        """Read the header, with this one plugin of Pillow."""
        return Image.open(BytesIO(self.data), formats=(self.format,))

    def shrink(self, image: Image.Image, min_side: int) -> None:
        """Have an opened picture decoded smaller, its shorter side at least `min_side`, if the format can do that."""

    def decode(self, image: Image.Image) -> Image.Image:
        """Decode the first frame of an opened picture, as far as can be seen without damage.

        Returns:
            The picture with its notes and profile, not turned; smaller than `image` if its container shows a part.
        """
        image.load()
        return image

    def coding(self, image: Image.Image, facts: Facts) -> Coding | None:
        """What the numbers of a decoded picture mean where no profile says so; None if one does, or nothing does."""
        if image.info.get("icc_profile"):
            return None
        return ADOBE_RGB if facts.adobe_rgb and image.mode == "RGB" else None

    def on_canvas(self, image: Image.Image, part: tuple[int, int, int, int]) -> Image.Image:
        """A first frame that is only a part of its picture (left, upper, right, lower); the rest is transparent."""
        whole = Image.new("RGBA", image.size)
        whole.paste(image.crop(part).convert("RGBA"), part[:2])
        whole.info = image.info
        return whole

    def kind_not_read(self, error: Exception) -> str:
        """Which kind that is not read made a decoder fail with `error`; empty if the file is damaged."""
        return ""
