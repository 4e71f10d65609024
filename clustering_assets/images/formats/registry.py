"""The formats that are read; a new one is a module with its reader, and a line here."""

from clustering_assets.images.formats.bmp import Bmp
from clustering_assets.images.formats.gif import Gif
from clustering_assets.images.formats.heif import Avif, Heif
from clustering_assets.images.formats.jpeg import Jpeg
from clustering_assets.images.formats.png import Png
from clustering_assets.images.formats.reader import Reader
from clustering_assets.images.formats.tiff import Tiff
from clustering_assets.images.formats.webp import Webp

READERS: tuple[type[Reader], ...] = (Jpeg, Png, Gif, Bmp, Webp, Tiff, Avif, Heif)
"""The first that knows a file reads it."""


def reader_of(head: bytes) -> type[Reader] | None:
    """The reader of a file by `head`, its first `HEAD_BYTES`; None for everything that is not read."""
    return next((reader for reader in READERS if reader.sniff(head)), None)
