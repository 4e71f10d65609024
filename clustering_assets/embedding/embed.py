"""Pictures to vectors: prepared by an engine, run through the network in batches, and nothing computed twice."""

import logging
import tempfile
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, nullcontext
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from upath import UPath

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
from clustering_assets.embedding.pace import Pace, Waits, limit
from clustering_assets.embedding.precision import TRIALS, settle
from clustering_assets.embedding.preparing import (
    Batch,
    Content,
    Copy,
    Failed,
    Failure,
    prepare,
    prepared_batches,
)
from clustering_assets.embedding.runtime import IN_FLIGHT, PRECISIONS, DeviceLost, Pending, Plan, Runtime
from clustering_assets.embedding.runtime_choice import plan_runtime, start_runtime, usual_batch
from clustering_assets.embedding.shards import ClusterEmbedder, Embedder
from clustering_assets.errors import ClusteringError
from clustering_assets.files import file_source
from clustering_assets.files.source import FileSource
from clustering_assets.images.load import as_sent
from clustering_assets.progress import task
from clustering_assets.settings import DEFAULT_LIMITS, Embedding, Limits
from clustering_assets.storage import scratch_folder
from clustering_assets.work.choice import make_engine
from clustering_assets.work.engine import Cluster, Engine, Lost

log = logging.getLogger("clustering_assets.embedding")


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
        batch_size: Pictures in a forward pass on a GPU, halved when it runs out of memory; 0: as many as keep it busy.
            OpenVINO takes pieces of its own size.
        engine: What decodes the pictures; None: processes of their own, so that all cores work, or threads for few.
            A cluster (`RayCluster`) also runs the network, and needs a cache that all of its machines share.
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
        waits: How long the network waited for pictures, and pictures for the network.
        limit: What held the work up and what would help, in words; empty if nothing was embedded.
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
    waits: Waits
    limit: str
    warning: str
    seconds: float


def embed(
    inputs: Inputs,
    network: NetworkSpec,
    options: RuntimeOptions | None = None,
    *,
    cache_dir: Path | UPath | None = None,
) -> Embedded:
    """Embed pictures, each content once; those in the cache are not opened.

    A GPU that stops computing in the middle is done without where the runtime is `auto`.

    Args:
        inputs: The pictures.
        network: What embeds them.
        options: How it is run; None: the defaults.
        cache_dir: Folder of the cache; None embeds everything and keeps nothing. What only this machine can use is
            kept there where it is a folder of this machine.

    Returns:
        A row for each picture that has a vector, in the order of `images`.

    Raises:
        BackboneError: The backbone is unknown.
        WeightsError: Its weights cannot be had or do not fit.
        EmbeddingError: Nothing could be embedded.
        WorkError: A cluster cannot do it, or not go on.
        OutOfMemory: The device has no room for even one picture.
        DeviceLost: It computes no more, and the runtime was chosen.
    """
    options = options or RuntimeOptions()
    if inputs.table.empty:
        raise EmbeddingError("there are no pictures to embed")
    try:
        return _embed(inputs, network, options, cache_dir)
    except DeviceLost as error:
        if options.runtime != "auto":
            raise
        log.warning("%s", error)
        embedded = _embed(inputs, network, options, cache_dir)
        return replace(embedded, warning="\n".join(filter(None, (str(error), embedded.warning))))


def _embed(
    inputs: Inputs, network: NetworkSpec, options: RuntimeOptions, cache_dir: Path | UPath | None
) -> Embedded:
    """As `embed`, on the device that is the best now."""
    begun = time.monotonic()
    local = cache_dir if isinstance(cache_dir, Path) else None
    backbone = network.resolve(memory=local)
    pictures = Pictures(inputs.table)
    engine = options.engine or make_engine()
    there = _on_cluster(engine, inputs, network, backbone, options, cache_dir)
    with ExitStack() as stack:
        models = [stack.enter_context(scratch_folder())]
        if local is not None:
            models.insert(0, models_folder(local))
        start = partial(
            start_runtime, backbone=backbone, weights=lambda: network.obtain(backbone), models=models
        )
        trial = partial(start, batch_size=TRIALS)
        plan, store = _open_store(
            pictures.contents,
            backbone,
            cache_dir,
            lambda: (
                stack.enter_context(there).plan
                if there
                else settle(plan_runtime(options.runtime), backbone, trial, models)
            ),
        )
        stack.enter_context(store)
        done = _Work()
        missing = np.flatnonzero(~store.at_hand)
        if len(missing) and there:
            done = _embed_there(there, missing, pictures, store)
        elif len(missing):
            batch_size = options.batch_size or usual_batch(plan)
            batches = prepared_batches(
                partial(prepare, file_source(inputs.folder), backbone.preprocessing, as_sent(inputs.limits)),
                pictures.select(missing),
                batch_size,
                engine,
                backbone.preprocessing.view_bytes,
            )
            log.info(
                "embedding %d pictures with %s: %s in %s",
                len(missing), backbone.name, plan.runtime, plan.precision,
            )  # fmt: skip
            done = _embed_batches(
                batches, len(missing), pictures, partial(start, plan, batch_size=batch_size), store
            )
        rows = pictures.rows_with(store.at_hand)
        if not len(rows):
            raise EmbeddingError(_nothing_left(pictures.failures))
        vectors = _assemble(store, pictures.codes[rows], backbone.dimension)
    if done.embedded and cache_dir is not None and not store.problem:
        _tidy(set_folder(cache_dir, backbone, plan.precision))
    return Embedded(
        vectors=vectors,
        paths=inputs.table["path"].iloc[rows].tolist(),
        content_hashes=inputs.table["content_hash"].iloc[rows].tolist(),
        failures=pictures.failures,
        backbone=backbone.name,
        dimension=backbone.dimension,
        runtime=plan.runtime,
        precision=plan.precision,
        weights_id=backbone.weights_id,
        **vars(done),
        reused=len(rows) - done.embedded,
        warning="\n".join(filter(None, (backbone.warning, store.problem))),
        seconds=time.monotonic() - begun,
    )


@dataclass(frozen=True)
class _Work:
    """What had to be computed; the fields are those of `Embedded`."""

    embedded: int = 0
    device: str = "disk"
    images_per_second: float = 0.0
    waits: Waits = field(default_factory=Waits)
    limit: str = ""


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
    contents: pd.Index, backbone: Backbone, cache_dir: Path | UPath | None, plan_for: Callable[[], Plan]
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
    batches: Generator[Batch, None, None],
    total: int,
    pictures: Pictures,
    start: Callable[[], Runtime],
    store: VectorStore,
) -> _Work:
    """Embed prepared contents into the store; those of `total` that are not are among the failures of `pictures`.

    The first pictures are prepared while the network starts.
    """
    embedded = 0
    under_way: deque[tuple[Batch, Pending]] = deque()

    def finish_first() -> int:
        batch, pending = under_way.popleft()
        with pace.network():
            features = pending.result()
        finite = np.isfinite(features).all(axis=1)
        store.put(batch.kept[finite], features[finite])
        for number in batch.kept[~finite]:
            pictures.fail_content(number, "embed", runtime.plan.overflow)
        progress.advance(batch.count)
        return int(finite.sum())

    with closing(batches), task("Embedding", total=total, unit="images") as progress:
        with ThreadPoolExecutor(1) as beside:
            starting = beside.submit(copy_context().run, start)
            first = next(batches)
            runtime = starting.result()
        begun, pace = time.monotonic(), Pace()
        for batch in pace.pictures(chain([first], batches)):
            pictures.fail(batch.failed)
            if not len(batch.kept):
                progress.advance(batch.count)
                continue
            # on a GPU this only hands the pictures over
            with pace.network() if runtime.plan.device == "cpu" else nullcontext():
                under_way.append((batch, runtime.start(batch.pixels)))
            if len(under_way) == IN_FLIGHT:
                embedded += finish_first()
        while under_way:
            embedded += finish_first()
    store.flush()
    waits, rate = pace.waits(), embedded / (time.monotonic() - begun)
    log.info("%.0f pictures a second on %s", rate, runtime.device_name)
    return _Work(
        embedded, runtime.device_name, rate, waits, limit(waits, on_gpu=runtime.plan.device != "cpu")
    )


def _on_cluster(
    engine: Engine,
    inputs: Inputs,
    network: NetworkSpec,
    backbone: Backbone,
    options: RuntimeOptions,
    cache_dir: Path | UPath | None,
) -> ClusterEmbedder | None:
    """What embeds on a cluster; None where the engine is none.

    Raises:
        EmbeddingError: There is no cache.
    """
    if not isinstance(engine, Cluster):
        return None
    if cache_dir is None:
        raise EmbeddingError(
            "a cluster brings its vectors in the cache: set cache = true, and output to a place that all of its "
            "machines share"
        )
    own = backbone.weights.path
    weights = replace(backbone.weights, path=own and own.absolute())  # a worker stands in another folder
    return ClusterEmbedder(
        engine,
        Embedder(
            file_source(inputs.folder),
            as_sent(inputs.limits),
            replace(network, backbone=replace(backbone, weights=weights)),
            str(cache_dir.absolute() if isinstance(cache_dir, Path) else cache_dir),
        ),
        options.runtime,
        options.batch_size,
        inputs.table["path"],
    )


def _embed_there(
    there: ClusterEmbedder, missing: NDArray[np.intp], pictures: Pictures, store: VectorStore
) -> _Work:
    """Have contents embedded on a cluster; those that are not are among the failures of `pictures`."""
    begun = time.monotonic()
    device = "a cluster"
    shards: set[str] = set()
    count = 0
    with (
        task("Embedding", total=len(missing), unit="images") as progress,
        closing(there.embed(pictures.select(missing), pictures.contents)) as outcomes,
    ):
        for number, outcome in zip(missing.tolist(), outcomes, strict=True):
            progress.advance()
            if isinstance(outcome, Lost):
                pictures.fail_content(number, "embed", f"the worker that embedded it {outcome.reason}")
                continue
            pictures.fail(outcome.failed)
            if outcome.problem:
                pictures.fail_content(number, "embed", outcome.problem)
            elif outcome.shard:
                count += 1
                device = outcome.device
                if outcome.shard not in shards:
                    store.take_in(outcome.shard)
                    shards.add(outcome.shard)
    return _Work(count, device, count / (time.monotonic() - begun))


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


def _tidy(folder: Path | UPath) -> None:
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
