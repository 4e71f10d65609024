"""Work on threads of this process, which share its memory: a unit that ends its process ends all."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from clustering_assets.threads import available_cores
from clustering_assets.work.engine import Lost, Result, Task, Unit, portions


class Here:
    """An engine that does one unit after the other in the thread that asks, each when its result is asked for."""

    def run(self, task: Task[Unit, Result], units: Sequence[Unit]) -> Generator[Result | Lost, None, None]:
        """As `Engine.run`; what the function raises is raised as it is."""
        for unit in units:
            yield from task.function([unit])


class Threads:
    """An engine of threads.

    Attributes:
        count: How many there are.
    """

    def __init__(self, count: int | None = None) -> None:
        self.count = count or available_cores()

    def run(self, task: Task[Unit, Result], units: Sequence[Unit]) -> Generator[Result | Lost, None, None]:
        """As `Engine.run`; what the function raises is raised as it is."""
        return in_order(task.function, portions(task, units, self.count), self.count, task.ahead)


def in_order(
    function: Callable[[list[Unit]], Sequence[Result]],
    portions: Iterable[list[Unit]],
    threads: int,
    ahead: int,
    stop: Callable[[], None] = lambda: None,
) -> Generator[Result, None, None]:
    """The results of all portions in order, computed on threads.

    Args:
        function: The results of a portion.
        portions: Taken one by one, no sooner than there is room.
        threads: How many portions are worked on at once.
        ahead: Most units under way or waiting to be fetched beside the one that is fetched next.
        stop: Ends what is under way, when all is done or the generator is closed.
    """
    waiting: deque[tuple[int, Future[Sequence[Result]]]] = deque()
    units = 0
    with ThreadPoolExecutor(threads, "work") as pool:
        try:
            for portion in portions:
                waiting.append((len(portion), pool.submit(function, portion)))
                units += len(portion)
                while units > ahead:
                    count, first = waiting.popleft()
                    units -= count
                    yield from first.result()
            while waiting:
                yield from waiting.popleft()[1].result()
        finally:
            stop()
            pool.shutdown(wait=True, cancel_futures=True)
