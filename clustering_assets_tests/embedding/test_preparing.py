"""Preparing pictures for the network: full batches in order, and no more ahead than two."""

import numpy as np

from clustering_assets.embedding.preparing import (
    Content,
    Copy,
    Failed,
    Failure,
    Prepared,
    prepared_batches,
)
from clustering_assets.work.engine import Lost
from clustering_assets.work.threads import Threads


def contents(count):
    return [Content(number, (Copy(number, f"{number}.png"),)) for number in range(count)]


def prepared(portion):
    """Every third picture is bad; the others have their number as colour."""
    return [
        Prepared(number, None, [Failed(number, Failure(copies[0].path, "read", "bad"))])
        if number % 3 == 0
        else Prepared(number, np.full((1, 1, 3), number, np.uint8), [])
        for number, copies in portion
    ]


def test_batches_are_filled_past_failures_and_keep_order():
    batches = list(prepared_batches(prepared, contents(10), 4, Threads(3)))
    assert [batch.kept.tolist() for batch in batches] == [[1, 2, 4, 5], [7, 8]]
    assert [[view[0, 0, 0] for view in batch.pixels] for batch in batches] == [[1, 2, 4, 5], [7, 8]]
    assert [batch.count for batch in batches] == [6, 4]
    assert [row for batch in batches for row, _ in batch.failed] == [0, 3, 6, 9]


def test_at_most_two_batches_are_prepared_ahead():
    begun = []

    def prepare(portion):
        begun.extend(portion)
        return [Prepared(number, np.zeros((1, 1, 3), np.uint8), []) for number, _ in portion]

    batches = prepared_batches(prepare, contents(100), 4, Threads(2))
    next(batches)
    assert len(begun) <= 12
    batches.close()


def test_all_files_of_a_content_that_ends_its_worker_have_failed():
    class Loses:
        def run(self, task, units):
            yield Lost("time", "did not end within 61 seconds")

    content = Content(7, (Copy(3, "a.png"), Copy(5, "copy.png")))
    [batch] = prepared_batches(prepared, [content], 4, Loses())
    reason = "decoding did not end within 61 seconds"
    assert (batch.kept.tolist(), batch.count) == ([], 1)
    assert batch.failed == [
        Failed(3, Failure("a.png", "decode", reason)),
        Failed(5, Failure("copy.png", "decode", reason)),
    ]
