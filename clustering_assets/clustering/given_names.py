"""The user's own names for clusters, from a small CSV file."""

import csv
from pathlib import Path

from upath import UPath

from clustering_assets.clustering.keys import IdentityError, cluster_of, partition_key
from clustering_assets.errors import ClusteringError
from clustering_assets.stores import open_place


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
    file = open_place(path) if isinstance(path, str) else path
    if not file.exists():
        return {}
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (UnicodeDecodeError, OSError) as error:
        raise NamesError(f"{path}: cannot be read as text ({error})") from error
    names: dict[int, str] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        cells = [cell.strip() for cell in next(csv.reader([line], skipinitialspace=True))]
        if number == 1 and cells[0].lower() in ("cluster", "key", "id"):
            continue
        if len(cells) != 2 or not cells[1]:
            raise NamesError(f"{path}, line {number}: expected cluster,name such as 0,Holidays; got {line!r}")
        names[_cluster(cells[0], f"{path}, line {number}")] = cells[1]
    return names


def _cluster(text: str, where: str) -> int:
    try:
        return cluster_of(partition_key(int(text)) if text.lstrip("-").isdigit() else text)
    except IdentityError as error:
        raise NamesError(f"{where}: {error}") from error
