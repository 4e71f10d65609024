"""Cluster ids that last: matching new clusters to those of the previous run."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

from clustering_assets.clustering.keys import UNCLUSTERED, partition_key
from clustering_assets.words import counted

KEPT = 0.2
"""Least overlap (intersection over union of the pictures common to both runs) at which a cluster keeps an
id. Two clusters that share less are different things that happen to touch."""

GONE = 0.5
"""How much the overlap with a cluster that is gone counts beside that with one of the previous run."""

EARLIER = 4
"""Clusters that are gone and that are remembered of each picture."""

TOUCHED = 0.25
"""Least share of a cluster's known pictures that makes another cluster one of its sources or heirs."""


@dataclass(frozen=True)
class Changes:
    """What became of the previous run's clusters.

    Attributes:
        first: There was no previous run to compare with.
        births: Ids that are new.
        returns: Ids that were gone and are there again, with most of their pictures.
        deaths: Ids that are gone.
        merges: Id -> the earlier ids whose pictures it now holds (two or more).
        splits: Earlier id -> the ids that now hold its pictures (two or more).
        added: Number of pictures that the previous run did not know.
        removed: Number of its pictures that are no longer there.
        moved: Share (0 to 1) of the pictures known to both runs that changed their id.
    """

    first: bool = True
    births: tuple[int, ...] = ()
    returns: tuple[int, ...] = ()
    deaths: tuple[int, ...] = ()
    merges: dict[int, tuple[int, ...]] = field(default_factory=dict)
    splits: dict[int, tuple[int, ...]] = field(default_factory=dict)
    added: int = 0
    removed: int = 0
    moved: float = 0.0

    def as_dict(self) -> dict[str, object]:
        """The changes as plain values that JSON can hold; ids that key a mapping become text."""
        return json.loads(json.dumps(asdict(self))) | {"summary": self.sentence()}

    def sentence(self) -> str:
        """The changes in one plain sentence, for logs and reports."""
        if self.first:
            return "first clustering: every cluster is new"
        parts = []
        if self.births:
            parts.append("new: " + _keys(self.births))
        if self.returns:
            parts.append("back: " + _keys(self.returns))
        if self.deaths:
            parts.append("gone: " + _keys(self.deaths))
        parts += [
            f"{_keys(i for i in old if i != new)} went into {partition_key(new)}"
            for new, old in self.merges.items()
        ]
        parts += [f"{partition_key(old)} was split into {_keys(new)}" for old, new in self.splits.items()]
        parts.append(f"{counted(self.added, 'image')} added, {self.removed} removed, {self.moved:.1%} moved")
        return "; ".join(parts)


def _keys(ids: Iterable[int]) -> str:
    return ", ".join(partition_key(i) for i in ids)


def keep_ids(
    labels: NDArray[np.integer],
    content_hashes: list[str],
    previous: dict[str, int] | None,
    previous_ids: Iterable[int] = (),
    gone: Mapping[str, Sequence[int]] | None = None,
) -> tuple[NDArray[np.int64], Changes]:
    """Give clusters the ids they had, and fresh ids to those that are new.

    Clusters are matched one to one to the previous ones so that the total overlap of members (intersection
    over union, counted over pictures known to both runs by content hash) is largest: an assignment problem
    (Kuhn, 1955, doi 10.1002/nav.3800020109). A pair that overlaps by less than `KEPT` is no match.
    Clusters that are gone take part with what is left of their pictures, so that they are found again after a run
    that made other clusters or none; there overlap counts by `GONE` of what it is.
    A fresh id is larger than every id ever used, so that no id comes back with another meaning.

    Args:
        labels: (n,) cluster of each picture as the algorithm numbered them; -1 for none.
        content_hashes: n content hashes in the same order.
        previous: Content hash -> id in the previous run; None or empty when there was none.
        previous_ids: Every id that was ever used, also by clusters long gone.
        gone: Content hash -> ids of clusters that were gone before the previous run and had the picture.

    Returns:
        The (n,) ids and what changed. Without a previous run, larger clusters get the smaller ids.
    """
    labels = np.asarray(labels)
    groups = [int(label) for label in np.unique(labels) if label >= 0]
    used = {int(i) for i in previous_ids if i >= 0}
    if not previous:
        order = sorted(groups, key=lambda g: (-int((labels == g).sum()), g))
        given = {group: max(used, default=-1) + 1 + position for position, group in enumerate(order)}
        return _apply(labels, given), Changes(births=tuple(sorted(given.values())), added=len(labels))

    old = np.array([previous.get(h, UNCLUSTERED - 1) for h in content_hashes])
    known = old > UNCLUSTERED - 1
    old_groups = sorted({i for i in previous.values() if i >= 0})
    lost = {h: [i for i in ids if i not in old_groups] for h, ids in (gone or {}).items() if h in previous}
    lost_groups = sorted({i for ids in lost.values() for i in ids})
    used |= {*old_groups, *lost_groups}
    earlier = [lost.get(h, []) for h in content_hashes]
    shared = _overlap_counts(labels[known], [[i] for i in old[known]], groups, old_groups)
    shared_lost = _overlap_counts(labels, earlier, groups, lost_groups)
    sizes = np.array([(labels[known] == g).sum() for g in groups])
    overlap = _overlap(shared, sizes, np.array([(old[known] == g).sum() for g in old_groups]))
    members = Counter(i for ids in earlier for i in ids)
    overlap_lost = _overlap(shared_lost, sizes, np.array([members[g] for g in lost_groups], dtype=int))
    given = _match(np.hstack([overlap, overlap_lost]), groups, old_groups, lost_groups)
    fresh = max(used, default=-1) + 1
    births = sorted(set(groups) - set(given), key=lambda g: (-int((labels == g).sum()), g))
    given |= {group: fresh + position for position, group in enumerate(births)}
    ids = _apply(labels, given)
    merges, splits = _kin(shared, given, groups, old_groups)
    return ids, Changes(
        first=False,
        births=tuple(sorted(given[group] for group in births)),
        returns=tuple(i for i in lost_groups if i in given.values()),
        deaths=tuple(i for i in old_groups if i not in given.values()),
        merges=merges,
        splits=splits,
        added=int((~known).sum()),
        removed=len(set(previous) - set(content_hashes)),
        moved=float((ids[known] != old[known]).mean()) if known.any() else 0.0,
    )


def remember_gone(
    ids: NDArray[np.integer],
    content_hashes: list[str],
    previous: Mapping[str, int] | None,
    gone: Mapping[str, Sequence[int]] | None,
) -> list[list[int]]:
    """For each picture the clusters it was in that are gone now, newest first, at most `EARLIER`.

    Args:
        ids: (n,) cluster ids of this run.
        content_hashes: n content hashes in the same order.
        previous: Content hash -> id in the previous run.
        gone: What this function gave in the previous run, by content hash.
    """
    present = {int(i) for i in ids} | {UNCLUSTERED}
    before, gone = previous or {}, gone or {}
    earlier = ([before.get(h, UNCLUSTERED), *gone.get(h, ())] for h in content_hashes)
    return [[i for i in dict.fromkeys(numbers) if i not in present][:EARLIER] for numbers in earlier]


def _apply(labels: NDArray[np.integer], given: dict[int, int]) -> NDArray[np.int64]:
    """The labels with each cluster's number replaced by its id."""
    return np.array([given.get(int(label), UNCLUSTERED) for label in labels], dtype=np.int64)


def _overlap_counts(
    labels: NDArray[np.integer], old: Sequence[Sequence[int]], groups: list[int], old_groups: list[int]
) -> NDArray[np.int64]:
    """How many pictures each new cluster (rows) shares with each old one (columns); a picture may have had several."""
    counts = np.zeros((len(groups), len(old_groups)), dtype=np.int64)
    row = {group: i for i, group in enumerate(groups)}
    column = {group: i for i, group in enumerate(old_groups)}
    for label, earlier in zip(labels.tolist(), old, strict=True):
        for before in earlier:
            if label in row and before in column:
                counts[row[label], column[before]] += 1
    return counts


def _overlap(
    shared: NDArray[np.int64], sizes: NDArray[np.integer], old_sizes: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Intersection over union (0 to 1) of new clusters (rows) and old ones (columns)."""
    union = sizes[:, None] + old_sizes[None, :] - shared
    return np.divide(shared, union, out=np.zeros(shared.shape), where=union > 0)


def _match(
    overlap: NDArray[np.float64], groups: list[int], old_groups: list[int], lost_groups: list[int]
) -> dict[int, int]:
    """New cluster -> old id for every matched pair; columns are the previous clusters, then those lost before."""
    if not overlap.size:
        return {}
    from scipy.optimize import linear_sum_assignment

    worth = np.where(overlap >= KEPT, overlap, 0)
    worth[:, len(old_groups) :] *= GONE
    rows, columns = linear_sum_assignment(-worth)
    names = [*old_groups, *lost_groups]
    return {groups[r]: names[c] for r, c in zip(rows, columns, strict=True) if overlap[r, c] >= KEPT}


def _kin(
    shared: NDArray[np.int64], given: dict[int, int], groups: list[int], old_groups: list[int]
) -> tuple[dict[int, tuple[int, ...]], dict[int, tuple[int, ...]]]:
    """New id -> the old ids that gave it most of their pictures; old id -> the new ids that took a good part of its.

    Only where there are at least two.
    """
    left = shared / np.maximum(shared.sum(axis=0, keepdims=True), 1)
    merges, splits = {}, {}
    for group, shares in zip(groups, left, strict=True):
        sources = tuple(old_groups[c] for c in np.flatnonzero(shares >= 1 - TOUCHED))
        if len(sources) > 1:
            merges[given[group]] = sources
    for before, shares in zip(old_groups, left.T, strict=True):
        heirs = tuple(sorted(given[groups[r]] for r in np.flatnonzero(shares >= TOUCHED)))
        if len(heirs) > 1:
            splits[before] = heirs
    return merges, splits
