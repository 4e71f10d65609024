"""What every engine has in common: a task, its units of work, what becomes of each, and how many go together."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeVar, runtime_checkable

from clustering_assets.errors import ClusteringError

Unit = TypeVar("Unit")
Result = TypeVar("Result")
Answer = TypeVar("Answer")

PATIENCE = 60.0
"""Seconds that a unit of work may take, and one more for each megabyte and each million pixels."""

MOST_BYTES = 1 << 20
"""Largest portion of several units."""


class WorkError(ClusteringError):
    """Work cannot be done for a reason that lies in none of its units."""


class Budget(Protocol):
    """Whatever decides when there is memory for a picture."""

    def spend(self, pixels: int) -> AbstractContextManager[None]:
        """Wait until there is room for `pixels`, and hold it inside the block."""
        ...


@dataclass(frozen=True)
class Task(Generic[Unit, Result]):
    """What is done with units of work, and what it takes.

    Other processes find functions by their names: for them one belongs to a module, alone, as a `partial` or as a
    method, and all that goes with it, units and results can be pickled.

    Attributes:
        function: The results of a few units, in the same order.
        name: What a unit is called in messages.
        size: Bytes of a unit: large ones go alone, may take longer, and are worth another process sooner.
        together: Most units in a portion.
        at_least: Fewest units in a portion where there are so many.
        together_bytes: Most bytes of a portion of several units.
        ahead: Most units that are handed out before the result of the one before them was fetched.
        patience: Seconds for each portion, and one more for each megabyte of it and each million pixels it asks for.
        few: Up to so many units are done on threads of this process, which costs no start: right where nothing that
            the function does is likely to end a process.
        array_bytes: Size of an array in a result, if results have one: it comes through memory that processes share,
            at most one for each unit that is handed out. Others come through pipes.
        begin: Called once in each process that works for this one, with the way to `memory`, before any clock runs.
        memory: What portions in other processes ask for room for many pixels.
        feed: What the units pass through, in order, as they are handed out: it may wait until one is at hand.
    """

    function: Callable[[list[Unit]], Sequence[Result]]
    name: Callable[[Unit], str] = str
    size: Callable[[Unit], int] = lambda _: 0
    together: int = 1
    at_least: int = 1
    together_bytes: int = MOST_BYTES
    ahead: int = 4096
    patience: float = PATIENCE
    few: int = 0
    array_bytes: int = 0
    begin: Callable[[Budget], None] | None = None
    memory: Budget | None = None
    feed: Callable[[Sequence[Unit]], Iterable[Unit]] = iter

    def seconds(self, portion: Sequence[Unit]) -> float:
        """How long a portion may take, without what it waits for memory."""
        return self.patience + sum(map(self.size, portion)) / 1e6


@dataclass(frozen=True)
class Lost:
    """What becomes of a unit that ends whatever works on it.

    Attributes:
        cause: "time" if it did not end, "killed" if the system stopped it, "crash" otherwise.
        reason: The same in words that follow a subject, such as "did not end within 61 seconds".
    """

    cause: Literal["time", "killed", "crash"]
    reason: str


class Engine(Protocol):
    """Something that does units of work."""

    def run(self, task: Task[Unit, Result], units: Sequence[Unit]) -> Generator[Result | Lost, None, None]:
        """The result of every unit in order, each as soon as it and all before it are done.

        Closing the generator ends the work at once.

        Raises:
            WorkError: Nothing can work any more.
            Exception: What `task.function` raised: a fault of the program, not of a unit.
        """
        ...


@runtime_checkable
class Cluster(Engine, Protocol):
    """An engine on other machines, which have the files of this one only where those lie in a place that all share.

    Attributes:
        cpus: CPUs of a worker.
        gpus: GPUs of a worker.
    """

    cpus: float
    gpus: float

    def run_in_workers(
        self, task: Task[Unit, Result], units: Sequence[Unit]
    ) -> Generator[Result | Lost, None, None]:
        """As `run`, but the worker itself calls the function, with what `task.begin` loaded.

        What begins by raising an error that a user can mend is no worker: the work goes on without it.

        Raises:
            WorkError: Nothing can work any more, or the function raised an error that a user can mend.
        """
        ...

    def ask_machines(self, question: Callable[[], Answer]) -> list[tuple[str, Answer]]:
        """The answer of every machine on which there can be workers, with its name.

        Raises:
            WorkError: The cluster cannot be used, or a machine gives no answer.
        """
        ...

    def connected(self) -> AbstractContextManager[Any]:
        """Stay connected inside the block, where several things are asked for."""
        ...


def portions(task: Task[Unit, Result], units: Sequence[Unit], workers: int) -> Iterator[list[Unit]]:
    """The units in order, as many together as the task allows, so many portions that all workers are busy."""
    most = max(task.at_least, min(task.together, len(units) // (8 * workers)))
    portion: list[Unit] = []
    size = 0
    for unit in task.feed(units):
        more = task.size(unit)
        if portion and (len(portion) == most or size + more > task.together_bytes):
            yield portion
            portion, size = [], 0
        portion.append(unit)
        size += more
    if portion:
        yield portion
