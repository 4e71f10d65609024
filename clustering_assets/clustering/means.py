"""K-means that owes nothing to chance."""

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import cut_tree, fcluster, linkage
from sklearn.cluster import KMeans
from sklearn.preprocessing import normalize


def means(
    table: NDArray[np.floating], clusters: int, tree: NDArray[np.float64] | None = None
) -> NDArray[np.integer]:
    """K-means started from Ward's clusters, which leave as little within them as the best of ten random starts.

    Random starts end in other clusters for every seed where structure is weak: on sets of some hundred labelled
    pictures their agreement with the labels (adjusted Rand index) was 0.47 to 0.71 for one and the same inertia.

    Args:
        table: (n, m) points.
        clusters: Number of clusters, at most n.
        tree: Ward's tree of the points as scipy has it, if it is known.

    Returns:
        (n,) labels 0..k-1, k fewer than asked for only if there are fewer different points.
    """
    tree = linkage(table, "ward") if tree is None else tree
    start = fcluster(tree, clusters, "maxclust") - 1
    if start.max() + 1 < clusters:  # several steps of the tree are of one height
        start = cut_tree(tree, clusters)[:, 0]
    member = np.eye(int(start.max()) + 1)[start]
    centres = np.unique(member.T @ table / member.sum(axis=0)[:, None], axis=0)
    return KMeans(len(centres), init=centres, n_init=1).fit_predict(table)  # pyright: ignore[reportArgumentType]


def spectral(table: NDArray[np.floating], clusters: int) -> NDArray[np.integer]:
    """K-means on an eigenmap of a neighbour graph (n, m), with as many dimensions as clusters.

    Ng, Jordan and Weiss, 2002, "On spectral clustering". Plain k-means takes every cluster for a ball of one size,
    which folders of photos are not.
    """
    return means(np.asarray(normalize(table[:, :clusters])), clusters)
