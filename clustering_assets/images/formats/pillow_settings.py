"""Pillow's settings while a picture is decoded; they are the user's before and after."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Any

from PIL import Image, PngImagePlugin

_SETTINGS = (
    # Pillow's own guard warns at 89 megapixels and refuses at 178. `Limits` decides before anything is decoded, so the
    # guard moves up to the largest cap that can be set: Pillow refuses twice this number, 1,000 megapixels.
    (Image, "MAX_IMAGE_PIXELS", 500_000_000),
    # Editors and generators of pictures put texts of megabytes into PNG files. Pillow's limit for one text is 1 MiB;
    # its limit for all of them, 64 MiB, is guard enough.
    (PngImagePlugin, "MAX_TEXT_CHUNK", PngImagePlugin.MAX_TEXT_MEMORY),
)

# Pillow tells of damaged notes inside a file by warnings; the pixels are what counts here, and a folder of phone
# pictures would fill the screen with them. `warnings.catch_warnings` would do for one thread only.
_NO_WARNINGS: Any = ("ignore", None, UserWarning, re.compile(r"PIL\."), 0)

_lock = Lock()
_decoding = 0
_before: list[Any] = []
_filters: list[Any] = []


@contextmanager
def while_decoding() -> Iterator[None]:
    """Hold Pillow's settings at those that pictures are decoded with; threads may be inside at the same time.

    The first thread that enters changes them, the last one that leaves puts them back.
    """
    global _decoding
    with _lock:
        _decoding += 1
        if _decoding == 1:
            _set()
    try:
        yield
    finally:
        with _lock:
            _decoding -= 1
            if not _decoding:
                _put_back()


def _set() -> None:
    """Change the settings, and keep what they were."""
    global _before, _filters
    _before = [getattr(module, name) for module, name, _ in _SETTINGS]
    for module, name, value in _SETTINGS:
        setattr(module, name, value)
    # Not by `warnings.filterwarnings`, after which all warnings that were shown once are shown again.
    _filters = warnings.filters  # type: ignore[assignment]
    _filters.insert(0, _NO_WARNINGS)


def _put_back() -> None:
    """Undo what `_set` did, where nobody else has changed it since."""
    for (module, name, value), before in zip(_SETTINGS, _before, strict=True):
        if getattr(module, name) == value:  # otherwise somebody else has changed it meanwhile
            setattr(module, name, before)
    lists: list[Any] = [_filters]
    if warnings.filters is not _filters:  # `catch_warnings` has begun or ended meanwhile
        lists.append(warnings.filters)
    for filters in lists:
        with suppress(ValueError):
            filters.remove(_NO_WARNINGS)
