"""Embedding: the usual ways, this project, and the limits of network and decoder, side by side in one run.

    python benchmarks/embedding.py --images NEWDIR --make 2000 --side 500
    python benchmarks/embedding.py --images DIR --backbone efficientnet_lite0
    python benchmarks/embedding.py --images DIR --backbone resnet50 --random-weights --json result.json
    python benchmarks/embedding.py --images DIR --backbone efficientnet_lite0 --folders 20 200 2000
    python benchmarks/embedding.py --images DIR --backbone efficientnet_lite0 --reuse
    python benchmarks/embedding.py --images DIR --backbone efficientnet_lite0 --known 10000
    python benchmarks/embedding.py --images DIR --backbone efficientnet_lite0 --agreement

(a) is the usual way: Pillow decodes in full, torchvision's transforms, eager torch in float32, batches of 32.
(b) is this project, from files to array. (c) is the network in the runtime that (b) chose, on data that is in
memory already. (d) is decoding and preprocessing alone, on as many workers as (b) has and on one. (e) is the ordinary
recipe for a GPU: (a) behind a DataLoader with a process for each core and pinned memory, on the device that torch
finds. Each is measured `--rounds` times in turn, in a process of its own, and the medians are reported. CPU time and
memory are those of all processes of a way together.

The balance is what cores that never wait would do, `cores / (CPU of (c) + CPU of (d))` for a picture; where a GPU
computes, (c) is a limit of its own.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}


@dataclass(frozen=True)
class Wanted:
    """Which network is measured, on what, and where its files are kept."""

    backbone: str
    weights: Path | None
    runtime: str
    batch_size: int | None
    work: Path

    def options(self, engine: Any = None) -> Any:
        """How this project shall run it."""
        from clustering_assets.embedding.embed import RuntimeOptions

        chosen = {} if self.batch_size is None else {"batch_size": self.batch_size}
        return RuntimeOptions(self.runtime, engine=engine, **chosen)

    def facts(self) -> Any:
        """What is known of the network."""
        from clustering_assets.embedding.catalogue import resolve_backbone

        return resolve_backbone(self.backbone, self.weights, memory=self.work / "cache")

    def weights_file(self) -> Path:
        """The file of its weights."""
        from clustering_assets.embedding.weights import hub_folder, obtain

        return obtain(self.facts().weights, hub_folder())


def main() -> None:
    arguments = _arguments()
    if arguments.make:
        make_pictures(arguments.images, arguments.make, arguments.side)
        return
    files = [path for path in sorted(arguments.images.rglob("*")) if path.suffix.lower() in SUFFIXES]
    files = files[:: max(1, len(files) // arguments.limit)][: arguments.limit]
    if not files:
        raise SystemExit(f"no pictures in {arguments.images}")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        weights = _random_weights(arguments.backbone, work) if arguments.random_weights else None
        wanted = Wanted(arguments.backbone, weights, arguments.runtime, arguments.batch_size, work)
        modes = {"known": _known, "reuse": _reuse, "agreement": _agreement, "folders": _folders}
        measure = next((mode for name, mode in modes.items() if getattr(arguments, name)), _throughput)
        result = measure(files, arguments, wanted)
    result = {"backbone": arguments.backbone, "images": len(files), **_machine(), **result}
    print(_table(result) if "ways" in result else json.dumps(result, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=Path, required=True, help="folder of pictures")
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--runtime", default="auto", help="auto, openvino or torch")
    parser.add_argument("--batch-size", type=int, help="pictures in a forward pass on a GPU")
    parser.add_argument(
        "--random-weights", action="store_true", help="for networks whose weights are not here"
    )
    parser.add_argument("--limit", type=int, default=256, help="most pictures")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--without", action="append", default=[], choices=list(WAYS), help="leave a way out; may be repeated"
    )
    parser.add_argument(
        "--make", type=int, help="instead, make so many JPEGs with the textures of photos in the folder"
    )
    parser.add_argument("--side", type=int, default=500, help="longer side of pictures that are made")
    parser.add_argument(
        "--folders", type=int, nargs="+", help="measure folders of so many pictures, against threads"
    )
    parser.add_argument(
        "--reuse", action="store_true", help="measure re-runs with nothing new and with 1 %% new"
    )
    parser.add_argument(
        "--known",
        type=int,
        help="measure re-runs on so many pictures of which the cache has made-up vectors, and 1 %% new ones",
    )
    parser.add_argument(
        "--agreement", action="store_true", help="measure how far runtimes and roundings turn the vectors"
    )
    parser.add_argument("--json", type=Path, help="write the result there")
    return parser.parse_args()


def _throughput(files: list[Path], arguments: argparse.Namespace, wanted: Wanted) -> dict[str, Any]:
    """Images per second, CPU time and memory of (a) to (e)."""
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in WAYS if name not in arguments.without}
    for _ in range(arguments.rounds):
        for name, entries in rounds.items():
            entries.append(_apart(WAYS[name][1], files, wanted))
    ways = {name: _medians(entries) for name, entries in rounds.items()}
    return {"ways": ways, **_ratios(ways)}


def _ratios(ways: dict[str, dict[str, float]]) -> dict[str, Any]:
    """How this project stands to the other ways that were measured, by rate and by CPU time, and to the balance."""
    rate = {name: entry["images_per_second"] for name, entry in ways.items()}
    cpu = {name: entry["cpu_seconds_per_image"] for name, entry in ways.items()}
    found: dict[str, Any] = {}
    if "project" in ways:
        others = [name for name in ways if name != "project"]
        found["rate_of_project_to"] = {name: rate["project"] / rate[name] for name in others}
        found["cpu_of_others_to_project"] = {name: cpu[name] / cpu["project"] for name in others}
    if {"network", "decoding"} <= ways.keys():
        found["balance"] = _machine()["cores"] / (cpu["network"] + cpu["decoding"])
        if "project" in ways:
            found["rate_of_project_to"]["balance"] = rate["project"] / found["balance"]
    if {"decoding", "decoding_one"} <= ways.keys():
        found["decoding_to_one"] = rate["decoding"] / rate["decoding_one"]
    return found


def usual_way(files: list[Path], wanted: Wanted) -> dict[str, float]:
    """(a) Pillow, torchvision transforms, eager torch in float32, batches of 32."""
    import torch

    from clustering_assets.embedding.networks import feature_network

    facts = wanted.facts()
    network = feature_network(facts, wanted.weights_file()).trunk
    pictures = Photos(files, facts.preprocessing)

    def run(chosen: range) -> None:
        with torch.inference_mode():
            for start in chosen[::32]:
                batch = [pictures[number] for number in chosen[start : start + 32]]
                network(torch.stack(batch)).numpy()

    run(range(min(32, len(files))))
    return _timed(lambda: run(range(len(files))), len(files))


def loader_way(files: list[Path], wanted: Wanted) -> dict[str, float]:
    """(e) The same behind a DataLoader, on the device that torch finds; with the start of the loader's processes."""
    import numpy as np
    import torch
    from torch.utils.data import DataLoader

    from clustering_assets.embedding.networks import feature_network

    facts = wanted.facts()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = feature_network(facts, wanted.weights_file()).trunk.to(device)
    loader = DataLoader(
        Photos(files, facts.preprocessing),  # pyright: ignore[reportArgumentType]
        batch_size=64,
        num_workers=_machine()["cores"],
        pin_memory=device == "cuda",
    )

    def run() -> Any:
        with torch.inference_mode():
            return np.concatenate(
                [network(batch.to(device, non_blocking=True)).cpu().numpy() for batch in loader]
            )

    with torch.inference_mode():
        network(torch.zeros(64, 3, facts.preprocessing.side, facts.preprocessing.side, device=device)).cpu()
    return _timed(run, len(files))


class Photos:
    """Pictures as the usual ways prepare them: decoded by Pillow in full, float32, shape (3, side, side)."""

    def __init__(self, files: list[Path], preprocessing: Any) -> None:
        from torchvision import transforms

        self.files = files
        self.transform = transforms.Compose(
            [
                transforms.Resize(
                    preprocessing.side, transforms.InterpolationMode(preprocessing.interpolation)
                ),
                transforms.CenterCrop(preprocessing.side),
                transforms.ToTensor(),
                transforms.Normalize(preprocessing.mean, preprocessing.std),
            ]
        )

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, number: int) -> Any:
        from PIL import Image

        return self.transform(Image.open(self.files[number]).convert("RGB"))


def this_project(files: list[Path], wanted: Wanted, engine: Any = None) -> dict[str, float]:
    """(b) From files to array, with the network started but no vector cached."""
    from clustering_assets.embedding.catalogue import NetworkSpec
    from clustering_assets.embedding.embed import Inputs, embed

    network = NetworkSpec(wanted.facts())
    options, table = wanted.options(engine), _table_of(files)
    embed(Inputs(table.iloc[:32], Path("/")), network, options, cache_dir=wanted.work / "cache")
    with tempfile.TemporaryDirectory() as fresh:
        cache = Path(fresh)
        (cache / "models").symlink_to(wanted.work / "cache" / "models", target_is_directory=True)
        result: list[Any] = []
        whole = _timed(
            lambda: result.append(embed(Inputs(table, Path("/")), network, options, cache_dir=cache)),
            len(files),
        )
    # the start of the network is a fixed cost; the rate is the engine's own, from the first file to the last vector
    return {
        **whole,
        "images_per_second": result[0].images_per_second,
        "with_start": whole["images_per_second"],
        **asdict(result[0].waits),
    }


def network_alone(files: list[Path], wanted: Wanted) -> dict[str, float]:
    """(c) The network in its runtime, on prepared pictures in memory."""
    import numpy as np

    from clustering_assets.embedding.runtime import features
    from clustering_assets.embedding.runtime_choice import plan_runtime, start_runtime, usual_batch
    from clustering_assets.images.load import read_picture

    facts, plan = wanted.facts(), plan_runtime(wanted.runtime)
    side = facts.preprocessing.min_side
    ready = start_runtime(
        plan,
        facts,
        wanted.weights_file,
        batch_size=wanted.options().batch_size or usual_batch(plan),
        models=[wanted.work / "cache" / "models"],
    )
    views = np.stack(
        [facts.preprocessing.prepare(read_picture(path, min_side=side).image) for path in files[:64]]
    )
    views = np.tile(views, (-(-4 * ready.batch_size // len(views)), 1, 1, 1))
    features(ready, views)
    turns = max(1, len(files) // len(views))
    return _timed(lambda: [features(ready, views) for _ in range(turns)], turns * len(views))


def decoding_alone(files: list[Path], wanted: Wanted, workers: int | None = None) -> dict[str, float]:
    """(d) Decoding and preprocessing on the workers of a run, or so many, with nobody waiting; with their start."""
    from clustering_assets.embedding.preparing import Content, Copy, prepare, prepared_batches
    from clustering_assets.files.local import LocalFolder
    from clustering_assets.images.load import as_sent
    from clustering_assets.settings import DEFAULT_LIMITS
    from clustering_assets.work.processes import Processes

    facts = wanted.facts().preprocessing
    function = partial(prepare, LocalFolder(Path("/")), facts, as_sent(DEFAULT_LIMITS))
    contents = [Content(number, (Copy(number, str(path)),)) for number, path in enumerate(files)]
    size = wanted.options().batch_size or 128
    batches = partial(prepared_batches, function, contents, size, Processes(workers), facts.view_bytes)
    return _timed(lambda: [None for _ in batches()], len(files))


WAYS: dict[str, tuple[str, Callable[[list[Path], Wanted], dict[str, float]]]] = {
    "usual": ("(a) usual way", usual_way),
    "project": ("(b) this project", this_project),
    "network": ("(c) network alone", network_alone),
    "decoding": ("(d) decoding alone", decoding_alone),
    "decoding_one": ("    on one worker", partial(decoding_alone, workers=1)),
    "loader": ("(e) DataLoader", loader_way),
}


def _folders(files: list[Path], arguments: argparse.Namespace, wanted: Wanted) -> dict[str, Any]:
    """Seconds from the first file to the last vector of small folders, by default and on threads."""
    from clustering_assets.work.threads import Threads

    found = {}
    for count in arguments.folders:
        rounds: dict[str, list[dict[str, float]]] = {"default": [], "threads": []}
        for _ in range(arguments.rounds):
            for name, entries in rounds.items():
                engine = Threads() if name == "threads" else None
                entries.append(_apart(this_project, files[:count], wanted, engine))
        rate = {name: _medians(entries)["images_per_second"] for name, entries in rounds.items()}
        found[str(count)] = {f"{name}_seconds": count / rate[name] for name in rate}
        found[str(count)]["rate_to_threads"] = rate["default"] / rate["threads"]
    return {"folders": found}


def _reuse(files: list[Path], arguments: argparse.Namespace, wanted: Wanted) -> dict[str, Any]:
    """Seconds and memory of a first run, of one with nothing new, and of one with 1 % new pictures."""
    known = files[: -max(1, len(files) // 100)]
    steps: dict[str, dict[str, float]] = {}
    for name, chosen in (("first", known), ("nothing_new", known), ("one_percent_new", files)):
        steps[name] = _apart(_embed_once, chosen, wanted)
    return {
        "steps": steps,
        "one_percent_new_ratio": steps["one_percent_new"]["seconds"] / steps["first"]["seconds"],
    }


def _known(files: list[Path], arguments: argparse.Namespace, wanted: Wanted) -> dict[str, Any]:
    """Seconds and memory of runs on pictures whose vectors are in the cache, and with 1 % new ones."""
    known = [Path(f"/made-up/{number:07}.jpg") for number in range(arguments.known)]
    new = files[: max(1, len(known) // 100)]
    _apart(_embed_once, files[-8:], wanted)  # converts and compiles the network
    _apart(_make_up, known, wanted)
    steps = {
        "nothing_new": _apart(_embed_once, known, wanted),
        "new_only": _apart(_embed_once, known + new, wanted),
    }
    return {"known": len(known), "new": len(new), "steps": steps}


def _make_up(files: list[Path], wanted: Wanted) -> None:
    """Vectors by chance for pictures that do not exist, in shards as a run writes them."""
    import numpy as np
    import pandas as pd

    from clustering_assets.embedding.cache import SHARD_ROWS, write_shard

    facts = wanted.facts()
    (folder,) = (wanted.work / "cache" / "vectors").glob(f"*-{facts.fingerprint}-*")
    hashes = pd.Index(_table_of(files)["content_hash"])
    chance = np.random.default_rng(0)
    for start in range(0, len(hashes), SHARD_ROWS):
        block = hashes[start : start + SHARD_ROWS]
        write_shard(folder, block, chance.random((len(block), facts.dimension), np.float32))


def _agreement(files: list[Path], arguments: argparse.Namespace, wanted: Wanted) -> dict[str, Any]:
    """Cosines, mean and least, with what torch computes in float32 from pictures decoded in full."""
    return {"cosine": _apart(_cosines, files, wanted)}


def _cosines(files: list[Path], wanted: Wanted) -> dict[str, dict[str, float]]:
    import numpy as np

    from clustering_assets.embedding.precision import agree
    from clustering_assets.embedding.runtime import Plan, features
    from clustering_assets.embedding.runtime_choice import plan_runtime, start_runtime
    from clustering_assets.images.load import read_picture

    facts = wanted.facts()
    prepare, side = facts.preprocessing.prepare, facts.preprocessing.min_side
    full = np.stack([prepare(read_picture(path).image) for path in files])
    scaled = np.stack([prepare(read_picture(path, min_side=side).image) for path in files])

    def vectors(plan: Plan, views: Any) -> Any:
        models = [wanted.work]
        return features(start_runtime(plan, facts, wanted.weights_file, batch_size=32, models=models), views)

    def compare(a: Any, b: Any) -> dict[str, float]:
        return asdict(agree(a, b))

    exact = vectors(Plan("torch", "cpu", "float32"), full)
    plans = {Plan("openvino", "cpu", "float32"), plan_runtime("openvino"), plan_runtime("torch")}
    return {
        **{
            f"{plan.runtime} {plan.device} {plan.precision}": compare(vectors(plan, full), exact)
            for plan in plans
        },
        "pictures decoded to scale": compare(vectors(Plan("torch", "cpu", "float32"), scaled), exact),
        "vectors kept in float16": compare(exact.astype(np.float16), exact),
    }


def _embed_once(files: list[Path], wanted: Wanted) -> dict[str, float]:
    """One run with the cache, in a fresh process."""
    table = _table_of(files)
    started = time.perf_counter()
    from clustering_assets.embedding.catalogue import NetworkSpec
    from clustering_assets.embedding.embed import Inputs, embed

    imported = time.perf_counter()
    network, cache = NetworkSpec(wanted.backbone, wanted.weights), wanted.work / "cache"
    done: list[Any] = []
    whole = _timed(
        lambda: done.append(
            embed(Inputs(table, Path("/")), network, wanted.options(), cache_dir=cache),
        ),
        len(files),
    )
    return {
        "images": len(files),
        "embedded": done[0].embedded,
        "imports_seconds": imported - started,
        "seconds": len(files) / whole["images_per_second"],
        "cpu_seconds": len(files) * whole["cpu_seconds_per_image"],
        "peak_memory_mb": whole["peak_memory_mb"],
    }


def _table_of(files: list[Path]) -> Any:
    """The columns that embedding needs. The files' names stand for their content here: hashing is the scan's work."""
    import pandas as pd

    names = [str(path.resolve()).lstrip("/") for path in files]
    return pd.DataFrame(
        {"path": names, "content_hash": [hashlib.sha256(name.encode()).hexdigest() for name in names]}
    )


def _timed(work: Callable[[], Any], count: int) -> dict[str, float]:
    """Rate, CPU time and peak memory of some work and of all processes that it starts and ends."""
    with _Memory() as memory:
        wall, cpu = time.perf_counter(), _cpu_seconds()
        work()
        wall, cpu = time.perf_counter() - wall, _cpu_seconds() - cpu
    return {
        "images_per_second": count / wall,
        "cpu_seconds_per_image": cpu / count,
        "peak_memory_mb": memory.peak / 1e6,
    }


def _cpu_seconds() -> float:
    """CPU time of this process and of its children that have ended."""
    return sum(os.times()[:4])


class _Memory:
    """Watches how much memory of their own this process and its children have together."""

    peak = 0.0

    def __enter__(self) -> "_Memory":
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        over = False
        while not over:
            over = self._over.wait(0.3)
            self.peak = max(self.peak, _memory_of(os.getpid()))


def _memory_of(process: int) -> float:
    """Bytes of a process and of all that descend from it; 0 where the system does not say, as outside Linux.

    Memory that processes share is not counted: to tell whose it is would stop a process that uses a GPU for seconds.
    """
    place, total = Path("/proc") / str(process), 0.0
    try:
        _, resident, shared, *_ = map(int, (place / "statm").read_text().split())
        total += (resident - shared) * os.sysconf("SC_PAGE_SIZE")
        children = [(task / "children").read_text().split() for task in (place / "task").iterdir()]
    except OSError:  # it has ended
        return total
    return total + sum(_memory_of(int(child)) for some in children for child in some)


def _medians(entries: list[dict[str, float]]) -> dict[str, float]:
    return {key: statistics.median(entry[key] for entry in entries) for key in entries[0]}


def _apart(way: Callable[..., Any], *arguments: Any) -> Any:
    """The result of a function that runs in a fresh process, so that memory and caches are its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(way, *arguments).result()


def make_pictures(folder: Path, count: int, side: int) -> None:
    """JPEGs, 4:3, at quality 90: pieces of a few textures that have the spectrum of photos, some of them mirrored."""
    folder.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(_machine()["cores"], multiprocessing.get_context("spawn")) as pool:
        share = -(-count // 64)
        parts = [range(first, min(count, first + share)) for first in range(0, count, share)]
        list(pool.map(partial(_make_some, folder, side), parts))


def _make_some(folder: Path, side: int, numbers: range) -> None:
    import numpy as np
    from PIL import Image

    chance = np.random.default_rng(numbers.start)
    height, width = 3 * side // 4, side
    texture = _texture(chance, 2 * height, 2 * width)
    for number in numbers:
        top, left = chance.integers(0, (height, width))
        piece = texture[top : top + height, left : left + width]
        if number % 2:
            piece = piece[:, ::-1]
        Image.fromarray(np.ascontiguousarray(piece)).save(folder / f"{number:07}.jpg", quality=90)


def _texture(chance: Any, height: int, width: int) -> Any:
    """Noise whose amplitude falls with frequency, as that of natural pictures does (Field 1987); uint8 RGB."""
    import numpy as np

    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequency[0, 0] = np.inf
    channels = []
    for _ in range(3):
        waves = np.fft.rfft2(chance.normal(size=(height, width)).astype(np.float32)) / frequency**1.4
        channels.append(np.fft.irfft2(waves, s=(height, width)))
    light, *colours = (channel / channel.std() for channel in channels)
    mixed = [light + 0.4 * colours[0], light, light + 0.4 * colours[1]]
    return np.clip(np.stack(mixed, axis=2) * 45 + 120, 0, 255).astype(np.uint8)


def _random_weights(backbone: str, folder: Path) -> Path:
    """A weights file for a network whose published weights are not here; as fast as those, but without sense."""
    return _apart(_save_random_weights, backbone, folder)


def _save_random_weights(backbone: str, folder: Path) -> Path:
    import torch
    from torchvision import models

    from clustering_assets.embedding.catalogue import ALIASES

    torch.manual_seed(0)
    path = folder / f"{backbone}.pth"
    torch.save(models.get_model(ALIASES.get(backbone, backbone), weights=None).state_dict(), path)
    return path


def _machine() -> dict[str, Any]:
    import platform

    from clustering_assets.threads import available_cores

    model = platform.processor()
    information = Path("/proc/cpuinfo")
    if information.exists():
        lines = information.read_text().splitlines()
        model = next(
            (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model
        )
    return {"processor": model, "cores": available_cores()}


def _table(result: dict[str, Any]) -> str:
    lines = [
        f"{result['backbone']}, {result['images']} pictures, {result['processor']}, {result['cores']} cores",
        f"{'':20}{'images/s':>10}{'CPU ms/image':>14}{'peak MB':>9}",
    ]
    lines += [
        f"{WAYS[name][0]:20}{entry['images_per_second']:10.1f}{1000 * entry['cpu_seconds_per_image']:14.2f}"
        f"{entry['peak_memory_mb']:9.0f}"
        for name, entry in result["ways"].items()
    ]
    if "balance" in result:
        lines.append(f"balance             {result['balance']:10.1f}")
    for title, key in (
        ("rate of the project to that of", "rate_of_project_to"),
        ("CPU to the project's of", "cpu_of_others_to_project"),
    ):
        if ratios := result.get(key):
            lines.append(f"{title} " + ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items()))
    if project := result["ways"].get("project"):
        lines.append(
            f"waits: for pictures {project['for_pictures']:.0%}, for the network {project['for_network']:.0%}"
        )
    if "decoding_to_one" in result:
        lines.append(f"decoding on all workers / on one {result['decoding_to_one']:.2f}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
