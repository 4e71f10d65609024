"""A neighbour embedding: pictures laid out in a few dimensions so that neighbours stay neighbours."""

import numpy as np
from numpy.typing import NDArray

from clustering_assets.clustering.graph import Sparse, connect, eigenmap, fuzzy_graph

NEIGHBOURS = 15
"""Neighbours that attract each picture."""

DIMENSIONS = 10
"""Dimensions of the layout: enough that clusters need not be squeezed past each other."""

EPOCHS = 200
REPULSION = 10.0
"""Strength of repulsion: pushes per pull, UMAP's negative sample rate."""

CURVE = 1.93280839734315, 0.7904949732233831
"""The a, b at which 1 / (1 + a x^2b) is nearest to exp(-x) from 0 to 3: UMAP's curve for a least distance of 0."""

PUSHERS = 256
"""Pictures that push all others away in each epoch; up to this many pictures the repulsion is exact."""


def lay_out(
    points: NDArray[np.floating],
    *,
    neighbours: int = NEIGHBOURS,
    dimensions: int = DIMENSIONS,
    epochs: int = EPOCHS,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Coordinates in which dense groups of pictures stand well apart.

    Descends the fuzzy cross-entropy of UMAP (McInnes, Healy and Melville, 2018, arXiv 1802.03426) from the
    graph's eigenmap. Where UMAP draws single edges and single negative samples, each epoch here takes all
    edges with their weights and lets one random set of pictures push all the others, weighted by its
    expectation. That is less noisy, needs only matrix products, and is the same on every machine by seed.

    Args:
        points: (n, m) unit vectors, n at least 3.
        neighbours: Neighbours that attract each picture.
        dimensions: Dimensions of the result, at most n - 2.
        epochs: Steps of the descent.
        seed: Seed of the start's jitter and of the pushing sets.

    Returns:
        (n, dimensions) coordinates.
    """
    n = len(points)
    random = np.random.default_rng(seed)
    graph = fuzzy_graph(points, min(neighbours, n - 1))
    dimensions = max(1, min(dimensions, n - 2))
    _, vectors = eigenmap(connect(graph, points), dimensions + 1)
    place = vectors[:, 1:] * (10 / max(np.abs(vectors[:, 1:]).max(), 1e-9))
    place = (place + random.normal(0, 1e-3, place.shape)).astype(np.float32)

    return descend(graph, place, random, epochs=epochs)


def descend(
    graph: Sparse,
    start: NDArray[np.floating],
    random: np.random.Generator,
    *,
    epochs: int = EPOCHS,
    repulsion: float = REPULSION,
    curve: tuple[float, float] = CURVE,
    pace: float = 1.0,
) -> NDArray[np.float64]:
    """Coordinates (n, d) that neighbours in a graph pull together and all others push apart, from a start.

    Args:
        graph: Symmetric (n, n) weights of neighbours, 0 to 1.
        start: (n, d) first coordinates.
        random: What draws the pushing sets.
        epochs: Steps of the descent.
        repulsion: Pushes per pull.
        curve: The a, b of 1 / (1 + a x^2b), how likely two pictures at a distance x are neighbours.
        pace: Length of the first step; the last one is next to nothing.
    """
    n, place = len(start), np.asarray(start, np.float32)
    a, b = curve
    pull = graph.tocsr().astype(np.float32)
    weight = pull.data.copy()
    rows = np.repeat(np.arange(n), np.diff(pull.indptr))
    degree = np.asarray(graph.sum(axis=1), dtype=np.float32).ravel()
    pushers = min(PUSHERS, n)
    for epoch in range(epochs):
        apart = place[rows] - place[pull.indices]
        square = np.maximum(np.einsum("ij,ij->i", apart, apart), 1e-9)
        pull.data = weight * (4 * a * b) * square ** (b - 1) / (1 + a * square**b)
        gradient = pull @ place - np.asarray(pull.sum(axis=1)) * place

        chosen = random.choice(n, pushers, replace=False) if pushers < n else np.arange(n)
        square = _squares(place, place[chosen])
        rate = (degree[:, None] + degree[chosen]) * (repulsion / pushers)
        push = rate * b / ((0.001 + square) * (1 + a * square**b))
        push[chosen, np.arange(pushers)] = 0
        gradient += push.sum(axis=1, keepdims=True) * place - push @ place[chosen]

        place = place + np.float32(pace * (1 - epoch / epochs)) * np.clip(gradient, -4, 4)
    return place.astype(np.float64)


def _squares(left: NDArray[np.floating], right: NDArray[np.floating]) -> NDArray[np.floating]:
    """Squared distances between the rows of two tables."""
    squares = (left * left).sum(axis=1)[:, None] + (right * right).sum(axis=1) - 2 * left @ right.T
    return np.maximum(squares, 0)
