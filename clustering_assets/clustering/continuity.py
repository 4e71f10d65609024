"""Keeping the clusters of the previous run where new pictures give no reason to change them."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from clustering_assets.clustering.algorithms import Request
from clustering_assets.clustering.choice import shares_of_best
from clustering_assets.clustering.cluster import FULL_ROWS, Clustering, by_size
from clustering_assets.clustering.consensus import settle
from clustering_assets.clustering.graph import Sparse, follow, modularity, similarity_graph
from clustering_assets.clustering.keys import UNCLUSTERED
from clustering_assets.clustering.quality import measure

REASON = 0.4
"""Lead in score (of at most 2) that fresh clusters need over the previous ones to replace them, for every old picture
is then shown elsewhere."""

CLEAR = 0.3, 0.1
"""Modularity and silhouette in the feature space that clear clusters have. Where all have less there is little to
choose between, and a lead counts as a share of these."""

BIRTH = 0.05
"""Lead in score that the previous clusters with a new one beside them need over those without."""

NEWCOMERS = 0.8
"""Least share of new pictures in a fresh cluster for them to become a cluster beside the previous ones."""

COMMON = 0.7
"""Least share of pictures that both runs must know, of each, for the previous clusters to stand."""


def hold(
    found: Clustering, hashes: list[str], previous: dict[str, int], request: Request
) -> Clustering | None:
    """The previous clusters with the new pictures added, or None where the fresh ones are clearly better.

    Where no picture came or went the previous clusters stand in any case: another version of this program is no reason.
    Pictures that the previous run knew keep their cluster, or none; the others follow their nearest neighbours, or
    are a cluster of their own where the fresh clustering has one for them. All partitions are scored alike, by
    modularity in the neighbour graph and by silhouette in the feature space, each as a share of the best one's, or of
    what clear clusters have.

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
    if known.all() and len(previous) == len(set(hashes)):
        note = f"no image came or went, so the clusters of the previous run were kept; afresh: {found.quality.clusters}"
        return replace(measured(found, by_size(before), request), notes=[*found.notes, note])
    followed = before.copy()
    if not known.all():
        followed[~known] = follow(found.points[~known], found.points[known], before[known])
    number = int(by_size(followed).max()) + 1
    if number < 2 or found.quality.clusters < 2 or (request.fixed and number != found.quality.clusters):
        return None
    ways = [by_size(followed)]
    if not request.fixed:
        ways.append(by_size(_with_newcomers(followed, known, found.labels)))
    rows = np.argsort(hashes, kind="stable")[:FULL_ROWS]
    graph = similarity_graph(found.points[rows])
    candidates = [found, *(measured(found, labels, request) for labels in ways)]
    score = shares_of_best(np.array([_evidence(c, rows, graph) for c in candidates]), CLEAR).sum(axis=1)
    best = len(score) - 1 if score[-1] - score[1] >= BIRTH else 1
    lead = float(score[0] - score[best])
    if lead >= REASON:
        return None
    added = "" if known.all() else ", new images added"
    note = (
        f"the clusters of the previous run were kept{added}: {found.quality.clusters} afresh would be "
        f"{abs(lead):.2f} of 2 points {'better' if lead > 0 else 'worse'}, and {REASON} would be a clear gain"
    )
    return replace(candidates[best], notes=[*found.notes, note])


def _with_newcomers(
    followed: NDArray[np.integer], known: NDArray[np.bool_], fresh: NDArray[np.integer]
) -> NDArray[np.integer]:
    """The labels with a cluster of their own for the new pictures of each fresh cluster that is nearly all new."""
    labels = followed.copy()
    for cluster in np.unique(fresh[fresh >= 0]):
        inside = fresh == cluster
        if (inside & ~known).sum() >= NEWCOMERS * inside.sum():
            labels[inside & ~known] = labels.max() + 1
    return labels


def measured(found: Clustering, labels: NDArray[np.int64], request: Request) -> Clustering:
    """The clustering with other labels, 0..k-1 in order of size or -1, and measured again."""
    fit, quality = measure(
        found.points, labels, found.quality.stability, found.quality.explained, request.seed
    )
    return replace(found, labels=labels, fit=fit, quality=quality)


def _evidence(clustering: Clustering, rows: NDArray[np.intp], graph: Sparse) -> tuple[float, float]:
    """Modularity, with unclustered pictures counted to their nearest clusters, and silhouette of the rest."""
    settled = settle(clustering.points[rows], clustering.labels[rows])
    labels = np.unique(settled, return_inverse=True)[1]  # a sample may lack a whole cluster
    clustered = 1 - clustering.quality.unclustered
    return modularity(graph, labels), clustering.quality.silhouette * clustered
