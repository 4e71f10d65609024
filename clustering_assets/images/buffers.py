"""Memory that a thread uses again for the next picture.

A small picture costs more for fresh memory than for arithmetic: the system clears every new page first.
"""

import math
import threading
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_LARGEST = 4 << 20
_kept = threading.local()


def room(name: str, shape: tuple[int, ...], dtype: DTypeLike = np.uint8) -> NDArray[Any]:
    """An array to write to, of any content; the next call of this thread with the same name may give the same memory.

    Args:
        name: What it is for.
        shape: Its shape.
        dtype: Its type.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size > _LARGEST:
        return np.empty(shape, dtype)
    memory: dict[str, NDArray[np.uint8]] = vars(_kept)
    if name not in memory or memory[name].size < size:
        memory[name] = np.empty(size, np.uint8)
    return np.ndarray(shape, dtype, memory[name].data)
