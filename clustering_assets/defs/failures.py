"""Errors that a user can mend, as Dagster shows them: the message itself and not a fault of the program."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from clustering_assets.errors import ClusteringError


@contextmanager
def told() -> Iterator[None]:
    """Turn an error that a user can mend into a failure with the same words: in a block, or around a function.

    Raises:
        Failure: Instead of a `ClusteringError`.
    """
    try:
        yield
    except ClusteringError as error:
        raise dg.Failure(str(error)) from error
