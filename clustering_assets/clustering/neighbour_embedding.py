"""A neighbour embedding: pictures laid out in a few dimensions so that neighbours stay neighbours."""

from collections.abc import Callable

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
    place = np.array(start, np.float32)
    few = len(place) <= PUSHERS
    force = _all_pairs(graph, repulsion, curve) if few else _sampled(graph, repulsion, curve, random)
    for epoch in range(epochs):
        step = np.float32(pace * (1 - epoch / epochs))
        place += step * np.clip(force(place), -4, 4)
    return place.astype(np.float64)


Force = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Coordinates (n, d) -> where each picture is drawn and pushed (n, d)."""


def _all_pairs(graph: Sparse, repulsion: float, curve: tuple[float, float]) -> Force:
    """The force of all pictures on each, by dense tables: so few that these take less time than going by edges."""
    a, b = map(np.float32, curve)
    n = graph.shape[0]
    weight = graph.toarray().astype(np.float32)
    degree = weight.sum(axis=1)
    pull = weight * (4 * a * b)
    rate = (degree[:, None] + degree) * (b * np.float32(repulsion / n))

    def force(place: NDArray[np.float32]) -> NDArray[np.float32]:
        square = _squares(place, place)
        curved = square**b
        net = pull * curved
        net /= np.maximum(square, 1e-9)
        square += np.float32(0.001)
        net -= rate / square
        curved *= a
        curved += 1
        net /= curved
        np.fill_diagonal(net, 0)
        return net @ place - net.sum(axis=1, keepdims=True) * place

    return force


def _sampled(
    graph: Sparse, repulsion: float, curve: tuple[float, float], random: np.random.Generator
) -> Force:
    """The pull of all edges and the push of a random set of pictures, another one for each call."""
    a, b = map(np.float32, curve)
    n = graph.shape[0]
    pull = graph.tocsr().astype(np.float32)
    weight = pull.data * (4 * a * b)
    rows = np.repeat(np.arange(n), np.diff(pull.indptr))
    rate = np.asarray(graph.sum(axis=1), dtype=np.float32).ravel() * (b * np.float32(repulsion / PUSHERS))

    def force(place: NDArray[np.float32]) -> NDArray[np.float32]:
        apart = place.take(rows, axis=0)
        apart -= place.take(pull.indices, axis=0)
        square = np.maximum(np.einsum("ij,ij->i", apart, apart), 1e-9)
        raised = square**b
        pull.data = weight * raised / (square * (1 + a * raised))
        pulled = pull @ place - np.asarray(pull.sum(axis=1)) * place

        chosen = random.choice(n, PUSHERS, replace=False)
        others = place[chosen]
        square = _squares(place, others)
        push = rate[:, None] + rate[chosen]
        curved = square**b
        curved *= a
        curved += 1
        square += np.float32(0.001)
        curved *= square
        push /= curved
        push[chosen, np.arange(PUSHERS)] = 0
        return pulled + push.sum(axis=1, keepdims=True) * place - push @ others

    return force


def _squares(left: NDArray[np.floating], right: NDArray[np.floating]) -> NDArray[np.floating]:
    """Squared distances between the rows of two tables."""
    squares = left @ (-2 * right.T)
    squares += np.einsum("ij,ij->i", left, left)[:, None]
    squares += np.einsum("ij,ij->i", right, right)
    return np.maximum(squares, 0, out=squares)
