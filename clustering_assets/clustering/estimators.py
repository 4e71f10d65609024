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

from clustering_assets.clustering.algorithms import Request
from clustering_assets.clustering.choice import LINKED, METHODS, choose_any, choose_told
from clustering_assets.clustering.consensus import FEWEST, gather, settle
from clustering_assets.clustering.feature_space import count_distinct
from clustering_assets.clustering.graph import nearest
from clustering_assets.clustering.neighbour_embedding import lay_out
from clustering_assets.clustering.partitions import Partitions
from clustering_assets.clustering.quality import mean_silhouette
from clustering_assets.clustering.structure import CLEAR_CUT, doubts, stability, weakness
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


class Ensemble(Estimator):
    """What several methods share, in a number of clusters that is told or chosen by the evidence."""

    methods: Sequence[str] = METHODS
    n_clusters: int = 0
    swift: bool = False

    def _label(self, points: NDArray[np.floating]) -> None:
        views, n = self._views(points), len(points)
        consensus = None if self.swift or n < FEWEST else gather(views, self.random_state)
        partitions = Partitions(points, consensus)
        if self.n_clusters:
            choice = choose_told(partitions, views, self.n_clusters, self.methods)
        else:
            choice = choose_any(partitions, views, count_distinct(points, n), self.methods)
        self.labels_ = choice.labels
        self.stability_ = stability(partitions, choice.labels, self.random_state)
        self.notes_ += [choice.note, *doubts(partitions, choice.labels, self.stability_)]


@dataclass(eq=False, repr=False)
class KMeansEnsemble(Ensemble):
    """What all methods share, k-means among them.

    Args:
        n_clusters: Number of clusters, at most n; 0 chooses it.
        swift: Skip the neighbour embeddings, which take seconds.
        random_state: Seed.
    """

    n_clusters: int = 5
    swift: bool = False
    random_state: int = 0


@dataclass(eq=False, repr=False)
class LinkageEnsemble(Ensemble):
    """What the methods of hierarchical clustering share.

    Args:
        n_clusters: Number of clusters, at most n; 0 chooses it.
        random_state: Seed.
    """

    methods = LINKED
    n_clusters: int = 5
    random_state: int = 0


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
class AutoClustering(Ensemble):
    """Makes what `kmeans` makes without a number, with neighbour embeddings also where there are very many pictures.

    Args:
        random_state: Seed.
    """

    random_state: int = 0


ESTIMATORS: dict[Algorithm, type[Estimator]] = {
    "kmeans": KMeansEnsemble,
    "hierarchical": LinkageEnsemble,
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
