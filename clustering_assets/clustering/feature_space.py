"""The feature space that every algorithm works in, fitted once on the embeddings and then reused."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clustering_assets.errors import ClusteringError
from clustering_assets.threads import arithmetic_on_one_thread, available_cores
from clustering_assets.words import counted

DIMENSIONS = 50
"""Principal components kept. More bring back noise: distances between pictures then say less."""

FIT_ROWS = 5_000
"""Most rows that the space is fitted on; beyond, an even sample of this size stands for all."""

CHUNK_ROWS = 512
"""Rows that are worked on at a time: few enough to stay in a core's cache, and a memory-mapped array is never held
as a whole."""

EXACT_ROWS = 1_000
"""Up to this many rows the components are computed exactly. A randomised search finds the last of them differently by
seed, which is noise in every distance between pictures, and saves next to nothing here."""

ROUNDS = 4
"""Power iterations of the randomised search for the components."""


class VectorsError(ClusteringError):
    """Embeddings that cannot be clustered: wrong shape, empty, or not finite."""


@dataclass(frozen=True)
class FeatureSpace:
    """Signed square root, standardisation, principal components, unit length.

    The square root evens out pooled activations, which are skewed (the power normalisation of Perronnin,
    Sanchez and Mensink, 2010, doi 10.1007/978-3-642-15561-1_11); standardisation keeps a few strong
    channels from ruling every distance; unit length makes Euclidean distance a function of the cosine.

    Attributes:
        mean: (d,) mean of the rooted features.
        scale: (d,) their standard deviation, 1 where a feature is constant.
        components: (m, d) principal axes, strongest first.
        explained: Share of the variance that the m components hold (0 to 1).
    """

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    components: NDArray[np.float32]
    explained: float

    @classmethod
    def fit(
        cls,
        vectors: NDArray[np.floating],
        seed: int = 0,
        dimensions: int = DIMENSIONS,
        order: NDArray[np.intp] | None = None,
    ) -> "FeatureSpace":
        """The space of these embeddings.

        Args:
            vectors: (n, d) embeddings, finite; may be a memmap.
            seed: Seed of the sample and of the decomposition, which is randomised for many rows.
            dimensions: Most components to keep; never more than n - 1 or d.
            order: Row numbers, the first of which are the sample, in this order; None draws it by the seed.
        """
        from sklearn.decomposition import PCA

        rows = even_sample(len(vectors), FIT_ROWS, seed) if order is None else order[:FIT_ROWS]
        rooted = _root(np.asarray(vectors[rows], dtype=np.float32))
        mean = rooted.mean(axis=0)
        scale = rooted.std(axis=0)
        scale[scale < 1e-6] = 1.0
        rooted -= mean
        rooted /= scale
        kept = max(1, min(dimensions, len(rooted) - 1, rooted.shape[1]))
        solver = "full" if len(rooted) <= EXACT_ROWS else "randomized"
        pca = PCA(kept, svd_solver=solver, iterated_power=ROUNDS, random_state=seed)  # pyright: ignore[reportArgumentType]
        # one row has no variance to share out
        with arithmetic_on_one_thread(), np.errstate(divide="ignore", invalid="ignore"):
            pca.fit(rooted)
            explained = float(np.nan_to_num(pca.explained_variance_ratio_).sum())
        return cls(mean, scale, np.asarray(pca.components_, dtype=np.float32), explained)

    def transform(
        self, vectors: NDArray[np.floating], order: NDArray[np.intp] | None = None
    ) -> NDArray[np.float32]:
        """The (n, m) unit vectors of (n, d) embeddings; a picture at the very centre stays zero.

        Args:
            vectors: The embeddings; may be a memmap.
            order: Row numbers in the order that the result shall have; None: as they come.
        """
        result = np.empty((len(vectors), len(self.components)), dtype=np.float32)
        axes = (self.components / self.scale).T
        offset = self.mean @ axes

        def place(start: int) -> None:
            here = slice(start, start + CHUNK_ROWS)
            rows = vectors[here] if order is None else vectors[order[here]]
            part = _root(np.asarray(rows, dtype=np.float32)) @ axes - offset
            length = np.linalg.norm(part, axis=1, keepdims=True)
            result[here] = part / np.where(length < 1e-6, 1.0, length)

        in_threads(place, range(0, len(vectors), CHUNK_ROWS))
        return result


def _root(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The square root of each value's size, with its sign."""
    if rows.size and rows.min() >= 0:  # as with most networks' features
        return np.sqrt(rows)
    root = np.abs(rows)
    np.sqrt(root, out=root)
    return np.copysign(root, rows, out=root)


def in_threads(work: Callable[[int], None], starts: Sequence[int]) -> None:
    """Call `work` for each start of a chunk, on as many threads as there are cores, at most four.

    Matrix products within `work` stay on its own thread: threads of their own would only wait for one another.
    """
    workers = min(available_cores(), len(starts), 4)
    if workers < 2:
        for start in starts:
            work(start)
        return

    with arithmetic_on_one_thread(), ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(work, starts):
            pass


def even_sample(n: int, most: int, seed: int) -> NDArray[np.intp]:
    """At most `most` of the row numbers 0..n-1, drawn without replacement, in ascending order."""
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, most, replace=False))


def sample_members(labels: NDArray[np.integer], cluster: int, most: int) -> NDArray[np.intp]:
    """At most `most` of the rows that have a label, evenly drawn, in ascending order."""
    rows = np.flatnonzero(labels == cluster)
    return rows[even_sample(len(rows), most, cluster)]


def check_vectors(vectors: NDArray[np.floating], count: int | None = None) -> None:
    """Refuse embeddings that no method could use.

    Args:
        vectors: What shall be an (n, d) array of finite numbers.
        count: Number of pictures they should belong to; None when that is not known.

    Raises:
        VectorsError: Not a table of numbers, empty, NaN or infinite in some row, or not `count` rows.
    """
    if vectors.ndim != 2 or not np.issubdtype(vectors.dtype, np.floating):
        raise VectorsError(
            f"the embeddings have shape {vectors.shape} and type {vectors.dtype}; "
            "a table (images, dimensions) of floating-point numbers is needed"
        )
    if count is not None and len(vectors) != count:
        raise VectorsError(
            f"{counted(len(vectors), 'embedding')} for {counted(count, 'image')}: the two do not belong together; "
            "compute the embeddings again (materialize `embeddings`)"
        )
    if not vectors.size:
        raise VectorsError("there are no embeddings to cluster: no usable image was embedded")
    for start in range(0, len(vectors), CHUNK_ROWS):
        finite = np.isfinite(vectors[start : start + CHUNK_ROWS]).all(axis=1)
        if not finite.all():
            bad = start + int(np.flatnonzero(~finite)[0])
            raise VectorsError(
                f"embedding {bad} (line {bad + 1} of image_paths.txt) holds NaN or infinite values; "
                "delete the embedding cache and compute the embeddings again"
            )


def count_distinct(vectors: NDArray[np.floating], enough: int) -> int:
    """How many different rows there are, counted no further than `enough`."""
    seen: set[bytes] = set()
    for start in range(0, len(vectors), CHUNK_ROWS):
        for row in np.ascontiguousarray(vectors[start : start + CHUNK_ROWS]):
            seen.add(row.tobytes())
            if len(seen) >= enough:
                return enough
    return len(seen)
