"""Which process something belongs to, named so that no other process is ever taken for it."""

import hashlib
import os
import platform
from functools import cache
from pathlib import Path

import psutil


def this_process() -> str:
    """This process as `host:number:start`, whatever the clock did since it began."""
    return f"{platform.node()}:{os.getpid()}:{_started(os.getpid())}"


def is_running(process: str) -> bool:
    """Whether a process, named as in `this_process`, runs on this machine; not if a later one has its number."""
    host, _, rest = process.rpartition(":")[0].rpartition(":")
    return host == platform.node() and rest.isdecimal() and process == f"{host}:{rest}:{_started(int(rest))}"


def mark() -> str:
    """A short name of this process, for what it would leave on disk if it were killed: machine, number and start."""
    return f"{_short(platform.node())}-{os.getpid()}-{_short(_started(os.getpid()))}"


def is_left_over(marked: str) -> bool | None:
    """Whether a name from `mark` is that of a process that has ended; None for one of another machine."""
    host, number, started = marked.split("-")
    return started != _short(_started(int(number))) if host == _short(platform.node()) else None


def _short(text: str) -> str:
    """Some digits that stand for a text."""
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


def _started(number: int) -> str:
    """When a process began; empty if there is none, or it has ended and waits to be noticed.

    On Linux that is the boot and the ticks since then: a time of day, as psutil computes it from the two, moves
    when the clock is set. Other systems note the time of day once, when the process begins.
    """
    try:
        if psutil.LINUX:
            text = Path(f"/proc/{number}/stat").read_text(encoding="utf-8", errors="replace")
            facts = text.rpartition(")")[
                2
            ].split()  # from the third on, as proc(5) counts; the second may hold blanks
            return "" if facts[0] in "ZX" else f"{_boot()}/{facts[19]}"
        return f"{psutil.Process(number).create_time():.0f}"
    except (OSError, psutil.Error):
        return ""


@cache
def _boot() -> str:
    """What the kernel calls the time since the machine was started."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
