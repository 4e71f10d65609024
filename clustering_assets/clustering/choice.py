"""Choosing the number of clusters with evidence."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clustering_assets.clustering.graph import eigenmap, similarity_graph
from clustering_assets.clustering.methods import SpectralKMeans, SpectralLinkage

MOST = 20
"""Largest number of clusters that is considered."""


@dataclass(frozen=True)
class Choice:
    """The number of clusters chosen and why.

    Attributes:
        clusters: The number.
        labels: (n,) labels with that number of clusters.
        notes: The reasons in plain sentences.
    """

    clusters: int
    labels: NDArray[np.integer]
    notes: list[str]


def choose_clusters(points: NDArray[np.floating], algorithm: str, seed: int) -> Choice:
    """The number of clusters that the eigengap of the neighbour graph proposes.

    Args:
        points: (n, m) unit vectors.
        algorithm: kmeans or hierarchical.
        seed: Seed.
    """
    most = min(MOST, len(points) // 3)
    values, _ = eigenmap(similarity_graph(points), most + 1)
    gaps = np.diff(values)[1:]
    clusters = int(gaps.argmax()) + 2
    method = (
        SpectralKMeans(clusters, random_state=seed) if algorithm == "kmeans" else SpectralLinkage(clusters)
    )
    labels = method.fit(points).labels_
    margin = float(gaps.max() / max(np.sort(gaps)[-2], 1e-9)) if len(gaps) > 1 else 1.0
    return Choice(
        clusters, labels, [f"{clusters} clusters chosen: largest eigengap, {margin:.2f} times the next"]
    )
