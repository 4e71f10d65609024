"""How many cores this process may use, and keeping libraries to one where work is done side by side anyway."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController


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
