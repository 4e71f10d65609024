"""Pictures to vectors: prepared by an engine, run through the network in batches, and nothing computed twice."""

import logging
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clustering_assets.embedding.backbone import Backbone
from clustering_assets.embedding.cache import (
    MANY_SHARDS,
    VectorStore,
    list_shards,
    models_folder,
    rewrite_set,
    set_folder,
)
from clustering_assets.embedding.catalogue import NetworkSpec
from clustering_assets.embedding.precision import settle
from clustering_assets.embedding.preparing import (
    Batch,
    Content,
    Copy,
    Failed,
    Failure,
    prepare,
    prepared_batches,
)
from clustering_assets.embedding.runtime import IN_FLIGHT, PRECISIONS, Pending, Plan, Runtime
from clustering_assets.embedding.runtime_choice import plan_runtime, start_runtime
from clustering_assets.errors import ClusteringError
from clustering_assets.files import file_source
from clustering_assets.files.source import FileSource
from clustering_assets.progress import task
from clustering_assets.settings import DEFAULT_LIMITS, Embedding, Limits
from clustering_assets.storage import scratch_folder
from clustering_assets.threads import available_cores
from clustering_assets.work.engine import Engine
from clustering_assets.work.threads import Threads

log = logging.getLogger("clustering_assets.embedding")

MOST_THREADS = 16
"""Most threads that decode; more only wait for the one that runs the network."""


class EmbeddingError(ClusteringError):
    """No picture could be embedded."""


@dataclass(frozen=True)
class Inputs:
    """Pictures to embed.

    Attributes:
        table: Columns `path` (relative to `folder`) and `content_hash`. With the columns `bytes` and `mtime_ns`, a file
            that changed since they were noted is refused.
        folder: Where the pictures are.
        limits: What is refused before it is decoded.
    """

    table: pd.DataFrame
    folder: Path | FileSource
    limits: Limits = DEFAULT_LIMITS


@dataclass(frozen=True)
class RuntimeOptions:
    """How the network is run, and what feeds it.

    Attributes:
        runtime: `auto`, `openvino` or `torch`.
        batch_size: Pictures in a forward pass on a GPU, halved when it runs out of memory; OpenVINO takes pieces
            of its own size.
        engine: What decodes the pictures; None: threads, as many as there are cores for this process, at most 16.
    """

    runtime: str = "auto"
    batch_size: int = Embedding.model_fields["batch_size"].default
    engine: Engine | None = None


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
    inputs: Inputs,
    network: NetworkSpec,
    options: RuntimeOptions | None = None,
    *,
    cache_dir: Path | None = None,
) -> Embedded:
    """Embed pictures, each content once; those in the cache are not opened.

    Args:
        inputs: The pictures.
        network: What embeds them.
        options: How it is run; None: the defaults.
        cache_dir: Folder of the cache; None embeds everything and keeps nothing.

    Returns:
        A row for each picture that has a vector, in the order of `images`.

    Raises:
        BackboneError: The backbone is unknown.
        WeightsError: Its weights cannot be had or do not fit.
        EmbeddingError: Nothing could be embedded.
        OutOfMemory: The device has no room for even one picture.
    """
    begun = time.monotonic()
    options = options or RuntimeOptions()
    if inputs.table.empty:
        raise EmbeddingError("there are no pictures to embed")
    backbone = network.resolve(memory=cache_dir)
    pictures = Pictures(inputs.table)
    with ExitStack() as stack:
        models = [stack.enter_context(scratch_folder())]
        if cache_dir is not None:
            models.insert(0, models_folder(cache_dir))
        start = partial(
            start_runtime,
            backbone=backbone,
            weights=lambda: network.obtain(backbone),
            batch_size=options.batch_size,
            models=models,
        )
        plan, store = _open_store(
            pictures.contents,
            backbone,
            cache_dir,
            lambda: settle(plan_runtime(options.runtime), backbone, start, models),
        )
        stack.enter_context(store)
        missing = np.flatnonzero(~store.at_hand)
        embedded, device, rate = 0, "disk", 0.0
        if len(missing):
            runtime = start(plan)
            device = runtime.device_name
            log.info(
                "embedding %d pictures with %s: %s on %s in %s",
                len(missing), backbone.name, plan.runtime, device, plan.precision,
            )  # fmt: skip
            started = time.monotonic()
            batches = prepared_batches(
                partial(prepare, file_source(inputs.folder), backbone.preprocessing, inputs.limits),
                pictures.select(missing),
                runtime.batch_size,
                options.engine or Threads(min(available_cores(), MOST_THREADS)),
            )
            with closing(batches):
                embedded = _embed_batches(batches, len(missing), pictures, runtime, store)
            rate = embedded / (time.monotonic() - started)
        rows = pictures.rows_with(store.at_hand)
        if not len(rows):
            raise EmbeddingError(_nothing_left(pictures.failures))
        vectors = _assemble(store, pictures.codes[rows], backbone.dimension)
    if embedded and cache_dir is not None and not store.problem:
        _tidy(set_folder(cache_dir, backbone, plan.precision))
    return Embedded(
        vectors=vectors,
        paths=inputs.table["path"].iloc[rows].tolist(),
        content_hashes=inputs.table["content_hash"].iloc[rows].tolist(),
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

    def __init__(self, table: pd.DataFrame) -> None:
        self.codes, contents = pd.factorize(table["content_hash"])
        self.contents = pd.Index(contents)
        self.failures: list[Failure] = []
        self._failed_rows: list[int] = []
        self._paths = table["path"].to_numpy(dtype=object)
        noted = {"bytes", "mtime_ns"} <= set(table.columns)
        self._noted = table[["bytes", "mtime_ns"]].to_numpy(dtype=np.int64) if noted else None
        self._order = np.argsort(self.codes, kind="stable")
        self._starts = np.searchsorted(self.codes[self._order], np.arange(len(self.contents) + 1))

    def content(self, number: int) -> Content:
        """The files of one of `contents`."""
        rows = self._order[self._starts[number] : self._starts[number + 1]].tolist()
        noted = None if self._noted is None else self._noted[rows].tolist()
        return Content(
            number,
            tuple(
                Copy(row, self._paths[row], None if noted is None else tuple(noted[place]))
                for place, row in enumerate(rows)
            ),
        )

    def select(self, numbers: NDArray[np.intp]) -> Sequence[Content]:
        """Some of `contents` with their files, each made when it is asked for."""
        return _Selected(self, numbers)

    def fail(self, failed: Iterable[Failed]) -> None:
        """Note failures."""
        for row, failure in failed:
            self._failed_rows.append(row)
            self.failures.append(failure)

    def fail_content(self, number: int, stage: str, reason: str) -> None:
        """Note a failure of all files of a content that have not failed before."""
        known = set(self._failed_rows)
        self.fail(
            Failed(copy.row, Failure(copy.path, stage, reason))
            for copy in self.content(number).copies
            if copy.row not in known
        )

    def rows_with(self, at_hand: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Rows that did not fail and whose content has a vector, in order."""
        good = at_hand[self.codes]
        good[self._failed_rows] = False
        return np.flatnonzero(good)


class _Selected(Sequence[Content]):
    """Contents that take no memory until they are asked for."""

    def __init__(self, pictures: Pictures, numbers: NDArray[np.intp]) -> None:
        self._pictures, self._numbers = pictures, numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: Any) -> Any:
        return self._pictures.content(int(self._numbers[index]))


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


def _embed_batches(
    batches: Iterable[Batch], total: int, pictures: Pictures, runtime: Runtime, store: VectorStore
) -> int:
    """Embed prepared contents into the store.

    Returns:
        How many were embedded; the others of `total` are among the failures of `pictures`.
    """
    embedded = 0
    under_way: deque[tuple[Batch, Pending]] = deque()

    def finish_first() -> int:
        batch, pending = under_way.popleft()
        features = pending.result()
        finite = np.isfinite(features).all(axis=1)
        store.put(batch.kept[finite], features[finite])
        for number in batch.kept[~finite]:
            pictures.fail_content(number, "embed", f"the network's {runtime.plan.precision} overflows")
        progress.advance(batch.count)
        return int(finite.sum())

    with task("Embedding", total=total, unit="images") as progress:
        for batch in batches:
            pictures.fail(batch.failed)
            if not len(batch.kept):
                progress.advance(batch.count)
                continue
            under_way.append((batch, runtime.start(batch.pixels)))
            if len(under_way) == IN_FLIGHT:
                embedded += finish_first()
        while under_way:
            embedded += finish_first()
    store.flush()
    return embedded


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
