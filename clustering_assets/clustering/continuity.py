"""Keeping the clusters of the previous run where new pictures give no reason to change them."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from clustering_assets.clustering.algorithms import Request
from clustering_assets.clustering.candidates import shares_of_best
from clustering_assets.clustering.cluster import FULL_ROWS, Clustering, by_size
from clustering_assets.clustering.consensus import settle
from clustering_assets.clustering.feature_space import even_sample
from clustering_assets.clustering.graph import Sparse, follow, modularity, similarity_graph
from clustering_assets.clustering.keys import UNCLUSTERED
from clustering_assets.clustering.quality import measure

REASON = 0.08
"""Lead in score (of at most 2) that fresh clusters need over the previous ones to replace them."""

FIXED_REASON = 0.3
"""The same where the number of clusters was asked for: there no new group can get a cluster of its own."""

COMMON = 0.7
"""Least share of pictures that both runs must know, of each, for the previous clusters to stand."""


def hold(
    found: Clustering, hashes: list[str], previous: dict[str, int], request: Request
) -> Clustering | None:
    """The previous clusters with the new pictures added, or None where the fresh ones are clearly better.

    Pictures that the previous run knew keep their cluster, or none; the others follow their nearest neighbours.
    Both partitions are then scored alike, by modularity in the neighbour graph and by silhouette in the feature
    space, each as a share of the better one's.

    Args:
        found: The fresh clustering.
        hashes: Content hash of each picture.
        previous: Content hash -> id in the previous run.
        request: What was asked for, the same in both runs.
    """
    before = np.array([previous.get(h, UNCLUSTERED - 1) for h in hashes])
    known = before > UNCLUSTERED - 1
    if known.sum() < COMMON * max(len(hashes), len(previous)):
        return None
    labels = before.copy()
    if not known.all():
        labels[~known] = follow(found.points[~known], found.points[known], before[known])
    labels = by_size(labels)
    number = int(labels.max()) + 1
    if number < 2 or found.quality.clusters < 2 or (request.fixed and number != found.quality.clusters):
        return None
    fit, quality = measure(
        found.points, labels, found.quality.stability, found.quality.explained, request.seed
    )
    held = replace(found, labels=labels, fit=fit, quality=quality)
    rows = even_sample(len(labels), FULL_ROWS, request.seed)
    graph = similarity_graph(found.points[rows])
    evidence = np.array([_evidence(c, rows, graph) for c in (found, held)])
    score = shares_of_best(evidence).sum(axis=1)
    if score[0] - score[1] >= (FIXED_REASON if request.fixed else REASON):
        return None
    added = "" if known.all() else ", new images added"
    note = f"the clusters of the previous run were kept{added}: clustering afresh would be no clear gain"
    return replace(held, notes=[*found.notes, note])


def _evidence(clustering: Clustering, rows: NDArray[np.intp], graph: Sparse) -> tuple[float, float]:
    """Modularity, with unclustered pictures counted to their nearest clusters, and silhouette of the rest."""
    settled = settle(clustering.points[rows], clustering.labels[rows])
    labels = np.unique(settled, return_inverse=True)[1]  # a sample may lack a whole cluster
    clustered = 1 - clustering.quality.unclustered
    return modularity(graph, labels), clustering.quality.silhouette * clustered
