"""Progress of long work: the domain reports it here, whoever runs the domain decides how to show it.

Without a reporter the progress goes to the log of this module, one line for every tenth of the work
and at most one in two seconds, which is what the Dagster UI shows. The command line puts a reporter with
bars in its place (`reporting`).
"""

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, TypeVar

from clustering_assets.words import duration, standing

T = TypeVar("T")

log = logging.getLogger("clustering_assets")


class Task(Protocol):
    """One piece of work under way."""

    def advance(self, count: int = 1) -> None:
        """Report that `count` more items are done."""
        ...

    def finish(self) -> None:
        """Report that nothing more will come."""
        ...


class Reporter(Protocol):
    """Whatever shows progress to a person."""

    def start(self, title: str, total: int | None, unit: str) -> Task:
        """Begin showing a piece of work of `total` items (None: not known)."""
        ...


class LogReporter:
    """What stands in where nobody shows progress: a line in the log now and then."""

    def start(self, title: str, total: int | None, unit: str) -> Task:
        """Begin to count."""
        return _LoggedTask(title, total, unit)


class _LoggedTask:
    """A piece of work that is told of in the log."""

    def __init__(self, title: str, total: int | None, unit: str) -> None:
        self._title, self._total, self._unit = title, total, unit
        self._done = 0
        self._begun = self._last = time.monotonic()
        self._tenth = 0

    def advance(self, count: int = 1) -> None:
        """Count, and write a line if a tenth is full and the last line is two seconds old."""
        self._done += count
        now = time.monotonic()
        tenth = self._done * 10 // self._total if self._total else self._done // 100
        if tenth > self._tenth and now - self._last >= 2 and self._done != self._total:
            self._tenth, self._last = tenth, now
            log.info("%s: %s", self._title, standing(self._done, self._total, self._unit, now - self._begun))

    def finish(self) -> None:
        """Write what it came to, unless it was over in a second."""
        took = time.monotonic() - self._begun
        if took >= 1:
            line = standing(self._done, self._total, self._unit, took)
            log.info("%s: %s, done in %s", self._title, line, duration(took))


_reporter: ContextVar[Reporter | None] = ContextVar("reporter", default=None)


def reporter() -> Reporter:
    """The reporter in force."""
    return _reporter.get() or LogReporter()


@contextmanager
def reporting(through: Reporter) -> Iterator[None]:
    """Show the progress of everything inside the block through a reporter."""
    token = _reporter.set(through)
    try:
        yield
    finally:
        _reporter.reset(token)


@contextmanager
def task(title: str, total: int | None = None, unit: str = "items") -> Iterator[Task]:
    """Report the progress of the block by hand, through the task that it is given.

    Args:
        title: What is being done, for the person watching ("Embedding").
        total: Number of items; None when it is not known.
        unit: What an item is, in the plural.
    """
    running = reporter().start(title, total, unit)
    try:
        yield running
    finally:
        running.finish()


def track(items: Iterable[T], title: str, total: int | None = None, unit: str = "items") -> Iterator[T]:
    """Yield `items` one by one and report each as done when the next is asked for.

    Args:
        items: What to go through.
        title: What is being done, for the person watching ("Scanning").
        total: Number of items; `len(items)` where it has one and none is given.
        unit: What an item is, in the plural.
    """
    if total is None and hasattr(items, "__len__"):
        total = len(items)  # type: ignore[arg-type]
    with task(title, total, unit) as running:
        for item in items:
            yield item
            running.advance()
