"""Pictures for people: figures as PNG, and small previews that fit into Dagster's metadata."""

import base64
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL import Image

PREVIEW_BYTES = 50_000
"""Largest inline preview. Dagster keeps metadata in its event log, so big pictures would swell it."""


def figure_png(figure: "Figure") -> bytes:
    """The figure as a PNG file, at its own size and resolution."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    target = io.BytesIO()
    figure.savefig(target, format="png", metadata={"Software": None})
    return target.getvalue()


def preview(picture: "bytes | Image.Image", max_bytes: int = PREVIEW_BYTES) -> bytes:
    """A picture as a JPEG small enough for inline metadata.

    Args:
        picture: An encoded picture, or one in memory.
        max_bytes: Largest size of the result; width and quality go down until it fits.
    """
    from PIL import Image

    image = Image.open(io.BytesIO(picture)) if isinstance(picture, bytes) else picture
    image = image.convert("RGB")
    for width, quality in ((1000, 82), (900, 75), (760, 70), (600, 65), (440, 60), (300, 50), (160, 40)):
        smaller = image.copy()
        smaller.thumbnail((width, width * 4))
        target = io.BytesIO()
        smaller.save(target, "JPEG", quality=quality, optimize=True)
        if target.tell() <= max_bytes:
            break
    return target.getvalue()


def inline_markdown(picture: bytes, alt: str) -> str:
    """Markdown that holds the picture itself, for `MetadataValue.md`."""
    kind = "png" if picture.startswith(b"\x89PNG") else "jpeg"
    return f"![{alt}]({data_url(picture, kind)})"


def data_url(picture: bytes, kind: str) -> str:
    """A picture file of a kind such as jpeg as an address that holds the picture itself."""
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode('ascii')}"
