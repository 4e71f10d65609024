"""How the cost of each step grows with the number of pictures: CPU seconds, peak memory, and the exponent.

    python benchmarks/growth.py [--most 1000000] [--seconds 600] [--json FILE]

Each step runs at 1,000 pictures, 10,000 and so on up to --most, each time in a process of its own. A step is left out
at sizes where, by what it took before, it would be busy for longer than --seconds. Pictures are tiny, so a scan costs
what does not depend on their pixels; vectors have 256 numbers, in 20 groups; a tenth of the hashes are copies. Seconds
are those of the processor, of the step's process and of those that it starts; memory is that of the largest of these.
"""

import argparse
import json
import math
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from clustering import generate, way
from duplicates import generated
from idle import make_pictures
from timing import cpu_seconds

from clustering_assets.files.local import LocalFolder
from clustering_assets.images.duplicates import near_duplicates
from clustering_assets.images.manifest import scan

FIRST, DIMENSION, GROUPS, PATIENCE = 1_000, 256, 20, 600.0
SCANNED = 100_000
"""Largest number of files that are made for a scan."""

Step = Callable[[], object]


def scanned(folder: Path, count: int) -> dict[str, Step]:
    """A first scan, and one with nothing new."""
    pictures = folder / "pictures"
    pictures.mkdir()
    make_pictures(pictures, count)
    known: list[Any] = []
    return {
        "scan": lambda: known.append(scan(LocalFolder(pictures))),
        "scan, nothing new": lambda: scan(LocalFolder(pictures), previous=known[0]),
    }


def compared(folder: Path, count: int) -> dict[str, Step]:
    """The search for near duplicates."""
    rows, vectors, _ = generated(count)
    return {"near duplicates": lambda: near_duplicates(rows, vectors)}


def clustered(algorithm: str, told: bool) -> Callable[[Path, int], dict[str, Step]]:
    """Clustering by an algorithm, told the number of clusters or not."""

    def steps(folder: Path, count: int) -> dict[str, Step]:
        vectors, _ = generate(folder / "vectors.npy", f"{count}x{DIMENSION}", GROUPS, 0)
        label = way(algorithm, told)
        label(vectors[:500], None, GROUPS, 0)  # what is imported at first use is not the work
        return {f"{algorithm}{', k told' if told else ''}": lambda: label(vectors, None, GROUPS, 0)}

    return steps


STEPS = {
    "scan": (scanned, SCANNED),
    "near duplicates": (compared, 0),
    "kmeans": (clustered("kmeans", told=True), 0),
    "auto": (clustered("auto", told=False), 0),
}
"""How to make ready for a step, and the largest size that is tried (0: any)."""


def peak_megabytes() -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    largest = max(
        resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return largest * unit / 1e6


def in_this_process(name: str, count: int, answer: Connection) -> None:
    """Take the steps of a name once, and send what each cost."""
    with tempfile.TemporaryDirectory() as folder:
        found = {}
        for step, take in STEPS[name][0](Path(folder), count).items():
            begun, used = time.monotonic(), cpu_seconds()
            take()
            found[step] = {
                "cpu": round(cpu_seconds() - used, 2),
                "wall": round(time.monotonic() - begun, 2),
                "peak_mb": round(peak_megabytes()),
            }
    answer.send(found)


def measure(name: str, count: int) -> dict[str, dict[str, float]]:
    """What the steps of a name cost at a number of pictures."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe(duplex=False)
    process = spawn.Process(target=in_this_process, args=(name, count, there))
    process.start()
    there.close()
    try:
        return here.recv()
    except EOFError:
        raise SystemExit(f"{name} with {count:,} pictures failed") from None
    finally:
        process.join()


def exponent(less: dict[str, float], more: dict[str, float]) -> float:
    """By which power the seconds grew while the pictures became ten times as many."""
    return round(math.log10(max(more["cpu"], 0.01) / max(less["cpu"], 0.01)), 2)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--most", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=PATIENCE)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found: dict[str, dict[int, dict[str, float]]] = {}
    for name, (_, largest) in STEPS.items():
        count, likely = FIRST, 0.0
        while count <= min(given.most, largest or given.most) and likely <= given.seconds:
            likely = 0.0
            for step, cost in measure(name, count).items():
                before = found.setdefault(step, {})
                power = exponent(before[count // 10], cost) if count // 10 in before else math.nan
                before[count] = {**cost, "exponent": power}
                likely = max(likely, cost["cpu"] * 10 ** max(1.0, np.nan_to_num(power)))
                print(
                    f"{step:20} {count:9,} {cost['cpu']:8.2f} s CPU {cost['peak_mb']:6.0f} MB  {power:5.2f}",
                    flush=True,
                )
            count *= 10
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
