"""The ledger: one outcome for every file that was found, whatever stage decided it."""

from collections.abc import Collection, Iterable, Mapping

import pandas as pd

from clustering_assets.images.manifest import DUPLICATE, USED, with_failures
from clustering_assets.tables import LEDGER

PENDING = "pending"
"""Outcome of pictures that the scan found good, and that no clustering since has taken in."""

IN_NO_CLUSTER = "in no cluster yet: the update was not finished"
"""Their reason."""

LOOKS_THE_SAME = "looks the same"
"""Reason of a near duplicate; an exact one has none."""


def ledger(
    manifest: pd.DataFrame,
    failures: Iterable[tuple[str, str, str]] = (),
    near_duplicates: Mapping[str, str] | None = None,
    clustered: Collection[str] | None = None,
) -> pd.DataFrame:
    """What became of every file, with what the stages after the scan found out.

    Args:
        manifest: A manifest as `scan` returns it.
        failures: Path, stage and reason of the files that a later stage could not use. Of several for one path the
            first counts, since the later ones follow from it; paths that are not in the manifest are passed over.
        near_duplicates: The better copy by path, for pictures that a video shows only once. A copy of a file that
            failed is used itself.
        clustered: Paths of the pictures that have been clustered; None where that is all of them.

    Returns:
        One row for every file of the manifest, sorted by path, with the columns of `clustering_assets.tables.LEDGER`:
        outcome is "used", "duplicate" (of `duplicate_of`; without a reason if the pixels are the same), "rejected"
        (at `stage`, for `reason`) or "pending" (found good, and in no cluster yet).
    """
    first: dict[str, tuple[str, str, str]] = {}
    for path, stage, reason in failures:
        first.setdefault(path, (path, stage, reason))
    table = with_failures(manifest, first.values())[list(LEDGER.columns)].copy()
    if near_duplicates:
        used = set(table.loc[table["outcome"] == USED, "path"])
        better = {path: best for path, best in near_duplicates.items() if path in used and best in used}
        near = table["path"].isin(list(better))
        table.loc[near, "outcome"] = DUPLICATE
        table.loc[near, "reason"] = LOOKS_THE_SAME
        table.loc[near, "duplicate_of"] = [better[path] for path in table.loc[near, "path"]]
    if clustered is not None:
        pending = (table["outcome"] == USED) & ~table["path"].isin(list(clustered))
        table.loc[pending, "outcome"] = PENDING
        table.loc[pending, "reason"] = IN_NO_CLUSTER
    return table.sort_values("path", ignore_index=True)
