"""A folder of photos becomes clusters, and every cluster becomes a music video.

What a notebook needs of it is here, and imported when it is first asked for:

>>> from clustering_assets import load_embeddings, open_slideshow
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clustering_assets.definitions import make_definitions
    from clustering_assets.embedding.files import load_embeddings
    from clustering_assets.settings import Settings, load_settings
    from clustering_assets.slideshows import open_slideshow
    from clustering_assets.video.moviepy_clips import PLAYABLE

__all__ = ["PLAYABLE", "Settings", "load_embeddings", "load_settings", "make_definitions", "open_slideshow"]

_HOMES = {
    "PLAYABLE": "video.moviepy_clips",
    "Settings": "settings",
    "load_embeddings": "embedding.files",
    "load_settings": "settings",
    "make_definitions": "definitions",
    "open_slideshow": "slideshows",
}


def __getattr__(name: str) -> Any:
    """One of the public names, from its module (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
