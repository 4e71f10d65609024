"""One set of pictures as several ways of clustering see it: its points, their neighbours, votes and pieces."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from clustering_assets.clustering.consensus import Consensus
from clustering_assets.clustering.graph import Sparse, eigenmap, similarity_graph
from clustering_assets.clustering.means import spectral

PIECES = 16
"""Clusters that pictures are first parted into, to be joined until they are as few as wanted."""


class Partitions:
    """What is made of one set of points more than once, each part computed when it is needed.

    Args:
        points: (n, m) unit vectors.
        consensus: What the layouts agree on; None for sets too small or too hurried for it.
    """

    def __init__(self, points: NDArray[np.floating], consensus: Consensus | None) -> None:
        self.points = points
        self.consensus = consensus
        self._smallest = max(2, min(8, len(points) // 20))

    @cached_property
    def graph(self) -> Sparse:
        """The neighbour graph."""
        return similarity_graph(self.points)

    def graph_of(self, view: NDArray[np.floating]) -> Sparse:
        """The neighbour graph of the same pictures in a feature space."""
        return self.graph if view is self.points else similarity_graph(view)

    @cached_property
    def joinings(self) -> list[NDArray[np.integer]]:
        """Partitions from pieces to a single cluster; in each the two most alike clusters of the one before are one."""
        assert self.consensus is not None
        labels = self._pieces(self.consensus)
        steps = [labels]
        while (clusters := int(labels.max()) + 1) > 1:
            alike = self.consensus.affinity(labels, self.points)
            np.fill_diagonal(alike, -np.inf)
            first, second = sorted(int(i) for i in np.unravel_index(alike.argmax(), alike.shape))
            number = np.arange(clusters)
            number[second] = first
            number[second + 1 :] -= 1
            labels = number[labels]
            steps.append(labels)
        return steps

    def _pieces(self, consensus: Consensus) -> NDArray[np.integer]:
        """The finest k-means on the votes, up to `PIECES`, without tiny clusters; copies of a picture stay together."""
        table = eigenmap(consensus.added_to(self.graph), PIECES)[1]
        _, first, copy_of = np.unique(self.points, axis=0, return_index=True, return_inverse=True)
        for clusters in range(min(PIECES, len(first), len(self.points) // self._smallest), 2, -1):
            labels = np.unique(spectral(table, clusters)[first][copy_of], return_inverse=True)[1]
            if np.bincount(labels).min() >= self._smallest:
                return labels
        return spectral(table, 2)

    def joined(self, clusters: int) -> NDArray[np.integer] | None:
        """(n,) labels of pieces joined until there are so many clusters; None without votes or with too few pieces."""
        if self.consensus is None:
            return None
        return next((labels for labels in self.joinings if int(labels.max()) + 1 == clusters), None)
