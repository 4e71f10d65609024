"""The previous run's clustering, as far as its table can be used."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from clustering_assets.clustering.choices import found_clusters
from clustering_assets.clustering.keys import UNCLUSTERED
from clustering_assets.words import counted

MUCH_THE_SAME = 0.8
"""Least share of a cluster's pictures, before and now, that were in it both times for it to be called as before."""


@dataclass(frozen=True)
class Previous:
    """What the previous run left.

    Attributes:
        table: Its table of assignments; None for a first run. One that cannot be used is set aside with a note.
        ids: Every id ever used.
        request: Its `Assignment.request`. When the same is asked for now, the previous clusters are kept unless fresh
            ones are clearly better, so that new pictures do not reshuffle old ones.
    """

    table: pd.DataFrame | None = None
    ids: Iterable[int] = ()
    request: str | None = None

    def with_contents(self, contents: Callable[[pd.DataFrame], Sequence[str]]) -> "Previous":
        """The same with other texts for what the pictures hold, made from the table, where that has what it takes."""
        if self.table is None or not {"path", "content_hash"} <= set(self.table.columns):
            return self
        return replace(self, table=self.table.assign(content_hash=contents(self.table)))

    def clusters(self, hashes: Collection[str]) -> tuple[dict[str, int], list[str]]:
        """Content hash -> id, empty where the table is of no use, and what a person should know of that.

        The ids are those that were found, whatever the user has chosen to be together.

        Args:
            hashes: Content hashes of the pictures that there are now.
        """
        table = self.table
        if table is None:
            return {}, []
        if not {"content_hash", "cluster"} <= set(table.columns):
            lack = "the previous assignments lack content_hash or cluster and were set aside: all ids are new"
            return {}, [lack]
        notes = []
        ids = pd.to_numeric(found_clusters(table), errors="coerce")
        good = ids.notna() & (ids >= UNCLUSTERED) & (ids % 1 == 0)
        good &= table["content_hash"].notna() & (table["content_hash"].astype(str) != "")
        if not good.all():
            damaged = counted(int((~good).sum()), "damaged row")
            notes.append(f"{damaged} of the previous assignments left out")
        known = dict(zip(table.loc[good, "content_hash"].astype(str), ids[good].astype(int), strict=True))
        if known and known.keys().isdisjoint(hashes):
            notes.append("the previous assignments share no image with this folder: all ids are new")
        return known, notes

    def gone(self) -> dict[str, list[int]]:
        """Content hash -> ids of clusters that were gone before; what is no number is left out."""
        if self.table is None or "earlier_clusters" not in self.table:
            return {}
        number = re.compile(r"(?<!\S)\d+(?=\.0|\s|$)")  # a column of single numbers is read back as 3.0
        return {
            str(content): [int(found) for found in number.findall(str(text))]
            for content, text in zip(self.table["content_hash"], self.table["earlier_clusters"], strict=True)
        }

    def hints(self, before: Mapping[str, int], now: Mapping[str, int]) -> dict[int, str]:
        """Hint by cluster id, of the clusters whose pictures are much the same.

        Args:
            before: Content hash -> id in the previous run.
            now: Content hash -> id in this run.
        """
        if self.table is None or "cluster_hint" not in self.table:
            return {}
        stayed = Counter(number for content, number in now.items() if before.get(content) == number)
        sizes = [Counter(numbers.values()) for numbers in (before, now)]
        same = [
            number
            for number, count in stayed.items()
            if number >= 0 and all(count >= MUCH_THE_SAME * size[number] for size in sizes)
        ]
        table = self.table[self.table["cluster"] == found_clusters(self.table)]
        hints = (
            table.drop_duplicates("content_hash", keep="last")
            .set_index("content_hash")["cluster_hint"]
            .dropna()
        )
        found = {before[str(content)]: str(hint) for content, hint in hints.items() if str(content) in before}
        return {number: found[number] for number in same if found.get(number)}
