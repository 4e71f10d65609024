"""The user's own names for clusters, from a small CSV file."""

from pathlib import Path

from upath import UPath

from clustering_assets.clustering.keys import IdentityError, cluster_of, partition_key
from clustering_assets.errors import ClusteringError
from clustering_assets.stores import open_place
from clustering_assets.user_lists import read_lines
from clustering_assets.words import one_line


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
    for line, cells in read_lines(
        open_place(path) if isinstance(path, str) else path, NamesError, "0,Holidays"
    ):
        if not names and cells[0].lower() in ("cluster", "key", "id"):
            continue
        where = f"{path}, line {line}"
        name = one_line(cells[-1])
        if len(cells) != 2 or not name:
            raise NamesError(f"{where}: expected cluster,name such as 0,Holidays; got {','.join(cells)!r}")
        try:
            number = int(cells[0]) if cells[0].lstrip("-").isdigit() else cluster_of(cells[0])
            partition_key(number)
        except IdentityError as error:
            raise NamesError(f"{where}: {error}") from error
        names[number] = name
    return names
