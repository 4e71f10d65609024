"""A folder of this machine: its files in a fixed order, links and special files told apart."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from clustering_assets.files.source import (
    BROKEN_LINK,
    LEAVES_FOLDER,
    NOT_REGULAR,
    NOT_UNICODE,
    FileSource,
    FoundFile,
    is_listed,
)
from clustering_assets.storage import OUTPUT_MARK

_LATEST = 2**63 - 1
_NO_WAITING = getattr(os, "O_NONBLOCK", 0)


@dataclass(frozen=True)
class LocalFolder(FileSource):
    """A folder of this machine, searched recursively.

    Attributes:
        folder: The folder, as the user calls it.
        follow_links: Whether what links lead to outside of it counts as lying where the link is.
    """

    folder: Path
    follow_links: bool = False

    def __str__(self) -> str:
        """Its path."""
        return str(self.folder)

    def __reduce__(self) -> tuple[type["LocalFolder"], tuple[Path, bool]]:
        """Pickled with its whole path, since another process may stand in another folder."""
        return type(self), (self.folder.absolute(), self.follow_links)

    def files(self) -> list[FoundFile]:
        """Every file below the folder, sorted by path.

        A link inside the folder is followed, one that leaves it is listed with that problem unless links are to be
        followed, and so are FIFOs, sockets, devices and folders that cannot be read. A folder reached twice is listed
        once, so loops end; one that the folder itself lies in is never followed. A folder below that holds the results
        of a run, as its mark says, is left out.
        """
        return _find(self.folder, follow_links=self.follow_links)

    def stat(self, path: str) -> FoundFile:
        """A file, or the target of a link, as it is now."""
        facts = os.stat(f"{self.folder}/{path}")  # noqa: PTH116 - `Path` would take longer than the call
        problem = None if stat.S_ISREG(facts.st_mode) else NOT_REGULAR
        return FoundFile(path, facts.st_size, _changed(facts), problem)

    def open(self, path: str) -> BinaryIO:
        """A file without a buffer; if it is a FIFO, nothing waits for somebody to write to it."""
        return open(f"{self.folder}/{path}", "rb", buffering=0, opener=_opened)


def _changed(facts: os.stat_result) -> int:
    """When a file was last changed, in nanoseconds since 1970; at most what tables hold, which is the year 2262."""
    return max(-_LATEST, min(facts.st_mtime_ns, _LATEST))


def _opened(path: str, flags: int) -> int:
    return os.open(path, flags | _NO_WAITING)


def _find(folder: Path, *, follow_links: bool) -> list[FoundFile]:
    """The files below a folder."""
    root = folder.resolve(strict=True)
    os.scandir(root).close()
    seen: set[str] = set()
    found: list[FoundFile] = []
    links: list[str] = []
    pending = [str(root)]
    while pending or links:
        if not pending:
            # Real folders come first, so that a file is known by its own path and not by a link's.
            links.sort(reverse=True)
            pending = [links.pop()]
        at = pending.pop()
        real = os.path.realpath(at)
        # Not `Path.exists`, which fails in a folder that cannot be entered.
        if real in seen or (real != str(root) and os.path.exists(f"{real}/{OUTPUT_MARK}")):  # noqa: PTH110
            continue
        seen.add(real)
        for entry in _entries(at, root, found):
            _place(entry, root, found, pending, links, follow_links=follow_links)
    return sorted(found, key=lambda file: file.path)


def _entries(at: str, root: Path, found: list[FoundFile]) -> Iterator[os.DirEntry[str]]:
    """The visible entries of one folder; a folder that cannot be read becomes a found problem."""
    try:
        with os.scandir(at) as entries:
            yield from (entry for entry in entries if is_listed(entry.name))
    except OSError as error:
        found.append(FoundFile(_relative(at, root), 0, 0, f"folder that cannot be read: {error.strerror}"))


def _place(
    entry: os.DirEntry[str],
    root: Path,
    found: list[FoundFile],
    pending: list[str],
    links: list[str],
    *,
    follow_links: bool,
) -> None:
    """Put one entry where it belongs: the files found, or the folders still to visit."""
    path = _relative(entry.path, root)
    try:
        facts = entry.stat()
    except OSError as error:
        problem = BROKEN_LINK if entry.is_symlink() else f"cannot be examined: {error.strerror}"
        found.append(FoundFile(path, 0, 0, problem))
        return
    target = Path(os.path.realpath(entry.path)) if entry.is_symlink() else root
    if not target.is_relative_to(root) and (not follow_links or root.is_relative_to(target)):
        found.append(FoundFile(path, 0, 0, LEAVES_FOLDER))
    elif stat.S_ISDIR(facts.st_mode):
        (links if entry.is_symlink() else pending).append(entry.path)
    elif not stat.S_ISREG(facts.st_mode):
        found.append(FoundFile(path, 0, _changed(facts), NOT_REGULAR))
    elif _is_unicode(entry.path):
        found.append(FoundFile(path, facts.st_size, _changed(facts)))
    else:
        found.append(FoundFile(path, facts.st_size, _changed(facts), NOT_UNICODE))


def _relative(path: str, root: Path) -> str:
    r"""`path` below `root` with forward slashes, bytes that are not UTF-8 written as \xNN."""
    relative = os.path.relpath(path, root).replace(os.sep, "/")
    return relative if _is_unicode(relative) else os.fsencode(relative).decode("utf-8", "backslashreplace")


def _is_unicode(text: str) -> bool:
    """Whether `text` has no stand-ins for bytes that are not UTF-8."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
