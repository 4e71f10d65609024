"""Unpacking archives of pictures safely: nothing leaves the folder and nothing fills the disk."""

import bz2
import gzip
import logging
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, TypeVar, cast

from clustering_assets.progress import track
from clustering_assets.sources.imported import PICTURE_SUFFIXES, Imported, SourceError
from clustering_assets.storage import atomic_path

log = logging.getLogger("clustering_assets.sources")

T = TypeVar("T")
_CHUNK = 1 << 20
_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError)
_LARGEST_HEADER = 16_000_000
_LARGE_ENTRY, _LARGE_ARCHIVE = 10_000_000, 100_000_000


@dataclass(frozen=True)
class Caps:
    """What an archive may hold at most.

    Attributes:
        files: Number of entries.
        bytes: Size of all entries, unpacked.
        file_bytes: Size of one entry, unpacked.
        ratio: Unpacked size in terms of the packed one, for entries above 10 MB and for all entries together above
            100 MB; pictures hardly shrink, so what grows a hundredfold is none.
    """

    files: int = 500_000
    bytes: int = 100_000_000_000
    file_bytes: int = 200_000_000
    ratio: float = 100.0


@dataclass(frozen=True)
class _Entry:
    """One regular file in an archive."""

    name: str
    size: int
    packed: int
    open: Callable[[], AbstractContextManager[IO[bytes]]]
    problem: str = ""


def unpack(archive: Path, folder: Path, *, limit: int | None = None, caps: Caps | None = None) -> Imported:
    """Unpack the pictures of a zip or tar archive into `folder`.

    Every picture is written under a hidden name and appears when it is complete. Entries with an absolute path,
    with `..`, links, devices and encrypted entries are listed as failures and never written, what is no
    picture by its name is skipped, and so is a picture that is there already in the same size. The archive is
    judged by its table of contents before anything is written, and each entry again while it is unpacked.

    Args:
        archive: The archive.
        folder: Where to put the pictures; sub-folders stay.
        limit: Unpack at most this many pictures, evenly spread over the sorted names; None for all.
        caps: What it may hold at most; None for the defaults.

    Raises:
        SourceError: It is no archive, is damaged as a whole, or holds more than the caps allow.
    """
    caps = caps or Caps()
    with _opened(archive) as found:
        entries = _judged(archive, found, caps)
        failures = [(entry.name, entry.problem) for entry in entries if entry.problem]
        good = sorted((entry for entry in entries if not entry.problem), key=lambda entry: entry.name)
        pictures = [entry for entry in good if _is_picture(entry.name)]
        wanted = spread(pictures, limit)
        count = size = there = 0
        for entry in track(wanted, "Unpacking", unit="pictures"):
            target = folder / PurePosixPath(entry.name)
            if target.is_file() and target.stat().st_size == entry.size:
                there += 1
                continue
            try:
                _write(entry, target, caps)
            except (*_DAMAGED, OSError, ValueError, NotImplementedError) as error:
                failures.append((entry.name, str(error) or type(error).__name__))
            else:
                count, size = count + 1, size + entry.size
    skipped = len(good) - len(wanted) + there
    return Imported(count, size, skipped, tuple(failures), folder)


def spread(items: Sequence[T], limit: int | None) -> list[T]:
    """At most `limit` of the items, evenly spread over them, in their order; all for None."""
    if limit is None or limit >= len(items):
        return list(items)
    return [items[index * len(items) // limit] for index in range(limit)]


@contextmanager
def _opened(archive: Path) -> Iterator[Iterator[_Entry]]:
    """The entries of an archive that stays open inside the block; those of a tar are found as they are asked for."""
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as file:
                yield (_zip_entry(file, info) for info in file.infolist() if not info.filename.endswith("/"))
            return
        with _decompressed(archive) as stream:
            headers = _Headers(archive, stream)
            if file := _tar(headers):
                with file:
                    yield (_tar_entry(file, info) for info in headers.counted(file) if not info.isdir())
                return
    except _DAMAGED as error:
        raise SourceError(
            f"{archive}: the archive is damaged ({error}); delete it and import again"
        ) from error
    with archive.open("rb") as file:
        if file.read(4) == b"PK\x03\x04":
            raise SourceError(f"{archive}: the end of the archive is missing; delete it and import again")
    raise SourceError(f"{archive}: neither a zip nor a tar archive")


def _decompressed(archive: Path) -> IO[bytes]:
    """A tar archive as it is without its compression."""
    with archive.open("rb") as file:
        magic = file.read(6)
    for begin, opener in ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\0", lzma.open)):
        if magic.startswith(begin):
            return cast("IO[bytes]", opener(archive, "rb"))
    return archive.open("rb")


class _Headers:
    """A tar archive of which no header is read that is larger than any honest one; `tarfile` reads them whole."""

    def __init__(self, archive: Path, stream: IO[bytes]) -> None:
        self._archive, self._stream, self._left = archive, stream, float(_LARGEST_HEADER)

    def read(self, size: int = -1) -> bytes:
        """As of a file; while headers are listed, no more than they may have.

        Raises:
            SourceError: They have more.
        """
        self._left -= size
        if self._left < 0 or size < 0:
            raise SourceError(f"{self._archive}: a header that is too large; refused as a possible bomb")
        return self._stream.read(size)

    def counted(self, file: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
        """The entries of the archive; once they are listed, anything may be read."""
        for info in file:
            self._left = _LARGEST_HEADER
            yield info
        self._left = float("inf")

    def __getattr__(self, name: str) -> Any:
        """Everything else is the stream's."""
        return getattr(self._stream, name)


def _tar(headers: _Headers) -> tarfile.TarFile | None:
    """The archive, if it is one."""
    try:
        return tarfile.open(fileobj=cast("IO[bytes]", headers), mode="r:")
    except (*_DAMAGED, OSError):
        return None


def _zip_entry(file: zipfile.ZipFile, info: zipfile.ZipInfo) -> _Entry:
    """An entry of a zip archive."""
    problem = _name_problem(info.filename)
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind and not stat.S_ISREG(kind):
        problem = "not a regular file"
    elif info.flag_bits & 1:
        problem = "encrypted"
    return _Entry(info.filename, info.file_size, info.compress_size, lambda: file.open(info), problem)


def _tar_entry(file: tarfile.TarFile, info: tarfile.TarInfo) -> _Entry:
    """An entry of a tar archive."""
    problem = _name_problem(info.name) if info.isreg() else "not a regular file"
    return _Entry(info.name, info.size, info.size, lambda: cast("IO[bytes]", file.extractfile(info)), problem)


def _name_problem(name: str) -> str:
    """Why a name in an archive is not safe to use; empty if it is."""
    if not name or "\0" in name:
        return "no usable name"
    if "\\" in name:
        return "backslash in its name"
    if name.startswith("/") or (len(name) > 1 and name[1] == ":"):
        return "absolute path"
    if ".." in PurePosixPath(name).parts:
        return "path leaves the folder"
    if any(len(part.encode()) > 200 for part in PurePosixPath(name).parts):
        return "name too long"
    return ""


def _is_picture(name: str) -> bool:
    """Whether a name is that of a picture, and neither hidden nor a resource fork of macOS."""
    path = PurePosixPath(name)
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
    return path.suffix.lower() in PICTURE_SUFFIXES and not hidden


def _judged(archive: Path, found: Iterable[_Entry], caps: Caps) -> list[_Entry]:
    """The entries of an archive; as soon as they are beyond the caps, it is refused."""
    entries: list[_Entry] = []
    total = 0
    packed = archive.stat().st_size
    for entry in found:
        entries.append(entry)
        total += entry.size
        if len(entries) > caps.files:
            raise SourceError(f"{archive}: more than {caps.files:,} entries, at most so many are unpacked")
        if total > caps.bytes:
            raise SourceError(
                f"{archive}: more than {caps.bytes:,} bytes when unpacked; refused as a possible zip bomb"
            )
        if entry.size > _LARGE_ENTRY and entry.size > caps.ratio * max(1, entry.packed):
            raise SourceError(
                f"{archive}: {entry.name} grows from {entry.packed:,} to {entry.size:,} bytes; "
                "refused as a zip bomb"
            )
        if total > _LARGE_ARCHIVE and total > caps.ratio * packed:
            raise SourceError(f"{archive}: {packed:,} bytes grow to {total:,} or more; refused as a zip bomb")
    return entries


def _write(entry: _Entry, target: Path, caps: Caps) -> None:
    """Write one entry atomically; its size and check sum must be as announced.

    Raises:
        ValueError: The entry is larger than allowed or than it says.
    """
    if entry.size > caps.file_bytes:
        raise ValueError(f"{entry.size:,} bytes, at most {caps.file_bytes:,} are unpacked")
    size = 0
    with atomic_path(target) as partial, entry.open() as source, Path(str(partial)).open("wb") as file:
        while chunk := source.read(_CHUNK):
            size += len(chunk)
            if size > entry.size:
                raise ValueError("larger than it says")
            file.write(chunk)
        if size < entry.size:
            raise ValueError(f"ends after {size:,} of {entry.size:,} bytes")
