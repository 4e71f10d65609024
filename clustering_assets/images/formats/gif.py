"""GIF files, of which the first frame is shown."""

from PIL import (
    GifImagePlugin,  # noqa: F401 - makes the format known
    Image,
)

from clustering_assets.images.formats.reader import Reader


class Gif(Reader):
    """A GIF picture or animation."""

    format = "GIF"
    signatures = (b"GIF87a", b"GIF89a")

    def decode(self, image: Image.Image) -> Image.Image:
        """The first frame; where it leaves out parts of the picture, those are transparent."""
        tile = getattr(image, "tile", None)
        drawn = tile[0].extents if tile else None
        image.load()
        return image if drawn in (None, (0, 0, *image.size)) else self.on_canvas(image, drawn)
