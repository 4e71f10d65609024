"""The algorithms, each a scikit-learn estimator that labels points of the feature space."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.cluster import DBSCAN, HDBSCAN, AgglomerativeClustering, KMeans
from sklearn.preprocessing import normalize

from clustering_assets.clustering.graph import NEIGHBOURS, eigenmap, nearest, similarity_graph
from clustering_assets.clustering.layout import lay_out

SMALLEST_SHARE = 0.02
"""Least share of the pictures that the density methods call a cluster."""

SMALLEST = 8
"""Least number of pictures that the density methods call a cluster."""


def smallest_cluster(n: int) -> int:
    """The fewest pictures, of n, that the density methods call a cluster."""
    return max(2, min(SMALLEST, n // 4), round(SMALLEST_SHARE * n))


class SpectralKMeans(ClusterMixin, BaseEstimator):
    """K-means on the eigenmap of the neighbour graph (Ng, Jordan and Weiss, 2002).

    The eigenmap has as many dimensions as there are clusters, and its rows unit length. Plain k-means
    takes every cluster for a ball of one size, which folders of photos are not.

    Args:
        n_clusters: Number of clusters, at most n.
        n_neighbors: Neighbours of each point in the graph.
        random_state: Seed.

    Attributes:
        labels_: (n,) labels 0..k-1.
    """

    def __init__(self, n_clusters: int = 5, n_neighbors: int = NEIGHBOURS, random_state: int = 0) -> None:
        self.n_clusters = n_clusters
        self.n_neighbors = n_neighbors
        self.random_state = random_state

    def fit(self, X: NDArray[np.floating], y: Any = None) -> Self:
        """Label the (n, m) unit vectors `X`; `y` is not used."""
        table = spectral_table(X, self.n_clusters, self.n_neighbors)
        model = KMeans(self.n_clusters, n_init=10, random_state=self.random_state)  # pyright: ignore[reportArgumentType]
        self.labels_ = model.fit_predict(table)
        return self


class SpectralLinkage(ClusterMixin, BaseEstimator):
    """Average-linkage hierarchical clustering on the eigenmap of the neighbour graph.

    Args:
        n_clusters: Number of clusters, at most n.
        n_neighbors: Neighbours of each point in the graph.

    Attributes:
        labels_: (n,) labels 0..k-1.
    """

    def __init__(self, n_clusters: int = 5, n_neighbors: int = NEIGHBOURS) -> None:
        self.n_clusters = n_clusters
        self.n_neighbors = n_neighbors

    def fit(self, X: NDArray[np.floating], y: Any = None) -> Self:
        """Label the (n, m) unit vectors `X`; `y` is not used."""
        table = spectral_table(X, self.n_clusters, self.n_neighbors)
        self.labels_ = AgglomerativeClustering(self.n_clusters, linkage="average").fit_predict(table)
        return self


class KneeDBSCAN(ClusterMixin, BaseEstimator):
    """DBSCAN (Ester et al., 1996) whose radius is the knee of the k-distance curve unless it is given.

    Args:
        eps: Radius of a neighbourhood in the feature space (0 to 2); 0 takes the knee.
        min_samples: Points within the radius that make a point a core of its cluster.

    Attributes:
        labels_: (n,) labels, -1 for noise.
        eps_: The radius used.
    """

    def __init__(self, eps: float = 0, min_samples: int = 5) -> None:
        self.eps = eps
        self.min_samples = min_samples

    def fit(self, X: NDArray[np.floating], y: Any = None) -> Self:
        """Label the (n, m) unit vectors `X`; `y` is not used."""
        samples = max(1, min(self.min_samples, len(X) - 1))
        self.eps_ = float(self.eps) if self.eps else knee(nearest(X, samples)[1][:, -1])
        self.labels_ = DBSCAN(eps=max(self.eps_, 1e-6), min_samples=samples).fit_predict(X)
        return self


class LayoutHDBSCAN(ClusterMixin, BaseEstimator):
    """HDBSCAN (Campello et al., 2013) on a neighbour embedding of the points.

    Args:
        min_cluster_size: Fewest points of a cluster; 0 takes `smallest_cluster`.
        random_state: Seed.

    Attributes:
        labels_: (n,) labels, -1 for noise.
        layout_: (n, p) the neighbour embedding.
    """

    def __init__(self, min_cluster_size: int = 0, random_state: int = 0) -> None:
        self.min_cluster_size = min_cluster_size
        self.random_state = random_state

    def fit(self, X: NDArray[np.floating], y: Any = None) -> Self:
        """Label the (n, m) unit vectors `X`; `y` is not used."""
        self.layout_ = lay_out(X, seed=self.random_state)
        size = self.min_cluster_size or smallest_cluster(len(X))
        model = HDBSCAN(min_cluster_size=size, min_samples=min(10, size), copy=True)  # pyright: ignore[reportArgumentType]
        self.labels_ = model.fit_predict(self.layout_)
        return self


def spectral_table(points: NDArray[np.floating], dimensions: int, neighbours: int) -> NDArray[np.float64]:
    """The (n, dimensions) eigenmap of the points' similarity graph, rows of unit length."""
    _, vectors = eigenmap(similarity_graph(points, min(neighbours, len(points) - 1)), dimensions)
    return np.asarray(normalize(vectors))


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
