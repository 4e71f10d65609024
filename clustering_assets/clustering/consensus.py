"""What several neighbour embeddings agree on: which pictures belong together, and how well labels fit.

One neighbour embedding says as much about its chance as about the pictures. Several, over different
neighbourhoods and different subsamples, vote (evidence accumulation: Fred and Jain, 2005,
doi 10.1109/TPAMI.2005.113).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import pdist, squareform
from sklearn.cluster import HDBSCAN
from sklearn.metrics import adjusted_rand_score

from clustering_assets.clustering.graph import Sparse, follow
from clustering_assets.clustering.neighbour_embedding import lay_out
from clustering_assets.clustering.quality import mean_silhouette
from clustering_assets.threads import arithmetic_on_one_thread, available_cores, side_by_side

NEIGHBOURHOODS = (10, 15, 20, 30, 15, 20)
"""Neighbours of each layout: from fine to coarse, because no one scale suits small and large clusters."""

MOST_ROUNDS, ROUND_ROWS, FEW_ROWS = 12, 2_400, 8
"""Times that each neighbourhood is laid out: at most the first, as often as the pictures go into the second, and once
for every eight of them. One layout of 100 pictures owes more to chance than one of 1,000, and costs little; with twelve
times as many, seeds move the clusters of such folders a third as far. Of very few pictures all subsamples are alike."""

MOST_THREADS = 8
"""Layouts made at a time, where there are so many cores."""

SHARE = 0.85
"""Share of the pictures in each layout but the first, which has all."""

DENSITIES = ((5, 0.015, 5), (10, 0.02, 8))
"""HDBSCAN's settings on each layout: points that make a core; smallest cluster as a share and as a number."""

SCARCE = 100
"""Pictures below which HDBSCAN's numbers shrink in proportion: the groups of a small folder are small."""

FEWEST = 12
"""Fewest pictures that can vote."""

TIE = 0.05
"""Weight of the distance in the feature space where votes, or methods, are equal."""


@dataclass(frozen=True)
class Consensus:
    """Layouts of n pictures and the votes drawn from them.

    Attributes:
        layouts: For each layout its rows, ascending, and their coordinates.
        votes: For each clustering of a layout its rows and their labels.
        agreement: (n, n) share of votes (0 to 1) that put two pictures together.
    """

    layouts: list[tuple[NDArray[np.intp], NDArray[np.float64]]]
    votes: list[tuple[NDArray[np.intp], NDArray[np.integer]]]
    agreement: NDArray[np.float64]

    def silhouette(self, labels: NDArray[np.integer]) -> float:
        """Mean silhouette (-1 to 1) of labels in the layouts, whose clusters may have any shape."""
        return float(np.mean([mean_silhouette(apart, labels[rows]) for rows, apart in self._distances]))

    @cached_property
    def _distances(self) -> list[tuple[NDArray[np.intp], NDArray[np.float32]]]:
        """All distances within the layouts of different neighbourhoods."""
        return [
            (rows, squareform(pdist(place)).astype(np.float32))
            for rows, place in self.layouts[: len(set(NEIGHBOURHOODS))]
        ]

    def stability(self, labels: NDArray[np.integer]) -> float:
        """Mean adjusted Rand index (up to 1) between labels and the votes of the subsamples."""
        return float(np.mean([adjusted_rand_score(vote, labels[rows]) for rows, vote in self.votes]))

    def affinity(self, labels: NDArray[np.integer], points: NDArray[np.floating]) -> NDArray[np.float64]:
        """How alike clusters are: the mean agreement between their pictures plus the cosine of their centres.

        Args:
            labels: (n,) labels 0..k-1.
            points: (n, m) points of the feature space.

        Returns:
            (k, k) from -1 to 2.
        """
        member = np.eye(int(labels.max()) + 1)[labels]
        count = member.sum(axis=0)
        centres = member.T @ points / count[:, None]
        centres /= np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-9)
        return member.T @ self.agreement @ member / np.outer(count, count) + centres @ centres.T

    def added_to(self, graph: Sparse) -> Sparse:
        """A neighbour graph with the votes added, squared so that only broad agreement counts."""
        return (graph + sparse.csr_matrix(self.agreement**2)).tocsr()


def tree_of(parted: NDArray[np.floating], apart: NDArray[np.floating]) -> NDArray[np.float64]:
    """The average-linkage tree of disagreement; pictures that all join follow their distance.

    Args:
        parted: How many part each two pictures, as a share of all, in the order of `pdist`.
        apart: Their distances in the feature space.

    Returns:
        (n - 1, 4) linkage as scipy has it.
    """
    return linkage(parted + TIE / 2 * apart, "average")


def gather(views: Sequence[NDArray[np.floating]], seed: int = 0) -> Consensus:
    """Lay the pictures out several times, cluster each layout by density, and count the votes.

    Args:
        views: Feature spaces of the same pictures, each (n, m) unit vectors, n at least `FEWEST`. All vote
            alike. Memory and time grow with n squared.
        seed: Seed of subsamples and layouts.
    """
    n = len(views[0])
    turns = [(view, near) for _ in range(rounds(n)) for near in NEIGHBOURHOODS for view in views]
    scale = min(1, n / SCARCE)

    def layout(number: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        view, neighbours = turns[number]
        random = np.random.default_rng((seed, number))
        rows = np.sort(random.choice(n, round(SHARE * n), replace=False)) if number else np.arange(n)
        return rows, lay_out(view[rows], neighbours=neighbours, seed=seed + number)

    with arithmetic_on_one_thread():
        cores = min(available_cores(), MOST_THREADS)
        layouts = side_by_side(layout, range(len(turns)), "Finding neighbourhoods", "layouts", cores)
    together, met, votes = np.zeros((n, n)), np.zeros((n, n)), []
    for rows, place in layouts:  # scikit-learn changes the filters of warnings, so it stays on one thread
        pairs = np.ix_(rows, rows)
        for samples, share, least in DENSITIES:
            smallest = max(3, round(least * scale), round(share * len(rows)))
            labels = dense_groups(place, max(2, round(samples * scale)), smallest)
            votes.append((rows, labels))
            together[pairs] += labels[:, None] == labels[None]
            met[pairs] += 1
    agreement = together / np.maximum(met, 1)
    np.fill_diagonal(agreement, 1)
    return Consensus(layouts, votes, agreement)


def rounds(n: int) -> int:
    """How often each neighbourhood of n pictures is laid out."""
    return max(1, min(MOST_ROUNDS, ROUND_ROWS // n, n // FEW_ROWS))


def dense_groups(place: NDArray[np.float64], samples: int, smallest: int) -> NDArray[np.integer]:
    """HDBSCAN's clusters of a layout, with the noise given to the nearest clusters; one if it finds none."""
    smallest = max(2, min(smallest, len(place) // 2))
    model = HDBSCAN(min_cluster_size=smallest, min_samples=min(samples, smallest), copy=True)  # pyright: ignore[reportArgumentType]
    labels = model.fit_predict(place)
    return settle(place, labels)


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
