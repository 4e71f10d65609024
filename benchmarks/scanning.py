"""What a scan costs: hash, verification, features and perceptual hash beside one bare decode of the same files.

    python benchmarks/scanning.py [--images FOLDER] [--files 200] [--rounds 7] [--copies 20] [--unchanged 10000]
                                  [--json FILE]

Without a folder, photo-like JPEGs of 500 x 375 pixels are generated; with one, its pictures are scaled to
500 pixels on the longer side. The bare decode is `np.asarray(Image.open(path).convert("RGB"))`. Both ways run in turn,
each on one thread of a process of its own, and their CPU time is compared: once as any program runs, and once with the
C library told to keep the memory that is freed, because the bare decode of small pictures spends more on getting and
clearing pages than on decoding, and a long-lived program may happen to have kept them. Then threads and processes
scan the same pictures, `--copies` times over, in turn: wall time and CPU time of both, and what one process takes to
start. At the end a folder of many small files is scanned twice, the second time without a change.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from clustering_assets.files.local import LocalFolder
from clustering_assets.images.errors import ImageError
from clustering_assets.images.load import read_picture
from clustering_assets.images.manifest import scan
from clustering_assets.threads import available_cores
from clustering_assets.work.processes import Processes
from clustering_assets.work.threads import Threads


def photo(seed: int) -> Image.Image:
    """Detail at every scale, as in photographs (amplitude falls with frequency)."""
    random = np.random.default_rng(seed)
    rgb = np.zeros((375, 500, 3))
    for step in (1, 2, 4, 8, 16, 32, 64):
        noise = random.normal(0, step**0.8, (375 // step + 2, 500 // step + 2, 3))
        for channel in range(3):
            layer = Image.fromarray(noise[..., channel].astype(np.float32))
            rgb[..., channel] += np.asarray(layer.resize((500, 375), Image.Resampling.BICUBIC))
    rgb = (rgb - rgb.mean()) / rgb.std() * 45 + 120
    return Image.fromarray(rgb.clip(0, 255).astype(np.uint8))


def write_pictures(target: Path, count: int, source: Path | None) -> None:
    """Fill `target` with JPEGs of 500 pixels and quality 92."""
    if source is None:
        for number in range(count):
            photo(number).save(target / f"{number:05}.jpg", quality=92)
        return
    for number, found in enumerate(file for file in LocalFolder(source).files() if not file.problem):
        if number >= count:
            return
        try:
            image = read_picture(source / found.path, min_side=500).image
        except ImageError:
            continue
        image.thumbnail((500, 500))
        image.save(target / f"{number:05}.jpg", quality=92)


def decode_bare(folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        np.asarray(Image.open(path).convert("RGB"))


def cpu_seconds(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


def wall_seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def all_cpu_seconds() -> float:
    """CPU time of this process and of those it started that have ended."""
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


KEPT = {"MALLOC_TRIM_THRESHOLD_": str(1 << 28), "MALLOC_MMAP_THRESHOLD_": str(1 << 25)}
"""What tells glibc to keep freed memory; other C libraries do not listen."""


def compare(folder: Path, rounds: int, kept: dict[str, str]) -> dict[str, float]:
    """Medians of `rounds` turns, each way in a fresh process on one thread, in milliseconds for each picture."""
    count = len(list(folder.iterdir()))
    turns = [
        tuple(_turn(way, folder, kept) * 1000 / count for way in ("bare", "scan")) for _ in range(rounds)
    ]
    bare, whole = (statistics.median(times) for times in zip(*turns, strict=True))
    return {
        "pictures": count,
        "kilobytes each": sum(path.stat().st_size for path in folder.iterdir()) / count / 1000,
        "bare decode, CPU ms": bare,
        "scan, CPU ms": whole,
        "ratio": statistics.median(scanned / decoded for decoded, scanned in turns),
    }


def _turn(way: str, folder: Path, kept: dict[str, str]) -> float:
    """CPU seconds that one way takes for the folder in a new process."""
    command = [sys.executable, __file__, "--turn", way, "--images", str(folder)]
    done = subprocess.run(command, env=os.environ | kept, check=True, capture_output=True, text=True)
    return float(done.stdout)


def take_turn(way: str, folder: Path) -> float:
    """CPU seconds of the second pass over a folder; the first fills the caches and imports what is needed."""
    work = {"bare": lambda: decode_bare(folder), "scan": lambda: scan(folder, engine=Threads(1))}[way]
    work()
    return cpu_seconds(work)


def compare_ways(folder: Path, rounds: int) -> dict[str, float]:
    """Threads and processes on the same pictures in turn, with one and with all cores: medians of wall and CPU time."""
    files = [file for file in LocalFolder(folder).files() if not file.problem]
    one = folder.parent / "one"
    one.mkdir()
    shutil.copy(folder / files[0].path, one)
    ways = {
        "one thread": lambda: scan(folder, engine=Threads(1)),
        "threads": lambda: scan(folder, engine=Threads()),
        "one process": lambda: scan(folder, engine=Processes(1)),
        "processes": lambda: scan(folder),
        "start of a process": lambda: scan(one),
    }
    times: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, work in ways.items():
            before = all_cpu_seconds()
            wall = wall_seconds(work)
            times[way].append((wall, all_cpu_seconds() - before))
    result: dict[str, float] = {"pictures": len(files), "cores": available_cores()}
    for way, taken in times.items():
        wall, cpu = (statistics.median(values) for values in zip(*taken, strict=True))
        result |= {f"{way}, wall s": wall, f"{way}, CPU s": cpu}
    for label, fast, slow in (
        ("threads, times as fast as one", "threads", "one thread"),
        ("processes, times as fast as one thread", "processes", "one thread"),
        ("processes, times as fast as threads", "processes", "threads"),
    ):
        pairs = zip(times[slow], times[fast], strict=True)
        result[label] = statistics.median(before / after for (before, _), (after, _) in pairs)
    return result


def scan_twice(folder: Path, count: int) -> dict[str, float]:
    """Scan many small files, then again without a change."""
    seed = folder / "00000.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)).save(seed)
    for number in range(1, count):
        shutil.copy(seed, folder / f"{number:05}.png")
    begin = time.perf_counter()
    first = scan(folder)
    middle = time.perf_counter()
    second = scan(folder, first)
    end = time.perf_counter()
    if not second.equals(first):
        raise RuntimeError("the second scan differs from the first")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "files": count,
        "first scan, s": middle - begin,
        "second scan, s": end - middle,
        "peak memory, MiB": peak,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--images", type=Path, help="folder of real pictures to take instead of generated ones"
    )
    parser.add_argument("--files", type=int, default=200, help="number of 500-pixel JPEGs")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument(
        "--copies", type=int, default=20, help="times that threads and processes see each of them"
    )
    parser.add_argument(
        "--unchanged", type=int, default=10_000, help="files of the folder that is scanned twice"
    )
    parser.add_argument("--json", type=Path, help="where to write the figures as JSON")
    parser.add_argument("--turn", choices=["bare", "scan"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.turn:
        print(take_turn(options.turn, options.images))
        return
    with tempfile.TemporaryDirectory() as name:
        jpegs, copies, many = (Path(name, folder) for folder in ("jpegs", "copies", "many"))
        for folder in (jpegs, copies, many):
            folder.mkdir()
        write_pictures(jpegs, options.files, options.images)
        result = {
            "cores": os.cpu_count(),
            "500 pixels": compare(jpegs, options.rounds, {}),
            "500 pixels, freed memory kept": compare(jpegs, options.rounds, KEPT),
        }
        for picture in jpegs.iterdir():
            for number in range(options.copies):
                shutil.copy(picture, copies / f"{picture.stem}-{number}.jpg")
        result["threads and processes"] = compare_ways(copies, min(options.rounds, 3))
        result["twice"] = scan_twice(many, options.unchanged)
    for part in ("500 pixels", "500 pixels, freed memory kept", "threads and processes", "twice"):
        print(part)
        for label, value in result[part].items():
            print(f"{label:40}{value:12,.2f}")
        print()
    if options.json:
        options.json.write_text(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
