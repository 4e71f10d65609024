"""Places that settings name: folders, files and URLs, and which of them a run may be sent to."""

import os
import posixpath
import re
from collections.abc import Collection
from pathlib import Path
from urllib.parse import unquote

SCHEMES = ("file", "s3", "gs", "az", "abfs", "memory")
"""Schemes of the URLs that settings may name."""

ROOTS_VARIABLE = "CLUSTERING_ROOTS"
"""Environment variable: the folders and URLs below which runs of the UI may read and write, separated as in PATH."""

_SCHEME = re.compile(r"([A-Za-z][\w+.-]+):(?=[/:])|(data):")
"""How fsspec and universal_pathlib tell a URL from a path: `ftp:/` and `ftp::` count too."""

_PASSWORD = re.compile(rb"[A-Za-z][\w+.-]+:/[^@\s\"'\\]*:[^@\s\"'\\]*@")


_LEAVES = re.compile(r"/|(?:.*/)?\.\.(?:/|\Z)|.*\0", re.DOTALL)


def leaves_folder(path: str) -> bool:
    """Whether a path that shall be relative to a folder names a place outside of it, or none at all."""
    return _LEAVES.match(path) is not None


def is_url(place: str) -> bool:
    """Whether a place is a URL and no path on this machine."""
    return _SCHEME.match(place) is not None


def plain_place(place: str) -> str:
    """One spelling for each place: `~` is the home folder, `./a/` is `a`, and `file:///a%20b` is the path `/a b`."""
    scheme, _, rest = place.partition(":")
    if scheme.lower() == "file" and is_url(place):
        rest = rest.removeprefix("//")
        place = unquote(rest.removeprefix("localhost") if rest.startswith("localhost/") else rest)
    return place if is_url(place) or not place else os.path.normpath(Path(place).expanduser())


def holds_password(text: bytes) -> bool:
    """Whether a text has a URL in it that has a user's password, as in s3://user:password@bucket."""
    return _PASSWORD.search(text) is not None


def masked(text: str) -> str:
    """A text without what stands before the @ of a URL in it, so that it can be shown."""
    return re.sub(r"(:/+)[^\s\"']*@", r"\1***@", text)


def check_place(place: str) -> None:
    """Refuse URLs that nothing is read from or written to.

    Raises:
        ValueError: The scheme is not one of `SCHEMES`, URLs are chained, or there is a password in it.
    """
    found = _SCHEME.match(place)
    if found and holds_password(place.encode()):
        raise ValueError(
            "must have no password in it, which would be stored with each run: give it as the storage's own "
            "variables, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    if found and ((found[1] or found[2]).lower() not in SCHEMES or "::" in place):
        raise ValueError(f"must be a path or a URL of {', '.join(SCHEMES)}")


def roots(start: Collection[str]) -> list[str]:
    """The folders and URLs that runs of the UI are limited to.

    Args:
        start: Places that the settings named when the program was started.

    Returns:
        What `CLUSTERING_ROOTS` names, or the working folder where it is not set; and `start`.
    """
    separated = re.split(rf"{re.escape(os.pathsep)}(?!//)", os.environ.get(ROOTS_VARIABLE, ""))
    return [*(filter(None, separated) if any(separated) else [str(Path.cwd())]), *filter(None, start)]


def is_below(place: str, folders: Collection[str]) -> bool:
    """Whether a place is one of the folders or URLs, or lies below one of them, links followed."""
    parts = _parts(place)
    return any(parts[: len(above)] == above for above in map(_parts, folders))


def _parts(place: str) -> list[str]:
    """The names on the way to a place, the scheme first."""
    place = plain_place(place)
    if not is_url(place):
        return ["file", *Path(place).resolve().parts]
    scheme, _, rest = place.partition("://")
    return [scheme.lower(), *posixpath.normpath(rest).split("/")]
