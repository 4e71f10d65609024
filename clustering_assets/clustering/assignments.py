"""The table of cluster assignments: a clustering joined with its pictures, its ids and its names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clustering_assets.clustering.algorithms import Request
from clustering_assets.clustering.choices import Choices, own_clusters, regroup, with_choices
from clustering_assets.clustering.cluster import Clustering, by_size, cluster
from clustering_assets.clustering.continuity import hold, measured
from clustering_assets.clustering.feature_space import VectorsError, check_vectors
from clustering_assets.clustering.grouping import Grouping, group, names_of_groups, time_line
from clustering_assets.clustering.identity import Changes, keep_ids, remember_gone
from clustering_assets.clustering.imagenet_kinds import ClassScores, kind_shares
from clustering_assets.clustering.keys import UNCLUSTERED, UNCLUSTERED_KEY, in_order, partition_key
from clustering_assets.clustering.map_layout import earlier_places, lay_out_map
from clustering_assets.clustering.names import name_clusters, with_given
from clustering_assets.clustering.near_duplicates import keepers
from clustering_assets.clustering.previous import Previous
from clustering_assets.clustering.quality import Quality
from clustering_assets.tables import CLUSTER_ASSIGNMENTS

KIND_ROWS = 10_000
"""Up to this many pictures what they show counts beside what they look like; beyond, the scores would take long."""

EXTREMES = 3
"""Most and least typical pictures named for each cluster."""


@dataclass(frozen=True)
class Pictures:
    """Pictures and what is known of them.

    Attributes:
        vectors: (n, d) embeddings; row i belongs to row i of `images`.
        images: n rows with path and content_hash, and manifest columns where known.
        class_scores: Class scores of features, for naming and for the kinds of thing that pictures show.
        duplicate_of: For each picture the path of the sharpest of its near-duplicates in the whole folder, or ''.
            In the table it is that of the sharpest in the same cluster, so that every cluster has pictures to show.

    Raises:
        VectorsError: The embeddings cannot be used, or are not as many as the images or the near-duplicates.
    """

    vectors: NDArray[np.floating]
    images: pd.DataFrame
    class_scores: ClassScores | None = None
    duplicate_of: Sequence[str] | NDArray[np.str_] | None = None

    def __post_init__(self) -> None:
        check_vectors(self.vectors, len(self.images))
        if self.duplicate_of is not None and len(self.duplicate_of) != len(self.images):
            raise VectorsError(
                f"duplicate_of has {len(self.duplicate_of)} entries for {len(self.images)} images"
            )
        object.__setattr__(self, "images", self.images.reset_index(drop=True))

    def order(self) -> NDArray[np.intp]:
        """Row numbers in the order of the pictures' content, which is the same however the files are called."""
        return np.argsort(self.images["content_hash"].astype(str).to_numpy(), kind="stable")

    def kinds(self) -> NDArray[np.float32] | None:
        """What kind of thing each picture shows; None where that is not known or they are too many."""
        if self.class_scores is None or len(self.vectors) > KIND_ROWS:
            return None
        order = self.order()  # sums in another order differ in their last digits
        shares = kind_shares(self.vectors[order], self.class_scores)
        return None if shares is None else shares[np.argsort(order)]


@dataclass(frozen=True)
class Assignment:
    """Which cluster each picture belongs to, and what a report says about it.

    Attributes:
        table: One row per picture with the columns of `clustering_assets.tables.CLUSTER_ASSIGNMENTS`, in the order of
            the pictures given. `earlier_clusters` has the numbers of clusters that are gone and that the picture was
            in, newest first, with blanks between; from it a later run knows them again.
        clusters: One row per cluster, unclustered last: cluster, key, name, size, silhouette, representative,
            typical and untypical (paths, one per line), neighbour (key of the nearest cluster), spread (median
            distance to the centre).
        changes: What became of the previous run's clusters.
        quality: Figures of the whole.
        notes: What a person should know.
        algorithm: The algorithm that made the clusters.
        ids_ever_used: Every cluster id ever used, for the next run's `Previous.ids`.
        request: What was asked for, for the next run's `Previous.request`.
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
    pictures: Pictures,
    request: Request,
    previous: Previous | None = None,
    names: Mapping[int, str] | None = None,
    choices: Choices | None = None,
) -> Assignment:
    """Cluster pictures, give the clusters lasting ids and names, and measure how each picture fits.

    Args:
        pictures: The pictures and what is known of them.
        request: What is asked for.
        previous: What the previous run left; None for a first run.
        names: Names that the user set, by cluster id.
        choices: What the user has chosen to be shown, and to be together.

    Raises:
        VectorsError: The embeddings cannot be used.
        AlgorithmError: More clusters than distinct pictures, or than memory; or events where no picture has a date.
    """
    previous = previous or Previous()
    hashes = [str(value) for value in pictures.images["content_hash"]]
    if request.group_by == "folders":
        hashes, previous = _told_apart(pictures.images), previous.with_contents(_told_apart)
    found, given, before, notes = _found(pictures, request, hashes, previous)
    gone = previous.gone() if before else {}
    ids, changes = keep_ids(found.labels, hashes, before, previous.ids, gone)
    times = None
    if given is None or found.groups is None:
        hints = _hints(pictures, ids, hashes, before, previous, request)
    else:
        hints = _group_hints(pictures, ids, found.groups, given.names)
        if given.times is not None:
            times = time_line(given.times, found.groups)
    used = {*map(int, previous.ids), *before.values(), *ids.tolist()}.union(*gone.values())
    choices, found_ids, own = choices or Choices(), ids, own_clusters(previous.table)
    if choices.groups:
        ids, made, odd = regroup(
            ids,
            pictures.images["path"].astype(str).tolist(),
            choices,
            with_given(hints, names or {}),
            own=own,
            used={*used, *own.values()},
        )
        found = measured(found, by_size(ids), request)
        hints = {UNCLUSTERED: UNCLUSTERED_KEY, **hints, **made}
        notes = [*notes, *odd]
    earlier = earlier_places(previous.table, hashes) if previous.request == str(request) else None
    places = times
    if places is None:
        places = lay_out_map(found.points, found.coordinates, ids, pictures.order(), earlier)
    table = _table(
        pictures,
        found,
        ids,
        with_given(hints, names or {}),
        hints,
        remember_gone(found_ids, hashes, before, gone),
        places,
    )
    table, odd = with_choices(
        table.assign(found_cluster=np.where(found_ids == ids, np.nan, found_ids)), choices
    )
    notes = [*notes, *choices.odd, *odd]
    return Assignment(
        table=table,
        clusters=summarise(table, found, ids),
        changes=changes,
        quality=found.quality,
        notes=notes,
        algorithm=found.algorithm,
        ids_ever_used=tuple(sorted(i for i in {*used, *own.values(), *ids.tolist()} if i >= 0)),
        request=str(request),
    )


def _found(
    pictures: Pictures, request: Request, hashes: list[str], previous: Previous
) -> tuple[Clustering, Grouping | None, dict[str, int], list[str]]:
    """The clusters, the groups that were given beforehand, earlier clusters by content hash, and notes."""
    given = group(pictures.images, request.group_by)
    found = cluster(
        pictures.vectors,
        request,
        pictures.kinds(),
        pictures.order(),
        groups=None if given is None else given.labels,
    )
    before, warnings = previous.clusters(hashes)
    notes = [*found.notes, *(given.notes if given else ()), *warnings]
    if given is None and before and previous.request == str(request):
        held = hold(found, hashes, before, request)
        if held is not None:
            found, notes = held, [*notes, *held.notes[len(found.notes) :]]
    return found, given, before, notes


def _told_apart(images: pd.DataFrame) -> list[str]:
    """The content hash of each picture, and its path beside it where there are copies, which other folders may hold."""
    copies = images["content_hash"].duplicated(keep=False)
    return [
        f"{content} {path}" if copied else str(content)
        for content, path, copied in zip(images["content_hash"], images["path"], copies, strict=True)
    ]


def _hints(
    pictures: Pictures,
    ids: NDArray[np.int64],
    hashes: list[str],
    before: dict[str, int],
    previous: Previous,
    request: Request,
) -> dict[int, str]:
    """A hint for each cluster that looks made: that of the previous run where all is as it was, or still true."""
    same = previous.hints(before, dict(zip(hashes, ids.tolist(), strict=True)))
    hints = name_clusters(
        ids, pictures.vectors, pictures.images, class_scores=pictures.class_scores, before=same
    )
    if before.keys() == set(hashes) and previous.request == str(request):
        hints |= {number: hint for number, hint in same.items() if number in hints}
    return hints


def _group_hints(
    pictures: Pictures, ids: NDArray[np.int64], groups: NDArray[np.int64], names: Mapping[int, str]
) -> dict[int, str]:
    """The names of the groups; where several clusters lie in one, with what their pictures show."""
    hints = names_of_groups(ids, groups, names)
    for inside in (np.flatnonzero(groups == label) for label in np.unique(groups)):
        if len(np.unique(ids[inside][ids[inside] >= 0])) > 1:
            words = name_clusters(
                ids[inside],
                pictures.vectors[inside],
                pictures.images.iloc[inside].drop(columns="taken_at", errors="ignore").reset_index(drop=True),
                class_scores=pictures.class_scores,
            )
            hints |= {number: f"{hints[number]}, {word}" for number, word in words.items() if number >= 0}
    return hints


def _table(
    pictures: Pictures,
    found: Clustering,
    ids: NDArray[np.int64],
    named: dict[int, str],
    hints: dict[int, str],
    gone: list[list[int]],
    places: NDArray[np.float64],
) -> pd.DataFrame:
    images, duplicate_of = pictures.images, pictures.duplicate_of
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
            "x": places[:, 0],
            "y": places[:, 1],
            "earlier_clusters": [" ".join(map(str, numbers)) for numbers in gone],
            "cluster_hint": [hints[int(i)] for i in ids],
            "component_1": found.coordinates[:, 0],
            "component_2": found.coordinates[:, 1],
            "choice": "",
            "found_cluster": np.nan,
        },
        columns=list(CLUSTER_ASSIGNMENTS.columns),
    )


def summarise(table: pd.DataFrame, found: Clustering, ids: NDArray[np.int64]) -> pd.DataFrame:
    """One row per cluster with what the report shows of it, unclustered last."""
    id_of = dict(zip(found.labels.tolist(), ids.tolist(), strict=True))
    neighbour = {id_of[a]: id_of.get(b) for a, b in found.fit.neighbours.items()}
    rows = []
    for number in in_order(ids):
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
