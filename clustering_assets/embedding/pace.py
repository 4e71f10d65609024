"""Who waits for whom while pictures are prepared and embedded, and what would make it faster."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from clustering_assets.embedding.preparing import Batch

_KEEPS_UP = 0.1
"""Below this share of the time nobody waits to speak of."""


@dataclass(frozen=True)
class Waits:
    """Shares of the time that pictures went through the network.

    Attributes:
        for_pictures: In which the network's next batch was not prepared yet.
        for_network: In which a prepared batch waited for room in the network, or for its vectors.
    """

    for_pictures: float = 0.0
    for_network: float = 0.0


class Pace:
    """A clock for either wait."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._for_pictures = self._for_network = 0.0

    def pictures(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """The batches, with the time noted that each takes to come."""
        mark = time.monotonic()
        for batch in batches:
            self._for_pictures += time.monotonic() - mark
            yield batch
            mark = time.monotonic()

    @contextmanager
    def network(self) -> Iterator[None]:
        """Note the time that the block takes as one that the network takes."""
        mark = time.monotonic()
        try:
            yield
        finally:
            self._for_network += time.monotonic() - mark

    def waits(self) -> Waits:
        """The waits so far."""
        whole = max(time.monotonic() - self._begun, 1e-9)
        return Waits(self._for_pictures / whole, self._for_network / whole)


def limit(waits: Waits, on_gpu: bool) -> str:
    """What held the work up, and what would help, in words."""
    if max(waits.for_pictures, waits.for_network) < _KEEPS_UP:
        return "decoding and the network keep pace: more cores would help"
    if waits.for_pictures > waits.for_network:
        waited = f"the network waited for pictures {waits.for_pictures:.0%} of the time"
        return f"decoding is the limit ({waited}): more cores would help"
    waited = f"pictures waited for it {waits.for_network:.0%} of the time"
    way_out = "a faster GPU or a smaller backbone" if on_gpu else "a GPU"
    return f"the network is the limit ({waited}): {way_out} would help"
