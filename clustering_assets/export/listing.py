"""Every picture with its cluster in one table, for spreadsheets and other programs."""

import pandas as pd

from clustering_assets.clustering.keys import partition_key
from clustering_assets.files.source import FileSource

FACTS = ["path", "width", "height", "taken_at", "camera"]
"""Columns of the manifest that go with each picture."""


def listing(
    assignments: pd.DataFrame, manifest: pd.DataFrame, choice: pd.DataFrame, source: FileSource
) -> pd.DataFrame:
    """A row for each picture that is in a cluster, ordered by cluster, the most typical first.

    Args:
        assignments: The table `cluster_assignments`.
        manifest: The table `image_manifest`.
        choice: The table `music_choice`.
        source: Where the pictures are.

    Returns:
        Columns `file` (the picture where it lies), `path`, `cluster` (the partition key), `cluster_name`, `rank` (1 for
        the most typical of the cluster), `is_representative`, `typicality`, `duplicate_of`, `width`, `height`,
        `taken_at`, `camera`, `track`, and `x` and `y` of the plot.
    """
    rows = assignments.merge(manifest[FACTS].drop_duplicates("path"), on="path", how="left")
    rows = rows.merge(choice[["cluster", "track"]], on="cluster", how="left")
    rows = rows.sort_values(
        ["cluster", "typicality", "path"], ascending=[True, False, True], ignore_index=True
    )
    return pd.DataFrame(
        {
            "file": [str(source / path) for path in rows["path"]],
            "path": rows["path"],
            "cluster": rows["cluster"].map(partition_key),
            "cluster_name": rows["cluster_name"],
            "rank": rows.groupby("cluster").cumcount() + 1,
            **{
                name: rows[name]
                for name in ("is_representative", "typicality", "duplicate_of", *FACTS[1:], "track", "x", "y")
            },
        }
    )
