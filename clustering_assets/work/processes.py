"""Work in processes of this machine: as many as there is work for, and a unit that ends one costs only itself."""

import logging
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from concurrent.futures import CancelledError
from contextlib import nullcontext, suppress
from pathlib import Path
from queue import LifoQueue
from threading import Lock
from typing import IO, Generic

from clustering_assets import progress
from clustering_assets.threads import available_cores
from clustering_assets.work.engine import Lost, Result, Task, Unit, WorkError, portions
from clustering_assets.work.shared_arrays import Packed, SharedArrays
from clustering_assets.work.threads import Threads, in_order
from clustering_assets.work.worker import TIME_IS_UP, Failed, Progress, Request, Room, Said, Work

log = logging.getLogger("clustering_assets.work")

_UNITS_FOR_ONE, _BYTES_FOR_ONE = 200, 8 << 20
_LAST_SECONDS = 2.0
_BEGIN = (
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer); "
    "from clustering_assets.work.worker import serve; serve()"
)
_ON_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class Processes:
    """An engine of worker processes, each with one thread, so that all cores work.

    A unit on which a worker crashes, or which takes it too long, is lost while all others are done: whatever ends
    a worker that has done nothing else is to blame. Where no process can be started, threads of this one do the
    work, with a warning.

    Attributes:
        most: Largest number of workers; fewer are started for little work.
        always: Whether there is a process even for work that threads could do (`Task.few`).
    """

    def __init__(self, most: int | None = None, always: bool = False) -> None:
        self.most = most or available_cores()
        self.always = always

    def run(self, task: Task[Unit, Result], units: Sequence[Unit]) -> Generator[Result | Lost, None, None]:
        """As `Engine.run`; what the function raises is told by a `RuntimeError`."""
        if len(units) <= task.few and not self.always:
            yield from Threads(self.most).run(task, units)
            return
        crew = _Crew(task, workers_for(task, units, self.most))
        try:
            crew.start()
        except WorkError as error:
            log.warning("%s. A unit of work that crashes would now end the whole run.", error)
            yield from Threads(self.most).run(task, units)
        else:
            shares = portions(task, units, crew.count)
            yield from in_order(crew.do, shares, crew.count, task.ahead, crew.close)


def workers_for(task: Task[Unit, Result], units: Sequence[Unit], most: int) -> int:
    """How many workers are worth their start, a third of a second of one core: 200 units or 8 megabytes make one."""
    work = max(len(units) // _UNITS_FOR_ONE, sum(map(task.size, units)) // _BYTES_FOR_ONE)
    return max(1, min(most, work, len(units)))


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


class _Crew(Generic[Unit, Result]):
    """Workers that are at hand for as many threads as there are workers."""

    def __init__(self, task: Task[Unit, Result], count: int) -> None:
        self.count = count
        self._shared = _shared_arrays(task)
        self._workers = [_Worker(task, self._shared) for _ in range(count)]
        self._idle: LifoQueue[_Worker[Unit, Result]] = LifoQueue()
        for worker in self._workers:
            self._idle.put(worker)

    def start(self) -> None:
        """Start all workers, and wait until one of them is ready.

        Raises:
            WorkError: No process can be started, or it ends at once.
        """
        try:
            for worker in self._workers:
                worker.start()
            self._workers[-1].wait_until_ready()
        except BaseException:
            self.close()
            raise

    def do(self, portion: list[Unit]) -> Sequence[Result | Lost]:
        """The results of a portion; if its worker ends, of one unit after the other, to find which it was."""
        worker = self._idle.get()
        try:
            return worker.do(portion)
        except _EndedError:
            return [self._do_alone(worker, unit) for unit in portion]
        finally:
            self._idle.put(worker)

    def close(self) -> None:
        """End all workers, whatever they do."""
        for worker in self._workers:
            worker.dismiss()
        if self._shared:
            self._shared.close()

    def _do_alone(self, worker: "_Worker[Unit, Result]", unit: Unit) -> Result | Lost:
        """The result of one unit; it is to blame if it ends a worker that has done nothing else."""
        while True:
            fresh = not worker.has_worked
            try:
                return worker.do([unit])[0]
            except _EndedError as error:
                if fresh or error.seconds:
                    return _lost(error)


class _Worker(Generic[Unit, Result]):
    """One process that does work, started again after it ended."""

    def __init__(self, task: Task[Unit, Result], shared: SharedArrays | None) -> None:
        self._task, self._shared = task, shared
        self._process: subprocess.Popen[bytes] | None = None
        self._reporter = progress.reporter()
        self._shown: dict[int, progress.Task] = {}
        self._is_ready = self._is_dismissed = False
        self._lock = Lock()
        self.has_worked = False

    def start(self) -> None:
        """Start the process, without waiting for it.

        Raises:
            WorkError: The system does not start it.
        """
        with self._lock:
            if self._is_dismissed:
                raise CancelledError
            try:
                self._process = _process([self._shared.file] if self._shared else [])
            except OSError as error:
                raise WorkError(f"No process can be started to work in: {error}") from error
        with suppress(OSError):  # that it ended is seen when it does not answer
            self._send(_importable())
            shared = (self._shared.file, self._shared.size) if self._shared else None
            self._send(Work(self._task.function, self._task.begin, shared))

    def wait_until_ready(self) -> None:
        """Wait until the process has imported what it needs.

        Raises:
            WorkError: It ended instead.
        """
        try:
            self._receive()
        except (EOFError, OSError, pickle.UnpicklingError):
            code = self._end()
            raise WorkError(f"A process that shall work ended at its start with status {code}") from None
        self._is_ready = True

    def do(self, portion: list[Unit]) -> Sequence[Result]:
        """The results of a few units.

        Raises:
            _EndedError: The process ended.
            WorkError: It cannot be started.
        """
        if self._process is None:
            self.start()
        if not self._is_ready:
            self.wait_until_ready()
        self.has_worked = True
        slots = self._shared.take(len(portion)) if self._shared else []
        seconds = self._task.seconds(portion)
        begun, allowed = time.monotonic(), seconds
        try:
            self._send(Request(portion, seconds, slots))
            while isinstance(reply := self._receive(), Room):
                with self._task.memory.spend(reply.pixels) if self._task.memory else nullcontext():
                    begun, allowed = time.monotonic(), seconds + reply.pixels / 1e6
                    self._send(None)
                    self._receive()
                begun, allowed = time.monotonic(), seconds
        except (EOFError, OSError, pickle.UnpicklingError):
            was_late = time.monotonic() - begun > 0.9 * allowed
            code = self._end()
            if self._shared:
                self._shared.give_back(slots)
            raise _EndedError(code, allowed if was_late and code == TIME_IS_UP else 0) from None
        if isinstance(reply, Packed) and self._shared:
            reply = self._shared.unpack(reply, slots)
        if isinstance(reply, Failed):
            if reply.error:
                raise reply.error
            raise RuntimeError(f"Work on {', '.join(map(self._task.name, portion))} failed:\n{reply.text}")
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
        """The next answer; what comes before it of progress and warnings is passed on."""
        while isinstance(message := pickle.load(self._open()[2]), Said | Progress):
            self._pass_on(message)
        return message

    def _pass_on(self, news: Said | Progress) -> None:
        if isinstance(news, Said):
            logging.getLogger(news.logger).log(news.level, "%s", news.message)
            return
        if news.begun:
            self._shown[news.number] = self._reporter.start(*news.begun)
        if news.count:
            self._shown[news.number].advance(news.count)
        if news.is_over:
            self._shown.pop(news.number).finish()

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
        while self._shown:
            self._shown.popitem()[1].finish()
        self._is_ready = self.has_worked = False
        return code


def _shared_arrays(task: Task[Unit, Result]) -> SharedArrays | None:
    """Memory for the arrays of the results under way and of half as many that were fetched and are still in use."""
    if not task.array_bytes or os.name == "nt":
        return None
    try:
        return SharedArrays(task.ahead + task.ahead // 2 + task.together, task.array_bytes)
    except OSError as error:
        log.warning("No memory can be shared with processes (%s): results come through pipes, slower.", error)
        return None


def _process(files: list[int]) -> "subprocess.Popen[bytes]":
    """A fresh interpreter, in a group of its own so that Ctrl-C reaches this process only."""
    if not sys.executable:
        raise OSError("the Python interpreter is not known")
    flags = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0) | getattr(subprocess, "CREATE_NO_WINDOW", 0)
    return subprocess.Popen(
        [sys.executable, "-P", "-c", _BEGIN],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=files,
        env=os.environ | _ON_ONE_THREAD,
        creationflags=flags,
        process_group=None if flags else 0,
    )


def _importable() -> list[str]:
    """Where a worker finds modules: where this process does, but not in whatever folder it happens to run in."""
    root = str(Path(__file__).parents[2])
    return [*filter(None, sys.path), *([] if root in sys.path else [root])]


def _lost(error: _EndedError) -> Lost:
    """What becomes of a unit that ends whatever works on it."""
    if error.seconds:
        return Lost("time", f"did not end within {error.seconds:.0f} seconds")
    if error.code == -getattr(signal, "SIGKILL", 0):
        return Lost("killed", "was stopped by the system, which may be short of memory")
    return Lost("crash", f"crashed on it ({_cause(error.code)})")


def _cause(code: int) -> str:
    """An exit status in words."""
    if code < 0:
        with suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit status {code:#x}" if code > 255 else f"exit status {code}"
