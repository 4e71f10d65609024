"""Progress on a terminal: bars where there is one, plain lines otherwise."""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.logging import RichHandler
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Task as RichTask
from rich.table import Column
from rich.text import Text

from clustering_assets.files.source import printable
from clustering_assets.progress import Task, reporting
from clustering_assets.words import pace, standing


class _Rate(ProgressColumn):
    """How fast items were done since the task began."""

    def render(self, task: RichTask) -> Text:
        """The pace in words; nothing before the first item is done."""
        elapsed = task.finished_time or task.elapsed
        if not elapsed or not task.completed:
            return Text("")
        unit = task.fields.get("unit", "items")
        return Text(pace(int(task.completed), elapsed, unit), style="progress.data.speed")


@dataclass(frozen=True)
class _BarTask:
    """A task that moves a bar."""

    progress: Progress
    bar: TaskID

    def advance(self, count: int = 1) -> None:
        """Move it on."""
        self.progress.advance(self.bar, count)

    def finish(self) -> None:
        """Leave it as it stands."""
        self.progress.stop_task(self.bar)
        self.progress.refresh()


@dataclass(frozen=True)
class BarReporter:
    """Shows every task as a bar with count, rate and time left, unless it has no items."""

    progress: Progress

    def start(self, title: str, total: int | None, unit: str) -> Task:
        """Begin a bar."""
        bar = self.progress.add_task(title, total=total, visible=total != 0, unit=unit)
        return _BarTask(self.progress, bar)


class _LineTask:
    """A task that prints a line when it begins and a line every few seconds."""

    def __init__(self, title: str, total: int | None, unit: str) -> None:
        self._title, self._total, self._unit = title, total, unit
        self._done = 0
        self._begun = self._told = time.monotonic()
        self._last = 0

    def advance(self, count: int = 1) -> None:
        """Count, and print a line if the last one is some seconds old."""
        self._done += count
        if time.monotonic() - self._told >= 5:
            self._tell()

    def finish(self) -> None:
        """Print how many there were, unless that was said or there were none to do."""
        if self._total != 0 and (self._done != self._last or not self._done):
            self._tell()

    def _tell(self) -> None:
        self._last = self._done
        self._told = time.monotonic()
        line = standing(self._done, self._total, self._unit, self._told - self._begun)
        print(f"  {self._title}: {line}", file=sys.stderr, flush=True)  # noqa: T201


class LineReporter:
    """Shows every task as plain lines, for logs and pipes."""

    def start(self, title: str, total: int | None, unit: str) -> Task:
        """Begin a task that prints lines."""
        return _LineTask(title, total, unit)


def _plain(text: str) -> str:
    """Text without what a terminal would obey; names of files and clusters may hold anything."""
    return "\n".join(map(printable, text.split("\n")))


@dataclass(frozen=True)
class Voice:
    """Says lines to the person watching.

    Attributes:
        show: Shows a line.
        warned: The warnings that were shown.
    """

    show: Callable[[str], None]
    warned: "_Once"

    def __call__(self, line: str) -> None:
        """Say a line."""
        self.show(_plain(line))


class _Once(logging.Filter):
    """Lets each message through once: what several stages find out need not be read several times."""

    def __init__(self) -> None:
        super().__init__()
        self._passed: set[str] = set()

    def __contains__(self, message: object) -> bool:
        """Whether a message was let through."""
        return message in self._passed

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is new."""
        message = record.getMessage()
        new = message not in self._passed
        self._passed.add(message)
        return new


class _PlainFormatter(logging.Formatter):
    """Messages without what a terminal would obey."""

    def format(self, record: logging.LogRecord) -> str:
        return _plain(super().format(record))


@contextmanager
def show_progress(*, apart: bool = False) -> Iterator[Voice]:
    """Show the progress of the block, with each warning once between the bars; gives what says a line.

    Where the standard output is no terminal, all of it goes to that of errors, so that a pipe gets nothing but results.

    Args:
        apart: Whether it goes there in any case.
    """
    console = Console(stderr=apart, highlight=False, soft_wrap=True)
    if not (sys.stderr if apart else sys.stdout).isatty():
        with _logging(logging.StreamHandler(sys.stderr)) as warned, reporting(LineReporter()):
            yield Voice(lambda line: print(line, file=sys.stderr, flush=True), warned)  # noqa: T201
        return
    columns = (  # where it is narrow, the bar gives way and no text is broken
        TextColumn("  {task.description}", table_column=Column(no_wrap=True)),
        BarColumn(),
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        _Rate(table_column=Column(no_wrap=True)),
        TimeRemainingColumn(table_column=Column(no_wrap=True)),
    )
    handler = RichHandler(console=console, show_time=False, show_path=False)
    with (
        Progress(*columns, console=console) as progress,
        _logging(handler) as warned,
        reporting(BarReporter(progress)),
    ):
        yield Voice(lambda line: console.print(Text(line, style="bold")), warned)


@contextmanager
def _logging(handler: logging.Handler) -> Iterator[_Once]:
    """Show what the domain logs from WARNING on; gives what was shown."""
    once = _Once()
    handler.setLevel(logging.WARNING)
    handler.addFilter(once)
    handler.setFormatter(_PlainFormatter())
    logger = logging.getLogger("clustering_assets")
    logger.addHandler(handler)
    try:
        yield once
    finally:
        logger.removeHandler(handler)
