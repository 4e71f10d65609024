"""What a place with files is, and what holds for all of them: which names are listed, and why a file is not opened."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import BinaryIO, ClassVar

from clustering_assets.storage import PARTIAL

ATTRIBUTION = "openimages_attribution.csv"
"""Name of the file that an import puts beside its pictures to name their authors; no listing counts it."""

_OF_SYSTEMS = frozenset(
    (
        *(
            "__macosx",
            "lost+found",
            "system volume information",
            "$recycle.bin",
            "recycler",
            "network trash folder",
        ),
        *("@eadir", "@tmp", "@recycle", "@recently-snapshot", "@sharebin", "@transcode"),
        *("#recycle", "#snapshot", "~snapshot", "ipod photo cache", "captureone"),
    )
)
"""Folders that systems, network drives and programs put beside pictures, in small letters: thumbnails, bins."""

_OF_PROGRAMS = (".lrdata", ".lrcat-data", ".cocatalog")
"""Endings of folders in which catalogues of photographs keep their previews."""

_UNFINISHED = (PARTIAL, ".part", ".crdownload", ".opdownload")
"""Endings of files that are still being written or downloaded, and get another name when they are whole."""

LEAVES_FOLDER = "symbolic link that leaves the folder"
BROKEN_LINK = "symbolic link to nothing"
NOT_REGULAR = "special file"
NOT_UNICODE = "file name that is not valid UTF-8"


@dataclass(frozen=True)
class FoundFile:
    """One file of a source.

    Attributes:
        path: Its name there, with forward slashes.
        bytes: Size of the file (of its target, for a link).
        mtime_ns: When it was last changed, in nanoseconds since 1970.
        problem: Why it must not be opened; None if it may be.
    """

    path: str
    bytes: int
    mtime_ns: int
    problem: str | None = None


class FileSource(ABC):
    """A place with files, each named by its path below that place, with forward slashes.

    As text it is what the user calls it. It goes to worker processes, so it must be possible to pickle it.

    Attributes:
        most_ahead: Most files that are read before the first of them is needed.
    """

    most_ahead: ClassVar[int] = 4096

    @abstractmethod
    def files(self) -> list[FoundFile]:
        """Every file whose name `is_listed`, and that of each folder it lies in, sorted by path; none is opened.

        Raises:
            OSError: The place is missing, is none that has files, or cannot be read.
        """

    @abstractmethod
    def stat(self, path: str) -> FoundFile:
        """A file as it is now.

        Raises:
            OSError: It is missing or cannot be examined.
        """

    @abstractmethod
    def open(self, path: str) -> BinaryIO:
        """A file to read from; it may give fewer bytes at a time than it is asked for.

        Raises:
            OSError: It is missing or cannot be read.
        """

    def feed(self, files: Sequence[FoundFile]) -> Callable[[Iterable[str]], Iterable[str]]:
        """What the names of `files` pass through, in order, before each is read: what is far away is fetched ahead.

        Args:
            files: Of a listing; none of them has a problem.
        """
        return iter

    def __truediv__(self, path: str) -> "SourceFile":
        """A file by its path; whether there is one shows when it is used."""
        return SourceFile(self, path)


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of a source.

    Attributes:
        source: Where it lies.
        path: Its name there.
    """

    source: FileSource
    path: str

    def __str__(self) -> str:
        """The file as the user calls it."""
        return f"{self.source}/{self.path}"

    def __hash__(self) -> int:
        """By its name, whatever its source is made of."""
        return hash(str(self))

    @property
    def name(self) -> str:
        """The last part of its path."""
        return PurePosixPath(self.path).name

    @property
    def stem(self) -> str:
        """The last part of its path, without the ending."""
        return PurePosixPath(self.path).stem

    def stat(self) -> FoundFile:
        """As `FileSource.stat`."""
        return self.source.stat(self.path)

    def open(self) -> BinaryIO:
        """As `FileSource.open`."""
        return self.source.open(self.path)


def is_listed(name: str) -> bool:
    """Whether a file or folder of this name is the user's and whole.

    Hidden names (they begin with a dot), files that are still being written, lists of authors and folders that systems
    and programs keep for themselves (`@eaDir`, `__MACOSX`, recycle bins, previews of Lightroom) are not, in any case of
    letters.
    """
    low = name.lower()
    own = low in _OF_SYSTEMS or low.endswith(_OF_PROGRAMS) or name == ATTRIBUTION
    return not (own or name.startswith(".") or name.endswith(_UNFINISHED))


def files_of_kind(
    files: Iterable[FoundFile],
    source: FileSource,
    is_named: Callable[[FoundFile], bool],
    holds: Callable[[SourceFile], bool],
) -> list[FoundFile]:
    """The files that are of a kind or claim to be, by their names or else by their content.

    Only what has no such name is opened, and not again as long as its size and time stay the same.

    Args:
        files: Files as `source.files` returns them.
        source: Where they are.
        is_named: Whether a file is one by its name.
        holds: Whether it is one by its content; a function of a module.
    """
    return [
        file
        for file in files
        if is_named(file)
        or (not file.problem and _holds(holds, source / file.path, file.bytes, file.mtime_ns))
    ]


@lru_cache(maxsize=100_000)
def _holds(holds: Callable[[SourceFile], bool], file: SourceFile, *facts: int) -> bool:
    """Whether a file that has these facts is of a kind."""
    return holds(file)


def links_left_out(files: Iterable[FoundFile], source: FileSource) -> str:
    """That links of a listing lead elsewhere and are not followed, once for all of them; empty if there are none."""
    links = [file.path for file in files if file.problem == LEAVES_FOLDER]
    if not links:
        return ""
    lead = "link leads" if len(links) == 1 else "links lead"
    return (
        f"{len(links):,} {lead} out of {source}, such as {printable(links[0])}: not followed; the setting follow_links "
        "(--follow-links) follows them"
    )


def listing_fingerprint(files: Iterable[FoundFile]) -> str:
    """Digest of a listing, which changes with every name, size, time and problem in it.

    Args:
        files: The files as `FileSource.files` returns them.
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
