"""The cache of embeddings: immutable Parquet shards, addressed by what is in the pictures.

    cache/vectors/<backbone>-<fingerprint>-<precision>/<hash of the shard>.parquet
    cache/models/           converted and compiled networks
    cache/backbones.json    facts about backbones

A set holds the vectors of one backbone, weights file, preprocessing and precision, so two networks never mix.
A shard is written under a partial name, moved into place and never changed; its name is the SHA-256 of its
bytes, so one that is damaged is noticed when it is read, and dropped. Vectors are kept in float16: the
rounding changes a cosine by less than 1e-6, far below what the network's own arithmetic does
(docs/performance.md has both, measured).
"""

import hashlib
import io
import logging
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from upath import UPath

from clustering_assets.embedding.backbone import Backbone
from clustering_assets.files import file_source
from clustering_assets.storage import write_bytes
from clustering_assets.work.engine import WorkError

log = logging.getLogger("clustering_assets.embedding")

SHARD_ROWS = 1024
"""Most vectors in a shard."""

SHARD_SECONDS = 20.0
"""A shard this old is written although it is not full; what a killed run has to compute again at most."""

MANY_SHARDS = 64
"""A set with more small shards than this is written together anew."""

_LARGEST_FLOAT16 = float(np.finfo(np.float16).max)
_LEAST_FLOAT16 = 0.01
"""Size of a vector's largest value from which float16's steps, 6e-8 near 0, do not matter."""


def models_folder(cache: Path) -> Path:
    """Where a cache keeps converted and compiled networks."""
    return cache / "models"


def set_folder(cache: Path | UPath, backbone: Backbone, precision: str) -> Path | UPath:
    """Where a cache keeps the vectors of one backbone in one precision."""
    name = backbone.name.replace(":", "-").replace("/", "-")
    return cache / "vectors" / f"{name}-{backbone.fingerprint}-{precision}"


class VectorStore:
    """The vectors of a run's pictures: those the cache has, and those that are added.

    Without a cache, or when the cache cannot be written to, vectors are kept in a temporary folder until the
    store is closed. Memory does not grow with the number of vectors. A context manager.

    Attributes:
        at_hand: For each wanted hash, whether its vector is there; shape (n,), bool.
        problem: Why the cache could not be used as it should, in words; empty if nothing went wrong.
    """

    def __init__(self, wanted: pd.Index, dimension: int, folder: Path | UPath | None) -> None:
        """Look up what is there.

        Args:
            wanted: Content hashes of the run's pictures, each once.
            dimension: Length of a vector.
            folder: The set's folder in the cache (`set_folder`); None works without a cache.
        """
        self.at_hand = np.zeros(len(wanted), dtype=bool)
        self.problem = ""
        self._wanted = wanted
        self._dimension = dimension
        self._folder = folder
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._shards: list[Path | UPath] = []
        self._pending: list[tuple[NDArray[np.intp], NDArray[np.float32]]] = []
        self._since = 0.0
        for shard in [] if folder is None else list_shards(folder):
            self._take_in(shard)

    def __enter__(self) -> "VectorStore":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what is pending, also after an error, so that finished work is not lost."""
        try:
            self.flush()
        finally:
            if self._temporary is not None:
                self._temporary.cleanup()

    def put(self, positions: NDArray[np.intp], vectors: NDArray[np.float32]) -> None:
        """Add vectors.

        Args:
            positions: Where their hashes are in `wanted`, shape (k,).
            vectors: Shape (k, dimension).

        Raises:
            OSError: Neither the cache nor the temporary folder can be written to.
        """
        if not len(positions):
            return
        if not self._pending:
            self._since = time.monotonic()
        self._pending.append((positions, vectors))
        full = sum(len(rows) for rows, _ in self._pending) >= SHARD_ROWS
        if full or time.monotonic() - self._since > SHARD_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write the vectors that were added since the last shard."""
        if not self._pending:
            return
        positions = np.concatenate([rows for rows, _ in self._pending])
        vectors = np.concatenate([block for _, block in self._pending])
        self._pending = []
        self._shards.append(self._write(self._wanted[positions], vectors))
        self.at_hand[positions] = True

    def take_in(self, shard: str) -> None:
        """Have the vectors of a shard that somebody else has written into the set.

        Raises:
            WorkError: It is not there, or not whole.
        """
        assert self._folder is not None
        if not self._take_in(self._folder / shard):
            raise WorkError(
                f"{self._folder / shard} was written by another machine and is not here, or not whole: the output must "
                "lie in a place that all machines share"
            )

    def vectors(self) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float32]]]:
        """All vectors at hand, shard by shard: positions in `wanted`, and float32 rows."""
        for shard in self._shards:
            data = read_shard(shard)
            if data is None:
                raise OSError(f"{shard} vanished or was damaged while it was in use; run again")
            hashes, rows = parse_shard(data)
            positions = self._wanted.get_indexer(hashes)
            known = positions >= 0
            yield positions[known], rows[known].astype(np.float32)

    def _take_in(self, shard: Path | UPath) -> bool:
        """Note what a shard has of the wanted vectors; whether it could be read, a damaged one being dropped."""
        data = read_shard(shard)
        if data is None:
            return False
        positions = self._wanted.get_indexer(
            _hashes(pq.read_table(pa.BufferReader(data), columns=["content_hash"]))
        )
        positions = positions[positions >= 0]
        if not self.at_hand[positions].all():
            self.at_hand[positions] = True
            self._shards.append(shard)
        return True

    def _write(self, hashes: pd.Index, vectors: NDArray[np.float32]) -> Path | UPath:
        """Write a shard to the cache, or to the temporary folder where that fails."""
        if self._folder is not None and self._temporary is None:
            try:
                return write_shard(self._folder, hashes, vectors)
            except OSError as error:
                self.problem = (
                    f"the cache {self._folder} cannot be written to ({error.strerror or error}): these embeddings "
                    "will be computed again in the next run"
                )
                log.warning("%s", self.problem)
        if self._temporary is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="embeddings-")
        return write_shard(Path(self._temporary.name), hashes, vectors)


def list_shards(folder: Path | UPath) -> list[Path | UPath]:
    """The shards of a set, in a fixed order; none if there is no such set or it cannot be read."""
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == ".parquet" and path.name[0] != ".")
    except OSError:
        return []


def write_shard(folder: Path | UPath, hashes: pd.Index, vectors: NDArray[np.float32]) -> Path | UPath:
    """Write vectors as a new shard, in float16 unless one of them is too large or too small for it.

    Args:
        folder: The set.
        hashes: Content hashes, shape (k,).
        vectors: Finite, shape (k, d).

    Returns:
        The shard.

    Raises:
        OSError: The folder cannot be written to.
    """
    largest = np.abs(vectors).max(axis=1, initial=0)
    fits = bool(((largest == 0) | ((largest >= _LEAST_FLOAT16) & (largest <= _LARGEST_FLOAT16))).all())
    rows = vectors.astype(np.float16 if fits else np.float32)
    table = pa.table(
        {
            "content_hash": pa.array(hashes, pa.string()),
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(rows.reshape(-1)), vectors.shape[1]),
        }
    )
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="none", use_dictionary=False)
    data = buffer.getvalue()
    path = folder / f"{_digest(data)}.parquet"
    write_bytes(path, data)
    return path


def read_shard(path: Path | UPath, *, thorough: bool = False) -> bytes | None:
    """The bytes of a shard; None if it is unreadable, gone or damaged, in which case it is removed.

    Args:
        path: The shard.
        thorough: Whether of a shard on a store no copy on this machine will do.
    """
    try:
        data = path.read_bytes() if thorough or isinstance(path, Path) else _fetched(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        log.warning("%s cannot be read (%s): its pictures are embedded again", path, error.strerror)
        return None
    if _digest(data) == path.stem:
        return data
    log.warning("%s is damaged: it is dropped, and its pictures are embedded again", path)
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("%s cannot be removed (%s)", path, error.strerror)
    return None


def _fetched(shard: UPath) -> bytes:
    """The bytes of a shard on a store, fetched once: a shard never changes."""
    folder = file_source(str(shard.parent), "output")
    with (folder / shard.name).open() as file:
        return file.read()


def damaged_shards(cache: Path | UPath) -> list[Path | UPath]:
    """Read all shards of a cache, remove those that are damaged, and return them."""
    shards = [shard for folder in _set_folders(cache) for shard in list_shards(folder)]
    return [shard for shard in shards if read_shard(shard, thorough=True) is None]


def parse_shard(data: bytes) -> tuple[pd.Index, NDArray[np.float16] | NDArray[np.float32]]:
    """The content hashes (k,) and the vectors (k, d) of a shard."""
    table = pq.read_table(pa.BufferReader(data))
    column = table["vector"].combine_chunks()
    return _hashes(table), column.flatten().to_numpy().reshape(len(table), column.type.list_size)


def _hashes(table: pa.Table) -> pd.Index:
    return pd.Index(table["content_hash"].to_pylist())


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:40]


@dataclass(frozen=True)
class SetInfo:
    """What one set holds: vectors of one backbone, weights, preprocessing and precision."""

    name: str
    shards: int
    vectors: int
    bytes: int


@dataclass(frozen=True)
class CacheInfo:
    """What a cache holds.

    Attributes:
        folder: The cache.
        sets: One entry for each set of vectors, by name.
        model_bytes: Size of the converted and compiled networks.
    """

    folder: Path | UPath
    sets: tuple[SetInfo, ...]
    model_bytes: int

    @property
    def bytes(self) -> int:
        """Size of everything, in bytes."""
        return self.model_bytes + sum(entry.bytes for entry in self.sets)


@dataclass(frozen=True)
class Pruned:
    """What `prune_cache` removed."""

    vectors: int = 0
    bytes: int = 0


def cache_info(cache: Path | UPath) -> CacheInfo:
    """What a cache holds; a missing folder is an empty cache."""
    sets = []
    for folder in _set_folders(cache):
        shards = list_shards(folder)
        sets.append(
            SetInfo(
                name=folder.name,
                shards=len(shards),
                vectors=sum(_row_count(shard) for shard in shards),
                bytes=sum(shard.stat().st_size for shard in shards),
            )
        )
    return CacheInfo(cache, tuple(sets), _size(models_folder(cache)) if isinstance(cache, Path) else 0)


def prune_cache(
    cache: Path | UPath,
    *,
    keep_hashes: Collection[str] | None = None,
    keep_sets: Collection[str] | None = None,
) -> Pruned:
    """Remove what is not kept, and write small shards together.

    Args:
        cache: The cache.
        keep_hashes: Content hashes whose vectors stay; None keeps all.
        keep_sets: Names of the sets that stay (`SetInfo.name`); None keeps all. Networks stay.

    Returns:
        How many vectors and bytes went.

    Raises:
        OSError: The cache cannot be written to.
    """
    before = cache_info(cache)
    for folder in _set_folders(cache):
        if keep_sets is not None and folder.name not in keep_sets:
            shutil.rmtree(folder) if isinstance(folder, Path) else folder.fs.rm(folder.path, recursive=True)
        else:
            rewrite_set(folder, None if keep_hashes is None else pd.Index(list(keep_hashes)))
    after = cache_info(cache)
    count = sum(entry.vectors for entry in before.sets) - sum(entry.vectors for entry in after.sets)
    return Pruned(vectors=count, bytes=before.bytes - after.bytes)


def rewrite_set(folder: Path | UPath, keep: pd.Index | None = None) -> None:
    """Write a set's shards together into full ones, without repetitions and without what is not kept.

    New shards are complete before old ones go, so a run that is killed loses nothing.
    """
    old = list_shards(folder)
    seen: set[str] = set()
    new: set[Path | UPath] = set()
    hashes: list[str] = []
    blocks: list[NDArray[np.float32]] = []

    def write() -> None:
        if hashes:
            new.add(write_shard(folder, pd.Index(hashes), np.stack(blocks)))
            hashes.clear()
            blocks.clear()

    for shard in old:
        data = read_shard(shard)
        if data is None:
            continue
        names, rows = parse_shard(data)
        kept = np.ones(len(names), bool) if keep is None else names.isin(keep)
        for position in np.flatnonzero(kept).tolist():
            if names[position] in seen:
                continue
            seen.add(names[position])
            hashes.append(names[position])
            blocks.append(rows[position].astype(np.float32))
            if len(hashes) == SHARD_ROWS:
                write()
    write()
    for shard in set(old) - new:
        shard.unlink(missing_ok=True)


def _set_folders(cache: Path | UPath) -> list[Path | UPath]:
    root = cache / "vectors"
    return sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []


def _row_count(shard: Path | UPath) -> int:
    """Rows of a shard, from its footer; 0 if it is damaged."""
    try:
        with shard.open("rb") as file:
            return pq.read_metadata(file).num_rows
    except (OSError, pa.ArrowInvalid):
        return 0


def _size(folder: Path | UPath) -> int:
    """Size of all files below a folder, in bytes."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
