"""The one way into clustering: vectors in, a labelled and measured clustering out."""

import logging
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from clustering_assets.clustering.quality import Fit, Quality, measure_fit, measure_quality
from clustering_assets.clustering.space import (
    FeatureSpace,
    check_vectors,
    count_distinct,
    even_sample,
)
from clustering_assets.errors import ClusteringError

log = logging.getLogger("clustering_assets.clustering")

ALGORITHMS = ("kmeans", "hierarchical", "dbscan", "hdbscan", "auto")

FEWEST = 4
"""With fewer pictures there is nothing to choose: `auto` and the density methods make one cluster."""

FULL_ROWS = 5_000
"""Up to this many pictures every one takes part in the clustering; beyond, an even sample of this many is
clustered and every other picture follows its nearest neighbours in the sample."""


class AlgorithmError(ClusteringError):
    """An algorithm that does not exist, or a number of clusters that cannot be."""


@dataclass(frozen=True)
class Clustering:
    """A clustering of n pictures with everything measured about it.

    Attributes:
        labels: (n,) labels 0..k-1 in order of size, -1 for pictures that belong to no cluster.
        space: The feature space that was fitted.
        points: (n, m) unit vectors of that space.
        coordinates: (n, 2) the first two principal components, for drawing.
        fit: How each picture fits its cluster.
        quality: Figures of the whole.
        algorithm: The algorithm that made the labels (for `auto`, the one chosen).
        notes: What a person should know: choices and their margins, warnings.
    """

    labels: NDArray[np.int64]
    space: FeatureSpace
    points: NDArray[np.float32]
    coordinates: NDArray[np.float64]
    fit: Fit
    quality: Quality
    algorithm: str
    notes: list[str] = field(default_factory=list)


def cluster(
    vectors: NDArray[np.floating],
    *,
    algorithm: str = "kmeans",
    clusters: int = 5,
    eps: float = 0,
    seed: int = 0,
) -> Clustering:
    """Cluster embeddings and measure the result.

    Args:
        vectors: (n, d) embeddings, finite floating-point numbers; may be a memmap.
        algorithm: kmeans, hierarchical, dbscan, hdbscan or auto.
        clusters: Number of clusters for kmeans and hierarchical; 0 chooses it. The other algorithms find
            their own number.
        eps: DBSCAN's radius in the feature space (0 to 2); 0 takes the knee of the k-distance curve.
        seed: Seed of everything random.

    Raises:
        VectorsError: The embeddings cannot be used.
        AlgorithmError: Unknown algorithm, or more clusters than distinct pictures.
    """
    check_request(algorithm, clusters, eps)
    check_vectors(vectors)
    distinct = count_distinct(vectors, max(clusters, FEWEST) + 1)
    if algorithm in ("kmeans", "hierarchical") and clusters > distinct:
        raise AlgorithmError(
            f"clusters = {clusters}: there are only {distinct} distinct images; "
            f"choose from 1 to {distinct}, or auto"
        )
    space = FeatureSpace.fit(vectors, seed)
    points = space.transform(vectors)
    notes: list[str] = []
    labels, used = _label(points, algorithm, clusters, eps, seed, distinct, notes)
    labels = by_size(labels)
    fit = measure_fit(points, labels, seed)
    quality = measure_quality(points, labels, fit.silhouette, explained=space.explained, seed=seed)
    return Clustering(labels, space, points, _plane(points), fit, quality, used, notes)


def check_request(algorithm: str, clusters: int, eps: float) -> None:
    """Refuse settings that no data could satisfy.

    Raises:
        AlgorithmError: The message gives name, value and range.
    """
    if algorithm not in ALGORITHMS:
        raise AlgorithmError(f"algorithm = {algorithm!r}: choose one of {', '.join(ALGORITHMS)}")
    if clusters < 0:
        raise AlgorithmError(f"clusters = {clusters}: must be 1 or more, or 0 (auto)")
    if not 0 <= eps < np.inf:
        raise AlgorithmError(f"eps = {eps}: must be 0 (choose it) or a positive distance")


def _label(
    points: NDArray[np.float32],
    algorithm: str,
    clusters: int,
    eps: float,
    seed: int,
    distinct: int,
    notes: list[str],
) -> tuple[NDArray[np.int64], str]:
    """Labels of all points, by way of a sample where there are many, and the algorithm used."""
    n = len(points)
    if clusters == 1 and algorithm in ("kmeans", "hierarchical"):
        return np.zeros(n, dtype=np.int64), algorithm
    if distinct < FEWEST and not (clusters and algorithm in ("kmeans", "hierarchical")):
        notes.append(f"only {distinct} distinct images: nothing to tell apart, so they are one cluster")
        return np.zeros(n, dtype=np.int64), algorithm
    rows = even_sample(n, FULL_ROWS, seed)
    sample = points[rows]
    labels, used = _run(sample, algorithm, clusters, eps, seed, notes)
    if len(rows) < n:
        notes.append(f"{len(rows):,} of {n:,} images were clustered; the others follow their neighbours")
        everyone = follow(points, sample, labels)
        everyone[rows] = labels
        labels = everyone
    return labels.astype(np.int64), used


def _run(
    points: NDArray[np.float32], algorithm: str, clusters: int, eps: float, seed: int, notes: list[str]
) -> tuple[NDArray[np.integer], str]:
    """Labels of a set that is small enough for the full methods."""
    from clustering_assets.clustering.choice import choose_clusters
    from clustering_assets.clustering.methods import (
        KneeDBSCAN,
        LayoutHDBSCAN,
        SpectralKMeans,
        SpectralLinkage,
    )

    if algorithm == "dbscan":
        model = KneeDBSCAN(eps).fit(points)
        notes.append(f"eps = {model.eps_:.3f}" + ("" if eps else ", the knee of the k-distance curve"))
        return model.labels_, algorithm
    if algorithm in ("hdbscan", "auto"):
        labels = LayoutHDBSCAN(random_state=seed).fit(points).labels_
        if algorithm == "auto":
            labels = settle(points, labels)
        return labels, "hdbscan"
    if not clusters:
        choice = choose_clusters(points, algorithm, seed)
        notes += choice.notes
        return choice.labels, algorithm
    if algorithm == "kmeans":
        return SpectralKMeans(clusters, random_state=seed).fit(points).labels_, algorithm
    return SpectralLinkage(clusters).fit(points).labels_, algorithm


def settle(points: NDArray[np.floating], labels: NDArray[np.integer]) -> NDArray[np.integer]:
    """The labels with every unclustered picture given to the cluster of its nearest clustered neighbours."""
    lost = labels < 0
    if lost.all():
        return np.zeros_like(labels)
    if not lost.any():
        return labels
    result = labels.copy()
    result[lost] = follow(points[lost], points[~lost], labels[~lost])
    return result


def follow(
    points: NDArray[np.floating],
    known: NDArray[np.floating],
    labels: NDArray[np.integer],
    neighbours: int = 5,
) -> NDArray[np.integer]:
    """The label that most of each point's nearest known points have; of equals, the nearest one's."""
    from clustering_assets.clustering.graph import nearest

    index, _ = nearest(points, neighbours, among=known)
    votes = labels[index]
    agreement = (votes[:, :, None] == votes[:, None, :]).sum(axis=2)
    return votes[np.arange(len(votes)), agreement.argmax(axis=1)]


def by_size(labels: NDArray[np.integer]) -> NDArray[np.int64]:
    """The labels renumbered 0, 1, 2, ... from the largest cluster to the smallest; -1 stays."""
    groups, first, count = np.unique(labels[labels >= 0], return_index=True, return_counts=True)
    order = np.lexsort((first, -count))
    number = {int(groups[old]): new for new, old in enumerate(order)}
    return np.array([number.get(int(label), -1) for label in labels], dtype=np.int64)


def _plane(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """The (n, 2) first two principal components of the points, each axis with a fixed sign."""
    middle = points.mean(axis=0, dtype=np.float64)
    scatter = (points.T @ points) / len(points) - np.outer(middle, middle)
    _, axes = np.linalg.eigh(np.asarray(scatter, dtype=np.float64))
    axes = axes[:, ::-1][:, :2]
    axes *= np.where(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])] < 0, -1, 1)
    plane = (points - middle) @ axes
    return np.pad(plane, ((0, 0), (0, 2 - plane.shape[1])))
