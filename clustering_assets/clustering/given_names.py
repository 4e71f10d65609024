"""The user's own names for clusters, from a small CSV file."""

from pathlib import Path

from upath import UPath

from clustering_assets.clustering.keys import IdentityError, cluster_of, partition_key
from clustering_assets.errors import ClusteringError
from clustering_assets.user_lists import read_lines


class NamesError(ClusteringError):
    """A file of cluster names that cannot be understood."""


def read_names(path: str | Path | UPath | None) -> dict[int, str]:
    """The user's names for clusters; empty where there is no file.

    The file has a line `cluster,name` for each cluster, where `cluster` is its number or its partition key
    (`3`, `cluster_3`, `unclustered`). A heading, blank lines and lines that begin with # are skipped. Since
    cluster numbers are never reused, the names survive every later run.

    Raises:
        NamesError: A line cannot be read; the message gives file and line.
    """
    if path is None or not str(path):
        return {}
    names: dict[int, str] = {}
    for number, cells in read_lines(UPath(path), NamesError, "0,Holidays"):
        if number == 1 and cells[0].lower() in ("cluster", "key", "id"):
            continue
        if len(cells) != 2 or not cells[1]:
            got = ",".join(cells)
            raise NamesError(f"{path}, line {number}: expected cluster,name such as 0,Holidays; got {got!r}")
        names[_cluster(cells[0], f"{path}, line {number}")] = cells[1]
    return names


def _cluster(text: str, where: str) -> int:
    try:
        return cluster_of(partition_key(int(text)) if text.lstrip("-").isdigit() else text)
    except IdentityError as error:
        raise NamesError(f"{where}: {error}") from error
