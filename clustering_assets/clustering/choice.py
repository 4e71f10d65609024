"""The choice among partitions of several families, by evidence that needs no labels.

Each family is wrong about some folders: k-means takes clusters for balls of one size, linkage spends clusters on odd
pictures, a neighbour graph joins small groups. What tells the better partition is how far apart its clusters stand in
what the neighbour embeddings agree on and in the feature space, how far it agrees with the other partitions, and its
modularity. Where no number is told, that is chosen first and the partition among those of all families with so many
clusters after it, as if it had been told. The weights were set on labelled sets with two networks, and tried on others
(benchmarks/labelled_sets.py).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist, squareform
from sklearn.cluster import KMeans
from sklearn.preprocessing import normalize

from clustering_assets.clustering.candidates import Partitions, shares_of_best
from clustering_assets.clustering.consensus import Consensus, settle
from clustering_assets.clustering.graph import eigenmap, modularity
from clustering_assets.clustering.quality import mean_silhouette

WEIGHTS = (1.0, 0.5, 0.5, 2.0)
"""Of the silhouette in the votes, the agreement with the other partitions, the modularity, and the silhouette in the
feature space, for the choice of a number. How far partitions into all numbers agree with one changes more with the seed
than the others do, but folders of few pictures do worse without it."""

TIGHT = 0.4
"""Silhouette in the feature space that only tight clusters have, such as bursts (0.50 to 0.67). Photos of
kinds, drawings and thumbnails have 0.09 to 0.32."""

TIGHT_WEIGHTS = (1.0, 0.5, 0.0, 2.0)
"""The same where some partition has it: modularity would join the small ones, however far apart they stand (Fortunato
and Barthelemy, 2007, doi 10.1073/pnas.0605965104)."""

TOLD_WEIGHTS = (1.0, 2.0, 1.0, 2.0)
"""The same for partitions into one number of clusters."""

WHOLE = (0.0, 0.0, 0.0, 1.0)
"""Evidence of each kind that counts as a whole share; 0: that of the best partition. Only clusters that are tight, such
as bursts, have a silhouette in the feature space to speak of."""

MOST = 60
"""Largest number of clusters that is tried, unless the votes part that many best: then twice as many are, as far as
there are pictures."""

EACH, STEP = 12, 1.15
"""Up to the first every number of clusters is tried, beyond it each is so many times the one before."""

LEAST = 3
"""Pictures that a cluster has at least; smaller ones join their neighbours."""

DOMINANT = 0.97
"""Share of all pictures in one cluster from which a partition says nothing."""

LINKED = ("tree", "average")
"""Families of hierarchical clustering that are tried for every number of clusters: linkage of disagreement and of
distance."""

FAMILIES = (*LINKED, "votes")
"""Families that are tried for every number of clusters; the last is k-means on the votes."""

CENTRED = ("votes", "kmeans")
"""Families of k-means: on the votes and on the feature space."""

TOLD_LINKED = (*LINKED, "ward", "joined")
"""Families of hierarchical clustering that are tried for a number that is told; the last joins pieces by affinity."""

TOLD = (*TOLD_LINKED, *CENTRED, "shared")
"""All families that are tried for a number that is told; the last is what the others share."""

WORDS = {
    "tree": "linkage of the votes",
    "average": "average linkage",
    "ward": "Ward's linkage",
    "votes": "k-means on the votes",
    "joined": "pieces that are joined",
    "kmeans": "k-means",
    "shared": "what several methods share",
}
"""How the families are called in notes."""


@dataclass(frozen=True)
class Choice:
    """A partition that was chosen.

    Attributes:
        labels: (n,) labels 0..k-1.
        family: Where it comes from.
        note: The choice in a sentence.
    """

    labels: NDArray[np.integer]
    family: str
    note: str

    @property
    def algorithm(self) -> str:
        """The algorithm of that family, as a user would name it."""
        return "kmeans" if self.family in CENTRED else "hierarchical"


class Families:
    """The partitions of one set of points by each family, its tables and trees made once.

    Args:
        partitions: The points, their neighbour graph and the seed.
        consensus: What the neighbour embeddings agree on.
        views: The feature spaces: what pictures look like, and where it is known what they show beside it.
        most: Largest number of clusters that will be asked for.
    """

    def __init__(
        self, partitions: Partitions, consensus: Consensus, views: list[NDArray[np.floating]], most: int
    ) -> None:
        self.consensus, self._partitions = consensus, partitions
        self._points = np.hstack(views) / np.sqrt(len(views))
        self._apart = np.mean([pdist(view) for view in views], axis=0)
        graphs = [partitions.graph_of(view) for view in views]
        self.graph = sum(graphs[1:], graphs[0]) / len(views)
        self._trees = {
            "tree": consensus.tree(self._apart),
            "average": linkage(self._apart, "average"),
            "ward": linkage(self._points, "ward"),
        }
        self._joint = eigenmap(self.graph + sparse.csr_matrix(consensus.agreement**2), most)[1]

    def made(
        self, clusters: int, starts: int, only: Sequence[str] = FAMILIES
    ) -> list[tuple[str, NDArray[np.integer]]]:
        """The partitions of the families named into so many clusters, in all views together."""
        made: list[tuple[str, NDArray[np.integer]]] = []
        for family in only:
            if family in self._trees:
                labels = fcluster(self._trees[family], clusters, "maxclust")
            elif family == "votes":
                labels = self._kmeans(np.asarray(normalize(self._joint[:, :clusters])), clusters, starts)
            elif family == "kmeans":
                labels = self._kmeans(self._points, clusters, starts)
            elif family == "joined":
                labels = self._partitions.joined(clusters)
            else:
                labels = fcluster(self._shared([own for _, own in made]), clusters, "maxclust")
            if labels is not None:
                made.append((family, labels))
        return made

    def _kmeans(self, table: NDArray[np.floating], clusters: int, starts: int) -> NDArray[np.integer]:
        model = KMeans(clusters, n_init=starts, random_state=self._partitions.seed)  # pyright: ignore[reportArgumentType]
        return model.fit_predict(table)

    def _shared(self, labels: list[NDArray[np.integer]]) -> NDArray[np.float64]:
        """The tree of how many partitions put two pictures together (Strehl and Ghosh, 2002)."""
        together = np.mean([own[:, None] == own for own in labels], axis=0)
        return Consensus([], [], together).tree(self._apart)

    def evidence(self, labels: list[NDArray[np.integer]]) -> NDArray[np.float64]:
        """(partitions, 4) the evidence for each partition, in the order of `WEIGHTS`."""
        disagreement, apart = 1 - self.consensus.agreement, squareform(self._apart)
        return np.column_stack(
            [
                [mean_silhouette(disagreement, own) for own in labels],
                mean_agreement(labels),
                [modularity(self.graph, own) for own in labels],
                [mean_silhouette(apart, own) for own in labels],
            ]
        )


def weighed(evidence: NDArray[np.float64], weights: tuple[float, ...]) -> NDArray[np.float64]:
    """The score of each partition: weights times evidence as a share of the best one's, or of `WHOLE`."""
    return shares_of_best(evidence, WHOLE) @ np.array(weights)


def mean_agreement(labels: list[NDArray[np.integer]]) -> NDArray[np.float64]:
    """The mean adjusted Rand index (Hubert and Arabie, 1985) of each partition with all others; 1 for a single one."""
    if len(labels) < 2:
        return np.ones(len(labels))
    n, sizes = len(labels[0]), [int(own.max()) + 1 for own in labels]
    first = np.cumsum([0, *sizes[:-1]])
    columns = np.concatenate([own + start for own, start in zip(labels, first, strict=True)])
    rows = np.tile(np.arange(n), len(labels))
    member = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(n, sum(sizes)))
    squares = np.square((member.T @ member).toarray())
    together = np.add.reduceat(np.add.reduceat(squares, first, axis=0), first, axis=1)
    pairs = (together - n) / 2
    own = pairs.diagonal()
    chance = np.outer(own, own) / (n * (n - 1) / 2)
    top = (own[:, None] + own) / 2 - chance
    index = np.divide(pairs - chance, top, out=np.ones_like(pairs), where=top > 0)
    return (index.sum(axis=1) - 1) / (len(labels) - 1)


def numbers(most: int) -> list[int]:
    """The numbers of clusters to try, from 2: every one at first, then ever fewer."""
    found = list(range(2, min(most, EACH) + 1))
    while found and (larger := int(np.ceil(found[-1] * STEP))) <= most:
        found.append(larger)
    return found


def choose_any(
    partitions: Partitions,
    views: list[NDArray[np.floating]],
    distinct: int,
    only: Sequence[str] = FAMILIES,
    most: int = MOST,
) -> Choice | None:
    """The best partition into any number of clusters; None where there are no votes, or nothing to choose from.

    Args:
        partitions: The points and the votes.
        views: The feature spaces.
        distinct: How many different pictures there are.
        only: The families to choose among.
        most: Largest number of clusters to try at first.
    """
    n = len(partitions.points)
    least = max(2, min(LEAST, n // 20))
    limit = min(n // least, distinct)
    most = min(most, limit)
    if partitions.consensus is None or most < 2:
        return None
    families = Families(partitions, partitions.consensus, views, most)
    tried = numbers(most)
    found = _partitions(families, only, tried, least, partitions.points)
    while found:
        sizes = np.array([int(own.max()) + 1 for _, own in found])
        evidence = families.evidence([own for _, own in found])
        if most < limit and sizes[evidence[:, 0].argmax()] == sizes.max():
            return choose_any(partitions, views, distinct, only, 2 * most)
        weights = WEIGHTS if evidence[:, 3].max() < TIGHT else TIGHT_WEIGHTS
        score = weighed(evidence, weights)
        number = int(sizes[score.argmax()])
        missing = _between(tried, number)
        if not missing:
            wider = TOLD_LINKED if set(only) <= set(LINKED) else TOLD
            more = _partitions(families, wider, [number], least, partitions.points, starts=10)
            alike = [(name, own) for name, own in _distinct([*more, *found]) if own.max() + 1 == number]
            family, labels = alike[int(_scored_as_told(families, alike).argmax())]
            return Choice(
                labels, family, f"{_told(sizes, score, most, sum(weights))}; made by {WORDS[family]}"
            )
        tried = sorted([*tried, *missing])
        found = _distinct([*found, *_partitions(families, only, missing, least, partitions.points)])
    return None


def choose_told(
    partitions: Partitions,
    views: list[NDArray[np.floating]],
    clusters: int,
    only: Sequence[str] = TOLD,
) -> Choice | None:
    """The best partition into a number of clusters; None where there are no votes, or no partition has so many.

    Args:
        partitions: The points and the votes.
        views: The feature spaces.
        clusters: The number.
        only: The families to choose among.
    """
    if partitions.consensus is None:
        return None
    families = Families(partitions, partitions.consensus, views, clusters)
    made = families.made(clusters, 10, only)
    found = [(name, own) for name, own in _distinct(made) if int(own.max()) + 1 == clusters]
    if not found:
        return None
    score = _scored_as_told(families, found)
    best, *others = np.argsort(-score, kind="stable")
    family, labels = found[best]
    note = f"{clusters} clusters, as told, by {WORDS[family]}"
    if others:
        lead = f"{score[best] - score[others[0]]:.2f} of {sum(TOLD_WEIGHTS):g} points ahead of"
        note += f", {'level with' if lead.startswith('0.00') else lead} {WORDS[found[others[0]][0]]}"
    elif len(made) > 1:
        note += "; every other method makes the same"
    return Choice(labels, family, note)


def _scored_as_told(families: Families, found: list[tuple[str, NDArray[np.integer]]]) -> NDArray[np.float64]:
    """The score of each partition among others into the same number of clusters."""
    return weighed(families.evidence([own for _, own in found]), TOLD_WEIGHTS)


def _partitions(
    families: Families,
    only: Sequence[str],
    tried: list[int],
    least: int,
    points: NDArray[np.floating],
    starts: int = 4,
) -> list[tuple[str, NDArray[np.integer]]]:
    """The partitions into these numbers of clusters that say something, without tiny clusters."""
    made = (
        (name, _settled(own, least, points)) for k in tried for name, own in families.made(k, starts, only)
    )
    limit = DOMINANT * len(points)
    return [(name, own) for name, own in _distinct(made) if own.max() and np.bincount(own).max() < limit]


def _between(tried: list[int], number: int) -> list[int]:
    """The numbers that were passed over on either side of one."""
    place = int(np.searchsorted(tried, number))
    around = tried[max(place - 1, 0) : place + 2]
    return [k for k in range(around[0], around[-1] + 1) if k not in tried]


def _settled(labels: NDArray[np.integer], least: int, points: NDArray[np.floating]) -> NDArray[np.integer]:
    """The labels with the pictures of tiny clusters given to their neighbours' clusters."""
    dense = np.unique(labels, return_inverse=True)[1]
    return settle(points, np.where(np.bincount(dense)[dense] < least, -1, dense))


def _distinct(pool: Iterable[tuple[str, NDArray[np.integer]]]) -> list[tuple[str, NDArray[np.integer]]]:
    """The partitions with labels 0..k-1 in order of appearance, each once."""
    found: dict[bytes, tuple[str, NDArray[np.integer]]] = {}
    for name, labels in pool:
        _, first, own = np.unique(labels, return_index=True, return_inverse=True)
        renumbered = np.argsort(np.argsort(first))[own]
        found.setdefault(renumbered.astype(np.int32).tobytes(), (name, renumbered))
    return list(found.values())


def _told(sizes: NDArray[np.integer], score: NDArray[np.float64], most: int, points: float) -> str:
    """The choice of a number in one sentence, with its margin out of so many points."""
    number = sizes[score.argmax()]
    text = f"{number} clusters chosen from {sizes.min()} to {sizes.max()} by how far they stand apart"
    if (sizes != number).any():
        rival = int(np.where(sizes == number, -np.inf, score).argmax())
        text += f", {score.max() - score[rival]:.2f} of {points:g} points ahead of {sizes[rival]}"
    return text + (f"; more than {most} were not tried" if number >= most else "")
