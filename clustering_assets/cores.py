"""How many cores this process may use, and keeping OpenCV to one where whole pictures are worked on side by side."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


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
