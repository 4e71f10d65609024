"""A process in which files are looked at: it answers the one that started it until that closes the pipe.

A decoder that crashes takes only this process with it, and one that never returns is ended by the clock of this
process, which needs neither the interpreter nor the parent. Nothing is imported here that a look does not need.
"""

import faulthandler
import os
import pickle
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from clustering_assets.files.source import FileSource
from clustering_assets.images.budget import decode_beside_others
from clustering_assets.images.inspection import Look
from clustering_assets.settings import Limits

LookFunction = Callable[[FileSource, Sequence[str], Limits], list[Look]]

_SMALL = 2_000_000
"""Pixels of a picture that is decoded without asking: many processes of them need no more than one large picture."""

TIME_IS_UP = 1
"""Exit status of a worker whose clock ran out."""


@dataclass(frozen=True)
class Task:
    """What a worker is told once.

    Attributes:
        look: What to do with files; it is found by its name, so it belongs to a module.
        source: Where the files are.
        limits: What is refused before it is decoded.
    """

    look: LookFunction
    source: FileSource
    limits: Limits


@dataclass(frozen=True)
class Request:
    """A few files to look at.

    Attributes:
        paths: Their names in the source.
        seconds: How long they may take; a picture for whose pixels it has to ask has a second more for each million.
    """

    paths: Sequence[str]
    seconds: float


@dataclass(frozen=True)
class Room:
    """The question whether there is memory for `pixels` now; 0 gives it back."""

    pixels: int


@dataclass(frozen=True)
class Failed:
    """A fault of the program itself, as `traceback` shows it."""

    text: str


def serve() -> None:
    """Answer requests until the pipe is closed: begin with a task, then one list of looks for each request."""
    requests, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    with Path(os.devnull).open("r+b", buffering=0) as nowhere:
        os.dup2(nowhere.fileno(), 1)  # what a decoder prints must not get among the replies
        try:
            task: Task = pickle.load(requests)
            line = _Line(requests, replies, nowhere)
            decode_beside_others(line)
            _warm_up()
            line.send([])
            os.dup2(nowhere.fileno(), 2)
            while True:
                request: Request = pickle.load(requests)
                line.send(_answer(task, request, line))
        except (EOFError, BrokenPipeError):
            return


def _warm_up() -> None:
    """Import what the first look would import, while no clock runs."""
    import cv2
    import pyarrow as pa  # noqa: F401

    cv2.setNumThreads(1)


def _answer(task: Task, request: Request, line: "_Line") -> list[Look] | Failed:
    """The looks at the files of a request, before its time is up."""
    line.begin(request.seconds)
    try:
        return task.look(task.source, request.paths, task.limits)
    except (EOFError, BrokenPipeError):
        raise
    except Exception:  # noqa: BLE001 - the parent raises it
        return Failed(traceback.format_exc())
    finally:
        faulthandler.cancel_dump_traceback_later()


class _Line:
    """The way to the parent, which also knows how much memory its workers use together; and the clock."""

    def __init__(self, requests: BinaryIO, replies: BinaryIO, nowhere: BinaryIO) -> None:
        self._requests, self._replies, self._nowhere = requests, replies, nowhere
        self._seconds = 0.0

    def send(self, message: object) -> None:
        """Send one message."""
        pickle.dump(message, self._replies, pickle.HIGHEST_PROTOCOL)
        self._replies.flush()

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
