"""Objects below a URL: listed page by page, told apart by ETag or version, and fetched once."""

import mimetypes
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, ClassVar, cast

from clustering_assets.files.copies import Copies, trim_copies
from clustering_assets.files.source import FileSource, FoundFile, is_listed
from clustering_assets.places import masked
from clustering_assets.storage import OUTPUT_MARK
from clustering_assets.stores import Store, changed_ns

_FETCHED_AT_ONCE = 16
_FETCHED_AHEAD, _BYTES_AHEAD = 128, 128 << 20
_TRIMMED_AFTER = 256 << 20
"""Bytes that are fetched before old copies are looked for."""

_LISTED_AT_ONCE = 32
_READ_IN_PIECES = 64 << 20
"""Size from which an object that is not named like a picture or a sound is read piece by piece: it may be anything."""


@dataclass(frozen=True)
class RemoteFolder(FileSource):
    """The objects below a URL.

    Attributes:
        url: The URL, as the user gives it.
        setting: Name of the setting that it comes from, for messages.
    """

    most_ahead: ClassVar[int] = 512

    url: str
    setting: str = ""

    def __str__(self) -> str:
        """The URL."""
        return masked(self.url.rstrip("/"))

    def __reduce__(self) -> Any:
        """Pickled without what it is connected to."""
        return type(self), (self.url, self.setting)

    def files(self) -> list[FoundFile]:
        """Every object below the URL, sorted by name; none is opened.

        What lies below a mark of results is left out. An object's time in nanoseconds is that of its last change to the
        second, and from there a digest of its ETag or version, so that no change goes unseen.

        Raises:
            FileNotFoundError: There is nothing below the URL.
            StoreError: The store cannot be used.
        """
        found = {name: facts for name, facts in self._listing() if all(map(is_listed, name.split("/")[:-1]))}
        if not found and not self._store.exists(self._root):
            raise FileNotFoundError(2, "No such file or directory", str(self))
        results = {
            name.removesuffix(OUTPUT_MARK) for name in found if PurePosixPath(name).name == OUTPUT_MARK
        }
        results.discard("")  # the URL itself may be an output
        files = [
            _found(name, facts)
            for name, facts in sorted(found.items())
            if is_listed(name.rpartition("/")[2]) and not _is_in(name, results)
        ]
        self._copies.compare(files)
        return files

    def stat(self, path: str) -> FoundFile:
        """An object as it is now, from a fresh copy where there is one.

        Raises:
            FileNotFoundError: There is none.
            StoreError: The store cannot be used.
        """
        if (known := self._copies.find(path)) is not None:
            return known
        file = _found(path, self._store.info(self._full(path)))
        self._copies.take(file)  # which makes a copy of this state fresh again
        return file

    def open(self, path: str) -> BinaryIO:
        """An object to read from: a copy on the local disk, unless it is large and no picture or music by its name.

        Raises:
            OSError: There is none, or it changed while it was fetched.
            StoreError: The store cannot be used.
        """
        file = self.stat(path)
        if _is_read_in_pieces(file):
            return cast("BinaryIO", self._store.pieces(self._full(path)))
        return self._fetch(file).open("rb", buffering=0)

    def feed(self, files: Sequence[FoundFile]) -> Callable[[Iterable[str]], Iterator[str]]:
        """Hands on names of `files`, in order, each when its object has been fetched; others are fetched meanwhile."""
        listed = {file.path: file for file in files}

        def fetched(paths: Iterable[str]) -> Iterator[str]:
            waiting: deque[tuple[FoundFile, Future[Any]]] = deque()
            ahead = 0
            with ThreadPoolExecutor(_FETCHED_AT_ONCE, "fetch") as pool:
                try:
                    for path in paths:
                        file = listed[path]
                        waiting.append((file, pool.submit(self._fetch_ahead, file)))
                        ahead += file.bytes
                        while len(waiting) > _FETCHED_AHEAD or ahead > _BYTES_AHEAD:
                            first, done = waiting.popleft()
                            done.result()
                            ahead -= first.bytes
                            yield first.path
                    while waiting:
                        first, done = waiting.popleft()
                        done.result()
                        yield first.path
                finally:
                    pool.shutdown(wait=True, cancel_futures=True)

        return fetched

    def _fetch_ahead(self, file: FoundFile) -> None:
        with suppress(OSError):  # whoever reads it finds out, and says so of this file alone
            if not _is_read_in_pieces(file):
                self._fetch(file)

    def _fetch(self, file: FoundFile) -> Path:
        """The copy of an object."""
        return self._copies.make(file, lambda place: self._fetch_to(file, place))

    def _fetch_to(self, file: FoundFile, place: Path) -> None:
        _trimming.before(file.bytes)
        self._store.get_file(self._full(file.path), str(place))

    def _listing(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Name below the URL and facts of every object; folders beside each other are listed at the same time."""
        top = self._store.ls(self._root, detail=True)
        if any(facts["name"] == self._root and facts["type"] == "file" for facts in top):
            raise NotADirectoryError(20, "Not a directory", str(self))
        folders = [facts["name"] for facts in top if facts["type"] == "directory" and self._is_wanted(facts)]
        if len(folders) > _LISTED_AT_ONCE:
            pages = [self._store.find(self._root, detail=True)]
        else:
            pages = [{facts["name"]: facts for facts in top if facts["type"] == "file"}]
            with ThreadPoolExecutor(max(1, len(folders)), "list") as pool:
                pages += pool.map(lambda folder: self._store.find(folder, detail=True), folders)
        for page in pages:
            holding = {name.rpartition("/")[0] for name in page}.union(folders)
            for name, facts in page.items():
                marker = name.endswith("/") or (not facts["size"] and name in holding)
                if facts["type"] == "file" and not marker:
                    yield self._relative(name), facts

    def _is_wanted(self, facts: dict[str, Any]) -> bool:
        return is_listed(self._relative(facts["name"].rstrip("/")))

    def _relative(self, name: str) -> str:
        return name.removeprefix(self._root).removeprefix("/")

    def _full(self, path: str) -> str:
        return f"{self._root}/{path}"

    @cached_property
    def _store(self) -> Store:
        return Store(self.url, self.setting)

    @cached_property
    def _root(self) -> str:
        return str(self._store._strip_protocol(self.url)).rstrip("/")

    @property
    def _copies(self) -> Copies:
        return Copies(str(self))


class _Trimming:
    """Looks for old copies now and then, as more are fetched."""

    def __init__(self) -> None:
        self._lock, self._since = threading.Lock(), _TRIMMED_AFTER

    def before(self, size: int) -> None:
        with self._lock:
            self._since += size
            if self._since < _TRIMMED_AFTER:
                return
            self._since = 0
        trim_copies()


_trimming = _Trimming()


def _found(path: str, facts: dict[str, Any]) -> FoundFile:
    return FoundFile(path, int(facts["size"] or 0), changed_ns(facts))


def _is_in(name: str, folders: set[str]) -> bool:
    return bool(folders) and any(f"{parent}/" in folders for parent in PurePosixPath(name).parents)


def _is_read_in_pieces(file: FoundFile) -> bool:
    kind = mimetypes.guess_type(file.path)[0] or ""
    return file.bytes > _READ_IN_PIECES and not kind.startswith(("image/", "audio/"))
