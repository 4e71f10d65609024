"""How much this process decodes at once: pixels share one budget of memory, whatever thread decodes them."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from clustering_assets.work.engine import Budget


class PixelBudget:
    """Keeps threads from decoding more pixels at once than memory has room for; small pictures never wait."""

    def __init__(self, pixels: int) -> None:
        self._whole = self._left = pixels
        self._changed = threading.Condition()

    def __reduce__(self) -> "tuple[type[PixelBudget], tuple[int]]":
        """On another machine it is the memory of that one."""
        return type(self), (self._whole,)

    @contextmanager
    def spend(self, pixels: int) -> Iterator[None]:
        """Wait until `pixels` (at most the whole budget) are free, and hold them inside the block."""
        share = min(pixels, self._whole)
        with self._changed:
            self._changed.wait_for(lambda: self._left >= share)
            self._left -= share
        try:
            yield
        finally:
            with self._changed:
                self._left += share
                self._changed.notify_all()


memory = PixelBudget(240_000_000)
"""What this process decodes at once: two pictures of the default cap; each pixel takes four to twelve bytes."""

_asked: Budget = memory


def decode_beside_others(budget: Budget) -> None:
    """Make this process one of many that decode side by side: one thread each, and memory as `budget` grants it."""
    global _asked
    _asked = budget


def decodes_beside_others() -> bool:
    """Whether this process is one of many that decode side by side, so that a decoder should keep to one thread."""
    return _asked is not memory


def memory_for(pixels: int) -> AbstractContextManager[None]:
    """Wait until a picture of `pixels` may be decoded, and hold its memory inside the block."""
    return _asked.spend(pixels)
