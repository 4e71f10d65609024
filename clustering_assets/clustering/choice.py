"""What several methods of clustering share, and the choice of a number of clusters, by evidence that needs no labels.

Each method is wrong about some folders: k-means takes clusters for balls of one size, linkage spends clusters on odd
pictures, a neighbour graph joins small groups. What they share is better than what any of them makes, and than the one
that measures of quality prefer. Where no number is told, that is made for every number. The choice among them goes by
how far the clusters stand apart, in what the neighbour embeddings agree on and in the feature space, by how far the
methods agree on them, and by their modularity. The weights were set on labelled sets with two networks, and tried on
others (benchmarks/labelled_sets.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import cut_tree, fcluster, linkage
from scipy.spatial.distance import pdist, squareform

from clustering_assets.clustering.consensus import settle, tree_of
from clustering_assets.clustering.graph import eigenmap, modularity
from clustering_assets.clustering.means import means, spectral
from clustering_assets.clustering.partitions import Partitions
from clustering_assets.clustering.quality import mean_silhouette

WEIGHTS = (1.0, 0.5, 0.5, 2.0)
"""Of the silhouette in the votes, the agreement of the methods, the modularity, and the silhouette in the feature
space."""

TIGHT = 0.4
"""Silhouette in the feature space that only tight clusters have, such as bursts (0.50 to 0.67). Photos of
kinds, drawings and thumbnails have 0.09 to 0.32."""

TIGHT_WEIGHTS = (1.0, 0.5, 0.0, 2.0)
"""The same where some partition has it: modularity would join the small ones, however far apart they stand (Fortunato
and Barthelemy, 2007, doi 10.1073/pnas.0605965104)."""

WITHOUT_VOTES = (0.5, 0.5, 0.5, 2.0), (0.0, 0.5, 0.0, 2.0)
"""The same two where there are no votes, for pictures are very few or very many: modularity then stands for the
silhouette in the votes too, save among tight clusters."""

WHOLE = (0.0, 0.0, 0.0, 1.0)
"""Evidence of each kind that counts as a whole share; 0: that of the best partition. Only clusters that are tight, such
as bursts, have a silhouette in the feature space to speak of."""

MOST = 60
"""Largest number of clusters that is tried, unless that many are best, by the votes or by all evidence: then twice as
many are, as far as there are pictures."""

SWIFT_MOST = 30
"""The same where there are no votes."""

EACH, STEP = 12, 1.15
"""Up to the first every number of clusters is tried, beyond it each is so many times the one before."""

LEAST = 3
"""Pictures that a cluster has at least; smaller ones join their neighbours."""

DOMINANT = 0.97
"""Share of all pictures in one cluster from which a partition says nothing."""

LINKED = ("tree", "average", "ward", "joined")
"""Methods of hierarchical clustering: linkage of disagreement, of distance, of variance, and pieces that are joined by
affinity."""

METHODS = (*LINKED, "votes", "kmeans")
"""All methods; the last two are k-means on the votes and on the feature space."""


@dataclass(frozen=True)
class Choice:
    """A partition that was chosen.

    Attributes:
        labels: (n,) labels 0..k-1.
        note: The choice in a sentence.
    """

    labels: NDArray[np.integer]
    note: str


@dataclass(frozen=True)
class Shared:
    """What several methods share.

    Attributes:
        labels: (n,) labels 0..k-1.
        agreement: Mean adjusted Rand index (Hubert and Arabie, 1985) of any two of the methods; 1 for a single one.
        methods: How many they are.
    """

    labels: NDArray[np.integer]
    agreement: float
    methods: int

    @property
    def clusters(self) -> int:
        """Number of clusters."""
        return int(self.labels.max()) + 1

    def said(self) -> str:
        """How the clusters were made, as part of a sentence."""
        if self.methods == 1:
            return "made by one method"
        return f"made of what {self.methods} methods share, which agree with one another to {self.agreement:.2f} of 1"


class Families:
    """The partitions of one set of points by each method, its tables and trees made once.

    Args:
        partitions: The points, their neighbour graph and the votes. Without votes there is no tree of disagreement and
            nothing joined, and the neighbour graph alone stands for them.
        views: The feature spaces: what pictures look like, and where it is known what they show beside it.
        most: Largest number of clusters that will be asked for.
    """

    def __init__(self, partitions: Partitions, views: list[NDArray[np.floating]], most: int) -> None:
        self._partitions, self._votes = partitions, partitions.consensus
        self._points = np.hstack(views) / np.sqrt(len(views))
        self._apart = np.mean([pdist(view) for view in views], axis=0)
        graphs = [partitions.graph_of(view) for view in views]
        self.graph = sum(graphs[1:], graphs[0]) / len(views)
        self._trees = {"average": linkage(self._apart, "average"), "ward": linkage(self._points, "ward")}
        joint = self.graph
        if self._votes is not None:
            self._trees["tree"] = tree_of(squareform(1 - self._votes.agreement, checks=False), self._apart)
            joint = self._votes.added_to(joint)
        self._joint = eigenmap(joint, most)[1]

    def made(self, clusters: int, only: Sequence[str] = METHODS) -> dict[str, NDArray[np.integer]]:
        """The (n,) labels of each method named, in all views together; without those that make no such number."""
        made = {name: self._made_by(name, clusters) for name in only}
        return {name: labels for name, labels in made.items() if labels is not None}

    def _made_by(self, name: str, clusters: int) -> NDArray[np.integer] | None:
        if name == "joined":
            return self._partitions.joined(clusters)
        if name == "votes":
            return spectral(self._joint, clusters)
        if name == "kmeans":
            return means(self._points, clusters, self._trees["ward"])
        return fcluster(self._trees[name], clusters, "maxclust") - 1 if name in self._trees else None

    def shared(self, clusters: int, only: Sequence[str] = METHODS) -> Shared:
        """What the methods named share: the tree of how many of them part two pictures, cut into so many clusters.

        Strehl and Ghosh, 2002, "Cluster ensembles". Pictures that all join follow their distance.
        """
        made = list(self.made(clusters, only).values())
        tree = tree_of(pdist(np.column_stack(made), "hamming"), self._apart)
        labels = _numbered(fcluster(tree, clusters, "maxclust"))
        if labels.max() + 1 < clusters:  # several steps of the tree are of one height
            labels = _numbered(cut_tree(tree, clusters)[:, 0])
        return Shared(labels, mean_agreement(made), len(made))

    def evidence(self, found: Sequence[Shared]) -> NDArray[np.float64]:
        """(partitions, 4) the evidence for each partition, in the order of `WEIGHTS`.

        Where there are no votes modularity stands for them.
        """
        apart = squareform(self._apart)
        inside = [mean_silhouette(apart, one.labels) for one in found]
        within = voted = [modularity(self.graph, one.labels) for one in found]
        if self._votes is not None:
            disagreement = 1 - self._votes.agreement
            voted = [mean_silhouette(disagreement, one.labels) for one in found]
        return np.column_stack([voted, [one.agreement for one in found], within, inside])


def mean_agreement(labels: Sequence[NDArray[np.integer]]) -> float:
    """The mean adjusted Rand index of any two partitions (n,) into labels 0..k-1; 1 for a single one.

    All pairs at once: scikit-learn's checks of its arguments took most of the time of a choice among small folders.
    """
    count = len(labels)
    if count < 2:
        return 1.0
    n, sizes = len(labels[0]), [int(own.max()) + 1 for own in labels]
    first = np.cumsum([0, *sizes[:-1]])
    member = np.hstack([np.eye(size)[own] for size, own in zip(sizes, labels, strict=True)])
    squares = np.square(member.T @ member)
    pairs = (np.add.reduceat(np.add.reduceat(squares, first, axis=0), first, axis=1) - n) / 2
    own = pairs.diagonal()
    chance = np.outer(own, own) / (n * (n - 1) / 2)
    most = (own[:, None] + own) / 2 - chance
    index = np.divide(pairs - chance, most, out=np.ones_like(pairs), where=most > 0)
    return float((index.sum() - count) / (count * (count - 1)))


def numbers(most: int) -> list[int]:
    """The numbers of clusters to try, from 2: every one at first, then ever fewer, and the last."""
    found = list(range(2, min(most, EACH) + 1))
    while found and (larger := int(np.ceil(found[-1] * STEP))) < most:
        found.append(larger)
    return found if not found or found[-1] == most else [*found, most]


def choose_any(
    partitions: Partitions,
    views: list[NDArray[np.floating]],
    distinct: int,
    only: Sequence[str] = METHODS,
    most: int | None = None,
) -> Choice:
    """The best partition into any number of clusters; a single one where all pictures are the same.

    Args:
        partitions: The points and the votes, if there are any.
        views: The feature spaces.
        distinct: How many different pictures there are.
        only: The methods to use.
        most: Largest number of clusters to try at first; None takes `MOST`, or `SWIFT_MOST` without votes.
    """
    n = len(partitions.points)
    least = max(2, min(LEAST, n // 20))
    limit = min(n // least, distinct)
    votes = partitions.consensus is not None
    most = min(most or (MOST if votes else SWIFT_MOST), limit)
    if most < 2:
        return Choice(np.zeros(n, dtype=int), "1 cluster: there is nothing to tell apart")
    families = Families(partitions, views, most)
    tried = missing = numbers(most)
    found: list[Shared] = []
    evidence = np.empty((0, len(WEIGHTS)))
    while True:
        more = _worth_a_look(families, only, missing, least, partitions.points)
        found += more
        if not found:
            odd = families.shared(2, only)
            return Choice(odd.labels, "2 clusters: in every number tried all but odd pictures are in one")
        evidence = np.vstack([evidence, *(families.evidence(more) if more else [])])
        sizes = np.array([one.clusters for one in found])
        usual, tight = (WEIGHTS, TIGHT_WEIGHTS) if votes else WITHOUT_VOTES
        weights = usual if evidence[:, 3].max() < TIGHT else tight
        score = shares_of_best(evidence, WHOLE) @ np.array(weights)
        best = found[int(score.argmax())]
        if most < limit and sizes.max() in (best.clusters, sizes[evidence[:, 0].argmax()]):
            return choose_any(partitions, views, distinct, only, 2 * most)
        missing = _between(tried, best.clusters)
        if not missing:
            why = _told(sizes, score, sum(weights))
            if best.clusters == limit < distinct:
                why += f"; with more they would have fewer than {least} pictures on average"
            return Choice(best.labels, f"{why}; {best.said()}")
        tried = sorted([*tried, *missing])


def choose_told(
    partitions: Partitions,
    views: list[NDArray[np.floating]],
    clusters: int,
    only: Sequence[str] = METHODS,
) -> Choice:
    """What the methods named share, in a number of clusters.

    Args:
        partitions: The points and the votes, if there are any.
        views: The feature spaces.
        clusters: The number, at most that of different pictures.
        only: The methods to use.
    """
    shared = Families(partitions, views, clusters).shared(clusters, only)
    return Choice(shared.labels, f"{clusters} clusters, as told, {shared.said()}")


def shares_of_best(
    evidence: NDArray[np.float64], least: Sequence[float] | float = 0.0
) -> NDArray[np.float64]:
    """Each column as shares of its largest entry (-1 to 1); where nothing is positive, of its largest magnitude.

    Args:
        evidence: (partitions, kinds of evidence).
        least: Smallest evidence of each kind that counts as a whole share, so that differences of next to nothing
            stay small.
    """
    largest = evidence.max(axis=0)
    scale = np.maximum(np.where(largest > 0, largest, np.abs(evidence).max(axis=0)), least)
    shares = np.divide(evidence, scale, out=np.zeros_like(evidence, dtype=float), where=scale > 0)
    return np.clip(shares, -1, 1)


def _worth_a_look(
    families: Families, only: Sequence[str], tried: list[int], least: int, points: NDArray[np.floating]
) -> list[Shared]:
    """What the methods share in these numbers of clusters, without tiny clusters, where it says something."""
    shared = [families.shared(clusters, only) for clusters in tried]
    settled = [replace(one, labels=_settled(one.labels, least, points)) for one in shared]
    limit = DOMINANT * len(points)
    return [one for one in settled if one.labels.max() and np.bincount(one.labels).max() < limit]


def _between(tried: list[int], number: int) -> list[int]:
    """The numbers that were passed over on either side of one."""
    place = int(np.searchsorted(tried, number))
    around = tried[max(place - 1, 0) : place + 2]
    return [k for k in range(around[0], around[-1] + 1) if k not in tried]


def _settled(labels: NDArray[np.integer], least: int, points: NDArray[np.floating]) -> NDArray[np.integer]:
    """The labels with the pictures of tiny clusters given to their neighbours' clusters."""
    return _numbered(settle(points, np.where(np.bincount(labels)[labels] < least, -1, labels)))


def _numbered(labels: NDArray[np.integer]) -> NDArray[np.integer]:
    """The labels as 0..k-1 in order of appearance."""
    _, first, own = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[own]


def _told(sizes: NDArray[np.integer], score: NDArray[np.float64], points: float) -> str:
    """The choice of a number in one sentence, with its margin out of so many points."""
    if sizes.min() == sizes.max():
        return f"{sizes[0]} clusters, the only number that is possible here"
    number = sizes[score.argmax()]
    text = f"{number} clusters chosen from {sizes.min()} to {sizes.max()} by how far they stand apart"
    if (sizes != number).any():
        rival = int(np.where(sizes == number, -np.inf, score).argmax())
        text += f", {score.max() - score[rival]:.2f} of {points:g} points ahead of {sizes[rival]}"
    return text
