"""Addresses under which the UI that `ui` starts serves files of this machine, and previews."""

import mimetypes
from pathlib import Path
from urllib.parse import quote

import dagster as dg
from upath import UPath

FILES = "/files"
"""What their paths in the address begin with."""

PREVIEWS = "/previews"
"""What the paths of previews begin with; the run, the asset and the partition key follow."""

PREVIEW = "preview"
"""Metadata key of a materialization: Markdown that holds a picture itself, which Dagster shows after a click."""

_SHOWN = (
    "text/html",
    "text/plain",
    "text/csv",
    "text/javascript",
    "application/javascript",
    "application/json",
)


def kind_of(path: Path) -> str | None:
    """The media type of a file that a browser shows; None for others."""
    kind = mimetypes.guess_type(path.name)[0] or ""
    return kind if kind in _SHOWN or kind.partition("/")[0] in ("image", "audio", "video") else None


def link_to(path: Path | UPath) -> dict[str, dg.MetadataValue]:
    """Metadata with which the UI opens a file in a tab; empty where no browser shows it or it lies on a store."""
    if not isinstance(path, Path) or not kind_of(path):
        return {}
    return {"open": dg.MetadataValue.url(f"{FILES}{quote(path.absolute().as_posix())}")}


def pictured(preview: str, alt: str, *made_by: str) -> dict[str, dg.MetadataValue]:
    """Metadata with a preview: held, and from an address, with which the UI shows it at once.

    Args:
        preview: Markdown that holds the picture.
        alt: What it shows.
        made_by: Id of the run, name of the asset and, where it has partitions, its partition key.
    """
    return {
        "picture": dg.MetadataValue.md(f"![{alt} (see {PREVIEW})]({'/'.join((PREVIEWS, *made_by))})"),
        PREVIEW: dg.MetadataValue.md(preview),
    }
