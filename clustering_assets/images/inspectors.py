"""The processes that look at files: as many as there is work for, and a file that ends one costs only itself."""

import logging
import os
import pickle
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import LifoQueue
from threading import Lock
from typing import IO

from clustering_assets.errors import ClusteringError
from clustering_assets.files import file_source
from clustering_assets.files.source import FileSource, FoundFile
from clustering_assets.images.budget import memory
from clustering_assets.images.inspection import Look, look
from clustering_assets.images.inspector_process import TIME_IS_UP, Failed, LookFunction, Request, Room, Task
from clustering_assets.settings import Limits

log = logging.getLogger("clustering_assets.images")

PATIENCE = 60.0
"""Seconds that a look at a file may take, and one more for each megabyte and each million pixels."""

_MOST_FILES, _MOST_BYTES = 16, 1 << 20
_FILES_FOR_ONE, _BYTES_FOR_ONE = 200, 8 << 20
_AHEAD = 32
_LAST_SECONDS = 2.0
_BEGIN = (
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer); "
    "from clustering_assets.images.inspector_process import serve; serve()"
)
_ON_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class WorkerError(ClusteringError):
    """Files cannot be looked at for a reason that is not theirs."""


class _EndedError(Exception):
    """A worker ended before it answered.

    Attributes:
        code: Its exit status; the number of a signal, negative.
        seconds: The time that it had, if that was up; 0 if not.
    """

    def __init__(self, code: int, seconds: float) -> None:
        super().__init__(code, seconds)
        self.code = code
        self.seconds = seconds


def look_at_all(
    source: Path | FileSource,
    files: Sequence[FoundFile],
    limits: Limits,
    workers: int,
    *,
    isolated: bool = True,
    patience: float = PATIENCE,
    function: LookFunction = look,
) -> Generator[Look, None, None]:
    """Look at any number of files, in order; only a few hundred results for each worker wait to be fetched.

    Each worker is a process of its own, so that all cores work, and a file on which a decoder crashes, or which takes
    it more than `patience`, is rejected while all others are looked at. Where no process can be started, threads
    of this one do the work, with a warning. Closing the generator ends the workers at once.

    Args:
        source: Where the files are.
        files: As the source lists them.
        limits: What is refused before it is decoded.
        workers: Largest number of workers; fewer are started for little work.
        isolated: Use processes; threads of this process otherwise.
        patience: Seconds for each file, and one more for each megabyte and each million pixels.
        function: What is done with the files.

    Raises:
        WorkerError: Workers cannot be started any more, or have a fault.
    """
    task = Task(function, file_source(source), limits)
    sound = [file for file in files if not file.problem]
    if isolated and sound:
        crew = _Crew(task, workers_for(sound, workers), patience)
        try:
            crew.start()
        except WorkerError as error:
            log.warning("%s. A file on which its decoder crashes would now end the whole run.", error)
        else:
            yield from _in_order(crew.look, files, crew.count, crew.close)
            return
    yield from _in_order(partial(_look_here, task), files, workers)


def workers_for(files: Sequence[FoundFile], most: int) -> int:
    """How many workers are worth their start, a third of a second of one core: 200 files or 8 megabytes make one."""
    work = max(len(files) // _FILES_FOR_ONE, sum(file.bytes for file in files) // _BYTES_FOR_ONE)
    return max(1, min(most, work, len(files)))


def portions(files: Sequence[FoundFile], workers: int) -> Iterator[list[FoundFile]]:
    """The files in portions for `look`: up to 16 and a megabyte, but so many portions that all workers are busy."""
    most = max(1, min(_MOST_FILES, len(files) // (8 * workers)))
    portion: list[FoundFile] = []
    size = 0
    for file in files:
        if portion and (len(portion) == most or size + file.bytes > _MOST_BYTES):
            yield portion
            portion, size = [], 0
        portion.append(file)
        size += file.bytes
    if portion:
        yield portion


def _in_order(
    look_at: Callable[[list[FoundFile]], list[Look]],
    files: Sequence[FoundFile],
    workers: int,
    stop: Callable[[], None] = lambda: None,
) -> Iterator[Look]:
    """The looks at all files, in order, a thread for each worker; `stop` ends what is under way."""
    waiting: deque[Future[list[Look]]] = deque()
    with ThreadPoolExecutor(workers, "scan") as pool:
        try:
            for portion in portions(files, workers):
                waiting.append(pool.submit(_look_at_sound, look_at, portion))
                if len(waiting) >= _AHEAD * workers:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            stop()
            pool.shutdown(wait=True, cancel_futures=True)


def _look_at_sound(
    look_at: Callable[[list[FoundFile]], list[Look]], portion: Sequence[FoundFile]
) -> list[Look]:
    """The looks at a portion, of which files that must not be opened are left out."""
    sound = [file for file in portion if not file.problem]
    looks = iter(look_at(sound) if sound else [])
    return [Look(stage="find", reason=file.problem) if file.problem else next(looks) for file in portion]


def _look_here(task: Task, portion: Sequence[FoundFile]) -> list[Look]:
    """The looks at a portion, by this process."""
    return task.look(task.source, [file.path for file in portion], task.limits)


class _Crew:
    """Workers that are at hand for as many threads as there are workers."""

    def __init__(self, task: Task, count: int, patience: float) -> None:
        self.count = count
        self._patience = patience
        self._workers = [_Worker(task) for _ in range(count)]
        self._idle: LifoQueue[_Worker] = LifoQueue()
        for worker in self._workers:
            self._idle.put(worker)

    def start(self) -> None:
        """Start all workers, and wait until one of them is ready.

        Raises:
            WorkerError: No process can be started, or it ends at once.
        """
        try:
            for worker in self._workers:
                worker.start()
            self._workers[-1].wait_until_ready()
        except WorkerError:
            self.close()
            raise

    def look(self, portion: Sequence[FoundFile]) -> list[Look]:
        """The looks at a portion; if its worker ends, at one file after the other, to find which it was."""
        worker = self._idle.get()
        try:
            return worker.look([file.path for file in portion], self._seconds(portion))
        except _EndedError:
            return [self._look_alone(worker, file) for file in portion]
        finally:
            self._idle.put(worker)

    def close(self) -> None:
        """End all workers, whatever they do."""
        for worker in self._workers:
            worker.dismiss()

    def _look_alone(self, worker: "_Worker", file: FoundFile) -> Look:
        """The look at one file; it is to blame if it ends a worker that has looked at nothing else."""
        while True:
            fresh = not worker.has_looked
            try:
                return worker.look([file.path], self._seconds([file]))[0]
            except _EndedError as error:
                if fresh or error.seconds:
                    return _refused(error)

    def _seconds(self, portion: Sequence[FoundFile]) -> float:
        return self._patience + sum(file.bytes for file in portion) / 1e6


class _Worker:
    """One process that looks at files, started again after it ended."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._process: subprocess.Popen[bytes] | None = None
        self._is_ready = self._is_dismissed = False
        self._lock = Lock()
        self.has_looked = False

    def start(self) -> None:
        """Start the process, without waiting for it.

        Raises:
            WorkerError: The system does not start it.
        """
        with self._lock:
            if self._is_dismissed:
                raise CancelledError
            try:
                self._process = _process()
            except OSError as error:
                raise WorkerError(f"No process can be started to look at files: {error}") from error
        with suppress(OSError):  # that it ended is seen when it does not answer
            self._send(_importable())
            self._send(self._task)

    def wait_until_ready(self) -> None:
        """Wait until the process has imported what it needs.

        Raises:
            WorkerError: It ended instead.
        """
        try:
            self._receive()
        except (EOFError, OSError, pickle.UnpicklingError):
            code = self._end()
            raise WorkerError(
                f"The process that looks at files ended at its start with status {code}"
            ) from None
        self._is_ready = True

    def look(self, paths: list[str], seconds: float) -> list[Look]:
        """What the process finds out about a few files.

        Raises:
            _EndedError: It ended.
            WorkerError: It cannot be started.
        """
        if self._process is None:
            self.start()
        if not self._is_ready:
            self.wait_until_ready()
        self.has_looked = True
        begun, allowed = time.monotonic(), seconds
        try:
            self._send(Request(paths, seconds))
            while isinstance(reply := self._receive(), Room):
                with memory.spend(reply.pixels):
                    begun, allowed = time.monotonic(), seconds + reply.pixels / 1e6
                    self._send(None)
                    self._receive()
                begun, allowed = time.monotonic(), seconds
        except (EOFError, OSError, pickle.UnpicklingError):
            was_late = time.monotonic() - begun > 0.9 * allowed
            code = self._end()
            raise _EndedError(code, allowed if was_late and code == TIME_IS_UP else 0) from None
        if isinstance(reply, Failed):
            raise RuntimeError(f"A look at {', '.join(paths)} failed:\n{reply.text}")
        return reply  # type: ignore[return-value]

    def dismiss(self) -> None:
        """End the process for good; whoever waits for its answer is told so."""
        with self._lock:
            self._is_dismissed = True
            if self._process:
                self._process.kill()
                self._process.wait()

    def _send(self, message: object) -> None:
        _, requests, _ = self._open()
        pickle.dump(message, requests, pickle.HIGHEST_PROTOCOL)
        requests.flush()

    def _receive(self) -> object:
        return pickle.load(self._open()[2])

    def _open(self) -> tuple["subprocess.Popen[bytes]", IO[bytes], IO[bytes]]:
        """The process that runs, and the pipes to and from it."""
        process = self._process
        if not (process and process.stdin and process.stdout):
            raise EOFError
        return process, process.stdin, process.stdout

    def _end(self) -> int:
        """Make sure that the process is gone; returns its exit status."""
        process, requests, replies = self._open()
        with suppress(OSError):
            requests.close()
        replies.close()
        try:
            code = process.wait(_LAST_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        with self._lock:
            self._process = None
        self._is_ready = self.has_looked = False
        return code


def _process() -> "subprocess.Popen[bytes]":
    """A fresh interpreter, in a group of its own so that Ctrl-C reaches this process only."""
    if not sys.executable:
        raise OSError("the Python interpreter is not known")
    flags = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0) | getattr(subprocess, "CREATE_NO_WINDOW", 0)
    return subprocess.Popen(
        [sys.executable, "-P", "-c", _BEGIN],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | _ON_ONE_THREAD,
        creationflags=flags,
        process_group=None if flags else 0,
    )


def _importable() -> list[str]:
    """Where a worker finds modules: where this process does, but not in whatever folder it happens to run in."""
    root = str(Path(__file__).parents[2])
    return [*filter(None, sys.path), *([] if root in sys.path else [root])]


def _refused(error: _EndedError) -> Look:
    """The outcome of a file that ends whatever looks at it."""
    if error.seconds:
        return Look(stage="decode", reason=f"decoding did not end within {error.seconds:.0f} seconds")
    if error.code == -getattr(signal, "SIGKILL", 0):
        return Look(stage="limits", reason="decoding was stopped by the system, which may be short of memory")
    return Look(stage="decode", reason=f"the decoder crashed on it ({_cause(error.code)})")


def _cause(code: int) -> str:
    """An exit status in words."""
    if code < 0:
        with suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit status {code:#x}" if code > 255 else f"exit status {code}"
