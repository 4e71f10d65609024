"""The memory that threads share."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from clustering_assets.images.budget import PixelBudget


def test_threads_wait_for_memory_and_one_huge_picture_still_gets_its_turn():
    budget = PixelBudget(100)
    held, most, lock = 0, 0, threading.Lock()

    def work(pixels: int) -> None:
        nonlocal held, most
        with budget.spend(pixels):
            with lock:
                held += min(pixels, 100)
                most = max(most, held)
            time.sleep(0.002)
            with lock:
                held -= min(pixels, 100)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, [30, 60, 500, 10, 90, 40] * 6))
    assert most <= 100 and held == 0
