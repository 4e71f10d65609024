"""What speaks against taking clusters for groups that are in the data."""

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.metrics import adjusted_rand_score

from clustering_assets.clustering.consensus import FEWEST
from clustering_assets.clustering.graph import eigenmap, similarity_graph
from clustering_assets.clustering.means import spectral
from clustering_assets.clustering.partitions import PIECES, Partitions
from clustering_assets.clustering.quality import STABLE, silhouettes

NOISE, CLEAR_CUT = 0.28, 0.42
"""Mean silhouettes in the layouts: noise of five kinds stayed below the first; photos of one kind of thing came between
the two, unless the kind has kinds of its own; mixtures of labelled photos had the second and more."""

SWIFT_NOISE, SWIFT_CLEAR_CUT = 0.03, 0.08
"""The same in the feature space, where there are no layouts."""

SAMPLES, SAMPLE_SHARE = 3, 0.8
"""Subsamples that are clustered again where there are no votes, and the share of the pictures in each."""


def stability(partitions: Partitions, labels: NDArray[np.integer], seed: int = 0) -> float:
    """Mean adjusted Rand index (up to 1) between labels and the clusterings of subsamples.

    Those are the votes, or where there are none spectral k-means with as many clusters. It is nan for a single cluster
    and for too few pictures.
    """
    if labels.max() < 1:
        return float("nan")
    if partitions.consensus is not None:
        return partitions.consensus.stability(labels)
    points, n, clusters = partitions.points, len(labels), int(labels.max()) + 1
    rows = round(SAMPLE_SHARE * n)
    if n < FEWEST or clusters >= rows:
        return float("nan")
    agreement = []
    for number in range(SAMPLES):
        own = np.sort(np.random.default_rng((seed, number)).choice(n, rows, replace=False))
        again = spectral(eigenmap(similarity_graph(points[own]), clusters)[1], clusters)
        agreement.append(adjusted_rand_score(labels[own], again))
    return float(np.mean(agreement))


def silhouette(partitions: Partitions, labels: NDArray[np.integer]) -> float:
    """Mean silhouette of labels in the layouts, or in the feature space without them (-1 to 1)."""
    if partitions.consensus is not None:
        return partitions.consensus.silhouette(labels)
    return float(np.nan_to_num(silhouettes(partitions.points, labels)).mean())


def clearest(partitions: Partitions) -> tuple[float, int]:
    """The highest silhouette of pieces joined to ever fewer, or of Ward's clusters without votes, and their number."""
    if partitions.consensus is not None:
        found = partitions.joinings
    else:
        tree = linkage(partitions.points, "ward")
        most = max(2, min(PIECES, len(partitions.points) // 2))
        found = [fcluster(tree, clusters, "maxclust") - 1 for clusters in range(2, most + 1)]
    parted = [labels for labels in found if labels.max() > 0]
    return max(((silhouette(partitions, one), int(one.max()) + 1) for one in parted), default=(-1.0, 1))


def doubts(partitions: Partitions, labels: NDArray[np.integer], stable: float) -> list[str]:
    """What speaks against taking the clusters for groups that are in the data; nothing if they are clear and stable.

    Args:
        partitions: What else may be made of the points.
        labels: (n,) labels 0..k-1.
        stable: How stable they are; nan if unknown.
    """
    noise, clear = (NOISE, CLEAR_CUT) if partitions.consensus is not None else (SWIFT_NOISE, SWIFT_CLEAR_CUT)
    number = int(labels.max()) + 1
    if number < 2:
        return []
    value = silhouette(partitions, labels)
    if value < clear:
        best, clear_number = clearest(partitions)
        if best >= clear:
            others = f"another {number}" if clear_number == number else f"{clear_number}"
            return [
                f"these {number} clusters overlap (silhouette {value:.2f}); {others} would stand "
                f"apart more clearly ({best:.2f})"
            ]
        return [weakness(max(value, best), noise, clear)]
    if stable < STABLE:
        return [
            f"uncertain clusters: subsamples agree with them to {max(stable, 0):.0%} only "
            f"(adjusted Rand index; {STABLE:.0%} and more is stable)"
        ]
    return []


def weakness(value: float, noise: float = NOISE, clear: float = CLEAR_CUT) -> str:
    """A sentence for clusters whose silhouette is below `clear`."""
    figures = f"(silhouette {value:.2f}; noise stays below {noise}, clear clusters have {clear} and more)"
    if value < noise:
        return f"no cluster structure: these images form no groups that stand apart {figures}"
    return f"no clear cluster structure: the clusters shade into one another {figures}"
