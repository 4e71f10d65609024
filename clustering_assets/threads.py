"""How many cores this process may use, and keeping libraries to one where work is done side by side anyway."""

import os
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from clustering_assets.progress import track

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController


T = TypeVar("T")
R = TypeVar("R")


def side_by_side(
    function: Callable[[T], R], items: Collection[T], title: str, unit: str, workers: int
) -> list[R]:
    """What a function gives for each item, in their order, computed in threads; the first error ends the work.

    Args:
        function: What to call.
        items: With what.
        title: What is being done, for the person watching.
        unit: What an item is, in the plural.
        workers: Number of threads.
    """
    pool = ThreadPoolExecutor(max(1, workers))
    try:
        return list(track(pool.map(function, items), title, len(items), unit))
    finally:
        pool.shutdown(cancel_futures=True)


def available_cores() -> int:
    """Number of cores that this process may use, which can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def opencv_on_one_thread() -> Iterator[None]:
    """Keep OpenCV from splitting small work among threads of its own inside the block, which doubles its cost."""
    import cv2

    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def arithmetic_on_one_thread() -> AbstractContextManager[object]:
    """Keep products of small matrices from being split among threads, which only wait for one another."""
    return _thread_pools().limit(limits=1)


@lru_cache(maxsize=1)
def _thread_pools() -> "ThreadpoolController":
    """The thread pools of the libraries that do arithmetic; looking for them costs 5 ms, so it is done once."""
    import sklearn.cluster  # noqa: F401 - loads all of them: a pool that is loaded later would not be found
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
