"""Threads: what they raise, and how far they run ahead."""

import threading

import pytest

from clustering_assets.work.engine import Task
from clustering_assets.work.threads import Threads


def test_no_more_is_handed_out_than_the_task_allows():
    begun = []

    def work(units):
        begun.extend(units)
        return units

    results = Threads(2).run(Task(work, ahead=5), range(100))
    assert [next(results) for _ in range(4)] == [0, 1, 2, 3]
    assert len(begun) <= 9
    results.close()


def test_what_a_function_raises_is_raised_as_it_is():
    def work(units):
        raise LookupError(str(units))

    with pytest.raises(LookupError, match="0"):
        list(Threads(2).run(Task(work), range(5)))


def test_a_closed_generator_leaves_no_thread():
    before = threading.active_count()
    results = Threads(3).run(Task(list), range(50))
    next(results)
    results.close()
    assert threading.active_count() == before
