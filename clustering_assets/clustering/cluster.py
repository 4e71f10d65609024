"""The one way into clustering: vectors in, a labelled and measured clustering out."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from clustering_assets.clustering.algorithms import AlgorithmError, Request
from clustering_assets.clustering.feature_space import (
    DIMENSIONS,
    FeatureSpace,
    check_vectors,
    count_distinct,
)
from clustering_assets.clustering.quality import Fit, Quality, measure
from clustering_assets.memory import free_bytes
from clustering_assets.settings import LOOKS
from clustering_assets.threads import arithmetic_on_one_thread
from clustering_assets.words import counted

FEWEST = 4
"""With fewer pictures there is nothing to choose: `auto` and the density methods make one cluster."""

FULL_ROWS = 2_000
"""Up to this many pictures every one takes part in the clustering; beyond, an even sample of this many is
clustered and every other picture follows its nearest neighbour in the sample. So time and memory grow with n."""

SWIFT_ROWS = 10_000
"""With more pictures k-means goes without the neighbour embeddings."""


PART = 12
"""Fewest pictures, on average, of the clusters that an event is divided into."""


@dataclass(frozen=True)
class Clustering:
    """A clustering of n pictures with everything measured about it.

    Attributes:
        labels: (n,) labels 0..k-1 in order of size, -1 for pictures that belong to no cluster.
        points: (n, m) unit vectors of the feature space, with the kinds of thing beside them where they are known.
        coordinates: (n, 2) the first two principal components, for drawing.
        fit: How each picture fits its cluster.
        quality: Figures of the whole.
        algorithm: The algorithm that made the labels.
        notes: What a person should know: choices and their margins, warnings.
        groups: (n,) the group that each picture is in where groups were given; None where looks alone made them.
    """

    labels: NDArray[np.int64]
    points: NDArray[np.float32]
    coordinates: NDArray[np.float64]
    fit: Fit
    quality: Quality
    algorithm: str
    notes: list[str] = field(default_factory=list)
    groups: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class _Labelled:
    """Labels as an algorithm numbered them, the algorithm, its stability, and what a person should know."""

    labels: NDArray[np.int64]
    algorithm: str
    stability: float = float("nan")
    notes: list[str] = field(default_factory=list)


def cluster(
    vectors: NDArray[np.floating],
    request: Request,
    kinds: NDArray[np.floating] | None = None,
    order: NDArray[np.intp] | None = None,
    groups: NDArray[np.int64] | None = None,
) -> Clustering:
    """Cluster embeddings and measure the result.

    The seed decides where a sample stands for all. Where all pictures are clustered, what is drawn at random is drawn
    alike whatever the seed, so that luck does not choose between two answers that the evidence holds for equally good.

    Args:
        vectors: (n, d) embeddings, finite floating-point numbers; may be a memmap.
        request: What is asked for.
        kinds: (n, j) what kind of thing each picture shows (`kind_shares`), which joins the feature space.
        order: Row numbers in an order that depends on the pictures alone and not on what they show, such as that of
            their content hashes: the clusters are then the same in whatever order the rows come, and where there are
            many, the sample stays much the same when some are added. None takes the rows as they come, and samples by
            the seed.
        groups: (n,) groups that are given, -1 for pictures that join the one of those that look most like them. They
            are the clusters, or are divided by looks where that is asked for. None: looks alone make the clusters.

    Raises:
        VectorsError: The embeddings cannot be used.
        AlgorithmError: More clusters than distinct pictures, or than memory.
    """
    check_vectors(vectors)
    distinct = count_distinct(vectors, max(request.clusters, FEWEST) + 1)
    if request.fixed and request.clusters > distinct:
        verb, choice = ("is", "1") if distinct == 1 else ("are", f"from 1 to {distinct}")
        raise AlgorithmError(
            f"clusters = {request.clusters}: there {verb} only {counted(distinct, 'distinct image')}; "
            f"choose {choice}, or auto"
        )
    check_memory(len(vectors), min(len(vectors), _sample_size(request)))
    if len(vectors) <= _sample_size(request):
        request = replace(request, seed=0)
    if order is None:
        order = np.random.default_rng(request.seed).permutation(len(vectors))
    space = FeatureSpace.fit(vectors, request.seed, order=order)
    ordered = space.transform(vectors, order)
    looks = 0 if kinds is None else ordered.shape[1]
    if kinds is not None:
        ordered = beside(ordered, kinds[order])
    if groups is None:
        found, given = _label(ordered, request, distinct, looks), None
    else:
        from clustering_assets.clustering.consensus import settle

        given = np.empty(len(ordered), dtype=np.int64)
        given[order] = settle(ordered, groups[order])
        found = _grouped(vectors, request, kinds, order, given)
    points, labels = np.empty_like(ordered), np.empty(len(ordered), dtype=np.int64)
    points[order], labels[order] = ordered, by_size(found.labels)
    fit, quality = measure(points, labels, found.stability, space.explained, request.seed)
    return Clustering(labels, points, _plane(points), fit, quality, found.algorithm, found.notes, given)


def _grouped(
    vectors: NDArray[np.floating],
    request: Request,
    kinds: NDArray[np.floating] | None,
    order: NDArray[np.intp],
    groups: NDArray[np.int64],
) -> _Labelled:
    """The groups, or the clusters within them, in the order given."""
    if LOOKS not in request.group_by:
        return _Labelled(groups[order], request.group_by)
    labels, notes = groups.copy(), []
    for group, size in zip(*np.unique(groups, return_counts=True), strict=True):
        rows = order[groups[order] == group]
        asked = min(request.clusters or size, int(size) // PART, count_distinct(vectors[rows], int(size)))
        if asked < 2:
            continue
        whole = replace(request, group_by=LOOKS, clusters=asked if request.clusters else 0)
        within = cluster(vectors[rows], whole, None if kinds is None else kinds[rows], np.arange(len(rows)))
        labels[rows] = np.where(within.labels < 0, -1, within.labels + labels.max() + 1)
    return _Labelled(labels[order], request.group_by, notes=notes)


def _sample_size(request: Request) -> int:
    """How many pictures take part in the clustering, if there are so many."""
    return max(FULL_ROWS, 20 * request.clusters)


def beside(points: NDArray[np.float32], kinds: NDArray[np.floating]) -> NDArray[np.float32]:
    """Points of the feature space with further directions beside theirs, at unit length again."""
    joined = np.hstack([points, kinds]).astype(np.float32, copy=False)
    length = np.linalg.norm(joined, axis=1, keepdims=True)
    joined /= np.where(length < 1e-6, 1.0, length)
    return joined


def needed_bytes(n: int, sample: int) -> int:
    """Memory that clustering n pictures by way of a sample takes at most, in bytes, without the embeddings themselves.

    For each picture its point of the feature space, twice, and a dozen numbers; for the sample about ten tables
    of all its pairs.
    """
    return n * ((DIMENSIONS + 40) * 4 * 2 + 12 * 8) + sample * sample * 8 * 10 + 300_000_000


def check_memory(n: int, sample: int) -> None:
    """Refuse, before any work, what the machine's free memory cannot hold.

    Raises:
        AlgorithmError: The message gives both numbers and the way out.
    """
    needed, free = needed_bytes(n, sample), free_bytes()
    if needed > free:
        raise AlgorithmError(
            f"clustering {n:,} images by way of {sample:,} needs up to {needed / 1e9:.1f} GB of memory and "
            f"{free / 1e9:.1f} GB are free; choose fewer clusters (at most {FULL_ROWS // 20} need the least), "
            "close other programs, or use a machine with more memory"
        )


def _label(points: NDArray[np.float32], request: Request, distinct: int, looks: int) -> _Labelled:
    """Labels of all points, by way of the first of them where there are many."""
    n = len(points)
    if request.fixed and request.clusters in (1, n):
        every = np.arange(n) if request.clusters == n else np.zeros(n, dtype=np.int64)
        return _Labelled(every, request.algorithm)
    if distinct < FEWEST and not request.fixed:
        note = f"only {counted(distinct, 'distinct image')}: nothing to tell apart, so they are one cluster"
        return _Labelled(np.zeros(n, dtype=np.int64), request.algorithm, notes=[note])

    from clustering_assets.clustering.estimators import estimator_for
    from clustering_assets.clustering.graph import follow

    sample = points[: _sample_size(request)]
    model = estimator_for(request, swift=n > SWIFT_ROWS, looks=looks)
    with arithmetic_on_one_thread():
        labels = model.fit(sample).labels_
    notes = model.notes_
    if len(sample) < n:
        notes.append(f"{len(sample):,} of {n:,} images were clustered; the others follow their neighbours")
        others = follow(points[len(sample) :], sample, labels, neighbours=1)
        labels = np.concatenate([labels, others])
    return _Labelled(labels.astype(np.int64), request.algorithm, model.stability_, notes)


def by_size(labels: NDArray[np.integer]) -> NDArray[np.int64]:
    """The labels renumbered 0, 1, 2, ... from the largest cluster to the smallest; -1 stays."""
    groups, first, count = np.unique(labels[labels >= 0], return_index=True, return_counts=True)
    order = np.lexsort((first, -count))
    number = np.full(int(groups.max(initial=-1)) + 2, -1)  # the last entry is that of the label -1
    number[groups[order]] = np.arange(len(groups))
    return number[labels]


def _plane(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """The (n, 2) first two principal components of the points, each axis with a fixed sign."""
    middle = points.mean(axis=0, dtype=np.float64)
    scatter = (points.T @ points) / len(points) - np.outer(middle, middle)
    _, axes = np.linalg.eigh(np.asarray(scatter, dtype=np.float64))
    axes = axes[:, ::-1][:, :2]
    axes *= np.where(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])] < 0, -1, 1)
    plane = (points - middle) @ axes
    return np.pad(plane, ((0, 0), (0, 2 - plane.shape[1])))
