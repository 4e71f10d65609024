"""Near-duplicates cluster by cluster: which picture of each group stands for the others."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def keepers(
    duplicate_of: Sequence[str] | NDArray[np.str_], clusters: NDArray[np.integer], images: pd.DataFrame
) -> NDArray[np.object_]:
    """For each picture the better copy of it in its own cluster, '' where there is none.

    Copies may lie in different clusters. Each cluster is shown by itself, so a group of copies keeps one picture in
    every cluster that it reaches into: the best of the whole group where that is there, otherwise the sharpest for the
    contrast it has, the largest of equally sharp ones.

    Args:
        duplicate_of: n paths, for each picture a better copy of it in the whole folder, or ''.
        clusters: (n,) cluster ids; -1 for none, which counts as a cluster.
        images: n rows with `path`, and `sharpness`, `contrast`, `width` and `height` where known.

    Returns:
        (n,) paths. A path that is named has '' itself and the same cluster, so every cluster has a picture with ''.
    """
    paths = images["path"].astype(str).to_numpy(dtype=object)
    better = np.asarray(duplicate_of, dtype=object)
    rows = pd.DataFrame(
        {
            "group": _groups(paths, better),
            "cluster": clusters,
            "copy": better != "",
            "sharpness": -_sharpness(images),
            "pixels": -_column(images, "width") * _column(images, "height"),
            "row": np.arange(len(images)),
        }
    )
    ranked = rows.sort_values(["copy", "sharpness", "pixels", "row"])
    first = ranked.groupby(["group", "cluster"])["row"].transform("first").sort_index().to_numpy()
    return np.where(first == rows["row"], "", paths[first])


def _groups(paths: NDArray[np.object_], better: NDArray[np.object_]) -> NDArray[np.integer]:
    """(n,) numbers of the groups: pictures that name one another, directly or by way of others."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    codes, names = pd.factorize(np.concatenate([paths, np.where(better == "", paths, better)]))
    one, other = codes.reshape(2, -1)
    links = coo_matrix((np.ones(len(one)), (one, other)), shape=(len(names), len(names)))
    return connected_components(links, directed=False)[1][one]


def _sharpness(images: pd.DataFrame) -> NDArray[np.float64]:
    """Sharpness for the contrast there is, so that a brightened copy does not count as sharper."""
    return _column(images, "sharpness") / np.maximum(_column(images, "contrast"), 1e-3) ** 2


def _column(images: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """A column of numbers; zeros where it is not known."""
    if name not in images:
        return np.zeros(len(images))
    return pd.to_numeric(images[name], errors="coerce").fillna(0).to_numpy(dtype=float)
