"""What a runtime is: a network ready to run, on some device and in some precision, a few batches at once."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from clustering_assets.errors import ClusteringError

Precision = Literal["float32", "float16", "bfloat16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

IN_FLIGHT = 3
"""Most batches that are under way in a runtime: one is computed while the next is handed over and vectors come back."""


class RuntimeUnavailable(ClusteringError):
    """A runtime was asked for that is not installed or not known."""


class OutOfMemory(ClusteringError):
    """The device has no room for even one picture."""


class DeviceLost(ClusteringError):
    """The device computes no more, whatever it is asked for."""


@dataclass(frozen=True)
class Plan:
    """What will run the network.

    Attributes:
        runtime: `openvino` or `torch`.
        device: `cpu`, `cuda` or `mps`.
        precision: Type of the arithmetic inside the network: `float32`, `float16` or `bfloat16`.
    """

    runtime: str
    device: str
    precision: Precision

    @property
    def overflow(self) -> str:
        """Why a picture has no vector that came out of the network with infinite values."""
        return f"the network's {self.precision} overflows"


class Pending(Protocol):
    """A batch that is being computed."""

    def result(self) -> NDArray[np.float32]:
        """Wait for it: features, shape (n, dimension)."""
        ...


class Runtime(Protocol):
    """A network that is ready to run."""

    plan: Plan
    device_name: str
    batch_size: int
    """Pictures that it wants in one call: enough to keep the device busy."""

    def start(self, pixels: Sequence[NDArray[np.uint8]]) -> Pending:
        """Begin to compute the features of prepared pictures.

        Results may be asked for in any order, and later than more batches were started; a runtime that has no
        room for more waits for an earlier one.

        Args:
            pixels: At most `batch_size` of shape (height, width, 3); they are copied before this returns.

        Raises:
            OutOfMemory: Not even one picture fits.
        """
        ...


class Prepared(Protocol):
    """Whatever has prepared pictures; there may be none in it."""

    @property
    def pixels(self) -> list[NDArray[np.uint8]]:
        """The pictures, as `Runtime.start` takes them."""
        ...


AnyPrepared = TypeVar("AnyPrepared", bound=Prepared)


def embedded(
    runtime: Runtime, batches: Iterable[AnyPrepared]
) -> Iterator[tuple[AnyPrepared, NDArray[np.float32]]]:
    """Each batch with its features, in order; while one is computed, the next is prepared and handed over."""
    under_way: deque[tuple[AnyPrepared, Pending | None]] = deque()

    def first() -> tuple[AnyPrepared, NDArray[np.float32]]:
        batch, pending = under_way.popleft()
        return batch, pending.result() if pending else np.empty((0, 0), np.float32)

    for batch in batches:
        under_way.append((batch, runtime.start(batch.pixels) if batch.pixels else None))
        if len(under_way) == IN_FLIGHT:
            yield first()
    while under_way:
        yield first()


def features(runtime: Runtime, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Features (n, dimension) of prepared pictures (n, height, width, 3), n of any size, at once."""
    size = runtime.batch_size
    waiting = [runtime.start(list(pixels[first : first + size])) for first in range(0, len(pixels), size)]
    return np.concatenate([batch.result() for batch in waiting])
