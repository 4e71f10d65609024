"""Candidate partitions of one set of pictures, the evidence for each, and the choice among them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score
from sklearn.preprocessing import normalize

from clustering_assets.clustering.consensus import Consensus, cut
from clustering_assets.clustering.graph import Sparse, eigenmap, modularity, similarity_graph
from clustering_assets.clustering.means import means
from clustering_assets.clustering.quality import STABLE, silhouettes

MOST = 20
"""Largest number of clusters that is considered without the families of `choice`."""

FINER = 1.5
"""Times as many clusters at which joined pieces are preferred to clusters of even size too."""

BEHIND = 0.18
"""Score (of at most 2) by which joined pieces may be behind the best candidate; further behind, more are joined."""

PIECES = 16
"""Clusters that pictures are first parted into, to be joined until they are as few as wanted."""

ALIKE = 1.2
"""Affinity at which two pieces are parts of one cluster: the share of votes that put their pictures together plus
the cosine of their centres. On 32 mixtures of 8 to 14 groups of labelled photos the number of clusters comes within a
quarter of the truth in 31; at 1.1 it does in 29, with the same adjusted Rand index (0.84 in the mean)."""

EVEN = 2.5
"""Largest over smallest cluster up to which modularity is to be trusted. Where sizes differ more it prefers small
groups joined (Fortunato and Barthelemy, 2007, doi 10.1073/pnas.0605965104), and affinity decides instead."""

TIE = 0.035
"""Scores (of at most 2) that differ by no more are equal for all that the evidence can say."""

WORTH = 0.5
"""Least score (of at most 2) that a lead can be given in per cent of."""

NOISE, CLEAR_CUT = 0.28, 0.42
"""Mean silhouettes in the layouts: noise of five kinds stayed below the first; photos of one kind of thing came between
the two, unless the kind has kinds of its own; mixtures of labelled photos had the second and more."""

SWIFT_NOISE, SWIFT_CLEAR_CUT = 0.03, 0.08
"""The same in the feature space, where there are no layouts."""


@dataclass(frozen=True)
class Candidate:
    """A partition that may be chosen, with the evidence for it.

    Attributes:
        method: kmeans, joint (k-means on the votes), linkage, joined (pieces joined by affinity) or shared.
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
        seed: Seed of the subsamples that stability is measured on.
    """

    def __init__(self, points: NDArray[np.floating], consensus: Consensus | None, seed: int = 0) -> None:
        self.points = points
        self.consensus = consensus
        self.seed = seed
        self.smallest = max(2, min(8, len(points) // 20))
        self.most = min(MOST, len(points) // self.smallest)

    @cached_property
    def graph(self) -> Sparse:
        """The neighbour graph."""
        return similarity_graph(self.points)

    def graph_of(self, view: NDArray[np.floating]) -> Sparse:
        """The neighbour graph of the same pictures in a feature space."""
        return self.graph if view is self.points else similarity_graph(view)

    @cached_property
    def _joint_graph(self) -> Sparse:
        """The neighbour graph with the votes, squared so that only broad agreement counts."""
        assert self.consensus is not None
        return (self.graph + sparse.csr_matrix(self.consensus.agreement**2)).tocsr()

    @cached_property
    def _tree(self) -> NDArray[np.float64]:
        assert self.consensus is not None
        return self.consensus.tree(pdist(self.points))

    @cached_property
    def _map(self) -> NDArray[np.float64]:
        return eigenmap(self.graph, MOST)[1]

    @cached_property
    def _joint_map(self) -> NDArray[np.float64]:
        return eigenmap(self._joint_graph, MOST)[1]

    def kmeans(self, clusters: int) -> NDArray[np.integer]:
        """K-means on the eigenmap of the neighbour graph, with as many dimensions as clusters.

        Ng, Jordan and Weiss, 2002, "On spectral clustering". Plain k-means takes every cluster for a ball
        of one size, which folders of photos are not.
        """
        table = self._map if clusters <= MOST else eigenmap(self.graph, clusters)[1]
        return means(np.asarray(normalize(table[:, :clusters])), clusters)

    def joint(self, clusters: int) -> NDArray[np.integer]:
        """K-means on the eigenmap of the neighbour graph with the layouts' votes added."""
        table = self._joint_map if clusters <= MOST else eigenmap(self._joint_graph, clusters)[1]
        return means(np.asarray(normalize(table[:, :clusters])), clusters)

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

    @cached_property
    def joinings(self) -> list[tuple[float, NDArray[np.integer]]]:
        """Partitions from pieces to a single cluster, each with the affinity of the pair that is joined next."""
        assert self.consensus is not None
        labels = self._pieces()
        steps = []
        while (clusters := int(labels.max()) + 1) > 1:
            alike = self.consensus.affinity(labels, self.points)
            np.fill_diagonal(alike, -np.inf)
            first, second = sorted(int(i) for i in np.unravel_index(alike.argmax(), alike.shape))
            steps.append((float(alike[first, second]), labels))
            number = np.arange(clusters)
            number[second] = first
            number[second + 1 :] -= 1
            labels = number[labels]
        return [*steps, (-np.inf, labels)]

    def _pieces(self) -> NDArray[np.integer]:
        """The finest k-means on the votes, up to `PIECES`, without tiny clusters; copies of a picture stay together."""
        _, first, copy_of = np.unique(self.points, axis=0, return_index=True, return_inverse=True)
        for clusters in range(min(PIECES, len(first), len(self.points) // self.smallest), 2, -1):
            labels = np.unique(self.joint(clusters)[first][copy_of], return_inverse=True)[1]
            if np.bincount(labels).min() >= self.smallest:
                return labels
        return self.joint(2)

    def joined(self, clusters: int) -> NDArray[np.integer] | None:
        """(n,) labels of pieces joined until there are so many clusters; None without votes or with too few pieces."""
        if self.consensus is None:
            return None
        return next((labels for _, labels in self.joinings if int(labels.max()) + 1 == clusters), None)

    def judge(self, method: str, labels: NDArray[np.integer]) -> Candidate:
        """The evidence for a partition."""
        if self.consensus is None:
            values = silhouettes(self.points, labels)
            inside = float(values.mean()) if np.isfinite(values).all() else 0.0
        else:
            inside = self.consensus.silhouette(labels)
        return Candidate(method, len(np.unique(labels)), labels, modularity(self.graph, labels), inside)

    def structure(self) -> tuple[float, float]:
        """The mean silhouettes below which there are no clusters and below which they shade into one another."""
        return (SWIFT_NOISE, SWIFT_CLEAR_CUT) if self.consensus is None else (NOISE, CLEAR_CUT)

    def clearest(self) -> Candidate | None:
        """The partition with the highest silhouette, of pieces joined to ever fewer or of k-means without votes."""
        if self.consensus is None:
            found = self.candidates("kmeans")
        else:
            found = [self.judge("joined", labels) for _, labels in self.joinings if labels.max() > 0]
        return max(found, key=lambda c: c.silhouette, default=None)

    def candidates(self, *methods: str) -> list[Candidate]:
        """The partitions into 2 to `MOST` clusters by the methods named, without those that hold tiny ones."""
        found = []
        for clusters in range(2, self.most + 1):
            for method in methods:
                labels = self.linkage(clusters) if method == "linkage" else getattr(self, method)(clusters)
                if labels is not None and np.bincount(labels).min() >= self.smallest:
                    found.append(self.judge(method, labels))
        return found


def scores(candidates: list[Candidate]) -> NDArray[np.float64]:
    """The score of each candidate: modularity and silhouette, each as a share of the best one's (at most 2).

    On labelled photos this pair chose better than either alone and than silhouette in the feature space,
    Calinski-Harabasz, Davies-Bouldin or the eigengap (benchmarks/clustering.py prints what comes of it).
    """
    return shares_of_best(np.array([[c.modularity, c.silhouette] for c in candidates])).sum(axis=1)


def shares_of_best(
    evidence: NDArray[np.float64], least: Sequence[float] | float = 0.0
) -> NDArray[np.float64]:
    """Each column as shares of its largest entry (-1 to 1); where nothing is positive, of its largest magnitude.

    Args:
        evidence: (candidates, kinds of evidence).
        least: Smallest evidence of each kind that counts as a whole share, so that differences of next to nothing
            stay small.
    """
    largest = evidence.max(axis=0)
    scale = np.maximum(np.where(largest > 0, largest, np.abs(evidence).max(axis=0)), least)
    shares = np.divide(evidence, scale, out=np.zeros_like(evidence, dtype=float), where=scale > 0)
    return np.clip(shares, -1, 1)


def best(candidates: list[Candidate]) -> Candidate:
    """The candidate with the highest score."""
    return candidates[int(scores(candidates).argmax())]


def even(candidate: Candidate) -> bool:
    """Whether the clusters are of about equal size."""
    sizes = np.bincount(candidate.labels)
    return bool(sizes.max() <= EVEN * sizes.min())


def chosen_or_joined(chosen: Candidate, candidates: list[Candidate], partitions: Partitions) -> Candidate:
    """The candidate that was chosen by score, or pieces joined by affinity where its clusters are of uneven size.

    They are also preferred where they are far more. They are joined until no two are alike and until the score is
    not far behind the best candidate's.
    """
    if partitions.consensus is None:
        return chosen
    for affinity, labels in partitions.joinings:
        if affinity < ALIKE and labels.max() > 0:
            candidate = partitions.judge("joined", labels)
            score = scores([*candidates, candidate])
            if score[:-1].max() - score[-1] <= BEHIND:
                finer = candidate.clusters >= FINER * chosen.clusters
                return candidate if finer or not even(chosen) else chosen
    return chosen


def doubts(chosen: Candidate, partitions: Partitions, stability: float) -> list[str]:
    """What speaks against taking the clusters for groups that are in the data; nothing if they are clear and stable.

    Args:
        chosen: The partition that was made.
        partitions: What else may be made of the points.
        stability: Of the partition; nan if unknown.
    """
    noise, clear = partitions.structure()
    value = chosen.silhouette
    if chosen.clusters > 1 and value < clear:
        other = partitions.clearest()
        if other is not None and other.silhouette >= clear:
            return [
                f"these {chosen.clusters} clusters overlap (silhouette {value:.2f}); {other.clusters} would stand "
                f"apart more clearly ({other.silhouette:.2f})"
            ]
        return [weakness(max(value, other.silhouette if other else value), noise, clear)]
    if stability < STABLE:
        return [
            f"uncertain clusters: subsamples agree with them to {max(stability, 0):.0%} only "
            f"(adjusted Rand index; {STABLE:.0%} and more is stable)"
        ]
    return []


def weakness(value: float, noise: float = NOISE, clear: float = CLEAR_CUT) -> str:
    """A sentence for clusters whose silhouette is below `clear`."""
    figures = f"(silhouette {value:.2f}; noise stays below {noise}, clear clusters have {clear} and more)"
    if value < noise:
        return f"no cluster structure: these images form no groups that stand apart {figures}"
    return f"no clear cluster structure: the clusters shade into one another {figures}"


def explain(chosen: Candidate, candidates: list[Candidate], points: NDArray[np.floating]) -> str:
    """The choice of a number of clusters in one sentence, with its margin and what other measures would choose."""
    pool = candidates if any(c is chosen for c in candidates) else [*candidates, chosen]
    score = scores(pool)
    own = next(s for c, s in zip(pool, score, strict=True) if c is chosen)
    others = [(s, c.clusters) for c, s in zip(pool, score, strict=True) if c.clusters != chosen.clusters]
    text = f"{chosen.clusters} clusters chosen from {candidates[0].clusters} to {candidates[-1].clusters}"
    if candidates[0].clusters == candidates[-1].clusters:
        text = f"{chosen.clusters} clusters, the only number that is possible here"
    if chosen.method == "joined":
        text += ", where no two are alike any more"
    if others:
        rival, number = max(others)
        text += f", {_margin(own, rival)} {number}"
        text += " (a tie)" if abs(own - rival) <= TIE else ""
    first = chosen.method if any(c.method == chosen.method for c in candidates) else candidates[0].method
    same = [c for c in candidates if c.method == first]
    shape = max(same, key=lambda c: calinski_harabasz_score(points, c.labels)).clusters
    apart = min(same, key=lambda c: davies_bouldin_score(points, c.labels)).clusters
    inside = max(same, key=lambda c: c.silhouette).clusters
    text += f"; silhouette alone prefers {inside}, Calinski-Harabasz {shape}, Davies-Bouldin {apart}"
    return text + (f"; more than {MOST} were not tried" if chosen.clusters >= MOST else "")


def _margin(own: float, rival: float) -> str:
    """How far one score is from another: in per cent, or in points where there is too little to be a part of."""
    lead = abs(own - rival)
    size = f"{lead / rival:.1%}" if min(own, rival) >= WORTH else f"{lead:.2f} of 2 points"
    return f"{size} {'ahead of' if own >= rival else 'behind'}"
