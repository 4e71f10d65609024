"""Opening sound and video files whose tags may be in any encoding, with every release of PyAV."""

from pathlib import Path
from typing import Any

import av
from upath import UPath

ANY_ENCODING: dict[str, Any] = (
    {"metadata_errors": "surrogateescape"} if int(av.__version__.split(".")[0]) < 19 else {}
)
"""What `av.open` is told so that bytes which are not UTF-8 become lone surrogates instead of an error.

PyAV 19 does that by itself and knows the argument no more."""


def local_address(path: Path | UPath) -> str:
    """What FFmpeg is told for a file on disk: without `file:` it takes what stands before a colon for a protocol."""
    return f"file:{path}"


def readable(text: str) -> str:
    """`text` without what stands for bytes that are not UTF-8, so that it can be written to any file."""
    return text.encode("utf-8", "ignore").decode("utf-8")
