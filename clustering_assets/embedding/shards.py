"""Pictures to vectors on a cluster: a worker holds the network, and does shards of the cache from files to disk.

What comes back says only which shard has whose vector, and what failed. A shard is named by its bytes, so one that is
done twice replaces itself, and what was finished when a run ended is in the cache.
"""

import socket
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clustering_assets.embedding.backbone import Backbone
from clustering_assets.embedding.cache import SHARD_ROWS, models_folder, set_folder, write_shard
from clustering_assets.embedding.catalogue import NetworkSpec
from clustering_assets.embedding.precision import TRIALS, settle
from clustering_assets.embedding.preparing import Batch, Content, Failed, prepare, prepared_batches
from clustering_assets.embedding.runtime import Plan, Runtime, RuntimeUnavailable, embedded
from clustering_assets.embedding.runtime_choice import plan_runtime, start_runtime, usual_batch
from clustering_assets.files.source import FileSource
from clustering_assets.images.reach import check_reach
from clustering_assets.storage import scratch_folder
from clustering_assets.stores import open_place
from clustering_assets.work.engine import Budget, Cluster, Lost, Task, WorkError
from clustering_assets.work.processes import Processes

if TYPE_CHECKING:
    from clustering_assets.settings import Limits

_LEAST = 64
"""Contents in a shard, where there are so many: a worker starts processes that decode for each."""

_PATIENCE = 600.0
_AHEAD = 1 << 17


class Done(NamedTuple):
    """What became of a content.

    Attributes:
        number: Which content it is.
        shard: File name of the shard that has its vector; empty if it has none.
        failed: What went wrong with its files.
        problem: What went wrong in the network; empty if nothing did.
        device: What computed.
    """

    number: int
    shard: str
    failed: list[Failed]
    problem: str
    device: str


@dataclass
class Embedder:
    """What a worker needs to embed shards, and the network that it then holds.

    Attributes:
        source: Where the pictures are.
        limits: What is refused before it is decoded.
        network: The network, by its facts, and where its weights come from.
        cache: Folder or URL of the cache.
        threads: Threads of the arithmetic, and processes that decode.
        batch_size: Pictures in a forward pass; 0: as many as keep the device busy.
        plan: How the network is run, by every worker the same.
    """

    source: FileSource
    limits: "Limits"
    network: NetworkSpec
    cache: str
    threads: int = 1
    batch_size: int = 1
    plan: Plan = field(default_factory=lambda: Plan("", "", "float32"))
    _runtime: Runtime | None = None

    @property
    def backbone(self) -> Backbone:
        """The facts of the network."""
        return self.network.resolve()

    def begin(self, _: Budget) -> None:
        """Load the network.

        Raises:
            ClusteringError: This machine cannot run it as planned, or has no weights.
        """
        check_plan(self.plan)
        self._runtime = self._start(self.plan, batch_size=self.batch_size or usual_batch(self.plan))

    def settled(self, plans: list[Plan]) -> list[Plan]:
        """Plans in the precision that suits the network, tried on this machine."""
        start = partial(self._start, batch_size=TRIALS)
        with self._models() as models:
            return [settle(plan, self.backbone, start, models) for plan in plans]

    def embed(self, units: list[tuple[Content, str]]) -> list[Done]:
        """Embed contents, each given with its hash, into one shard.

        Raises:
            WorkError: The cache cannot be written to.
        """
        assert self._runtime is not None
        backbone, contents = self.backbone, [content for content, _ in units]
        found = _Found({copy.row: content.number for content in contents for copy in content.copies})
        batches = prepared_batches(
            partial(prepare, self.source, backbone.preprocessing, self.limits),
            contents,
            self._runtime.batch_size,
            Processes(self.threads, always=True),
            backbone.preprocessing.view_bytes,
        )
        with closing(batches):
            for batch, features in embedded(self._runtime, batches):
                found.add(batch, features)
        hashes = {content.number: content_hash for content, content_hash in units}
        shard = self._write(pd.Index([hashes[number] for number in found.numbers]), found.vectors)
        has, device = set(found.numbers), self._runtime.device_name
        return [
            Done(
                number,
                shard if number in has else "",
                found.failed[number],
                self.plan.overflow if number in found.overflown else "",
                device,
            )
            for number in hashes
        ]

    def _start(self, plan: Plan, batch_size: int) -> Runtime:
        with self._models() as models:
            return start_runtime(
                plan,
                self.backbone,
                lambda: self.network.obtain(self.backbone),
                batch_size=batch_size,
                models=models,
                threads=self.threads,
            )

    @contextmanager
    def _models(self) -> Iterator[list[Path]]:
        """Folders for converted networks: the cache's where it is a folder, and one for the time of the block."""
        cache = open_place(self.cache, "output")
        with scratch_folder() as folder:
            yield [models_folder(cache), folder] if isinstance(cache, Path) else [folder]

    def _write(self, hashes: pd.Index, vectors: list[NDArray[np.float32]]) -> str:
        """The name of a new shard; empty if there is nothing to be written."""
        if not len(hashes):
            return ""
        folder = set_folder(open_place(self.cache, "output"), self.backbone, self.plan.precision)
        try:
            return write_shard(folder, hashes, np.concatenate(vectors)).name
        except OSError as error:
            raise WorkError(f"the cache {folder} cannot be written to ({error.strerror or error})") from error


class _Found:
    """What comes out of the network, and what does not.

    Attributes:
        numbers: Contents that have a vector, in the order of `vectors`.
        vectors: Blocks of finite rows.
        failed: What went wrong with the files of each content.
        overflown: Contents whose vector is not finite.
    """

    def __init__(self, owners: dict[int, int]) -> None:
        """`owners` tells of each row which content's it is."""
        self.numbers: list[int] = []
        self.vectors: list[NDArray[np.float32]] = []
        self.failed: dict[int, list[Failed]] = {number: [] for number in owners.values()}
        self.overflown: set[int] = set()
        self._owners = owners

    def add(self, batch: Batch, features: NDArray[np.float32]) -> None:
        """Take in a batch."""
        for failure in batch.failed:
            self.failed[self._owners[failure.row]].append(failure)
        finite = np.isfinite(features).all(axis=1)
        self.numbers += batch.kept[finite].tolist()
        self.overflown.update(batch.kept[~finite].tolist())
        if finite.any():
            self.vectors.append(features[finite])


class ClusterEmbedder:
    """The embedding of a run on a cluster; a context in which the cluster was found fit for it."""

    def __init__(
        self, cluster: Cluster, embedder: Embedder, runtime: str, batch_size: int, paths: Iterable[str]
    ) -> None:
        """What is to be done.

        Args:
            cluster: The engine.
            embedder: What its workers do; the plan and what follows from the cluster are set here.
            runtime: `auto`, `openvino` or `torch`.
            batch_size: Pictures in a forward pass; 0: as many as keep a device busy.
            paths: The pictures, of which every machine is asked for one.
        """
        threads = max(1, int(cluster.cpus))
        self._cluster, self._runtime, self._paths = cluster, runtime, paths
        self._embedder = replace(embedder, threads=threads, batch_size=batch_size)

    @property
    def plan(self) -> Plan:
        """How the network is run; known inside the context."""
        return self._embedder.plan

    def __enter__(self) -> "ClusterEmbedder":
        """Connect, ask every machine, and settle the precision.

        Raises:
            WorkError: The cluster cannot be used.
            RuntimeUnavailable: The runtime is not known, not installed, or cannot use the workers' GPUs.
        """
        self._connection = ExitStack()
        with ExitStack() as stack:
            stack.enter_context(self._cluster.connected())
            check_reach(self._cluster, self._embedder.source, self._paths, self._embedder.cache)
            self._embedder = replace(self._embedder, plan=self._settle())
            self._connection = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def embed(self, contents: Sequence[Content], hashes: pd.Index) -> Generator[Done | Lost, None, None]:
        """What becomes of each content in order, as soon as its shard is in the cache.

        Args:
            contents: What to embed.
            hashes: The content hash of each number.

        Raises:
            WorkError: The cluster cannot go on; what was finished is in the cache.
        """
        work = Task(
            self._embedder.embed,
            name=lambda unit: unit[0].name,
            size=lambda unit: unit[0].bytes,
            together=SHARD_ROWS,
            at_least=_LEAST,
            together_bytes=1 << 40,
            ahead=_AHEAD,
            patience=_PATIENCE,
            begin=self._embedder.begin,
        )
        return self._cluster.run_in_workers(work, _Hashed(contents, hashes))

    def _settle(self) -> Plan:
        """The plan, in a precision that was tried once: by a worker if they have GPUs, which this machine may not."""
        if not self._cluster.gpus:
            return self._embedder.settled([plan_runtime(self._runtime, use_gpu=False)])[0]
        if self._runtime == "openvino":
            raise RuntimeUnavailable(
                "runtime = 'openvino' uses no GPU: set ray_gpus = 0, or runtime = 'torch'"
            )
        trial = Task(self._embedder.settled, name=lambda plan: plan.precision, patience=_PATIENCE)
        with closing(self._cluster.run_in_workers(trial, [Plan("torch", "cuda", "float16")])) as plans:
            plan = next(plans)
        if isinstance(plan, Lost):
            raise WorkError(
                f"{self._embedder.backbone.name} cannot be tried on the cluster: trying it {plan.reason}"
            )
        return plan


def check_plan(plan: Plan) -> None:
    """Refuse a plan that this machine could follow only by computing otherwise than the others do.

    Raises:
        RuntimeUnavailable: With what it lacks.
    """
    here = plan_runtime(plan.runtime, use_gpu=plan.device != "cpu")
    if here.device != plan.device or plan.precision not in ("float32", here.precision):
        raise RuntimeUnavailable(
            f"{socket.gethostname()} computes on {here.device} in {here.precision}, where the others compute on "
            f"{plan.device} in {plan.precision}: its vectors would differ"
        )


class _Hashed(Sequence[tuple[Content, str]]):
    """Contents with their hashes, put together when they are asked for."""

    def __init__(self, contents: Sequence[Content], hashes: pd.Index) -> None:
        self._contents, self._hashes = contents, hashes

    def __len__(self) -> int:
        return len(self._contents)

    def __getitem__(self, index: Any) -> Any:
        content = self._contents[index]
        return content, self._hashes[content.number]
