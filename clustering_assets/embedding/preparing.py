"""Picture files to what a network takes, by any engine, in batches that failures leave no holes in."""

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clustering_assets.embedding.preprocessing import Preprocessing
from clustering_assets.files.source import FileSource
from clustering_assets.images.budget import decode_beside_others, memory
from clustering_assets.images.errors import ImageError, lost_in_decoding
from clustering_assets.images.load import read_picture
from clustering_assets.work.engine import Budget, Engine, Lost, Task

if TYPE_CHECKING:
    from clustering_assets.settings import Limits

_TOGETHER = 8
"""Pictures in a request to another process: of 500 pixels, 20 milliseconds of work."""

FEW = 200
"""Up to so many pictures are done before processes for them have started."""


class Failure(NamedTuple):
    """A picture that could not be embedded.

    Attributes:
        path: The file, relative to the images folder.
        stage: Where it failed, for example `read`, `decode` or `embed`.
        reason: Why, in words.
    """

    path: str
    stage: str
    reason: str


class Failed(NamedTuple):
    """A failure, and the row of the picture in the table it comes from."""

    row: int
    failure: Failure


class Copy(NamedTuple):
    """A file with a content.

    Attributes:
        row: Its row in the table.
        path: Relative to the images folder.
        noted: Size in bytes and time in nanoseconds when it was scanned; None where they are not known.
    """

    row: int
    path: str
    noted: tuple[int, int] | None = None


class Content(NamedTuple):
    """A unit of work: the files that have the same pixels.

    Attributes:
        number: Which content it is.
        copies: Its files; the first that can be read is taken.
    """

    number: int
    copies: tuple[Copy, ...]

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return self.copies[0].path

    @property
    def bytes(self) -> int:
        """Size of its first file; 0 where it is not known."""
        return self.copies[0].noted[0] if self.copies[0].noted else 0


class Prepared(NamedTuple):
    """What became of a content.

    Attributes:
        number: Which content it is.
        pixels: The network's view of it, shape (side, side, 3), uint8; None if no file can be read.
        failed: What went wrong.
    """

    number: int
    pixels: NDArray[np.uint8] | None
    failed: list[Failed]


@dataclass(frozen=True)
class Batch:
    """Pictures on their way into the network.

    Attributes:
        kept: Which contents they are, shape (k,).
        pixels: The network's view of each, shape (side, side, 3), in memory that may be shared with other processes.
        failed: What went wrong.
        count: How many contents were tried; k of them came through.
    """

    kept: NDArray[np.intp]
    pixels: list[NDArray[np.uint8]]
    failed: list[Failed]
    count: int


def prepare(
    source: FileSource, preprocessing: Preprocessing, limits: "Limits", contents: Sequence[Content]
) -> list[Prepared]:
    """The network's view of each content, from the first of its files that can be read.

    Args:
        source: Where the pictures are.
        preprocessing: What the network expects.
        limits: What is refused before it is decoded.
        contents: A few of them.
    """
    return [_prepare_one(source, preprocessing, limits, content) for content in contents]


def prepared_batches(
    function: Callable[[list[Content]], Sequence[Prepared]],
    contents: Sequence[Content],
    batch_size: int,
    engine: Engine,
    view_bytes: int = 0,
) -> Generator[Batch, None, None]:
    """Prepare pictures at most two batches ahead of whoever takes them.

    The order is kept. Pictures that fail do not leave holes: a batch is filled up with later ones.

    Args:
        function: `prepare` with its first arguments.
        contents: What to prepare, in order.
        batch_size: Pictures in a batch; the last may have fewer.
        engine: What prepares them.
        view_bytes: Size of a prepared picture.
    """
    task = Task(
        function,
        name=lambda content: content.name,
        size=lambda content: content.bytes,
        together=_TOGETHER,
        ahead=2 * batch_size,
        few=FEW,
        array_bytes=view_bytes,
        begin=_begin,
        memory=memory,
    )
    kept: list[int] = []
    views: list[NDArray[np.uint8]] = []
    failed: list[Failed] = []
    count = 0
    with closing(engine.run(task, contents)) as results:
        for index, result in enumerate(results):
            prepared = _lost(contents[index], result) if isinstance(result, Lost) else result
            failed.extend(prepared.failed)
            count += 1
            if prepared.pixels is not None:
                kept.append(prepared.number)
                views.append(prepared.pixels)
            if len(kept) == batch_size or index == len(contents) - 1:
                yield Batch(np.array(kept, np.intp), views, failed, count)
                kept, views, failed, count = [], [], [], 0


def _begin(budget: Budget) -> None:
    """Make this process one of many that prepare pictures, and import what the first one would import."""
    import pyarrow as pa  # noqa: F401

    decode_beside_others(budget)


def _prepare_one(
    source: FileSource, preprocessing: Preprocessing, limits: "Limits", content: Content
) -> Prepared:
    """What becomes of one content."""
    failed = []
    for copy in content.copies:
        try:
            pixels = _view(source, preprocessing, limits, copy)
        except ImageError as error:
            failed.append(Failed(copy.row, Failure(copy.path, error.stage, error.reason)))
        else:
            return Prepared(content.number, pixels, failed)
    return Prepared(content.number, None, failed)


def _view(
    source: FileSource, preprocessing: Preprocessing, limits: "Limits", copy: Copy
) -> NDArray[np.uint8]:
    """The network's view of one file.

    Raises:
        ImageError: It cannot be used, or is not the file that was scanned.
    """
    file = source / copy.path
    picture = read_picture(file, min_side=preprocessing.min_side, limits=limits)
    if copy.noted is not None:
        try:
            facts = file.stat()
        except OSError as error:
            raise ImageError(copy.path, "read", error.strerror or type(error).__name__) from error
        if (facts.bytes, facts.mtime_ns) != copy.noted:
            raise ImageError(
                copy.path, "embed", "changed since it was scanned; the next run takes it as it is now"
            )
    return preprocessing.prepare(picture.image)


def _lost(content: Content, lost: Lost) -> Prepared:
    """A content that ended whatever prepared it; which of its files it was is not known."""
    errors = [(copy, lost_in_decoding(copy.path, lost)) for copy in content.copies]
    return Prepared(
        content.number,
        None,
        [Failed(copy.row, Failure(copy.path, error.stage, error.reason)) for copy, error in errors],
    )
