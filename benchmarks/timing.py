"""What a way of doing something costs: seconds of the processor, and of the clock on the wall."""

import resource
import time
from collections.abc import Callable


def cpu_seconds() -> float:
    """CPU seconds of this process and its finished children so far."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in spent)


def timed(way: Callable[[], object]) -> tuple[float, float]:
    """CPU seconds and wall seconds of a call."""
    before, begun = cpu_seconds(), time.monotonic()
    way()
    return cpu_seconds() - before, time.monotonic() - begun
