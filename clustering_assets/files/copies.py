"""Copies of objects on the local disk, so that what a scan, a network and a video need is fetched once.

They lie in the temporary folder (`TMPDIR` says where that is), shared by all processes of a user, bounded together, and
go when nothing has asked for them for a day.
"""

import hashlib
import os
import shutil
import stat
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from clustering_assets.errors import ClusteringError
from clustering_assets.files.source import FoundFile
from clustering_assets.storage import PARTIAL

MOST_BYTES = 10_000_000_000
"""Size of all copies together, if a quarter of the disk's free room is more than that."""

TRUSTED_SECONDS = 600.0
"""How long a copy passes for its object as it is now, from when it was made or its folder was listed."""

_KEPT_SECONDS = 24 * 3600.0
_LISTED = "listed"


@dataclass(frozen=True)
class Copies:
    """The copies of the objects below one URL.

    Attributes:
        url: What the names of objects are relative to.
    """

    url: str

    @property
    def folder(self) -> Path:
        """Where they are."""
        return copies_folder() / _digest(self.url)

    def find(self, name: str) -> FoundFile | None:
        """The facts of an object, from a copy that may be trusted; None where there is none."""
        copy = self._place(name)
        try:
            facts = copy.stat()
            if time.time() - facts.st_ctime > TRUSTED_SECONDS:
                listed = (self.folder / _LISTED).stat()
                if time.time() - listed.st_mtime > TRUSTED_SECONDS:
                    return None
        except OSError:
            return None
        return FoundFile(name, facts.st_size, facts.st_mtime_ns)

    def take(self, file: FoundFile) -> Path | None:
        """The copy of an object whose facts were asked for just now; None where there is none of this state of it."""
        copy = self._place(file.path)
        try:
            facts = copy.stat()
            if (facts.st_size, facts.st_mtime_ns) != (file.bytes, file.mtime_ns):
                return None
            os.utime(copy, ns=(time.time_ns(), file.mtime_ns))
        except OSError:
            return None
        return copy

    def make(self, file: FoundFile, fetch: Callable[[Path], None]) -> Path:
        """The copy of an object, fetched if there is none of this state of it.

        Args:
            file: The object as it is.
            fetch: Writes its content to a file.

        Raises:
            OSError: The content is not as long as it should be, or there is no room for it.
        """
        if (copy := self.take(file)) is not None:
            return copy
        copy = self._place(file.path)
        copy.parent.mkdir(parents=True, exist_ok=True)
        partial = copy.with_name(f"{copy.name}.{uuid.uuid4().hex[:8]}{PARTIAL}")
        try:
            fetch(partial)
            if partial.stat().st_size != file.bytes:
                raise OSError(f"{file.path} changed while it was read")
            os.utime(partial, ns=(time.time_ns(), file.mtime_ns))
            partial.replace(copy)
        finally:
            partial.unlink(missing_ok=True)
        return copy

    def compare(self, files: Iterable[FoundFile]) -> None:
        """Remove copies of objects that have changed or are gone, as a listing shows; trust the others again."""
        if not self.folder.is_dir():
            return
        now = {_digest(file.path): (file.bytes, file.mtime_ns) for file in files}
        for entry in os.scandir(self.folder):
            facts = entry.stat()
            if entry.name == _LISTED or (
                entry.name.endswith(PARTIAL) and time.time() - facts.st_mtime < 3600
            ):
                continue
            if now.get(entry.name) != (facts.st_size, facts.st_mtime_ns):
                Path(entry.path).unlink(missing_ok=True)
        (self.folder / _LISTED).touch()

    def _place(self, name: str) -> Path:
        return self.folder / _digest(name)


def copies_folder() -> Path:
    """The folder of all copies of this user.

    Raises:
        ClusteringError: Somebody else has a folder of that name.
    """
    user = getattr(os, "getuid", lambda: 0)()
    folder = Path(tempfile.gettempdir()) / f"clustering_assets-{user}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    facts = folder.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid not in (user, 0 if os.name == "nt" else user):
        raise ClusteringError(f"{folder} belongs to somebody else: set TMPDIR to a folder of your own")
    return folder


def trim_copies(most: int | None = None) -> None:
    """Remove copies that nothing has asked for lately, the oldest first, until the others fit.

    Args:
        most: Bytes that they may have together; None: as much as there is room for.
    """
    found = []
    for path in copies_folder().glob("*/*"):
        with suppress(FileNotFoundError):
            facts = path.stat()
            found.append((max(facts.st_atime, facts.st_ctime), facts.st_size, path))
    total = sum(size for _, size, _ in found)
    if most is None:
        most = min(MOST_BYTES, (shutil.disk_usage(copies_folder()).free + total) // 4)
    for used, size, path in sorted(found):
        if total <= most and time.time() - used < _KEPT_SECONDS:
            break
        path.unlink(missing_ok=True)
        total -= size


def _digest(name: str) -> str:
    return hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
