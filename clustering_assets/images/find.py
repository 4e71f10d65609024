"""The files of a folder: found in a fixed order, links and special files told apart, nothing opened."""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from clustering_assets.storage import OUTPUT_MARK, PARTIAL

ATTRIBUTION = "openimages_attribution.csv"
"""Name of the file that an import puts beside its pictures to name their authors; no listing counts it."""

_OF_SYSTEMS = frozenset(
    ("__MACOSX", "@eaDir", "#recycle", "#snapshot", "$RECYCLE.BIN", "System Volume Information", "lost+found")
)
"""Folders that systems and network drives put beside pictures: thumbnails, deleted files, leftovers of archives."""

_UNFINISHED = (PARTIAL, ".part", ".crdownload", ".opdownload")
"""Endings of files that are still being written or downloaded, and get another name when they are whole."""

LEAVES_FOLDER = "symbolic link that leaves the folder"
BROKEN_LINK = "symbolic link to nothing"
NOT_REGULAR = "special file"
NOT_UNICODE = "file name that is not valid UTF-8"


@dataclass(frozen=True)
class FoundFile:
    """One file of a folder.

    Attributes:
        path: Relative to the folder, with forward slashes.
        bytes: Size of the file (of its target, for a link).
        mtime_ns: When it was last changed, in nanoseconds since 1970.
        problem: Why it must not be opened; None if it may be.
    """

    path: str
    bytes: int
    mtime_ns: int
    problem: str | None = None


def find_files(folder: Path) -> list[FoundFile]:
    """Every file below `folder`, sorted by path; no file is opened.

    Hidden names (they begin with a dot), files that are still being written, lists of authors and folders that systems
    keep for themselves (`@eaDir`, `__MACOSX`, recycle bins) are left out. A link inside the folder is
    followed, one that leaves it is listed with that problem, and so are FIFOs, sockets, devices and folders
    that cannot be read. A folder reached twice is listed once, so loops end. A folder below that holds the results of
    a run, as its mark says, is left out.

    Raises:
        OSError: `folder` is missing, is no folder, or cannot be read.
    """
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
            _place(entry, root, found, pending, links)
    return sorted(found, key=lambda file: file.path)


def listing_fingerprint(files: Iterable[FoundFile]) -> str:
    """Digest of a listing, which changes with every name, size, time and problem in it.

    Args:
        files: The files as `find_files` returns them.
    """
    digest = hashlib.blake2b(digest_size=16)
    for file in files:
        digest.update(f"{file.path}\0{file.bytes}\0{file.mtime_ns}\0{file.problem or ''}\n".encode())
    return digest.hexdigest()


def printable(path: str, most: int | None = None) -> str:
    """A path for people: on one line, without what moves a cursor or turns text around, cut in the middle if long."""
    text = "".join(letter if letter.isprintable() else "?" for letter in path)
    if most is None or len(text) <= most:
        return text
    return f"{text[: most // 2 - 2]}...{text[-(most - most // 2 - 1) :]}"


def _entries(at: str, root: Path, found: list[FoundFile]) -> Iterator[os.DirEntry[str]]:
    """The visible entries of one folder; a folder that cannot be read becomes a found problem."""
    try:
        with os.scandir(at) as entries:
            yield from (entry for entry in entries if _is_listed(entry.name))
    except OSError as error:
        found.append(FoundFile(_relative(at, root), 0, 0, f"folder that cannot be read: {error.strerror}"))


def _is_listed(name: str) -> bool:
    """Whether a file or folder of this name is looked at."""
    return not (
        name.startswith(".") or name.endswith(_UNFINISHED) or name in _OF_SYSTEMS or name == ATTRIBUTION
    )


def _place(
    entry: os.DirEntry[str], root: Path, found: list[FoundFile], pending: list[str], links: list[str]
) -> None:
    """Put one entry where it belongs: the files found, or the folders still to visit."""
    path = _relative(entry.path, root)
    try:
        facts = entry.stat()
    except OSError as error:
        problem = BROKEN_LINK if entry.is_symlink() else f"cannot be examined: {error.strerror}"
        found.append(FoundFile(path, 0, 0, problem))
        return
    if entry.is_symlink() and not Path(os.path.realpath(entry.path)).is_relative_to(root):
        found.append(FoundFile(path, 0, 0, LEAVES_FOLDER))
    elif stat.S_ISDIR(facts.st_mode):
        (links if entry.is_symlink() else pending).append(entry.path)
    elif not stat.S_ISREG(facts.st_mode):
        found.append(FoundFile(path, 0, facts.st_mtime_ns, NOT_REGULAR))
    elif _is_unicode(entry.path):
        found.append(FoundFile(path, facts.st_size, facts.st_mtime_ns))
    else:
        found.append(FoundFile(path, facts.st_size, facts.st_mtime_ns, NOT_UNICODE))


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
