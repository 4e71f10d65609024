"""Nearest-neighbour graphs of the feature space and their Laplacian eigenmaps."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from clustering_assets.clustering.feature_space import in_threads

NEIGHBOURS = 10
"""Neighbours of each picture in the similarity graph."""

DENSE_ROWS = 1_500
"""Up to this many pictures the eigenvectors are computed exactly, beyond by Lanczos iteration."""

BLOCK = 500_000
"""Distances that are worked on at a time by each core."""

Sparse = Any  # scipy's sparse arrays have no usable static type


def nearest(
    points: NDArray[np.floating], k: int, among: NDArray[np.floating] | None = None
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The k nearest rows of `among` for each row of `points`, by Euclidean distance, nearest first.

    Exact, in blocks that stay in a core's cache. Without `among` the neighbours are the other rows of `points`.

    Returns:
        (n, k) row numbers and (n, k) distances. k is cut to what there is.
    """
    others = points if among is None else among
    k = min(k, len(others) - (among is None))
    index = np.empty((len(points), k), dtype=np.intp)
    distance = np.empty((len(points), k))
    squares = np.einsum("ij,ij->i", others, others)
    target = np.vstack([-2 * others.T, squares])
    block = max(16, BLOCK // max(len(others), 1))

    def measure(start: int) -> None:
        rows = points[start : start + block]
        square = rows @ target[:-1]
        square += target[-1]
        if among is None:
            square[np.arange(len(rows)), np.arange(start, start + len(rows))] = np.inf
        if k == 1:
            part = square.argmin(axis=1)[:, None]
        elif k < len(others):
            part = np.argpartition(square, k - 1, axis=1)[:, :k]
        else:
            part = np.tile(np.arange(len(others)), (len(rows), 1))
        values = np.take_along_axis(square, part, axis=1)
        if k > 1:  # ties are broken by row number, so that equal pictures come in the same order everywhere
            order = np.lexsort((part, values), axis=1)
            part, values = np.take_along_axis(part, order, axis=1), np.take_along_axis(values, order, axis=1)
        index[start : start + block] = part
        values = values + np.einsum("ij,ij->i", rows, rows)[:, None]
        distance[start : start + block] = np.sqrt(np.maximum(values, 0))

    in_threads(measure, range(0, len(points), block))
    return index, distance


def similarity_graph(points: NDArray[np.floating], neighbours: int = NEIGHBOURS) -> Sparse:
    """A symmetric, connected (n, n) graph of similarities from 0 to 1, self-tuned.

    The weight of two neighbours is exp(-d^2 / (s_i s_j)), where s is the distance to a picture's last
    neighbour, so that dense and sparse regions are joined alike (Zelnik-Manor and Perona, 2004, "Self-tuning
    spectral clustering"). Separate parts are joined by their closest pair, weakly.
    """
    index, distance = nearest(points, neighbours)
    width = np.maximum(distance[:, -1], 1e-6)
    weight = np.exp(-(distance**2) / (width[:, None] * width[index]))
    graph = _from_rows(index, weight)
    return connect(graph.maximum(graph.T), points)


def fuzzy_graph(points: NDArray[np.floating], neighbours: int) -> Sparse:
    """The symmetric (n, n) fuzzy neighbour graph of UMAP (McInnes, Healy and Melville, 2018, arXiv 1802.03426).

    Each picture's distances are counted from its nearest neighbour and scaled so that the weights of its
    neighbours add up to log2(k + 1); a pair's two weights are joined by the probabilistic sum.
    """
    index, distance = nearest(points, neighbours)
    distance = distance**2 / 2  # the cosine distance, for unit vectors
    beyond = np.maximum(distance - distance[:, :1], 0)
    width = _widths(beyond, np.log2(index.shape[1] + 1))
    width = np.maximum(width, 1e-3 * max(float(distance.mean()), 1e-9))
    graph = _from_rows(index, np.exp(-beyond / width[:, None]))
    return (graph + graph.T - graph.multiply(graph.T)).tocsr()


def _widths(beyond: NDArray[np.float64], target: float) -> NDArray[np.float64]:
    """For each row the s at which the sum of exp(-beyond / s) is `target`, by bisection."""
    low = np.zeros(len(beyond))
    high = np.full(len(beyond), np.inf)
    width = np.ones(len(beyond))
    for _ in range(64):
        large = np.exp(-beyond / np.maximum(width, 1e-12)[:, None]).sum(axis=1) > target
        high = np.where(large, width, high)
        low = np.where(large, low, width)
        middle = (low + np.where(np.isinf(high), low, high)) / 2
        width = np.where(np.isinf(high), width * 2, middle)
    return width


def _from_rows(index: NDArray[np.intp], weight: NDArray[np.float64]) -> Sparse:
    n, k = index.shape
    return sparse.csr_matrix((weight.ravel(), (np.repeat(np.arange(n), k), index.ravel())), shape=(n, n))


def connect(graph: Sparse, points: NDArray[np.floating]) -> Sparse:
    """The graph with its separate parts joined, each to the nearest other part by a weak edge.

    The eigenvectors of a graph in several parts say only which part a picture is in; joined, they also
    say which parts are close.
    """
    weak = 1e-3
    while True:
        parts, part = sparse.csgraph.connected_components(graph, directed=False)
        if parts == 1:
            return graph.tocsr()
        rows, columns = [], []
        for number in range(parts):
            inside, outside = np.flatnonzero(part == number), np.flatnonzero(part != number)
            index, distance = nearest(points[inside], 1, among=points[outside])
            best = int(distance[:, 0].argmin())
            rows.append(inside[best])
            columns.append(outside[index[best, 0]])
        bridge = sparse.csr_matrix((np.full(parts, weak), (rows, columns)), shape=graph.shape)
        graph = graph.maximum(bridge.maximum(bridge.T))


def eigenmap(graph: Sparse, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The smallest eigenvalues of the normalised Laplacian and their eigenvectors.

    L = I - D^-1/2 W D^-1/2 (Ng, Jordan and Weiss, 2002, "On spectral clustering"); the sign of each vector
    is set so that its largest entry is positive, which makes the result the same everywhere.

    Returns:
        (m,) eigenvalues in ascending order and (n, m) vectors, m the lesser of `count` and n.
    """
    n = graph.shape[0]
    count = min(count, n)
    root = 1 / np.sqrt(np.maximum(np.asarray(graph.sum(axis=1)).ravel(), 1e-12))
    affinity = sparse.diags(root) @ graph @ sparse.diags(root)
    if n <= DENSE_ROWS or count >= n - 1:
        values, vectors = linalg.eigh(affinity.toarray(), subset_by_index=[n - count, n - 1])
        if len(values) < count:  # LAPACK's fast driver loses vectors where many eigenvalues are equal
            values, vectors = (part[..., -count:] for part in linalg.eigh(affinity.toarray(), driver="evd"))
    else:
        start = np.random.default_rng(0).uniform(0.5, 1.5, n)
        values, vectors = sparse.linalg.eigsh(affinity, k=count, which="LA", v0=start, tol=1e-6)
    order = np.argsort(-values, kind="stable")
    values, vectors = 1 - values[order], vectors[:, order]
    sign = np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(count)])
    return np.maximum(values, 0), vectors * np.where(sign == 0, 1, sign)


def follow(
    points: NDArray[np.floating],
    known: NDArray[np.floating],
    labels: NDArray[np.integer],
    neighbours: int = 5,
) -> NDArray[np.integer]:
    """The label that most of each point's nearest known points have; of equals, the nearest one's."""
    index, _ = nearest(points, neighbours, among=known)
    votes = labels[index]
    agreement = (votes[:, :, None] == votes[:, None, :]).sum(axis=2)
    return votes[np.arange(len(votes)), agreement.argmax(axis=1)]


def modularity(graph: Sparse, labels: NDArray[np.integer]) -> float:
    """How much more of a graph's weight lies inside clusters than chance would put there (up to 1).

    Newman and Girvan, 2004, doi 10.1103/PhysRevE.69.026113.
    """
    member = sparse.csr_matrix((np.ones(len(labels)), (np.arange(len(labels)), labels)))
    within = np.asarray((member.T @ graph @ member).diagonal())
    degree = np.asarray(member.T @ np.asarray(graph.sum(axis=1))).ravel()
    total = degree.sum()
    return float((within / total - (degree / total) ** 2).sum())
