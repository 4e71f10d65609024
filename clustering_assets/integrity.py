"""Whether results are still what was written: size, time and hash of every file are kept in the output beside them.

The records lie in the output itself, so they outlive the state of Dagster and belong to this output and no other; there
is one small file for each result, so that several runs can write theirs at once, on an object store too.
"""

import enum
import hashlib
import json
import logging
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import xxhash
from upath import UPath

from clustering_assets.storage import write_bytes, write_text
from clustering_assets.stores import object_stamp, open_place

log = logging.getLogger("clustering_assets.integrity")

RECORDS = ".published"
"""Folder of the records below the output."""

SMALL = 16_000_000
"""Bytes up to which a file on a local disk is hashed whenever it is checked: some milliseconds."""


class State(enum.Enum):
    """What became of a file since it was published; the value says so in words."""

    WHOLE = "is as it was written"
    UNRECORDED = "has no record of what was written"
    DAMAGED = "is not as it was written"
    MISSING = "is gone"


@dataclass(frozen=True)
class Published:
    """What a file was when it was published.

    Attributes:
        bytes: Its size.
        stamp: Time of its last change in nanoseconds, or what an object store has instead, such as an ETag. Where it is
            another one the content decides.
        xxh3_128: Hash of its content, in hexadecimal.
    """

    bytes: int
    stamp: str
    xxh3_128: str


@dataclass(frozen=True)
class Records:
    """The records of one output. Names are relative to it, such as `clusters/cluster_assignments.csv`.

    Attributes:
        root: The output folder or URL.
        copied: Names of results that are made with the help of what they were before; a copy of each is kept.
    """

    root: str
    copied: frozenset[str] = frozenset()

    def publish(
        self, names: Iterable[str], known: Mapping[str, str] = MappingProxyType({})
    ) -> dict[str, str]:
        """Record files that have just been written; returns the hash of each by name.

        Args:
            names: The files.
            known: Hashes of those of them whose content was hashed before it was sent; they are not read again.

        Raises:
            OSError: A file cannot be read, or its record not be written.
        """
        hashes = {}
        for name in names:
            size, stamp = _facts(self._path(name)) or (0, "")
            hashes[name] = known.get(name) or _hash(self._path(name))
            self._write(name, Published(size, stamp, hashes[name]))
            if name in self.copied:
                write_bytes(self._copy(name), self._path(name).read_bytes())
        return hashes

    def state(self, name: str, *, thorough: bool = False) -> State:
        """What became of a file.

        Small local files are hashed; of others size and time are compared, and the hash only where the time differs.

        Args:
            name: The file.
            thorough: Hash it in any case. Every later check knows of the damage that this one finds.
        """
        path = self._path(name)
        try:
            facts, record = _facts(path), self._read(name)
            if facts is None or record is None:
                return State.MISSING if facts is None else State.UNRECORDED
            size, stamp = facts
            if size != record.bytes:
                return State.DAMAGED
            small = isinstance(path, Path) and size <= SMALL
            if stamp == record.stamp and not (thorough or small):
                return State.WHOLE
            whole = (_hash(path) if thorough else content_hash(path)) == record.xxh3_128
        except OSError as error:
            log.warning("%s cannot be read (%s)", path, error)
            return State.DAMAGED
        stamp = stamp if whole else ""  # which no file has: every later check compares the content
        if stamp != record.stamp and (whole or thorough):
            with suppress(OSError):  # an output that is only to be read
                self._write(name, replace(record, stamp=stamp))
        return State.WHOLE if whole else State.DAMAGED

    def hashes(self, names: Iterable[str]) -> dict[str, str]:
        """The recorded hash of each of the files that have a record."""
        records = {name: self._read(name) for name in names}
        return {name: record.xxh3_128 for name, record in records.items() if record}

    def intact(self, name: str) -> Any:
        """The path of a file that may be believed: its own, or that of its copy; None where it is damaged or gone."""
        state, record, copy = self.state(name), self._read(name), self._copy(name)
        if record is None or state is State.WHOLE:
            return self._path(name)
        if name not in self.copied or not copy.is_file():
            return None
        return copy if content_hash(copy) == record.xxh3_128 else None

    def names(self) -> list[str]:
        """Names of all files that have a record, sorted."""
        folder = self._path(RECORDS)
        found = (path.relative_to(folder) for path in folder.rglob("*.json")) if folder.is_dir() else ()
        return sorted(str(path).removesuffix(".json") for path in found if not path.name.startswith("."))

    def evidence(self, name: str) -> list[Any]:
        """What tells one damage of a file from another: what was recorded, and what there is."""
        record = self._read(name)
        return [name, asdict(record) if record else None, _facts(self._path(name))]

    def forget(self, name: str) -> None:
        """Drop the record of a file, as before it is written anew or when it was removed."""
        with suppress(FileNotFoundError):
            self._record(name).unlink()

    def moved(self, old: str, new: str) -> None:
        """Give a file's record the name that the file has now."""
        record = self._read(old)
        self.forget(old)
        self.forget(new)
        if record:
            self._write(new, record)

    def _path(self, name: str) -> Any:
        """Where a file lies."""
        return open_place(self.root, "output") / name

    def _copy(self, name: str) -> Any:
        """Where the copy of a file lies, if one is kept."""
        return self._path(RECORDS) / name

    def _record(self, name: str) -> Any:
        """Where the record of a file lies."""
        return self._path(RECORDS) / f"{name}.json"

    def _read(self, name: str) -> Published | None:
        """The record of a file; None if there is none that can be understood."""
        try:
            return Published(**json.loads(self._record(name).read_text(encoding="utf-8")))
        except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
            return None

    def _write(self, name: str, record: Published) -> None:
        write_text(self._record(name), json.dumps(asdict(record)))


def content_hash(path: Path | UPath) -> str:
    """XxHash (xxh3, 128 bits) of a file, in hexadecimal; of a local file that has not changed since from memory.

    Raises:
        OSError: It cannot be read.
    """
    if not isinstance(path, Path):
        return _hash(path)
    facts = path.stat()
    return _remembered_hash(
        path.absolute(), facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns
    )


@lru_cache(maxsize=4096)
def _remembered_hash(path: Path, *facts: int) -> str:
    return _hash(path)


def _hash(path: Path | UPath) -> str:
    """As `content_hash`, always from the content itself."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, xxhash.xxh3_128).hexdigest()  # type: ignore[arg-type]


def _facts(path: Any) -> tuple[int, str] | None:
    """Size and stamp of a file; None if there is none."""
    try:
        if isinstance(path, Path):
            facts = path.stat()
            return (facts.st_size, str(facts.st_mtime_ns)) if stat.S_ISREG(facts.st_mode) else None
        facts = path.fs.info(path.path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if facts.get("type") != "file":
        return None
    return int(facts["size"]), object_stamp(facts)
