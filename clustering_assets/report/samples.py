"""Which pictures of each cluster the page shows, and which at once."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from clustering_assets.clustering.choices import is_shown
from clustering_assets.clustering.keys import in_order
from clustering_assets.video.selection import even_sample

MOST, FEWEST = 12, 4
"""Most and fewest pictures of one cluster that the page shows at once, where it has them."""

LISTED = 20_000
"""About how many pictures the page lists in all: those of larger folders are an even sample."""


def list_pictures(assignments: pd.DataFrame, most: int = LISTED) -> dict[int, list[str]]:
    """The pictures of each cluster that the page can show, from the one that represents it to the one that fits least.

    They are all of them, or, where there are more than `most`, an even sample of each cluster in proportion to its
    size.

    Args:
        assignments: The table `cluster_assignments`.
        most: About how many pictures in all.

    Returns:
        Paths by cluster id, in order of id with the unclustered last.
    """
    ranked = assignments.sort_values(
        ["is_representative", "typicality", "path"], ascending=[False, False, True]
    )
    of_cluster = {int(str(number)): rows["path"].tolist() for number, rows in ranked.groupby("cluster")}
    part = min(1.0, most / max(len(assignments), 1))
    listed = {}
    for number in in_order(assignments["cluster"]):
        paths = of_cluster[number]
        listed[number] = [
            paths[place] for place in even_sample(len(paths), max(FEWEST, round(len(paths) * part)))
        ]
    return listed


def choose_pictures(
    listed: Mapping[int, Sequence[str]], assignments: pd.DataFrame, budget: int = 240
) -> dict[int, list[str]]:
    """Pictures that show at once what each cluster holds.

    They are spread evenly over the cluster's order of typicality, so that doubtful members are seen too. Of
    near-duplicates only the sharpest is shown, and none that the user has left out.

    Args:
        listed: The pictures of each cluster in order, as `list_pictures` gives them.
        assignments: The table `cluster_assignments`.
        budget: About how many pictures in all; each cluster gets an equal part of it, within `FEWEST` and `MOST`.
    """
    each = int(np.clip(budget // max(len(listed), 1), FEWEST, MOST))
    shown = set(assignments.loc[is_shown(assignments), "path"])
    chosen: dict[int, list[str]] = {}
    for number, paths in listed.items():
        some = [path for path in paths if path in shown]
        chosen[number] = [some[place] for place in even_sample(len(some), each)]
    return chosen
