"""Work on the machines of a Ray cluster, by actors that stay as long as the work does.

Of Ray this takes actors, and one small task for each machine. What is handed out, how long it may take and who is to
blame for a death is decided here. Whatever waits looks every second whether it still should, so that neither a machine
that vanishes nor the loss of the head holds up this process for long.
"""

import logging
import math
import threading
import time
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from functools import partial
from operator import itemgetter
from queue import Empty, Queue
from typing import Any, Generic, TypeVar

from clustering_assets.errors import ClusteringError
from clustering_assets.work.engine import Budget, Lost, Result, Task, Unit, WorkError, portions
from clustering_assets.work.processes import Processes
from clustering_assets.work.ray_session import Session, StoppedError, last_line, machine_name
from clustering_assets.work.threads import in_order
from clustering_assets.work.worker import Failed

Answer = TypeVar("Answer")

log = logging.getLogger("clustering_assets.work")

_START_SECONDS = 300.0
"""How long a worker may take to be given its place, to import what it needs and to load a network."""

_RELEASE_SECONDS = 10.0
"""How long the cluster may take to give free what work that has just ended had."""

_PATIENCE = 600.0
_TOGETHER, _LEAST = 512, 64
"""Units in a portion for the processes of a worker: enough to be worth the start of those."""


class RayCluster:
    """An engine whose workers are actors on a Ray cluster, which must be running.

    A portion whose worker dies is done again by another; if that dies too it is halved, until the units to blame are
    alone. A worker that cannot begin is done without, and that is said.

    Attributes:
        address: `HOST:PORT` of the cluster's head; `auto` is the cluster that this machine belongs to.
        cpus: CPUs of a worker, as Ray counts them.
        gpus: GPUs of a worker.
        most: Largest number of workers; None: as many as there is room for.
    """

    def __init__(
        self, address: str = "auto", cpus: float = 1.0, gpus: float = 0.0, most: int | None = None
    ) -> None:
        self.address, self.cpus, self.gpus, self.most = address, cpus, gpus, most
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._users = 0

    def run(self, task: Task[Unit, Result], units: Sequence[Unit]) -> Generator[Result | Lost, None, None]:
        """As `Engine.run`: each worker has processes of its own, so a unit that crashes ends only one of those."""
        # what knows all sizes may be large, and what feeds is at work here
        bare = replace(task, size=lambda _: 0, feed=iter)
        there = Task(
            partial(_by_processes, bare, max(1, int(self.cpus))),
            name=lambda sized: task.name(sized[0]),
            size=itemgetter(1),
            together=_TOGETHER,
            at_least=_LEAST,
            together_bytes=1 << 30,
            ahead=task.ahead,
            patience=_PATIENCE,
        )
        return self.run_in_workers(there, _Sized(units, task.size))

    def run_in_workers(
        self, task: Task[Unit, Result], units: Sequence[Unit]
    ) -> Generator[Result | Lost, None, None]:
        """As `Engine.run`, but the worker itself calls the function, with what `task.begin` loaded.

        Raises:
            WorkError: The cluster cannot be used or does not answer any more, or the function raised an error that a
                user can mend.
        """
        if not units:
            return
        with self.connected() as session:
            count = min(self._room(session), -(-len(units) // task.at_least), self.most or len(units))
            crew = _Crew(task, session, count, lambda: session.actor(_Actor, self.cpus, self.gpus))
            log.info("working with %d workers of the Ray cluster %s", count, session.head)
            yield from in_order(crew.do, portions(task, units, count), count, task.ahead, crew.close)

    def ask_machines(self, question: Callable[[], Answer]) -> list[tuple[str, Answer]]:
        """The answer of every machine on which there can be workers, with its name.

        Raises:
            WorkError: The cluster cannot be used, or a machine gives no answer.
        """
        with self.connected() as session:
            self._room(session)
            machines = [machine for machine in session.machines() if self._places(machine)]
            answers = [session.ask(machine, question) for machine in machines]
            return [
                (machine_name(machine), answer()) for machine, answer in zip(machines, answers, strict=True)
            ]

    @contextmanager
    def connected(self) -> Iterator[Session]:
        """The connection, kept inside the block and shared with whatever else is under way.

        Raises:
            WorkError: There is no cluster to connect to, or none that this process can use.
        """
        with self._lock:
            self._session = session = self._session or Session(self.address)
            self._users += 1
        try:
            yield session
        finally:
            with self._lock:
                self._users -= 1
                if not self._users:
                    self._session = None
                    session.close()

    def _room(self, session: Session) -> int:
        """How many workers there is room for while one CPU stays free for what else the cluster does.

        Raises:
            WorkError: For none.
        """
        machines = session.machines()
        places = sum(map(self._places, machines))
        until = time.monotonic() + (_RELEASE_SECONDS if places else 0)
        while True:
            free = session.free()
            count = min(places, self._fit({**free, "CPU": free.get("CPU", 0) - 1}))
            if count >= 1:
                return count
            if time.monotonic() >= until:
                break
            time.sleep(0.2)
        there = ", ".join(
            f"{machine_name(machine)} has {_amounts(machine['Resources'])}" for machine in machines
        )
        raise WorkError(
            f"The Ray cluster {session.head} has no room for a worker with ray_cpus = {self.cpus:g} and ray_gpus = "
            f"{self.gpus:g}, and a CPU beside it: {_amounts(free)} are free ({there}). Wait until others are done, "
            "ask for less, or add machines"
        )

    def _places(self, machine: dict[str, Any]) -> int:
        """How many workers a machine could have if it did nothing else."""
        return self._fit(machine["Resources"])

    def _fit(self, resources: dict[str, float]) -> int:
        by_cpus = math.floor(resources.get("CPU", 0) / self.cpus)
        return min(by_cpus, math.floor(resources.get("GPU", 0) / self.gpus)) if self.gpus else by_cpus


class _Actor:
    """What lives in a worker: the function of a task, and whatever its beginning loaded."""

    def __init__(self) -> None:
        self._function: Callable[[list[Any]], Sequence[Any]] = list

    def begin(
        self, work: tuple[Callable[[list[Any]], Sequence[Any]], Callable[[Budget], None] | None]
    ) -> str:
        """Take a task's function, and begin; they come together, so that methods keep the object that they share.

        Returns:
            Why that cannot be, in words; empty if all is well.
        """
        self._function, begin = work
        try:
            if begin:
                begin(_NoLimit())
        except ClusteringError as error:
            return str(error)
        return ""

    def do(self, units: list[Any]) -> "Sequence[Any] | Failed | _Refused":
        """The results of a portion."""
        try:
            return self._function(units)
        except ClusteringError as error:
            return _Refused(str(error))
        except Exception:  # noqa: BLE001 - the process that asked raises it
            return Failed(traceback.format_exc())


class _Refused(str):
    """What an error says that a user can mend."""


class _NoLimit(Budget):
    """Memory for any picture: a worker does one portion at a time."""

    def spend(self, pixels: int) -> AbstractContextManager[None]:
        return nullcontext()


class _Sized(Sequence[tuple[Unit, int]]):
    """Units with their sizes, put together when they are asked for."""

    def __init__(self, units: Sequence[Unit], size: Callable[[Unit], int]) -> None:
        self._units, self._size = units, size

    def __len__(self) -> int:
        return len(self._units)

    def __getitem__(self, index: Any) -> Any:
        return self._units[index], self._size(self._units[index])


def _by_processes(task: Task[Unit, Result], count: int, units: list[tuple[Unit, int]]) -> list[Result | Lost]:
    """What becomes of units, given with their sizes, by processes of the machine that this runs on."""
    sized: Task[Any, Result] = replace(
        task,
        function=partial(_without_sizes, task.function),
        name=lambda unit: task.name(unit[0]),
        size=itemgetter(1),
    )
    return list(Processes(count, always=True).run(sized, units))


def _without_sizes(
    function: Callable[[list[Unit]], Sequence[Result]], units: list[tuple[Unit, int]]
) -> Sequence[Result]:
    return function([unit for unit, _ in units])


class _EndedError(Exception):
    """A worker ended, or was ended, before it answered; `lost` is what that means for a unit that was alone in it."""

    def __init__(self, lost: Lost, detail: str) -> None:
        super().__init__(detail)
        self.lost = lost


class _NoPlaceError(Exception):
    """A worker could not begin; the message says why."""


class _Crew(Generic[Unit, Result]):
    """Workers that are at hand for as many threads as there are workers."""

    def __init__(
        self, task: Task[Unit, Result], session: Session, count: int, actor: Callable[[], Any]
    ) -> None:
        self._session = session
        self._stopped = threading.Event()
        self._workers = [_Worker(task, session, actor, self._stopped) for _ in range(count)]
        self._left = count
        self._idle: Queue[_Worker[Unit, Result]] = Queue()
        for worker in self._workers:
            self._idle.put(worker)

    def do(self, portion: list[Unit], deaths: int = 0) -> Sequence[Result | Lost]:
        """The results of a portion; if it ends two workers, of its halves, to find which unit it was."""
        try:
            return self._do_once(portion)
        except _EndedError as error:
            log.warning("a worker of the Ray cluster ended, and its work is done again: %s", error)
            if not deaths:
                return self.do(portion, 1)
            if len(portion) == 1:
                return [error.lost]
        middle = len(portion) // 2
        halves = portion[:middle], portion[middle:]
        return [result for half in halves for result in self.do(half, int(len(half) > 1))]

    def close(self) -> None:
        """End all workers, whatever they do."""
        self._stopped.set()
        for worker in self._workers:
            worker.end()

    def _do_once(self, portion: list[Unit]) -> Sequence[Result]:
        """The results of a portion, by the worker that has been idle longest: not the one that has just died.

        Raises:
            _EndedError: It ended.
            WorkError: No worker can begin.
        """
        while True:
            worker = self._take()
            try:
                return worker.do(portion)
            except _NoPlaceError as error:
                worker = None
                self._left -= 1
                if not self._left:
                    raise WorkError(f"no worker of the Ray cluster can do this: {error}") from None
                log.warning("the work goes on with %d workers: %s", self._left, error)
            finally:
                if worker:
                    self._idle.put(worker)

    def _take(self) -> "_Worker[Unit, Result]":
        while True:
            with suppress(Empty):
                return self._idle.get(timeout=1.0)
            self._session.check()
            if self._stopped.is_set():
                raise StoppedError
            if not self._left:
                raise WorkError("no worker of the Ray cluster is left")


class _Worker(Generic[Unit, Result]):
    """One actor that does work; another takes its place when it has ended."""

    def __init__(
        self,
        task: Task[Unit, Result],
        session: Session,
        actor: Callable[[], Any],
        stopped: threading.Event,
    ) -> None:
        self._task, self._session, self._new_actor, self._stopped = task, session, actor, stopped
        self._actor: Any = None
        self._lock = threading.Lock()

    def do(self, portion: list[Unit]) -> Sequence[Result]:
        """The results of a few units.

        Raises:
            _EndedError: The actor ended.
            _NoPlaceError: It could not begin.
            WorkError: The head is lost, or the function raised an error that a user can mend.
        """
        actor = self._actor or self._start()
        seconds = self._task.seconds(portion)
        try:
            reply = self._session.wait(actor.do.remote(portion), seconds, self._stopped)
        except TimeoutError:
            self.end()
            reason = f"did not end within {seconds:.0f} seconds"
            raise _EndedError(Lost("time", reason), f"it {reason}") from None
        except self._session.faults as error:
            raise RuntimeError(str(error)) from None
        except self._session.errors as error:
            self._check_wanted()
            self.end()
            raise _EndedError(_lost(error), last_line(error)) from None
        if isinstance(reply, _Refused):
            raise WorkError(str(reply))
        if isinstance(reply, Failed):
            raise RuntimeError(f"Work on {', '.join(map(self._task.name, portion))} failed:\n{reply.text}")
        return reply

    def end(self) -> None:
        """End the actor, whatever it does."""
        with self._lock:
            actor, self._actor = self._actor, None
        if actor is not None:
            self._session.kill(actor)

    def _start(self) -> Any:
        """An actor that has begun, wherever the cluster has room for it."""
        with self._lock:
            self._check_wanted()
            self._actor = actor = self._new_actor()
        try:
            beginning = actor.begin.remote((self._task.function, self._task.begin))
            problem = self._session.wait(beginning, _START_SECONDS, self._stopped)
        except TimeoutError:
            problem = f"one had no CPUs and GPUs, or did not begin, within {_START_SECONDS:.0f} seconds"
        except self._session.errors as error:
            self._check_wanted()
            problem = f"one ended at its start ({last_line(error)})"
        if problem:
            self.end()
            raise _NoPlaceError(problem)
        return actor

    def _check_wanted(self) -> None:
        if self._stopped.is_set():
            raise StoppedError


def _lost(error: BaseException) -> Lost:
    """What becomes of a unit that was alone in a worker which ended."""
    if "low on memory" in str(error) or "OutOfMemory" in type(error).__name__:
        return Lost("killed", "was stopped by Ray, because its machine was short of memory")
    return Lost("crash", "ended two workers of the Ray cluster")


def _amounts(resources: dict[str, float]) -> str:
    return f"{resources.get('CPU', 0):g} CPUs and {resources.get('GPU', 0):g} GPUs"
