"""Memory that is used again: by one thread only, for one purpose only, and never much of it."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np

from clustering_assets.images.buffers import room


def test_the_same_name_gives_the_same_memory_and_another_name_other_memory():
    first = room("a", (4, 5, 3))
    assert first.shape == (4, 5, 3) and first.flags.writeable
    assert np.shares_memory(first, room("a", (3, 5), np.float32))
    assert not np.shares_memory(first, room("b", (4, 5, 3)))


def test_a_larger_array_gets_new_memory_and_the_old_one_stays_sound():
    small = room("growing", (8,))
    small[:] = 7
    room("growing", (800,))[:] = 9
    assert (small == 7).all()


def test_much_memory_is_not_kept():
    assert not np.shares_memory(room("large", (3000, 2000)), room("large", (3000, 2000)))


def test_threads_do_not_share():
    together = Barrier(4)

    def write(value: int) -> bool:
        mine = room("shared", (1000,), np.int64)
        mine[:] = value
        together.wait(timeout=30)
        return bool((mine == value).all())

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(write, range(4)))
