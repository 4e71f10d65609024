"""Embedding: the usual way, this project, and the limits of network and decoder, side by side in one run.

    python benchmarks/embedding.py --images DIR --backbone efficientnet_lite0
    python benchmarks/embedding.py --images DIR --backbone resnet50 --random-weights --json result.json
    python benchmarks/embedding.py --images DIR --backbone efficientnet_lite0 --reuse
    python benchmarks/embedding.py --images DIR --backbone efficientnet_lite0 --known 10000
    python benchmarks/embedding.py --images DIR --backbone efficientnet_lite0 --agreement

(a) is the usual way: Pillow decodes in full, torchvision's transforms, eager torch in float32, batches of 32.
(b) is this project, from files to array. (c) is the network in the runtime that (b) chose, on data that is in
memory already. (d) is decoding and preprocessing alone. Each is measured `--rounds` times in turn, in a process
of its own, and the medians are reported.
"""

import argparse
import hashlib
import json
import multiprocessing
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}


def main() -> None:
    arguments = _arguments()
    files = [path for path in sorted(arguments.images.rglob("*")) if path.suffix.lower() in SUFFIXES]
    files = files[:: max(1, len(files) // arguments.limit)][: arguments.limit]
    if not files:
        raise SystemExit(f"no pictures in {arguments.images}")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        weights = _random_weights(arguments.backbone, work) if arguments.random_weights else None
        measure = (
            _known
            if arguments.known
            else _reuse
            if arguments.reuse
            else _agreement
            if arguments.agreement
            else _throughput
        )
        result = measure(files, arguments, weights, work)
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
    parser.add_argument(
        "--random-weights", action="store_true", help="for networks whose weights are not here"
    )
    parser.add_argument("--limit", type=int, default=256, help="most pictures")
    parser.add_argument("--rounds", type=int, default=3)
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


def _throughput(
    files: list[Path], arguments: argparse.Namespace, weights: Path | None, work: Path
) -> dict[str, Any]:
    """Images per second, CPU time and memory of (a) to (d)."""
    ways: dict[str, Callable[..., dict[str, float]]] = {
        "usual": usual_way,
        "project": this_project,
        "network": network_alone,
        "decoding": decoding_alone,
    }
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    for _ in range(arguments.rounds):
        for name, way in ways.items():
            rounds[name].append(_apart(way, files, arguments.backbone, weights, arguments.runtime, work))
    medians = {
        name: {key: statistics.median(entry[key] for entry in entries) for key in entries[0]}
        for name, entries in rounds.items()
    }
    rate = {name: entry["images_per_second"] for name, entry in medians.items()}
    cpu = {name: entry["cpu_seconds_per_image"] for name, entry in medians.items()}
    return {
        "ways": medians,
        "ratio_to_usual": rate["project"] / rate["usual"],
        "ratio_to_limit": rate["project"] / rate["network"],
        "cpu_ratio_to_usual": cpu["usual"] / cpu["project"],
        "cpu_ratio_to_limit": cpu["network"] / cpu["project"],
    }


def usual_way(
    files: list[Path], backbone: str, weights: Path | None, runtime: str, work: Path
) -> dict[str, float]:
    """(a) Pillow, torchvision transforms, eager torch in float32, batches of 32."""
    import torch
    from PIL import Image
    from torchvision import transforms

    from clustering_assets.embedding.catalogue import resolve_backbone
    from clustering_assets.embedding.networks import feature_network
    from clustering_assets.embedding.weights import hub_folder, obtain

    facts = resolve_backbone(backbone, weights)
    network = feature_network(facts, obtain(facts.weights, hub_folder())).trunk
    wanted = facts.preprocessing
    transform = transforms.Compose(
        [
            transforms.Resize(wanted.resize, transforms.InterpolationMode(wanted.interpolation)),
            transforms.CenterCrop(wanted.crop),
            transforms.ToTensor(),
            transforms.Normalize(wanted.mean, wanted.std),
        ]
    )

    def run(chosen: list[Path]) -> None:
        with torch.inference_mode():
            for start in range(0, len(chosen), 32):
                pictures = [Image.open(path).convert("RGB") for path in chosen[start : start + 32]]
                batch: list[Any] = [transform(picture) for picture in pictures]
                network(torch.stack(batch)).numpy()

    run(files[:32])
    return _timed(lambda: run(files), len(files))


def this_project(
    files: list[Path], backbone: str, weights: Path | None, runtime: str, work: Path
) -> dict[str, float]:
    """(b) From files to array, with the network started but no vector cached."""
    from clustering_assets.embedding.catalogue import NetworkSpec
    from clustering_assets.embedding.embed import Inputs, RuntimeOptions, embed

    network = NetworkSpec(NetworkSpec(backbone, weights).resolve(memory=work / "cache"))
    options, table = RuntimeOptions(runtime), _table_of(files)
    embed(Inputs(table.iloc[:32], Path("/")), network, options, cache_dir=work / "cache")
    with tempfile.TemporaryDirectory() as fresh:
        cache = Path(fresh)
        (cache / "models").symlink_to(work / "cache" / "models", target_is_directory=True)
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
    }


def network_alone(
    files: list[Path], backbone: str, weights: Path | None, runtime: str, work: Path
) -> dict[str, float]:
    """(c) The network in its runtime, on prepared pictures in memory."""
    import numpy as np

    from clustering_assets.embedding.catalogue import resolve_backbone
    from clustering_assets.embedding.runtime import features
    from clustering_assets.embedding.runtime_choice import plan_runtime, start_runtime
    from clustering_assets.embedding.weights import hub_folder, obtain
    from clustering_assets.images.load import read_picture

    facts = resolve_backbone(backbone, weights, memory=work / "cache")
    wanted = facts.preprocessing
    views = np.stack(
        [wanted.prepare(read_picture(path, min_side=wanted.min_side).image) for path in files[:64]]
    )
    ready = start_runtime(
        plan_runtime(runtime),
        facts,
        lambda: obtain(facts.weights, hub_folder()),
        batch_size=32,
        models=[work / "cache" / "models"],
    )
    features(ready, views[:32])
    batches = max(1, len(files) // len(views))
    return _timed(lambda: [features(ready, views) for _ in range(batches)], batches * len(views))


def decoding_alone(
    files: list[Path], backbone: str, weights: Path | None, runtime: str, work: Path
) -> dict[str, float]:
    """(d) Decoding and preprocessing on the threads of a run, with nobody waiting."""
    from clustering_assets.embedding.catalogue import resolve_backbone
    from clustering_assets.embedding.embed import MOST_THREADS
    from clustering_assets.embedding.preparing import Content, Copy, prepare, prepared_batches
    from clustering_assets.files.local import LocalFolder
    from clustering_assets.settings import DEFAULT_LIMITS
    from clustering_assets.threads import available_cores
    from clustering_assets.work.threads import Threads

    wanted = resolve_backbone(backbone, weights, memory=work / "cache").preprocessing
    function = partial(prepare, LocalFolder(Path("/")), wanted, DEFAULT_LIMITS)
    contents = [Content(number, (Copy(number, str(path)),)) for number, path in enumerate(files)]
    engine = Threads(min(available_cores(), MOST_THREADS))
    return _timed(lambda: [None for _ in prepared_batches(function, contents, 32, engine)], len(files))


def _reuse(
    files: list[Path], arguments: argparse.Namespace, weights: Path | None, work: Path
) -> dict[str, Any]:
    """Seconds and memory of a first run, of one with nothing new, and of one with 1 % new pictures."""
    known = files[: -max(1, len(files) // 100)]
    steps: dict[str, dict[str, float]] = {}
    for name, chosen in (("first", known), ("nothing_new", known), ("one_percent_new", files)):
        steps[name] = _apart(_embed_once, chosen, arguments.backbone, weights, arguments.runtime, work)
    return {
        "steps": steps,
        "one_percent_new_ratio": steps["one_percent_new"]["seconds"] / steps["first"]["seconds"],
    }


def _known(
    files: list[Path], arguments: argparse.Namespace, weights: Path | None, work: Path
) -> dict[str, Any]:
    """Seconds and memory of runs on pictures whose vectors are in the cache, and with 1 % new ones."""
    known = [Path(f"/made-up/{number:07}.jpg") for number in range(arguments.known)]
    new = files[: max(1, len(known) // 100)]
    common = arguments.backbone, weights, arguments.runtime, work
    _apart(_embed_once, files[-8:], *common)  # converts and compiles the network
    _apart(_make_up, known, *common)
    steps = {
        "nothing_new": _apart(_embed_once, known, *common),
        "new_only": _apart(_embed_once, known + new, *common),
    }
    return {"known": len(known), "new": len(new), "steps": steps}


def _make_up(files: list[Path], backbone: str, weights: Path | None, runtime: str, work: Path) -> None:
    """Vectors by chance for pictures that do not exist, in shards as a run writes them."""
    import numpy as np
    import pandas as pd

    from clustering_assets.embedding.cache import SHARD_ROWS, write_shard
    from clustering_assets.embedding.catalogue import resolve_backbone

    facts = resolve_backbone(backbone, weights, memory=work / "cache")
    (folder,) = (work / "cache" / "vectors").glob(f"*-{facts.fingerprint}-*")
    hashes = pd.Index(_table_of(files)["content_hash"])
    chance = np.random.default_rng(0)
    for start in range(0, len(hashes), SHARD_ROWS):
        block = hashes[start : start + SHARD_ROWS]
        write_shard(folder, block, chance.random((len(block), facts.dimension), np.float32))


def _agreement(
    files: list[Path], arguments: argparse.Namespace, weights: Path | None, work: Path
) -> dict[str, Any]:
    """Cosines, mean and least, with what torch computes in float32 from pictures decoded in full."""
    return {"cosine": _apart(_cosines, files, arguments.backbone, weights, work)}


def _cosines(
    files: list[Path], backbone: str, weights: Path | None, work: Path
) -> dict[str, dict[str, float]]:
    import numpy as np

    from clustering_assets.embedding.catalogue import resolve_backbone
    from clustering_assets.embedding.precision import agree
    from clustering_assets.embedding.runtime import Plan, features
    from clustering_assets.embedding.runtime_choice import plan_runtime, start_runtime
    from clustering_assets.embedding.weights import hub_folder, obtain
    from clustering_assets.images.load import read_picture

    facts = resolve_backbone(backbone, weights)
    wanted = facts.preprocessing
    full = np.stack([wanted.prepare(read_picture(path).image) for path in files])
    scaled = np.stack([wanted.prepare(read_picture(path, min_side=wanted.min_side).image) for path in files])

    def vectors(plan: Plan, views: Any) -> Any:
        weights_path = partial(obtain, facts.weights, hub_folder())
        return features(start_runtime(plan, facts, weights_path, batch_size=32, models=[work]), views)

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


def _embed_once(
    files: list[Path], backbone: str, weights: Path | None, runtime: str, work: Path
) -> dict[str, float]:
    """One run with the cache, in a fresh process."""
    table = _table_of(files)
    started = time.perf_counter()
    from clustering_assets.embedding.catalogue import NetworkSpec
    from clustering_assets.embedding.embed import Inputs, RuntimeOptions, embed

    imported, cpu = time.perf_counter(), time.process_time()
    done = embed(
        Inputs(table, Path("/")),
        NetworkSpec(backbone, weights),
        RuntimeOptions(runtime),
        cache_dir=work / "cache",
    )
    return {
        "images": len(files),
        "embedded": done.embedded,
        "imports_seconds": imported - started,
        "seconds": time.perf_counter() - imported,
        "cpu_seconds": time.process_time() - cpu,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _table_of(files: list[Path]) -> Any:
    """The columns that embedding needs. The files' names stand for their content here: hashing is the scan's work."""
    import pandas as pd

    names = [str(path.resolve()).lstrip("/") for path in files]
    return pd.DataFrame(
        {"path": names, "content_hash": [hashlib.sha256(name.encode()).hexdigest() for name in names]}
    )


def _timed(work: Callable[[], Any], count: int) -> dict[str, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {
        "images_per_second": count / wall,
        "cpu_seconds_per_image": cpu / count,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _apart(way: Callable[..., Any], *arguments: Any) -> Any:
    """The result of a function that runs in a fresh process, so that memory and caches are its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(way, arguments)


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
    titles = {
        "usual": "(a) usual way",
        "project": "(b) this project",
        "network": "(c) network alone",
        "decoding": "(d) decoding alone",
    }
    lines = [
        f"{result['backbone']}, {result['images']} pictures, {result['processor']}, {result['cores']} cores",
        f"{'':20}{'images/s':>10}{'CPU ms/image':>14}{'peak MB':>9}",
    ]
    lines += [
        f"{titles[name]:20}{entry['images_per_second']:10.1f}{1000 * entry['cpu_seconds_per_image']:14.1f}"
        f"{entry['peak_memory_mb']:9.0f}"
        for name, entry in result["ways"].items()
    ]
    lines.append(
        f"b/a {result['ratio_to_usual']:.1f}, b/c {result['ratio_to_limit']:.2f}; "
        f"by CPU time a/b {result['cpu_ratio_to_usual']:.1f}, c/b {result['cpu_ratio_to_limit']:.2f}"
    )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
