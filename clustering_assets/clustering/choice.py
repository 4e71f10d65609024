"""Candidate partitions of one set of pictures, the evidence for each, and the choice among them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.cluster import KMeans
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score
from sklearn.preprocessing import normalize

from clustering_assets.clustering.consensus import Consensus, cut
from clustering_assets.clustering.graph import Sparse, eigenmap, modularity, similarity_graph
from clustering_assets.clustering.quality import silhouettes

MOST = 20
"""Largest number of clusters that is considered."""

CLEAR = 0.08
"""Lead (in score, of at most 2) that k-means on the votes needs over k-means on the neighbour graph."""

TIE = 0.035
"""Scores (of at most 2) that differ by no more are equal for all that the evidence can say."""

SIMPLER = 0.05
"""Score that a cut of the tree must lead by for k-means with no more clusters to be passed over."""

STRUCTURE = 0.5
"""Least stability at which the clusters are taken to be in the data."""


@dataclass(frozen=True)
class Candidate:
    """A partition that may be chosen, with the evidence for it.

    Attributes:
        method: kmeans, joint (k-means on the votes) or linkage.
        clusters: Number of clusters.
        labels: (n,) labels 0..k-1.
        modularity: Of the labels in the neighbour graph (up to 1).
        silhouette: Mean silhouette in the layouts, or in the feature space without them (-1 to 1).
    """

    method: str
    clusters: int
    labels: NDArray[np.integer]
    modularity: float
    silhouette: float


class Partitions:
    """Everything that may be made of one set of points, each part computed once and when it is needed.

    Args:
        points: (n, m) unit vectors.
        consensus: What the layouts agree on; None for sets too small or too hurried for it.
        seed: Seed of k-means.
    """

    def __init__(self, points: NDArray[np.floating], consensus: Consensus | None, seed: int = 0) -> None:
        self.points = points
        self.consensus = consensus
        self.seed = seed
        self.smallest = max(2, min(8, len(points) // 20))

    @cached_property
    def graph(self) -> Sparse:
        """The neighbour graph."""
        return similarity_graph(self.points)

    @cached_property
    def _joint_graph(self) -> Sparse:
        """The neighbour graph with the votes, squared so that only broad agreement counts."""
        assert self.consensus is not None
        return (self.graph + sparse.csr_matrix(self.consensus.agreement**2)).tocsr()

    @cached_property
    def _tree(self) -> NDArray[np.float64]:
        assert self.consensus is not None
        return self.consensus.tree(self.points)

    @cached_property
    def _map(self) -> NDArray[np.float64]:
        return eigenmap(self.graph, MOST)[1]

    @cached_property
    def _joint_map(self) -> NDArray[np.float64]:
        return eigenmap(self._joint_graph, MOST)[1]

    def kmeans(self, clusters: int, starts: int = 10) -> NDArray[np.integer]:
        """K-means on the eigenmap of the neighbour graph, with as many dimensions as clusters.

        Ng, Jordan and Weiss, 2002, "On spectral clustering". Plain k-means takes every cluster for a ball
        of one size, which folders of photos are not.
        """
        table = self._map if clusters <= MOST else eigenmap(self.graph, clusters)[1]
        return self._centres(table[:, :clusters], clusters, starts)

    def joint(self, clusters: int, starts: int = 10) -> NDArray[np.integer]:
        """K-means on the eigenmap of the neighbour graph with the layouts' votes added."""
        table = self._joint_map if clusters <= MOST else eigenmap(self._joint_graph, clusters)[1]
        return self._centres(table[:, :clusters], clusters, starts)

    def _centres(self, table: NDArray[np.float64], clusters: int, starts: int) -> NDArray[np.integer]:
        model = KMeans(clusters, n_init=starts, random_state=self.seed)  # pyright: ignore[reportArgumentType]
        return model.fit_predict(normalize(table))

    def linkage(self, clusters: int) -> NDArray[np.integer] | None:
        """The tree of disagreement cut into clusters of some size; None when it has no such cut."""
        if self.consensus is None:
            return None
        return cut(self._tree, clusters, self.smallest, self.points)

    def plain_linkage(self, clusters: int) -> NDArray[np.integer]:
        """The tree cut into exactly so many clusters, whatever their size."""
        if self.consensus is None:
            tree = linkage(self.points, "average")
            return fcluster(tree, clusters, "maxclust") - 1
        return fcluster(self._tree, clusters, "maxclust") - 1

    def judge(self, method: str, labels: NDArray[np.integer]) -> Candidate:
        """The evidence for a partition."""
        if self.consensus is None:
            values = silhouettes(self.points, labels)
            inside = float(values.mean()) if np.isfinite(values).all() else 0.0
        else:
            inside = self.consensus.silhouette(labels)
        return Candidate(method, len(np.unique(labels)), labels, modularity(self.graph, labels), inside)

    def candidates(self, *methods: str) -> list[Candidate]:
        """The partitions into 2 to `MOST` clusters by the methods named, without those that hold tiny ones."""
        found = []
        most = min(MOST, len(self.points) // self.smallest)
        for clusters in range(2, most + 1):
            for method in methods:
                labels = self.linkage(clusters) if method == "linkage" else getattr(self, method)(clusters, 4)
                if labels is not None and np.bincount(labels).min() >= self.smallest:
                    found.append(self.judge(method, labels))
        return found


def scores(candidates: list[Candidate]) -> NDArray[np.float64]:
    """The score of each candidate: modularity and silhouette, each as a share of the best one's (at most 2).

    On labelled photos this pair chose better than either alone and than silhouette in the feature space,
    Calinski-Harabasz, Davies-Bouldin or the eigengap (benchmarks/clustering.py prints what comes of it).
    """
    evidence = np.array([[c.modularity, c.silhouette] for c in candidates])
    return (evidence / np.maximum(evidence.max(axis=0), 1e-9)).sum(axis=1)


def best(candidates: list[Candidate]) -> Candidate:
    """The candidate with the highest score."""
    return candidates[int(scores(candidates).argmax())]


def best_of_all(candidates: list[Candidate]) -> Candidate:
    """The choice among methods: the highest score, with ties resolved by what kind of partition it is.

    K-means with no more clusters than the best goes first where it is close, being the simpler account;
    failing that the finest cut of the tree that ties with the best, since layouts tend to join small groups.
    """
    score = scores(candidates)
    top = candidates[int(score.argmax())]
    ranked = [(float(score[i]), candidates[i]) for i in np.argsort(-score, kind="stable")]
    for value, candidate in ranked:
        if (
            value >= score.max() - SIMPLER
            and candidate.method == "kmeans"
            and candidate.clusters <= top.clusters
        ):
            return candidate
    tied = [c for value, c in ranked if value >= score.max() - TIE and c.method == "linkage"]
    return max(tied, key=lambda c: c.clusters)


def kmeans_or_joint(partitions: Partitions, clusters: int) -> Candidate:
    """K-means with a given number of clusters: on the neighbour graph, or on the votes where they say clearly more."""
    plain = partitions.judge("kmeans", partitions.kmeans(clusters))
    if partitions.consensus is None:
        return plain
    joint = partitions.judge("joint", partitions.joint(clusters))
    lead = np.subtract(*scores([joint, plain]))
    return joint if lead >= CLEAR else plain


def explain(chosen: Candidate, candidates: list[Candidate], points: NDArray[np.floating]) -> str:
    """The choice of a number of clusters in one sentence, with its margin and what other measures would choose."""
    score = scores(candidates)
    own = max(s for c, s in zip(candidates, score, strict=True) if c is chosen)
    others = [
        (s, c.clusters) for c, s in zip(candidates, score, strict=True) if c.clusters != chosen.clusters
    ]
    text = f"{chosen.clusters} clusters chosen from {candidates[0].clusters} to {candidates[-1].clusters}"
    if others:
        rival, number = max(others)
        text += (
            f", {abs(own - rival) / max(rival, 1e-9):.1%} {'ahead of' if own >= rival else 'behind'} {number}"
        )
        text += " (a tie)" if abs(own - rival) <= TIE else ""
    same = [c for c in candidates if c.method == chosen.method]
    shape = max(same, key=lambda c: calinski_harabasz_score(points, c.labels)).clusters
    apart = min(same, key=lambda c: davies_bouldin_score(points, c.labels)).clusters
    inside = max(same, key=lambda c: c.silhouette).clusters
    return f"{text}; silhouette alone prefers {inside}, Calinski-Harabasz {shape}, Davies-Bouldin {apart}"
