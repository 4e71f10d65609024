"""Memory that workers share with the process they work for, so that the arrays in their results need no pipe.

It has no name in any file system, so it goes with the last process that has it, however that ends.
"""

import ctypes
import mmap
import os
import pickle
import tempfile
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from typing import Any
from weakref import ref


@dataclass(frozen=True)
class Packed:
    """A pickled object whose arrays lie in shared memory.

    Attributes:
        data: The object without its arrays (PEP 574).
        places: Slot and bytes of each array.
    """

    data: bytes
    places: list[tuple[int, int]]


class SharedArrays:
    """Slots of one size, one for an array; each is used again when the array that was in it is gone.

    Attributes:
        file: Its descriptor, for the processes that shall have it.
        size: Bytes of a slot.
    """

    def __init__(self, count: int, size: int) -> None:
        """Get memory for `count` slots.

        Raises:
            OSError: There is none.
        """
        self.size = size
        self.file = _nameless_file(count * size)
        self._memory = mmap.mmap(self.file, count * size)
        self._slot = ctypes.c_ubyte * size
        self._free = list(range(count))
        self._used: deque[tuple[int, ref[ctypes.Array[ctypes.c_ubyte]]]] = deque()
        self._lock = Lock()

    def take(self, count: int) -> list[int]:
        """Slots to write to; fewer where too many arrays are still in use."""
        with self._lock:
            for _ in range(len(self._used)):
                if len(self._free) >= count:
                    break
                slot, owner = self._used.popleft()
                if owner() is None:
                    self._free.append(slot)
                else:  # an array still uses it
                    self._used.append((slot, owner))
            taken, self._free = self._free[-count:], self._free[:-count]
            return taken

    def give_back(self, slots: list[int]) -> None:
        """Slots that nothing was written to, or nothing that matters."""
        with self._lock:
            self._free += slots

    def unpack(self, packed: Packed, slots: list[int]) -> Any:
        """An object that was packed into some of `slots`, with arrays that lie there."""
        owners = [self._slot.from_buffer(self._memory, slot * self.size) for slot, _ in packed.places]
        buffers = [memoryview(owner)[:size] for owner, (_, size) in zip(owners, packed.places, strict=True)]
        with self._lock:
            self._used += zip(slots, map(ref, owners), strict=False)
            self._free += slots[len(owners) :]
        return pickle.loads(packed.data, buffers=buffers)

    def close(self) -> None:
        """Let go of the memory as soon as no array uses it."""
        with suppress(OSError):
            os.close(self.file)


class SharedRoom:
    """The slots as a worker sees them."""

    def __init__(self, file: int, size: int) -> None:
        self._size = size
        self._memory = memoryview(mmap.mmap(file, 0))

    def pack(self, value: object, slots: list[int]) -> Packed:
        """An object to be sent, its arrays in `slots`, in their order, as far as they fit."""
        places: list[tuple[int, int]] = []

        def stays(buffer: pickle.PickleBuffer) -> bool:
            content = buffer.raw()
            if len(places) == len(slots) or content.nbytes > self._size:
                return True
            slot = slots[len(places)]
            self._memory[slot * self._size :][: content.nbytes] = content
            places.append((slot, content.nbytes))
            return False

        return Packed(pickle.dumps(value, pickle.HIGHEST_PROTOCOL, buffer_callback=stays), places)


def _nameless_file(size: int) -> int:
    """The descriptor of a file in memory; where the system has none, of one on disk that is deleted already."""
    try:
        file = os.memfd_create("results")
    except (AttributeError, OSError):
        with tempfile.TemporaryFile(prefix="results-") as made:
            if hasattr(os, "posix_fallocate"):  # a full disk would end whoever writes to the memory
                os.posix_fallocate(made.fileno(), 0, size)
            file = os.dup(made.fileno())
    try:
        os.truncate(file, size)
    except OSError:
        os.close(file)
        raise
    return file
