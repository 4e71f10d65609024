"""Pictures to vectors: decode on several threads, run the network on one, and compute nothing twice."""

import logging
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clustering_assets.embedding.backbone import Backbone
from clustering_assets.embedding.cache import (
    MANY_SHARDS,
    PRECISIONS,
    VectorStore,
    list_shards,
    models_folder,
    rewrite_set,
    set_folder,
)
from clustering_assets.embedding.catalogue import resolve_backbone
from clustering_assets.embedding.precision import settle
from clustering_assets.embedding.preprocessing import Preprocessing
from clustering_assets.embedding.runtime import IN_FLIGHT, Pending, Plan, Runtime
from clustering_assets.embedding.runtime_choice import plan_runtime, start_runtime
from clustering_assets.embedding.weights import TIMEOUT_SECONDS, hub_folder, obtain
from clustering_assets.errors import ClusteringError
from clustering_assets.files import file_source
from clustering_assets.files.source import FileSource
from clustering_assets.images.errors import ImageError
from clustering_assets.images.load import read_picture
from clustering_assets.progress import task
from clustering_assets.settings import DEFAULT_LIMITS, Limits
from clustering_assets.threads import available_cores

log = logging.getLogger("clustering_assets.embedding")


MOST_WORKERS = 16
"""Most threads that decode; more only wait for the one that runs the network."""


class EmbeddingError(ClusteringError):
    """No picture could be embedded."""


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


@dataclass(frozen=True)
class Embedded:
    """The embeddings of a folder of pictures, and how they came about.

    Attributes:
        vectors: float32, shape (n, dimension); a memory map of a temporary file that goes with it.
        paths: The picture of each row, relative to the images folder.
        content_hashes: Its content hash.
        failures: Pictures without a row.
        backbone: Name of the network; never `auto`.
        dimension: Length of a vector.
        runtime: `openvino` or `torch`; `cache` if nothing had to be computed.
        device: What computed, for example the processor's name; `disk` if nothing had to be computed.
        precision: Type of the arithmetic inside the network.
        weights_id: Beginning of the SHA-256 of the weights file.
        embedded: Pictures that went through the network.
        reused: Rows that did not need it: cached before, or copies of another picture.
        images_per_second: Rate of the network and what feeds it, without its start; 0 if nothing was embedded.
        warning: What the user should know, a line for each; empty if all is well.
        seconds: How long it all took.
    """

    vectors: NDArray[np.float32]
    paths: list[str]
    content_hashes: list[str]
    failures: list[Failure]
    backbone: str
    dimension: int
    runtime: str
    device: str
    precision: str
    weights_id: str
    embedded: int
    reused: int
    images_per_second: float
    warning: str
    seconds: float


def embed(
    images: pd.DataFrame,
    folder: Path | FileSource,
    backbone: str | Backbone = "auto",
    *,
    weights: Path | None = None,
    runtime: str = "auto",
    batch_size: int = 32,
    cache_dir: Path | None = None,
    limits: Limits = DEFAULT_LIMITS,
    workers: int | None = None,
    hub: Path | None = None,
    timeout: float = TIMEOUT_SECONDS,
) -> Embedded:
    """Embed pictures, each content once; those in the cache are not opened.

    Args:
        images: Columns `path` (relative to `folder`) and `content_hash`. With the columns `bytes` and
            `mtime_ns`, a file that changed since they were noted is refused.
        folder: Where the pictures are.
        backbone: Name of the network (`check_backbone_name`), or its facts.
        weights: Weights file of the user's own, instead of the published ones.
        runtime: `auto`, `openvino` or `torch`.
        batch_size: Pictures in a forward pass on a GPU, halved when it runs out of memory; OpenVINO takes pieces
            of its own size.
        cache_dir: Folder of the cache; None embeds everything and keeps nothing.
        limits: What is refused before it is decoded.
        workers: Threads that decode; by default as many as there are cores for this process, at most 16.
        hub: Folder of fetched weights; torch's own by default.
        timeout: Longest silence of a server of weights, in seconds.

    Returns:
        A row for each picture that has a vector, in the order of `images`.

    Raises:
        BackboneError: The backbone is unknown.
        WeightsError: Its weights cannot be had or do not fit.
        EmbeddingError: Nothing could be embedded.
        OutOfMemory: The device has no room for even one picture.
    """
    begun = time.monotonic()
    if images.empty:
        raise EmbeddingError("there are no pictures to embed")
    if isinstance(backbone, str):
        backbone = resolve_backbone(backbone, weights, memory=cache_dir, hub=hub, timeout=timeout)
    pictures = Pictures(images, folder, backbone.preprocessing, limits)
    with ExitStack() as stack:
        models = [Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="network-")))]
        if cache_dir is not None:
            models.insert(0, models_folder(cache_dir))
        start = partial(
            start_runtime,
            backbone=backbone,
            weights=lambda: obtain(backbone.weights, hub or hub_folder(), timeout),
            batch_size=batch_size,
            models=models,
        )
        plan, store = _open_store(
            pictures.contents,
            backbone,
            cache_dir,
            lambda: settle(plan_runtime(runtime), backbone, start, models),
        )
        stack.enter_context(store)
        missing = np.flatnonzero(~store.at_hand)
        device, rate = "disk", 0.0
        if len(missing):
            engine = start(plan)
            device = engine.device_name
            log.info(
                "embedding %d pictures with %s: %s on %s in %s",
                len(missing), backbone.name, plan.runtime, device, plan.precision,
            )  # fmt: skip
            started = time.monotonic()
            embedded = _embed_missing(pictures, missing, engine, store, workers)
            rate = embedded / (time.monotonic() - started)
        else:
            embedded = 0
        rows = pictures.rows_with(store.at_hand)
        if not len(rows):
            raise EmbeddingError(_nothing_left(pictures.failures))
        vectors = _assemble(store, pictures.codes[rows], backbone.dimension)
    if embedded and cache_dir is not None and not store.problem:
        _tidy(set_folder(cache_dir, backbone, plan.precision))
    return Embedded(
        vectors=vectors,
        paths=images["path"].iloc[rows].tolist(),
        content_hashes=images["content_hash"].iloc[rows].tolist(),
        failures=pictures.failures,
        backbone=backbone.name,
        dimension=backbone.dimension,
        runtime=plan.runtime,
        device=device,
        precision=plan.precision,
        weights_id=backbone.weights_id,
        embedded=embedded,
        reused=len(rows) - embedded,
        images_per_second=rate,
        warning="\n".join(filter(None, (backbone.warning, store.problem))),
        seconds=time.monotonic() - begun,
    )


class Pictures:
    """The pictures of a run, grouped by content, and which of them failed.

    Attributes:
        contents: Their content hashes, each once, in the order of their first appearance.
        codes: For each row, which of `contents` it has; shape (n,).
        failures: What went wrong so far.
    """

    def __init__(
        self, images: pd.DataFrame, folder: Path | FileSource, preprocessing: Preprocessing, limits: Limits
    ) -> None:
        self.codes, contents = pd.factorize(images["content_hash"])
        self.contents = pd.Index(contents)
        self.failures: list[Failure] = []
        self._failed_rows: list[int] = []
        self._source, self._preprocessing, self._limits = file_source(folder), preprocessing, limits
        self._paths = images["path"].to_numpy(dtype=object)
        noted = {"bytes", "mtime_ns"} <= set(images.columns)
        self._noted = images[["bytes", "mtime_ns"]].to_numpy(dtype=np.int64) if noted else None
        self._order = np.argsort(self.codes, kind="stable")
        self._starts = np.searchsorted(self.codes[self._order], np.arange(len(self.contents) + 1))

    def prepare(self, content: int) -> tuple[NDArray[np.uint8] | None, list[tuple[int, Failure]]]:
        """The network's view of a content, from the first of its files that can be read.

        Safe to call from several threads.

        Returns:
            Pixels (crop, crop, 3), or None if no file can be read; and what went wrong, by row.
        """
        failed = []
        for row in self._order[self._starts[content] : self._starts[content + 1]]:
            path = self._paths[row]
            try:
                pixels = self._read(path, row)
            except ImageError as error:
                failed.append((int(row), Failure(path, error.stage, error.reason)))
            else:
                return pixels, failed
        return None, failed

    def fail(self, failed: Sequence[tuple[int, Failure]]) -> None:
        """Note failures, by row."""
        for row, failure in failed:
            self._failed_rows.append(row)
            self.failures.append(failure)

    def fail_content(self, content: int, stage: str, reason: str) -> None:
        """Note a failure of all files of a content."""
        rows = self._order[self._starts[content] : self._starts[content + 1]]
        known = set(self._failed_rows)
        self.fail(
            [(int(row), Failure(self._paths[row], stage, reason)) for row in rows if int(row) not in known]
        )

    def rows_with(self, at_hand: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Rows that did not fail and whose content has a vector, in order."""
        good = at_hand[self.codes]
        good[self._failed_rows] = False
        return np.flatnonzero(good)

    def _read(self, path: str, row: int) -> NDArray[np.uint8]:
        """Load one file and prepare it.

        Raises:
            ImageError: It cannot be used, or is not the file that was scanned.
        """
        file = self._source / path
        picture = read_picture(file, min_side=self._preprocessing.min_side, limits=self._limits)
        if self._noted is not None:
            try:
                facts = file.stat()
            except OSError as error:
                raise ImageError(path, "read", error.strerror or type(error).__name__) from error
            if (facts.bytes, facts.mtime_ns) != tuple(self._noted[row]):
                raise ImageError(
                    path, "embed", "changed since it was scanned; the next run takes it as it is now"
                )
        return self._preprocessing.prepare(picture.image)


def _open_store(
    contents: pd.Index, backbone: Backbone, cache_dir: Path | None, plan_for: Callable[[], Plan]
) -> tuple[Plan, VectorStore]:
    """What will run the network, and the vectors that are there in its precision.

    If the cache has every vector in one precision, that one is taken, and no runtime is looked for.
    """
    if cache_dir is None:
        return plan_for(), VectorStore(contents, backbone.dimension, None)
    for precision in PRECISIONS:
        folder = set_folder(cache_dir, backbone, precision)
        if folder.is_dir():
            store = VectorStore(contents, backbone.dimension, folder)
            if store.at_hand.all():
                return Plan("cache", "", precision), store
    plan = plan_for()
    return plan, VectorStore(contents, backbone.dimension, set_folder(cache_dir, backbone, plan.precision))


def _embed_missing(
    pictures: Pictures,
    missing: NDArray[np.intp],
    engine: Runtime,
    store: VectorStore,
    workers: int | None,
) -> int:
    """Embed contents into the store.

    Returns:
        How many were embedded; the others are among the failures of `pictures`.
    """
    embedded = 0
    under_way: deque[tuple[Batch, Pending]] = deque()

    def finish_first() -> int:
        batch, pending = under_way.popleft()
        features = pending.result()
        finite = np.isfinite(features).all(axis=1)
        store.put(batch.kept_indices[finite], features[finite])
        for content in batch.kept_indices[~finite]:
            pictures.fail_content(content, "embed", f"the network's {engine.plan.precision} overflows")
        progress.advance(batch.count)
        return int(finite.sum())

    with task("Embedding", total=len(missing), unit="images") as progress:
        for batch in prepared_batches(pictures.prepare, missing, engine.batch_size, workers):
            pictures.fail(batch.failed)
            if not len(batch.kept_indices):
                progress.advance(batch.count)
                continue
            under_way.append((batch, engine.start(batch.pixels)))
            if len(under_way) == IN_FLIGHT:
                embedded += finish_first()
        while under_way:
            embedded += finish_first()
    store.flush()
    return embedded


@dataclass(frozen=True)
class Batch:
    """Pictures on their way into the network.

    Attributes:
        kept_indices: Which contents they are, shape (k,).
        pixels: Shape (k, crop, crop, 3).
        failed: What went wrong, by row.
        count: How many contents were tried; k of them came through.
    """

    kept_indices: NDArray[np.intp]
    pixels: NDArray[np.uint8]
    failed: list[tuple[int, Failure]]
    count: int


def prepared_batches(
    prepare: Callable[[int], tuple[NDArray[np.uint8] | None, list[tuple[int, Failure]]]],
    contents: NDArray[np.intp],
    batch_size: int,
    workers: int | None = None,
) -> Iterator[Batch]:
    """Prepare pictures on several threads, at most two batches ahead of whoever takes them.

    The order is kept. Pictures that fail do not leave holes: a batch is filled up with later ones.

    Args:
        prepare: Gives the pixels of a content, or None, and what went wrong; called from several threads.
        contents: What to prepare, in order.
        batch_size: Pictures in a batch; the last may have fewer.
        workers: Threads; by default as many as there are cores for this process, at most 16.
    """
    pool = ThreadPoolExecutor(workers or min(available_cores(), MOST_WORKERS), "prepare")
    waiting = iter(contents.tolist())
    ahead = deque((content, pool.submit(prepare, content)) for content in islice(waiting, 2 * batch_size))
    kept: list[int] = []
    views: list[NDArray[np.uint8]] = []
    failed: list[tuple[int, Failure]] = []
    count = 0
    try:
        while ahead:
            content, future = ahead.popleft()
            pixels, problems = future.result()
            ahead.extend((later, pool.submit(prepare, later)) for later in islice(waiting, 1))
            failed.extend(problems)
            count += 1
            if pixels is not None:
                kept.append(content)
                views.append(pixels)
            if len(kept) == batch_size or not ahead:
                pixels = np.stack(views) if views else np.empty((0, 0, 0, 3), np.uint8)
                yield Batch(np.array(kept, np.intp), pixels, failed, count)
                kept, views, failed, count = [], [], [], 0
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _assemble(store: VectorStore, codes: NDArray[np.intp], dimension: int) -> NDArray[np.float32]:
    """The vectors in the order of `codes`, streamed through a file that goes when the array goes.

    Args:
        store: Has a vector for each code.
        codes: For each row of the result, the position of its content; shape (n,).
        dimension: Length of a vector.
    """
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    with tempfile.TemporaryFile(prefix="embeddings-") as file:
        file.truncate(4 * dimension * len(codes))
        for positions, rows in store.vectors():
            first, last = np.searchsorted(ordered, positions), np.searchsorted(ordered, positions, "right")
            source = np.repeat(np.arange(len(positions)), last - first)
            target = order[np.concatenate([np.arange(a, b) for a, b in zip(first, last, strict=True)])]
            _write_rows(file, target, rows[source])
        file.flush()
        return np.memmap(file, np.float32, mode="c", shape=(len(codes), dimension))


def _write_rows(file: IO[bytes], target: NDArray[np.intp], rows: NDArray[np.float32]) -> None:
    """Write rows to their places in a file of float32 rows, neighbours together."""
    by_place = np.argsort(target)
    target, rows = target[by_place], rows[by_place]
    for run in np.split(np.arange(len(target)), np.flatnonzero(np.diff(target) != 1) + 1):
        if len(run):
            file.seek(int(target[run[0]]) * rows.shape[1] * rows.itemsize)
            file.write(rows[run[0] : run[-1] + 1].tobytes())


def _tidy(folder: Path) -> None:
    """Write a set's shards together if there are too many of them."""
    if len(list_shards(folder)) > MANY_SHARDS:
        try:
            rewrite_set(folder)
        except OSError as error:
            log.info("the shards in %s stay as they are: %s", folder, error)


def _nothing_left(failures: Sequence[Failure]) -> str:
    """What to say when no picture could be embedded."""
    shown = "\n".join(f"  {failure.path}: {failure.reason}" for failure in failures[:5])
    more = f"\n  and {len(failures) - 5} more" if len(failures) > 5 else ""
    return f"none of {len(failures)} pictures could be embedded:\n{shown}{more}"
