"""The map that people look at: pictures in two dimensions, neighbours near each other, clusters parted."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clustering_assets.clustering.graph import fuzzy_graph, nearest
from clustering_assets.clustering.neighbour_embedding import EPOCHS, NEIGHBOURS, descend

ROWS = 4_000
"""Up to this many pictures all are laid out; beyond, the others go between their nearest ones of so many."""

FEWEST = 5
"""Fewer pictures stay where the principal components have them."""

ACROSS = 0.25
"""What is left of the pull between neighbours of different clusters, so that clusters part where they touch."""

SETTLE = 0.02
"""Pace, against the usual one, at which a map goes on from an earlier one, so that what was there hardly moves."""

REPULSION = 2.0
"""Pushes per pull: enough in two dimensions to part groups without driving lone ones far out."""

CURVE = 0.5830300205483709, 1.3341669924407342
"""UMAP's curve for a least distance of 0.5: each picture keeps some room, so that a group can be looked into."""


def lay_out_map(
    points: NDArray[np.floating],
    plane: NDArray[np.floating],
    labels: NDArray[np.integer],
    order: NDArray[np.intp],
    before: NDArray[np.floating] | None = None,
) -> NDArray[np.float64]:
    """Coordinates (n, 2) of each picture on the map, the same for the same pictures in whatever order they come.

    UMAP's descent from the principal components, with weaker pulls between clusters. Where an earlier map has most of
    the pictures it goes on from there: new ones begin among their neighbours, and the others hardly move.

    Args:
        points: (n, m) unit vectors of the feature space.
        plane: (n, 2) the first two principal components.
        labels: (n,) clusters, -1 for none.
        order: Row numbers in an order that depends on the pictures alone.
        before: (n, 2) places on the earlier map, nan where a picture is new; None without one.
    """
    rows = order[:ROWS]
    if len(points) < FEWEST:
        return np.asarray(plane, np.float64)
    known = np.zeros(len(rows), bool) if before is None else np.isfinite(before[rows]).all(axis=1)
    goes_on = 2 * known.sum() >= len(rows)
    if before is not None and known.all():
        place = np.asarray(before[rows], np.float64)
    else:
        start = plane[rows] * (10 / max(float(np.abs(plane[rows]).max()), 1e-9))
        if goes_on and before is not None:
            start[known] = before[rows[known]]
            start[~known] = _between(points[rows[~known]], points[rows[known]], start[known])
        start = start + np.random.default_rng(0).normal(0, 1e-2, start.shape)
        place = _descended(points[rows], labels[rows], start, SETTLE if goes_on else 1.0)
        if not goes_on:
            place = _turned(place, plane[rows])
    whole = np.empty((len(points), 2))
    whole[rows] = place
    rest = order[ROWS:]
    if len(rest):
        whole[rest] = _between(points[rest], points[rows], place)
    return whole


def earlier_places(table: pd.DataFrame | None, hashes: Sequence[str]) -> NDArray[np.float64] | None:
    """Where the pictures lay on the earlier map, (n, 2), nan where they were not on it; None without such a map.

    Args:
        table: The previous assignments. Those of older versions have principal components in place of a map.
        hashes: Content hashes of the n pictures.
    """
    if table is None or not {"content_hash", "x", "y", "component_1"} <= set(table.columns):
        return None
    known = table["content_hash"].astype(str)
    places = {content: (x, y) for content, x, y in zip(known, table["x"], table["y"], strict=True)}
    return np.array([places.get(content, (np.nan, np.nan)) for content in hashes], float).reshape(-1, 2)


def _descended(
    points: NDArray[np.floating], labels: NDArray[np.integer], start: NDArray[np.floating], pace: float
) -> NDArray[np.float64]:
    """The map that the descent comes to from a start."""
    graph = fuzzy_graph(points, min(NEIGHBOURS, len(points) - 1)).tocoo()
    one, other = labels[graph.row], labels[graph.col]
    graph.data = np.where((one == other) | (one < 0) | (other < 0), graph.data, ACROSS * graph.data)
    return descend(
        graph.tocsr(),
        start,
        np.random.default_rng(0),
        epochs=2 * EPOCHS,
        repulsion=REPULSION,
        curve=CURVE,
        pace=pace,
    )


def _between(
    points: NDArray[np.floating], known: NDArray[np.floating], places: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Places (n, 2) among those of each point's three nearest known points, the nearest counting most."""
    index, apart = nearest(points, 3, among=known)
    weight = 1 / np.maximum(apart, 1e-3) ** 2
    return np.einsum("nk,nkd->nd", weight / weight.sum(axis=1, keepdims=True), places[index])


def _turned(place: NDArray[np.floating], plane: NDArray[np.floating]) -> NDArray[np.float64]:
    """The map turned and mirrored so that it lies as much as can be like the principal components (Procrustes)."""
    centred = place - place.mean(axis=0)
    left, _, right = np.linalg.svd(centred.T @ (plane - plane.mean(axis=0)))
    return centred @ (left @ right)
