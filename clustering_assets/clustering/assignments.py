"""The table of cluster assignments: a clustering joined with its pictures, its ids and its names."""

import logging
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clustering_assets.clustering.cluster import Clustering, cluster
from clustering_assets.clustering.continuity import describe_request, hold
from clustering_assets.clustering.feature_space import VectorsError, check_vectors
from clustering_assets.clustering.identity import (
    UNCLUSTERED,
    Changes,
    keep_ids,
    partition_key,
    remember_gone,
)
from clustering_assets.clustering.imagenet_kinds import ClassScores, kind_shares
from clustering_assets.clustering.names import name_clusters, with_given
from clustering_assets.clustering.near_duplicates import keepers
from clustering_assets.clustering.quality import Quality
from clustering_assets.words import counted

log = logging.getLogger("clustering_assets.clustering")

COLUMNS = (
    "path",
    "content_hash",
    "cluster",
    "cluster_name",
    "distance_to_center",
    "silhouette",
    "is_representative",
    "typicality",
    "duplicate_of",
    "x",
    "y",
    "earlier_clusters",
    "cluster_hint",
)
"""Columns of the table, in order."""

MUCH_THE_SAME = 0.8
"""Least share of a cluster's pictures, before and now, that were in it both times for it to be called as before."""

KIND_ROWS = 10_000
"""Up to this many pictures what they show counts beside what they look like; beyond, the scores would take long."""

EXTREMES = 3
"""Most and least typical pictures named for each cluster."""


@dataclass(frozen=True)
class Assignment:
    """Which cluster each picture belongs to, and what a report says about it.

    Attributes:
        table: One row per picture with the columns `COLUMNS`, in the order of the pictures given. `earlier_clusters`
            has the numbers of clusters that are gone and that the picture was in, newest first, with blanks between;
            from it a later run knows them again. `cluster_hint` is what the cluster is called where the user has not
            named it.
        clusters: One row per cluster, unclustered last: cluster, key, name, size, silhouette, representative,
            typical and untypical (paths, one per line), neighbour (key of the nearest cluster), spread (median
            distance to the centre).
        changes: What became of the previous run's clusters.
        quality: Figures of the whole.
        notes: What a person should know.
        algorithm: The algorithm that made the clusters (for `auto`, the one it chose).
        ids_ever_used: Every cluster id ever used, for the next run's `previous_ids`.
        request: What was asked for, for the next run's `previous_request`.
    """

    table: pd.DataFrame
    clusters: pd.DataFrame
    changes: Changes
    quality: Quality
    notes: list[str]
    algorithm: str
    ids_ever_used: tuple[int, ...]
    request: str


def assign(
    vectors: NDArray[np.floating],
    images: pd.DataFrame,
    *,
    algorithm: str = "kmeans",
    clusters: int = 5,
    eps: float = 0,
    seed: int = 0,
    previous: pd.DataFrame | None = None,
    previous_ids: Iterable[int] = (),
    previous_request: str | None = None,
    names: dict[int, str] | None = None,
    class_scores: ClassScores | None = None,
    duplicate_of: Sequence[str] | NDArray[np.str_] | None = None,
) -> Assignment:
    """Cluster pictures, give the clusters lasting ids and names, and measure how each picture fits.

    Args:
        vectors: (n, d) embeddings; row i belongs to row i of `images`.
        images: n rows with path and content_hash, and manifest columns where known.
        algorithm: kmeans, hierarchical, dbscan, hdbscan or auto.
        clusters: Number of clusters; 0 chooses it.
        eps: DBSCAN's radius; 0 chooses it.
        seed: Seed of everything random.
        previous: The previous run's table; None for a first run. One that cannot be used is set aside with a note.
        previous_ids: Every id ever used before.
        previous_request: The previous run's `Assignment.request`. When it is the same as now, the previous clusters
            are kept unless fresh ones are clearly better, so that new pictures do not reshuffle old ones.
        names: Names that the user set, by cluster id.
        class_scores: Class scores of features, for naming and for the kinds of thing that pictures show.
        duplicate_of: For each picture the path of the sharpest of its near-duplicates in the whole folder, or ''.
            In the table it is that of the sharpest in the same cluster, so that every cluster has pictures to show.

    Raises:
        VectorsError: The embeddings cannot be used or are not as many as the images.
        AlgorithmError: The algorithm or the number of clusters cannot be.
    """
    images = images.reset_index(drop=True)
    check_vectors(vectors, len(images))
    if duplicate_of is not None and len(duplicate_of) != len(images):
        raise VectorsError(f"duplicate_of has {len(duplicate_of)} entries for {len(images)} images")
    kinds = kind_shares(vectors, class_scores) if class_scores and len(vectors) <= KIND_ROWS else None
    found = cluster(vectors, algorithm=algorithm, clusters=clusters, eps=eps, seed=seed, kinds=kinds)
    notes = list(found.notes)
    hashes = [str(value) for value in images["content_hash"]]
    before = _read_previous(previous, hashes, notes)
    request = describe_request(algorithm, clusters, eps, seed)
    if before and previous_request == request:
        fixed = clusters > 0 and algorithm in ("kmeans", "hierarchical")
        held = hold(found, hashes, before, fixed=fixed, seed=seed)
        if held is not None:
            found, notes = held, [*notes, *held.notes[len(found.notes) :]]
    gone = _read_gone(previous) if before else {}
    ids, changes = keep_ids(found.labels, hashes, before, previous_ids, gone)
    same = _read_hints(previous, before, dict(zip(hashes, ids.tolist(), strict=True))) if before else {}
    hints = name_clusters(ids, vectors, images, class_scores=class_scores, before=same)
    named = with_given(hints, names or {})
    table = _table(images, found, ids, named, hints, duplicate_of, remember_gone(ids, hashes, before, gone))
    used = {int(i) for i in previous_ids} | set((before or {}).values()) | set(ids.tolist())
    used.update(*gone.values())
    return Assignment(
        table=table,
        clusters=summarise(table, found, ids),
        changes=changes,
        quality=found.quality,
        notes=notes,
        algorithm=found.algorithm,
        ids_ever_used=tuple(sorted(i for i in used if i >= 0)),
        request=request,
    )


def _read_previous(
    previous: pd.DataFrame | None, hashes: list[str], notes: list[str]
) -> dict[str, int] | None:
    """Content hash -> id of the previous run, or None with a note when its table is of no use."""
    if previous is None:
        return None
    if not {"content_hash", "cluster"} <= set(previous.columns):
        notes.append(
            "the previous assignments lack content_hash or cluster and were set aside: all ids are new"
        )
        return None
    cluster_ids = pd.to_numeric(previous["cluster"], errors="coerce")
    good = cluster_ids.notna() & (cluster_ids >= UNCLUSTERED) & (cluster_ids % 1 == 0)
    good &= previous["content_hash"].notna() & (previous["content_hash"].astype(str) != "")
    if not good.all():
        damaged = counted(int((~good).sum()), "damaged row")
        notes.append(f"{damaged} of the previous assignments left out")
    known = dict(
        zip(previous.loc[good, "content_hash"].astype(str), cluster_ids[good].astype(int), strict=True)
    )
    if known and not set(known) & set(hashes):
        notes.append("the previous assignments share no image with this folder: all ids are new")
    return known or None


def _read_gone(previous: pd.DataFrame | None) -> dict[str, list[int]]:
    """Content hash -> ids of clusters that were gone before; what is no number is left out."""
    if previous is None or "earlier_clusters" not in previous:
        return {}
    number = re.compile(r"(?<!\S)\d+(?=\.0|\s|$)")  # a column of single numbers is read back as 3.0
    return {
        str(content): [int(found) for found in number.findall(str(text))]
        for content, text in zip(previous["content_hash"], previous["earlier_clusters"], strict=True)
    }


def _read_hints(
    previous: pd.DataFrame | None, before: Mapping[str, int], now: Mapping[str, int]
) -> dict[int, str]:
    """Hint of the previous run by cluster id, of the clusters whose pictures are much the same.

    Args:
        previous: The previous run's table.
        before: Content hash -> id in the previous run.
        now: Content hash -> id in this run.
    """
    if previous is None or "cluster_hint" not in previous:
        return {}
    stayed = Counter(number for content, number in now.items() if before.get(content) == number)
    sizes = [Counter(numbers.values()) for numbers in (before, now)]
    same = [
        number
        for number, count in stayed.items()
        if number >= 0 and all(count >= MUCH_THE_SAME * size[number] for size in sizes)
    ]
    hints = (
        previous.drop_duplicates("content_hash", keep="last")
        .set_index("content_hash")["cluster_hint"]
        .dropna()
    )
    found = {before[str(content)]: str(hint) for content, hint in hints.items() if str(content) in before}
    return {number: found[number] for number in same if found.get(number)}


def _table(
    images: pd.DataFrame,
    found: Clustering,
    ids: NDArray[np.int64],
    named: dict[int, str],
    hints: dict[int, str],
    duplicate_of: Sequence[str] | NDArray[np.str_] | None,
    gone: list[list[int]],
) -> pd.DataFrame:
    representative = np.zeros(len(images), dtype=bool)
    representative[list(found.fit.representatives.values())] = True
    return pd.DataFrame(
        {
            "path": images["path"].astype(str),
            "content_hash": images["content_hash"].astype(str),
            "cluster": ids,
            "cluster_name": [named[int(i)] for i in ids],
            "distance_to_center": found.fit.distance,
            "silhouette": found.fit.silhouette,
            "is_representative": representative,
            "typicality": found.fit.typicality,
            "duplicate_of": "" if duplicate_of is None else keepers(duplicate_of, ids, images),
            "x": found.coordinates[:, 0],
            "y": found.coordinates[:, 1],
            "earlier_clusters": [" ".join(map(str, numbers)) for numbers in gone],
            "cluster_hint": [hints[int(i)] for i in ids],
        },
        columns=list(COLUMNS),
    )


def summarise(table: pd.DataFrame, found: Clustering, ids: NDArray[np.int64]) -> pd.DataFrame:
    """One row per cluster with what the report shows of it, unclustered last."""
    id_of = dict(zip(found.labels.tolist(), ids.tolist(), strict=True))
    neighbour = {id_of[a]: id_of.get(b) for a, b in found.fit.neighbours.items()}
    present = sorted(set(ids.tolist()), key=lambda i: (i == UNCLUSTERED, i))
    rows = []
    for number in present:
        members = table[table["cluster"] == number].sort_values("typicality", ascending=False, kind="stable")
        beside = neighbour.get(number)
        medoid = members.loc[members["is_representative"], "path"]
        rows.append(
            {
                "cluster": number,
                "key": partition_key(number),
                "name": members["cluster_name"].iloc[0],
                "size": len(members),
                "silhouette": float(members["silhouette"].mean()),
                "spread": float(members["distance_to_center"].median()),
                "representative": medoid.iloc[0] if len(medoid) else "",
                "typical": "\n".join(members["path"].head(EXTREMES)) if number >= 0 else "",
                "untypical": "\n".join(members["path"].tail(EXTREMES)[::-1]) if number >= 0 else "",
                "neighbour": "" if beside is None else partition_key(beside),
            }
        )
    return pd.DataFrame(rows)
