"""Cluster ids and the partition keys that stand for them."""

from collections.abc import Iterable

from clustering_assets.errors import ClusteringError

UNCLUSTERED = -1
"""The id of pictures that belong to no cluster."""

UNCLUSTERED_KEY = "unclustered"
"""Their partition key."""

_PREFIX = "cluster_"


class IdentityError(ClusteringError):
    """A partition key that names no cluster."""


def in_order(ids: Iterable[int]) -> list[int]:
    """The different ids in the order in which clusters are listed: ascending, unclustered last."""
    return sorted({int(i) for i in ids}, key=lambda i: (i == UNCLUSTERED, i))


def partition_key(cluster: int) -> str:
    """The partition key of a cluster id: `cluster_<id>`, or `unclustered` for -1.

    Raises:
        IdentityError: The id is below -1.
    """
    if cluster < UNCLUSTERED:
        raise IdentityError(f"cluster = {cluster}: ids are -1 (unclustered), 0, 1, 2, ...")
    return UNCLUSTERED_KEY if cluster == UNCLUSTERED else f"{_PREFIX}{cluster}"


def cluster_of(key: str) -> int:
    """The cluster id of a partition key, the inverse of `partition_key`.

    Raises:
        IdentityError: The key is neither `cluster_<id>` nor `unclustered`.
    """
    if key == UNCLUSTERED_KEY:
        return UNCLUSTERED
    number = key.removeprefix(_PREFIX)
    if key != number and number.isascii() and number.isdigit() and str(int(number)) == number:
        return int(number)
    raise IdentityError(f"partition key {key!r}: expected cluster_<id> such as cluster_0, or unclustered")


def is_key(text: str) -> bool:
    """Whether a text is the partition key of a cluster."""
    try:
        cluster_of(text)
    except IdentityError:
        return False
    return True
