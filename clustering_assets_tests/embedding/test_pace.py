"""Who waits for whom, and what is said of it."""

import pytest

from clustering_assets.embedding import pace
from clustering_assets.embedding.pace import Pace, Waits, limit


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now


def test_each_wait_is_noted(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(pace, "time", clock)
    watched = Pace()

    def batches():
        for _ in range(2):
            clock.now += 3
            yield None

    for _ in watched.pictures(batches()):
        with watched.network():
            clock.now += 1
        clock.now += 1
    assert watched.waits() == Waits(for_pictures=0.6, for_network=0.2)


@pytest.mark.parametrize(
    ("waits", "on_gpu", "words"),
    [
        (
            Waits(0.83, 0.02),
            True,
            "decoding is the limit (the network waited for pictures 83% of the time): more cores",
        ),
        (Waits(0.3, 0.2), False, "decoding is the limit"),
        (
            Waits(0.1, 0.7),
            False,
            "the network is the limit (pictures waited for it 70% of the time): a GPU would help",
        ),
        (Waits(0.1, 0.7), True, "a faster GPU or a smaller backbone would help"),
        (Waits(0.05, 0.05), False, "keep pace: more cores would help"),
    ],
)
def test_the_limit_is_named_with_what_would_help(waits, on_gpu, words):
    assert words in limit(waits, on_gpu)
