"""Which pictures of each cluster the page shows."""

import numpy as np
import pandas as pd

from clustering_assets.clustering.choices import is_shown
from clustering_assets.clustering.keys import in_order
from clustering_assets.video.selection import even_sample

MOST, FEWEST = 36, 4
"""Most and fewest pictures that one cluster shows, where it has them."""


def choose_pictures(assignments: pd.DataFrame, budget: int = 600) -> dict[int, list[str]]:
    """Pictures that show what each cluster holds, from the one that represents it to the one that fits least.

    They are spread evenly over the cluster's order of typicality, so that the page shows doubtful members too. Of
    near-duplicates only the sharpest is shown, and none that the user has left out.

    Args:
        assignments: The table `cluster_assignments`.
        budget: About how many pictures in all; each cluster gets an equal part of it, within `FEWEST` and `MOST`.

    Returns:
        Paths by cluster id, in order of id with the unclustered last.
    """
    ids = in_order(assignments["cluster"])
    each = int(np.clip(budget // max(len(ids), 1), FEWEST, MOST))
    shown = assignments[is_shown(assignments)]
    ranked = shown.sort_values(["is_representative", "typicality", "path"], ascending=[False, False, True])
    chosen: dict[int, list[str]] = {}
    for number in ids:
        paths = ranked.loc[ranked["cluster"] == number, "path"].tolist()
        chosen[number] = [paths[place] for place in even_sample(len(paths), each)]
    return chosen


def sample_points(assignments: pd.DataFrame, most: int = 20_000) -> pd.DataFrame:
    """Rows for the map: all of them, or an even sample of at most `most`."""
    return assignments.iloc[even_sample(len(assignments), most)]
