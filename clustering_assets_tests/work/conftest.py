"""Work that is harmless or ends its worker, as the names of its units say."""

import sys

import pytest

HOSTILE = """
import ctypes, logging, os, signal, sys, time
from clustering_assets.progress import task

import numpy as np

worked, memory = 0, None

def begin(budget):
    global memory
    memory = budget

def begin_badly(budget):
    raise SystemExit(3)

def work(units):
    global worked
    for unit in units:
        if "hang" in unit:
            time.sleep(600)
        if "stuck" in unit:
            ctypes.PyDLL(None).sleep(600)
        if "crash" in unit:
            ctypes.string_at(0)
        if "kill" in unit:
            os.kill(os.getpid(), signal.SIGKILL)
        if "late" in unit and worked:
            os.abort()
        if "print" in unit:
            os.write(1, b"noise" * 1000)
            print("more noise", flush=True)
        if "fault" in unit:
            raise LookupError("a fault of the program")
        if "large" in unit:
            with memory.spend(50_000_000):
                time.sleep(1.1)
        if "long" in unit:
            with task("Working on " + unit, 3, "parts") as running:
                running.advance(2)
                if "ends" in unit:
                    time.sleep(0.3)
                    running.advance()
                    os.abort()
                running.advance()
        if "warn" in unit:
            logging.getLogger("clustering_assets.hostile").warning("%s is odd", unit)
        worked += 1
    return [unit.upper() for unit in units]

def paint(units):
    work(map(str, units))
    return [(unit, np.full((100, 100), len(str(unit)) + int(str(unit)[:3]), np.uint16)) for unit in units]
"""


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """A folder from which `hostile` can be imported, here and in worker processes."""
    place = tmp_path / "modules"
    place.mkdir()
    (place / "hostile.py").write_text(HOSTILE)
    monkeypatch.syspath_prepend(str(place))
    yield place
    sys.modules.pop("hostile", None)


@pytest.fixture
def hostile(modules):
    """The module with the functions of such work."""
    import hostile  # type: ignore[import-not-found]

    return hostile
