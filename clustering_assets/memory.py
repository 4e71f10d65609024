"""How much memory there is to work with."""

from pathlib import Path

import psutil


def free_bytes() -> int:
    """Memory that is free to use, in bytes, within the limit of the container if there is one."""
    free = psutil.virtual_memory().available
    try:
        limit, used = (Path("/sys/fs/cgroup", name).read_text() for name in ("memory.max", "memory.current"))
        return min(free, max(int(limit) - int(used), 0))
    except (OSError, ValueError):  # there is no container, or its limit is "max"
        return free
