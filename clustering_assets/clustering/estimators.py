"""The algorithms: scikit-learn estimators with one interface, which label points of the feature space.

Each has `fit(X)` and then `labels_` ((n,) labels 0..k-1, -1 for noise), `stability_` (mean adjusted Rand index with
the clusterings of subsamples, nan where it was not measured) and `notes_` (what a person should know).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist, squareform
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.cluster import DBSCAN, HDBSCAN
from sklearn.metrics import adjusted_rand_score

from clustering_assets.clustering.algorithms import Request
from clustering_assets.clustering.candidates import (
    CLEAR_CUT,
    Candidate,
    Partitions,
    best,
    chosen_or_joined,
    doubts,
    explain,
    weakness,
)
from clustering_assets.clustering.choice import LINKED, METHODS, choose_any, choose_told
from clustering_assets.clustering.consensus import FEWEST, gather, settle
from clustering_assets.clustering.feature_space import count_distinct
from clustering_assets.clustering.graph import nearest
from clustering_assets.clustering.neighbour_embedding import lay_out
from clustering_assets.clustering.quality import mean_silhouette
from clustering_assets.settings import Algorithm

SMALLEST_SHARE = 0.02
"""Least share of the points that HDBSCAN calls a cluster."""

SMALLEST = 8
"""Least number of points that HDBSCAN calls a cluster."""


class Estimator(ClusterMixin, BaseEstimator):
    """What the algorithms share.

    A parameter named `n_clusters`, `eps`, `swift` or `random_state` is set to what is asked for.
    """

    labels_: NDArray[np.integer]
    stability_: float
    notes_: list[str]
    random_state: int
    looks = 0
    """How many of the first columns say what pictures look like, where the others say what they show; 0: all."""

    def _views(self, points: NDArray[np.floating]) -> list[NDArray[np.floating]]:
        """The feature spaces: the points; before them the looks alone, where the points hold more."""
        if not self.looks:
            return [points]
        alone = points[:, : self.looks]
        return [alone / np.maximum(np.linalg.norm(alone, axis=1, keepdims=True), 1e-6), points]

    def fit(self, X: NDArray[np.floating], y: Any = None) -> Self:
        """Label the (n, m) unit vectors `X`; `y` is not used."""
        self.stability_, self.notes_ = float("nan"), []
        self._label(X)
        return self

    def _label(self, points: NDArray[np.floating]) -> None:
        """Set `labels_` and what else is found."""
        raise NotImplementedError

    def _adopt(self, chosen: Candidate, partitions: Partitions) -> None:
        """Take a candidate, measure how stable it is, and say what speaks against it."""
        self.labels_ = chosen.labels
        if partitions.consensus is not None:
            self.stability_ = partitions.consensus.stability(chosen.labels)
        else:
            self.stability_ = resampled_stability(partitions, chosen)
        self.notes_ += doubts(chosen, partitions, self.stability_)

    def _choose(self, found: list[Candidate], partitions: Partitions, only: Sequence[str]) -> None:
        """Take the best candidate, or pieces joined in its stead, and say why.

        These families are taken where they find more clusters than candidates can have.
        """
        chosen = chosen_or_joined(best(found), found, partitions)
        points = partitions.points
        further = choose_any(partitions, [points], _distinct(points), only)
        if further is not None and further.labels.max() + 1 > partitions.most:
            self.notes_.append(further.note)
            chosen = partitions.judge("shared", further.labels)
        else:
            self.notes_.append(explain(chosen, found, points))
        self._adopt(chosen, partitions)

    def _divide(
        self, points: NDArray[np.floating], clusters: int, only: Sequence[str], swift: bool = False
    ) -> None:
        """Take what these methods share in a number of clusters; without votes a single one's."""
        views = self._views(points)
        partitions = _partitions(views, self.random_state, swift)
        choice = choose_told(partitions, views, clusters, only)
        if choice is not None:
            self.notes_.append(choice.note)
            self._adopt(partitions.judge("shared", choice.labels), partitions)
            return
        plain = partitions.kmeans if "kmeans" in only else partitions.plain_linkage
        self._adopt(partitions.judge("kmeans", plain(clusters)), partitions)

    def _adopt_layout(self, labels: NDArray[np.integer], place: NDArray[np.float64], if_none: str) -> None:
        """Take labels made in a layout, and say so when they do not stand apart there.

        Args:
            labels: (n,) labels, -1 for noise.
            place: (n, 2) places in the layout.
            if_none: Why there may be no cluster at all, and what to do then.
        """
        self.labels_ = labels
        if labels.max() < 0:
            self.notes_.append(f"no cluster was found and every image is left over: {if_none}")
            return
        settled = settle(place, labels)
        inside = mean_silhouette(squareform(pdist(place)), settled)
        if settled.max() < 1:
            self.notes_.append("no cluster structure: the images form a single group")
        elif inside < CLEAR_CUT:
            self.notes_.append(weakness(inside))


@dataclass(eq=False, repr=False)
class SpectralKMeans(Estimator):
    """K-means on eigenmaps of the neighbour graph and of what neighbour embeddings agree on.

    It makes more clusters than are wanted, and those that are most alike are joined.

    Args:
        n_clusters: Number of clusters, at most n; 0 chooses it.
        swift: Skip the neighbour embeddings, which take seconds.
        random_state: Seed.
    """

    n_clusters: int = 5
    swift: bool = False
    random_state: int = 0

    def _label(self, points: NDArray[np.floating]) -> None:
        if self.n_clusters:
            self._divide(points, self.n_clusters, METHODS, self.swift)
            return
        partitions = _partitions([points], self.random_state, self.swift)
        found = partitions.candidates("kmeans", *(["joint"] if partitions.consensus else []))
        found = found or [partitions.judge("kmeans", partitions.kmeans(2))]
        self._choose(found, partitions, METHODS)


@dataclass(eq=False, repr=False)
class ConsensusLinkage(Estimator):
    """Average-linkage hierarchical clustering of how often neighbour embeddings part two points.

    The leaves are small clusters rather than points, joined by how often the embeddings agree on their members and
    by how close they are; where more clusters are wanted than there are leaves, the tree of all points is cut.

    Args:
        n_clusters: Number of clusters, at most n; 0 chooses it.
        random_state: Seed.
    """

    n_clusters: int = 5
    random_state: int = 0

    def _label(self, points: NDArray[np.floating]) -> None:
        if self.n_clusters:
            self._divide(points, self.n_clusters, LINKED)
            return
        partitions = _partitions([points], self.random_state)
        found = partitions.candidates("linkage") or [partitions.judge("linkage", partitions.plain_linkage(2))]
        self._choose(found, partitions, LINKED)


@dataclass(eq=False, repr=False)
class KneeDBSCAN(Estimator):
    """DBSCAN (Ester et al., 1996) on a neighbour embedding, its radius the knee of the k-distance curve unless given.

    In the feature space itself distances differ too little for one radius to part anything.

    Args:
        eps: Radius of a neighbourhood in the layout, where direct neighbours are less than 1 apart; 0 takes the knee.
        min_samples: Points within the radius that make a point a core of its cluster.
        random_state: Seed.

    Attributes:
        eps_: The radius used.
    """

    eps: float = 0
    min_samples: int = 10
    random_state: int = 0

    def _label(self, points: NDArray[np.floating]) -> None:
        place = lay_out(points, seed=self.random_state)
        samples = max(1, min(self.min_samples, len(points) // 4))
        bend = knee(nearest(place, samples)[1][:, -1])
        self.eps_ = float(self.eps) if self.eps else bend
        self.notes_ += [f"eps = {self.eps_:.3g}" + ("" if self.eps else ", the knee of the k-distance curve")]
        labels = DBSCAN(eps=max(self.eps_, 1e-6), min_samples=samples).fit_predict(place)
        way_out = (
            f"the knee of the k-distance curve is at eps = {bend:.3g}" if self.eps else "try a larger one"
        )
        why = f"none has enough others within eps = {self.eps_:.3g}; {way_out}"
        self._adopt_layout(labels, place, why)


@dataclass(eq=False, repr=False)
class LayoutHDBSCAN(Estimator):
    """HDBSCAN (Campello et al., 2013) on a neighbour embedding.

    Args:
        min_cluster_size: Fewest points of a cluster; 0 takes 2 % of all and at least 8.
        random_state: Seed.
    """

    min_cluster_size: int = 0
    random_state: int = 0

    def _label(self, points: NDArray[np.floating]) -> None:
        place = lay_out(points, seed=self.random_state)
        size = self.min_cluster_size or max(
            2, min(SMALLEST, len(points) // 4), round(SMALLEST_SHARE * len(points))
        )
        model = HDBSCAN(min_cluster_size=size, min_samples=min(10, size), copy=True)  # pyright: ignore[reportArgumentType]
        why = "nowhere do they lie clearly denser; kmeans puts every image into a cluster"
        self._adopt_layout(model.fit_predict(place), place, why)


@dataclass(eq=False, repr=False)
class AutoClustering(Estimator):
    """Chooses both the method and the number of clusters by the evidence.

    Args:
        random_state: Seed.

    Attributes:
        method_: kmeans or hierarchical, whichever was chosen.
    """

    random_state: int = 0

    def _label(self, points: NDArray[np.floating]) -> None:
        views = self._views(points)
        partitions = _partitions(views, self.random_state)
        any_number = choose_any(partitions, views, _distinct(points))
        if any_number is not None:
            self.method_ = "hierarchical"
            self.notes_.append(any_number.note)
            self._adopt(partitions.judge("shared", any_number.labels), partitions)
            return
        found = partitions.candidates("kmeans") or [partitions.judge("kmeans", partitions.kmeans(2))]
        self.method_ = "kmeans"
        self._choose(found, partitions, METHODS)


ESTIMATORS: dict[Algorithm, type[Estimator]] = {
    "kmeans": SpectralKMeans,
    "hierarchical": ConsensusLinkage,
    "dbscan": KneeDBSCAN,
    "hdbscan": LayoutHDBSCAN,
    "auto": AutoClustering,
}
"""The estimator of each algorithm. Their names are in `settings.Algorithm` too, which flags and the Launchpad offer
without loading scikit-learn; a test says that the two agree."""


def estimator_for(request: Request, swift: bool = False, looks: int = 0) -> Estimator:
    """The estimator of the algorithm that is asked for, with those parameters of the request that it has.

    Args:
        request: What is asked for.
        swift: There are so many pictures that what takes long is to be skipped where it can be.
        looks: `Estimator.looks`.
    """
    model = ESTIMATORS[cast("Algorithm", request.algorithm)]()
    model.looks = looks
    asked = {"n_clusters": request.clusters, "eps": request.eps, "swift": swift, "random_state": request.seed}
    return model.set_params(**{name: asked[name] for name in model.get_params() if name in asked})


def _distinct(points: NDArray[np.floating]) -> int:
    """How many different pictures there are."""
    return count_distinct(points, len(points))


def _partitions(views: list[NDArray[np.floating]], seed: int, swift: bool = False) -> Partitions:
    """The partitions of the last view, with the votes of all."""
    consensus = None if swift or len(views[0]) < FEWEST else gather(views, seed)
    return Partitions(views[-1], consensus, seed)


def resampled_stability(partitions: Partitions, chosen: Candidate, samples: int = 3) -> float:
    """Mean adjusted Rand index between k-means labels and those of k-means on 80 % subsamples; nan if too few."""
    n = len(chosen.labels)
    if n < FEWEST or chosen.clusters < 2:
        return float("nan")
    agreement = []
    for number in range(samples):
        rows = np.sort(
            np.random.default_rng((partitions.seed, number)).choice(n, round(0.8 * n), replace=False)
        )
        if len(rows) > chosen.clusters:
            again = Partitions(partitions.points[rows], None, partitions.seed).kmeans(chosen.clusters)
            agreement.append(adjusted_rand_score(chosen.labels[rows], again))
    return float(np.mean(agreement)) if agreement else float("nan")


def knee(distances: NDArray[np.floating]) -> float:
    """The distance at the knee of the ascending k-distance curve.

    The knee is the point farthest below the line between the curve's ends (the Kneedle criterion of
    Satopaa et al., 2011, doi 10.1109/ICDCSW.2011.20).
    """
    curve = np.sort(np.asarray(distances, dtype=float))
    if len(curve) < 3 or curve[-1] <= curve[0]:
        return float(curve[-1]) if len(curve) else 0.0
    x = np.linspace(0, 1, len(curve))
    height = (curve - curve[0]) / (curve[-1] - curve[0])
    return float(curve[int(np.argmax(x - height))])
