"""Which process something belongs to, named so that no other process is ever taken for it."""

import hashlib
import os
import platform
from functools import cache
from pathlib import Path

import psutil

OUTERMOST = "4026531836"
"""Linux's number of the PID namespace of the machine itself (`PROC_PID_INIT_INO` in its include/linux/proc_ns.h)."""


def this_machine() -> str:
    """Where the number of a process means one process: the host, or `host%namespace` in a container.

    Containers may have the name of the machine that they are on, and share its folders, but they count processes anew.
    """
    try:
        space = str(Path("/proc/self/ns/pid").readlink()).strip("pid:[]") if psutil.LINUX else OUTERMOST
    except OSError:
        space = OUTERMOST
    return platform.node() if space == OUTERMOST else f"{platform.node()}%{space}"


def host_of(process: str) -> str:
    """The host of a process named as in `this_process`, whatever container it is in."""
    return process.partition(":")[0].partition("%")[0]


def this_process() -> str:
    """This process as `machine:number:start`, whatever the clock did since it began."""
    return f"{this_machine()}:{os.getpid()}:{_started(os.getpid())}"


def is_running(process: str) -> bool:
    """Whether a process, named as in `this_process`, runs on this machine; not if a later one has its number."""
    machine, _, rest = process.rpartition(":")[0].rpartition(":")
    return (
        machine == this_machine()
        and rest.isdecimal()
        and process == f"{machine}:{rest}:{_started(int(rest))}"
    )


def mark() -> str:
    """A short name of this process, for what it would leave on disk if it were killed: machine, number and start."""
    return f"{_short(this_machine())}-{os.getpid()}-{_short(_started(os.getpid()))}"


def is_left_over(marked: str) -> bool | None:
    """Whether a name from `mark` is that of a process that has ended; None for one of another machine."""
    machine, number, started = marked.split("-")
    return started != _short(_started(int(number))) if machine == _short(this_machine()) else None


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
