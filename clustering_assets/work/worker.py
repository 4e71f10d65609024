"""A process that does units of work: it answers the one that started it until that closes the pipe.

A unit that crashes takes only this process with it, and one that never returns is ended by the clock of this
process, which needs neither the interpreter nor the parent. On Linux the system ends it with the thread that started
it, also in the middle of a unit. Nothing is imported here that the work does not need.
"""

import ctypes
import faulthandler
import logging
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from clustering_assets.errors import ClusteringError
from clustering_assets.progress import Reporter, Task, reporting
from clustering_assets.work.engine import Budget
from clustering_assets.work.shared_arrays import SharedRoom

_SMALL = 2_000_000
"""Pixels of a picture that is decoded without asking: many processes of them need no more than one large picture."""

_PR_SET_PDEATHSIG = 1
_SECONDS_BETWEEN_REPORTS = 0.2

TIME_IS_UP = 1
"""Exit status of a worker whose clock ran out."""


@dataclass(frozen=True)
class Request:
    """A portion of work.

    Attributes:
        units: What the task's function is called with.
        seconds: How long it may take; for pixels that it has to ask for it has a second more for each million.
        slots: Where arrays of the results go in the memory that is shared.
    """

    units: list[Any]
    seconds: float
    slots: list[int]


@dataclass(frozen=True)
class Work:
    """What a worker is for.

    Attributes:
        function: The task's.
        begin: The task's.
        shared: Descriptor and size of slots of the memory that is shared, if any is.
    """

    function: Callable[[list[Any]], Sequence[Any]]
    begin: Callable[[Budget], None] | None
    shared: tuple[int, int] | None


@dataclass(frozen=True)
class Room:
    """The question whether there is memory for `pixels` now; 0 gives it back."""

    pixels: int


@dataclass(frozen=True)
class Said:
    """A warning or worse that the work logged."""

    logger: str
    level: int
    message: str


@dataclass(frozen=True)
class Progress:
    """News of a task of the work.

    Attributes:
        number: Which of this worker's.
        begun: What `Reporter.start` is told, where it has just begun.
        count: How many more items are done.
        is_over: Whether nothing more will come.
    """

    number: int
    begun: tuple[str, int | None, str] | None = None
    count: int = 0
    is_over: bool = False


@dataclass(frozen=True)
class Failed:
    """A fault of the program itself, as `traceback` shows it, or an error that a user can mend."""

    text: str
    error: ClusteringError | None = None


def serve() -> None:
    """Answer requests until the pipe is closed: begin with the task, then a list of results for each request."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    requests, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    with Path(os.devnull).open("r+b", buffering=0) as nowhere:
        os.dup2(nowhere.fileno(), 1)  # what a decoder prints must not get among the replies
        try:
            work: Work = pickle.load(requests)
            room = SharedRoom(*work.shared) if work.shared else None
            line = _Line(requests, replies, nowhere)
            if work.begin:
                work.begin(line)
            line.send([])
            os.dup2(nowhere.fileno(), 2)
            logging.getLogger("clustering_assets").addHandler(_Teller(line))
            with reporting(line):
                while True:
                    request: Request = pickle.load(requests)
                    answer = _answer(work.function, request, line)
                    line.send(room.pack(answer, request.slots) if room and request.slots else answer)
        except (EOFError, BrokenPipeError):
            return


def _answer(
    function: Callable[[list[Any]], Sequence[Any]], request: Request, line: "_Line"
) -> Sequence[Any] | Failed:
    """The results of a request, before its time is up."""
    line.begin(request.seconds)
    try:
        return function(request.units)
    except (EOFError, BrokenPipeError):
        raise
    except ClusteringError as error:
        return Failed(str(error), error)
    except Exception:  # noqa: BLE001 - the parent raises it
        return Failed(traceback.format_exc())
    finally:
        faulthandler.cancel_dump_traceback_later()


class _Line(Budget, Reporter):
    """The way to the parent, which knows how much memory its workers use together and shows progress; and the clock."""

    def __init__(self, requests: BinaryIO, replies: BinaryIO, nowhere: BinaryIO) -> None:
        self._requests, self._replies, self._nowhere = requests, replies, nowhere
        self._seconds = 0.0
        self._sending = threading.Lock()
        self._tasks = 0

    def send(self, message: object) -> None:
        """Send one message."""
        with self._sending:
            pickle.dump(message, self._replies, pickle.HIGHEST_PROTOCOL)
            self._replies.flush()

    def start(self, title: str, total: int | None, unit: str) -> Task:
        """Begin a task whose progress the parent shows."""
        self._tasks += 1
        self.send(Progress(self._tasks, begun=(title, total, unit)))
        return _DistantTask(self, self._tasks)

    def begin(self, seconds: float) -> None:
        """End this process when `seconds` have passed."""
        self._seconds = seconds
        faulthandler.dump_traceback_later(seconds, file=self._nowhere, exit=True)

    @contextmanager
    def spend(self, pixels: int) -> Iterator[None]:
        """Hold memory for `pixels` inside the block, with the parent's leave if they are many."""
        if pixels <= _SMALL:
            yield
            return
        faulthandler.cancel_dump_traceback_later()
        self.send(Room(pixels))
        pickle.load(self._requests)
        seconds = self._seconds
        self.begin(seconds + pixels / 1e6)
        try:
            yield
        finally:
            self.send(Room(0))
            self.begin(seconds)


class _DistantTask:
    """A task that tells the parent of its progress, not too often."""

    def __init__(self, line: _Line, number: int) -> None:
        self._line, self._number = line, number
        self._done, self._told = 0, time.monotonic()

    def advance(self, count: int = 1) -> None:
        self._done += count
        if time.monotonic() - self._told >= _SECONDS_BETWEEN_REPORTS:
            self._line.send(Progress(self._number, count=self._done))
            self._done, self._told = 0, time.monotonic()

    def finish(self) -> None:
        self._line.send(Progress(self._number, count=self._done, is_over=True))


class _Teller(logging.Handler):
    """Lets the parent log what is a warning or worse."""

    def __init__(self, line: _Line) -> None:
        super().__init__(logging.WARNING)
        self._line = line

    def emit(self, record: logging.LogRecord) -> None:
        self._line.send(Said(record.name, record.levelno, record.getMessage()))
