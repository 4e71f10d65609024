"""Atomic writing, the only way this project writes a result.

A file is written under a partial name beside its place and moved into place when it is complete, so a
run that is killed leaves the old file or the new one, never half of one. What goes to a store is written on the local
disk and sent when it is complete.
"""

import hashlib
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from clustering_assets.process_identity import is_left_over, mark

if TYPE_CHECKING:
    from upath import UPath

PARTIAL = ".partial"
"""Ending of files that are being written; every listing in this project ignores it."""

_MARK = r"[0-9a-f]{8}-\d+-[0-9a-f]{8}"
_LEFT = re.compile(
    rf"\..+\.((?P<file>{_MARK})-)?[0-9a-f]{{8}}{re.escape(PARTIAL)}|\.clustering_assets-(?P<folder>{_MARK})-\w+",
    re.DOTALL,
)
"""Names of what is written for a time; those of files had no mark once."""

ABANDONED_SECONDS = 24 * 3600
"""Age at which a partial file belongs to nobody any more."""

OUTPUT_MARK = ".clustering_output"
"""Name of the file that marks an output folder. What lies in such a folder is never taken for somebody's pictures."""


@contextmanager
def atomic_path(path: "Path | UPath") -> Iterator[Path]:
    """A partial name to write to; it becomes `path` when the block ends well, and goes when it does not.

    On a local disk the move is atomic, and on an object store an object appears when its upload is complete.

    Args:
        path: Where the file shall be. Its folder is made if it is missing.

    Raises:
        OSError: The folder cannot be made or written to.
    """
    with staged(path) as partial:
        yield partial
        if isinstance(path, Path):
            with partial.open("rb") as written:
                os.fsync(written.fileno())
        move(partial, path)


@contextmanager
def staged(path: "Path | UPath") -> Iterator[Path]:
    """A partial name to write to, which goes at the end of the block; what is good is moved away from it before.

    Args:
        path: Where the file shall be. The partial name is beside it, or in a scratch folder where that is on a store.

    Raises:
        OSError: The folder cannot be made.
    """
    if not isinstance(path, Path):
        with scratch_folder() as folder:
            yield folder / path.name
        return
    final = Path(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    partial = final.with_name(f".{final.name}.{mark()}-{uuid.uuid4().hex[:8]}{PARTIAL}")
    try:
        yield partial
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()


def send(file: Path, target: "UPath") -> None:
    """Put a copy of a local file on a store, where it appears when it is complete.

    Raises:
        OSError: It cannot be read, or not be sent.
    """
    target.fs.put_file(str(file), target.path)


def move(path: "Path | UPath", target: "Path | UPath") -> None:
    """Give a file another name, in the place of what has that name: in the same folder or store, or from here to one.

    Raises:
        FileNotFoundError: There is no such file.
        OSError: It cannot be moved.
    """
    if isinstance(path, Path) and isinstance(target, Path):
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)
        return
    assert not isinstance(target, Path)
    if isinstance(path, Path):
        send(path, target)
        path.unlink()
    else:
        path.fs.cp_file(path.path, target.path)
        path.fs.rm_file(path.path)


@contextmanager
def scratch_folder(beside: Path | None = None) -> Iterator[Path]:
    """A folder for what is needed for the time of a block; `remove_leftovers` finds it if the process is killed.

    Args:
        beside: The folder that it is made in; None for where the system has its temporary files.
    """
    with tempfile.TemporaryDirectory(prefix=f".clustering_assets-{mark()}-", dir=beside) as folder:
        yield Path(folder)


def remove_leftovers(folder: "Path | UPath", now: float) -> "list[Path | UPath]":
    """Remove what killed processes left half-written in a folder and below it, and where temporary files are.

    Only names that `atomic_path` and `scratch_folder` give count, and only those of processes of this machine that have
    ended; those of other machines and of older versions when they have not changed for a day.

    Args:
        folder: For example the output, on a local disk or a store.
        now: The time now, in seconds since the epoch.

    Returns:
        What was removed.
    """
    removed: list[Path | UPath] = []
    for path in [*folder.rglob(".*"), *Path(tempfile.gettempdir()).glob(".*")]:
        if not (found := _LEFT.fullmatch(path.name)):
            continue
        with suppress(OSError):  # it was finished this moment, or belongs to another user
            owner = found["file"] or found["folder"]
            ended = is_left_over(owner) if owner else None
            if now - _changed(path) > ABANDONED_SECONDS if ended is None else ended:
                shutil.rmtree(path) if found["folder"] else path.unlink()
                removed.append(path)
    return removed


def _changed(path: "Path | UPath") -> float:
    """When a file was last changed, in seconds since the epoch; a link itself, not what it leads to."""
    return path.lstat().st_mtime if isinstance(path, Path) else path.stat().st_mtime


def write_bytes(path: "Path | UPath", data: bytes) -> None:
    """Write `data` to `path` atomically."""
    with atomic_path(path) as partial:
        partial.write_bytes(data)


def write_text(path: "Path | UPath", text: str) -> None:
    """Write `text` to `path` atomically, as UTF-8."""
    write_bytes(path, text.encode("utf-8"))


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def mark_output(folder: "Path | UPath") -> None:
    """Mark a folder as one that results are written to."""
    if not (mark := folder / OUTPUT_MARK).exists():
        write_text(mark, "Results of clustering_assets. Pictures in here are results and no input.\n")


@contextmanager
def local_copy(path: "Path | UPath") -> Iterator[Path]:
    """The file on a local disk: itself where it is local, otherwise a copy for the time of the block."""
    if isinstance(path, Path):
        yield Path(path)
        return
    with scratch_folder() as folder:
        copy = folder / path.name
        path.fs.get_file(path.path, str(copy))
        yield copy
