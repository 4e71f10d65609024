"""How good a clustering is: silhouettes, distances, typical pictures, neighbours, stability."""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from clustering_assets.clustering.feature_space import even_sample, in_threads

EXACT_ROWS = 5_000
"""Up to this many pictures silhouettes are measured against all others."""

SAMPLE_ROWS = 1_000
"""Beyond, against an even sample of this size."""

BLOCK = 500_000
"""Distances that are worked on at a time by each core."""

MEDOID_ROWS = 2_000
"""Largest cluster whose medoid is found exactly; beyond, the picture nearest to the centre stands in."""

STABLE = 0.5
"""Least stability at which another sample of the same pictures would be clustered much alike."""


FITS = (
    (0.5, "far apart"),
    (0.25, "clearly apart"),
    (0.1, "apart"),
    (0.0, "runs into others"),
    (-1.0, "hardly apart"),
)
"""Least mean silhouette of a cluster and what it comes to in words. Of photos, even good clusters seldom reach 0.5: two
pictures of a kind are alike in some ways and unlike in many."""


@dataclass(frozen=True)
class Quality:
    """Figures about a whole clustering; nan where a figure has no meaning (fewer than two clusters).

    Attributes:
        clusters: Number of clusters, without the unclustered pictures.
        unclustered: Share of pictures that belong to no cluster (0 to 1).
        silhouette: Mean silhouette (-1 to 1) of the clustered pictures (Rousseeuw, 1987).
        calinski_harabasz: Between-cluster over within-cluster variance; larger is better.
        davies_bouldin: Mean likeness of each cluster to its most like one; smaller is better.
        stability: Mean adjusted Rand index between this clustering and those of subsamples (0 to 1).
        explained: Share of variance that the feature space holds (0 to 1).
    """

    clusters: int
    unclustered: float
    silhouette: float
    calinski_harabasz: float
    davies_bouldin: float
    stability: float
    explained: float

    def as_dict(self) -> dict[str, float | int | None]:
        """The figures under their names; None for those that have no meaning."""
        return {
            name: None if isinstance(value, float) and np.isnan(value) else value
            for name, value in asdict(self).items()
        }


@dataclass(frozen=True)
class Fit:
    """How each of n pictures fits its cluster.

    Attributes:
        distance: (n,) distance to the centre of the picture's cluster in the feature space (0 to 2);
            nan for unclustered pictures.
        silhouette: (n,) silhouette (-1 to 1); nan for unclustered pictures and where there is one cluster.
        typicality: (n,) 1 for the picture nearest to its cluster's centre down to 0 for the farthest.
        representatives: Row of the medoid of each cluster, by label.
        neighbours: Label of the nearest other cluster by centre, by label; -1 where there is none.
    """

    distance: NDArray[np.float64]
    silhouette: NDArray[np.float64]
    typicality: NDArray[np.float64]
    representatives: dict[int, int]
    neighbours: dict[int, int]


def fit_in_words(silhouettes: NDArray[np.floating]) -> str:
    """How well a cluster stands apart, and how many of its pictures lie nearer to another; '' where not known.

    Args:
        silhouettes: Those of its pictures, (n,); nan where one has none.
    """
    known = silhouettes[np.isfinite(silhouettes)]
    if not len(known):
        return ""
    words = next(words for least, words in FITS if known.mean() >= least)
    doubtful = int((known < 0).sum())
    return f"{words}, {doubtful:,} doubtful" if doubtful else words


def measure_fit(points: NDArray[np.floating], labels: NDArray[np.integer], seed: int = 0) -> Fit:
    """How each picture fits, in the feature space.

    Args:
        points: (n, m) unit vectors of the feature space.
        labels: (n,) labels 0..k-1, or -1.
        seed: Seed of the samples that large sets are measured against.
    """
    n = len(points)
    groups = [int(label) for label in np.unique(labels) if label >= 0]
    distance, typicality = np.full(n, np.nan), np.zeros(n)
    representatives, centres = {}, np.zeros((len(groups), points.shape[1]))
    for position, label in enumerate(groups):
        rows = np.flatnonzero(labels == label)
        centres[position] = points[rows].mean(axis=0, dtype=np.float64)
        distance[rows] = np.linalg.norm(points[rows] - centres[position], axis=1)
        order = np.argsort(distance[rows], kind="stable")
        typicality[rows[order]] = np.linspace(1, 0, len(rows)) if len(rows) > 1 else 1.0
        representatives[label] = _medoid(points, rows, rows[order])
    return Fit(
        distance,
        silhouettes(points, labels, seed),
        typicality,
        representatives,
        _neighbours(groups, centres),
    )


def _medoid(points: NDArray[np.floating], rows: NDArray[np.intp], by_distance: NDArray[np.intp]) -> int:
    """The member with the least sum of distances to all members; the central one in large clusters."""
    if len(rows) > MEDOID_ROWS:
        return int(by_distance[0])
    from scipy.spatial.distance import cdist

    members = np.sort(rows)
    return int(members[int(cdist(points[members], points[members]).sum(axis=1).argmin())])


def _neighbours(groups: list[int], centres: NDArray[np.float64]) -> dict[int, int]:
    """For each cluster the one with the nearest centre."""
    if len(groups) < 2:
        return dict.fromkeys(groups, -1)
    from scipy.spatial.distance import cdist

    apart = cdist(centres, centres)
    np.fill_diagonal(apart, np.inf)
    return {label: groups[int(apart[i].argmin())] for i, label in enumerate(groups)}


def silhouettes(
    points: NDArray[np.floating], labels: NDArray[np.integer], seed: int = 0
) -> NDArray[np.float64]:
    """The (n,) silhouette of each picture (Rousseeuw, 1987, doi 10.1016/0377-0427(87)90125-7).

    (b - a) / max(a, b), where a is the mean distance to the picture's own cluster and b that to the nearest
    other one; 0 in a cluster of one. Up to `EXACT_ROWS` pictures the means are exact; beyond, they are taken
    over `SAMPLE_ROWS` pictures, so that the work grows with n and not with its square.
    """
    result = np.full(len(points), np.nan)
    clustered = np.flatnonzero(labels >= 0)
    groups, own = np.unique(labels[clustered], return_inverse=True)
    if len(groups) < 2:
        return result
    measured = _sample_per_cluster(clustered, own, seed)
    member = np.zeros((len(measured), len(groups)), dtype=points.dtype)
    position = np.searchsorted(clustered, measured)
    member[np.arange(len(measured)), own[position]] = 1
    count = member.sum(axis=0)
    sampled = np.zeros(len(points), dtype=bool)
    sampled[measured] = True
    squares = np.einsum("ij,ij->i", points[measured], points[measured])
    block = max(16, BLOCK // len(measured))
    mirror = np.ascontiguousarray(-2 * points[measured].T)

    def measure(start: int) -> None:
        rows, mine = clustered[start : start + block], own[start : start + block]
        apart = points[rows] @ mirror
        apart += squares
        apart += np.einsum("ij,ij->i", points[rows], points[rows])[:, None]
        np.sqrt(np.maximum(apart, 0, out=apart), out=apart)
        itself = sampled[rows]
        apart[np.flatnonzero(itself), np.searchsorted(measured, rows[itself])] = 0
        total = (apart @ member).astype(np.float64)
        result[rows] = _from_sums(total, mine, count, count[mine] - itself)

    in_threads(measure, range(0, len(clustered), block))
    return result


def mean_silhouette(distances: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """The mean silhouette (-1 to 1) of labels given all distances (n, n); 0 for a single cluster."""
    groups, own = np.unique(labels, return_inverse=True)
    if len(groups) < 2:
        return 0.0
    member = np.zeros((len(own), len(groups)), dtype=distances.dtype)
    member[np.arange(len(own)), own] = 1
    count = member.sum(axis=0)
    return float(_from_sums(distances @ member, own, count, count[own] - 1).mean())


def _from_sums(
    total: NDArray[np.floating],
    own: NDArray[np.intp],
    count: NDArray[np.floating],
    others: NDArray[np.floating],
) -> NDArray[np.floating]:
    """Silhouettes from the sums of the distances to each cluster.

    Args:
        total: (n, k) sums of distances; overwritten.
        own: (n,) column of each one's own cluster.
        count: (k,) members of the clusters.
        others: (n,) members of the own cluster beside itself.
    """
    here = np.arange(len(own))
    inside = total[here, own] / np.maximum(others, 1)
    total /= count
    total[here, own] = np.inf
    outside = total.min(axis=1)
    value = (outside - inside) / np.maximum(np.maximum(inside, outside), 1e-12)
    return np.where(others > 0, value, 0)


def _sample_per_cluster(rows: NDArray[np.intp], own: NDArray[np.intp], seed: int) -> NDArray[np.intp]:
    """About `SAMPLE_ROWS` rows if there are many, shared out so that every cluster keeps some, in ascending order."""
    if len(rows) <= EXACT_ROWS:
        return rows
    groups = own.max() + 1
    share = np.maximum(np.bincount(own) * SAMPLE_ROWS // len(rows), min(20, SAMPLE_ROWS // groups))
    chosen = []
    for group in range(groups):
        members = rows[own == group]
        chosen.append(members[even_sample(len(members), int(share[group]), seed + group)])
    return np.sort(np.concatenate(chosen))


def measure(
    points: NDArray[np.floating],
    labels: NDArray[np.integer],
    stability: float,
    explained: float,
    seed: int = 0,
) -> tuple[Fit, Quality]:
    """How each picture fits in the feature space, and the figures of the whole clustering.

    Args:
        points: (n, m) unit vectors.
        labels: (n,) labels 0..k-1, or -1.
        stability: Agreement with the clusterings of subsamples, measured elsewhere.
        explained: Share of variance that the feature space holds.
        seed: Seed of the samples that stand for large sets.
    """
    from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score

    fit = measure_fit(points, labels, seed)
    rows = np.flatnonzero(labels >= 0)
    groups = len(np.unique(labels[rows]))
    between = tightness = float("nan")
    rows = rows[even_sample(len(rows), 50_000, seed)]
    if 1 < len(np.unique(labels[rows])) < len(rows):
        between = float(calinski_harabasz_score(points[rows], labels[rows]))
        tightness = float(davies_bouldin_score(points[rows], labels[rows]))
    finite = fit.silhouette[np.isfinite(fit.silhouette)]
    return fit, Quality(
        clusters=groups,
        unclustered=float((labels < 0).mean()),
        silhouette=float(finite.mean()) if len(finite) else float("nan"),
        calinski_harabasz=between,
        davies_bouldin=tightness,
        stability=stability,
        explained=explained,
    )
