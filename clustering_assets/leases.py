"""One update of an output at a time: a locked file on a local disk, an object that expires on a store."""

import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import cast

from filelock import FileLock, Timeout
from upath import UPath

from clustering_assets.errors import ClusteringError
from clustering_assets.outputs import VIDEOS
from clustering_assets.process_identity import host_of, is_running, this_machine, this_process
from clustering_assets.storage import mark_output, remove_leftovers
from clustering_assets.stores import Store, StoreError, open_place

log = logging.getLogger("clustering_assets.leases")

LOCK = ".update.lock"
"""Name of the file in the output that an update holds while it is under way."""

LEASE_SECONDS = 120.0
"""How long an update on a store holds the output after it was last heard of; it says so every quarter of that."""


class OutputTaken(ClusteringError):
    """Two updates of the same output at once."""


@dataclass(frozen=True)
class Lease:
    """What the object says that holds an output.

    Attributes:
        holder: Which update it is, by a name of its own.
        process: The process it is of, as `this_process` names it.
        begun: When it began, in seconds since 1970.
        expires: Until when it holds the output if nothing more is heard of it.
    """

    holder: str
    process: str
    begun: float
    expires: float

    @property
    def is_of_this_machine(self) -> bool:
        """Whether a process of this machine holds the output."""
        return self.process.startswith(f"{this_machine()}:")

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be expected: it has expired, or its process on this machine is gone."""
        return time.time() > self.expires or (self.is_of_this_machine and not is_running(self.process))

    def taken(self, output: str) -> OutputTaken:
        """What is said to whoever else wants to write to the output that it holds."""
        number = self.process.rsplit(":", 2)[1]
        since, until = (datetime.fromtimestamp(when).astimezone() for when in (self.begun, self.expires))
        return OutputTaken(
            f"another update is writing to {output}: process {number} on {host_of(self.process)}, since "
            f"{since:%Y-%m-%d %H:%M:%S}. Wait until it is done, or give this one another output; if it was ended from "
            f"outside, what it holds is free from {until:%H:%M:%S} on."
        )


@contextmanager
def output_for_ourselves(output: str) -> Iterator[Callable[[], None]]:
    """Make the output, and keep other updates away from it inside the block.

    Args:
        output: A folder or a URL, as in the setting.

    Yields:
        A function that raises `OutputTaken` if the output was taken over meanwhile, as after a long sleep.

    Raises:
        OutputTaken: Another update is writing to it.
        ClusteringError: It cannot be written to.
    """
    root = open_place(output, "output")
    with _locked(root, output) if isinstance(root, Path) else _leased(root, output) as still_ours:
        yield still_ours


def keep_off_others(output: str) -> None:
    """Refuse to write where another machine's update holds the output, as for runs that are started in the UI.

    Runs of one machine take turns in the pools of Dagster. Only an output on a store is reached by several machines.

    Args:
        output: A folder or a URL, as in the setting.

    Raises:
        OutputTaken: Another machine holds it.
    """
    root = open_place(output, "output")
    if isinstance(root, Path):
        return
    lease, _ = _read(root / LOCK)
    if lease and not lease.is_of_this_machine and not lease.is_over:
        raise lease.taken(output)


@contextmanager
def _locked(folder: Path, output: str) -> Iterator[Callable[[], None]]:
    lock = FileLock(folder / LOCK)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        mark_output(folder)
        lock.acquire(timeout=0)
        remove_leftovers(folder, time.time())
    except Timeout:
        raise OutputTaken(
            f"another update is writing to {output}: wait until it is done, or give this one another output"
        ) from None
    except OSError as error:
        raise ClusteringError(
            f"output = {output!r} cannot be written to: {error.strerror or error}. Choose another folder with output"
        ) from error
    try:
        yield lambda: None
    finally:
        lock.release()


@contextmanager
def _leased(root: UPath, output: str) -> Iterator[Callable[[], None]]:
    mark_output(root)
    holding = _Holding(root / LOCK, output)
    holding.take()
    remove_leftovers(root / VIDEOS, time.time())
    renewing = threading.Thread(target=holding.renew, name="lease", daemon=True)
    renewing.start()
    try:
        yield holding.check
    finally:
        holding.stop()
        renewing.join()
        holding.give_back()


class _Holding:
    """The lease of this update."""

    def __init__(self, path: UPath, output: str) -> None:
        self._path, self._store, self._output = path, cast("Store", path.fs), output
        now = time.time()
        self._lease = Lease(uuid.uuid4().hex, this_process(), now, now + LEASE_SECONDS)
        self._mark: str | None = None
        self._ended = threading.Event()
        self._lost: Lease | None = None

    def take(self) -> None:
        """Write the lease where there is none, or in the place of one that is over.

        Raises:
            OutputTaken: There is one.
        """
        for _ in range(3):
            if self._write(None):
                return
            found, mark = _read(self._path)
            if found and found.holder == self._lease.holder:  # written, though the answer got lost
                self._mark = mark
                return
            if found and not found.is_over:
                raise found.taken(self._output)
            if mark and self._write(mark):
                return
        raise OutputTaken(f"another update has just begun to write to {self._output}: try again in a moment")

    def renew(self) -> None:
        """Say now and then that this update goes on, until it ends or somebody else holds the output."""
        while not self._ended.wait(LEASE_SECONDS / 4):
            self._lease = Lease(**{**asdict(self._lease), "expires": time.time() + LEASE_SECONDS})
            try:
                if self._write(self._mark):
                    continue
                found, mark = _read(self._path)
            except StoreError as error:  # the next one may go well; until then the lease has some time left
                log.warning("%s", error)
                continue
            if found is None or found.holder == self._lease.holder:
                self._mark = mark
            else:
                self._lost = found
                return

    def check(self) -> None:
        """Raise `OutputTaken` if somebody else holds the output."""
        if self._lost:
            said = self._lost.taken(self._output)
            raise OutputTaken(f"{said} It took over when nothing was heard of this one.")

    def stop(self) -> None:
        """No longer renew it."""
        self._ended.set()

    def give_back(self) -> None:
        """Remove the lease if it is ours still."""
        try:
            found, _ = _read(self._path)
            if found and found.holder == self._lease.holder:
                self._store.rm_file(self._path.path)
        except (OSError, StoreError) as error:
            log.warning("the lease %s could not be removed, and ends by itself: %s", self._path, error)

    def _write(self, mark: str | None) -> bool:
        """Write the lease where there is none, or in the place of the state with this mark; whether that went well."""
        content = json.dumps(asdict(self._lease)).encode()
        if not self._store.write_if(self._path.path, content, mark):
            return False
        self._mark = self._store.state(self._path.path)
        return True


def _read(path: UPath) -> tuple[Lease | None, str | None]:
    """The lease that there is, and the mark of that state of it; None for each where there is none."""
    store = cast("Store", path.fs)
    try:
        mark = store.state(path.path)
        # two that open an object in memory at once would share one place in it
        text = store.cat_file(path.path)
    except FileNotFoundError:
        return None, None
    try:
        return Lease(**json.loads(text)), mark
    except (ValueError, TypeError):  # none of ours
        return None, mark
