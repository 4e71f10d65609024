"""What several videos at once and Dagster cost: videos side by side, `run` against plain Python, sensors against `run`.

    python benchmarks/updates.py rendering [--videos 4] [--resolution 1280x720]
    python benchmarks/updates.py run [--pictures 252] [--clusters 10]
    python benchmarks/updates.py sensors [--pictures 252] [--clusters 10]
    python benchmarks/updates.py loading [--rounds 3]

- `rendering`: videos of generated pictures one after the other in one process, and 1, 2, 4, ... at once in processes.
  CPU seconds are of all processes and their start; `efficiency` is how little more CPU a video costs beside others,
  the share of linear scaling that is left where there are cores for all of them.
- `run`: `python -m clustering_assets run` on the demo's pictures and music, and the same domain calls in one script
  that knows no Dagster, each in a fresh process and folder, in turn.
- `sensors`: new pictures land in a folder that `python -m clustering_assets dev` watches; from there to the last video,
  and what `run` takes for the same pictures in a copy of that folder.
- `loading`: a process that loads the code location with all that Dagster resolves of it, and one that only imports
  Dagster, in turn.
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
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from timing import timed

from clustering_assets.demo.music import make_music
from clustering_assets.demo.pictures import make_pictures
from clustering_assets.embedding.files import EmbeddingPair
from clustering_assets.rendering import Order, Rendered, render
from clustering_assets.settings import Settings, load_settings
from clustering_assets.tables import MUSIC_TRACKS
from clustering_assets.video.recipe import Recipe
from clustering_assets.work.engine import Engine
from clustering_assets.work.processes import Processes
from clustering_assets.work.threads import Here


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["rendering", "run", "sensors", "loading", "plain"])
    parser.add_argument("--videos", type=int, default=4)
    parser.add_argument("--slides", type=int, default=6)
    parser.add_argument("--pictures", type=int, default=252)
    parser.add_argument("--clusters", type=int, default=10)
    parser.add_argument("--resolution", default="1280x720")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", help="file for the figures")
    options = parser.parse_args()
    if options.what == "plain":
        plain(load_settings())
        return
    with tempfile.TemporaryDirectory() as scratch:
        ways = {"rendering": rendering, "run": overhead, "sensors": sensors, "loading": loading}
        found = ways[options.what](Path(scratch), options)
    print(json.dumps(found, indent=2))
    if options.json:
        Path(options.json).write_text(json.dumps(found, indent=2))


def rendering(scratch: Path, options: argparse.Namespace) -> dict[str, Any]:
    """CPU and wall seconds of some videos one after the other, and several at once."""
    orders = [_order(scratch, number, options) for number in range(options.videos)]
    ways: dict[str, tuple[Engine, list[Order]]] = {"one after the other": (Here(), orders)}
    count = 1
    while count <= options.videos:
        ways[f"{count} at once"] = (Processes(count), orders)
        count *= 2
    render_all(Here(), orders[:1])  # imports
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(options.rounds):
        for name, (engine, some) in ways.items():
            spent[name].append(timed(lambda engine=engine, some=some: render_all(engine, some)))
            print(f"  {name:20} {spent[name][-1][0]:7.2f} CPU s {spent[name][-1][1]:7.2f} s", flush=True)
    cpu = {name: statistics.median(cost for cost, _ in values) for name, values in spent.items()}
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu_seconds_per_video": {name: value / len(orders) for name, value in cpu.items()},
        "wall_seconds": {
            name: statistics.median(took for _, took in values) for name, values in spent.items()
        },
        "efficiency": {name: cpu["1 at once"] / value for name, value in cpu.items() if "at once" in name},
        "peak_mb_of_a_process": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1000,
    }


def render_all(engine: Engine, orders: list[Order]) -> None:
    """Render all; whoever fails fails the benchmark."""
    for key, video in render(orders, engine):
        assert isinstance(video, Rendered), (key, video)


def _order(scratch: Path, number: int, options: argparse.Namespace) -> Order:
    """A video without music of pictures that have the spectrum of photos."""
    folder = scratch / "images"
    folder.mkdir(exist_ok=True)
    rows = []
    for slide in range(options.slides):
        path = folder / f"{number}_{slide}.jpg"
        photo(number * options.slides + slide).save(path, quality=88)
        rows.append((path.name, "", "", 1920, 1280, path.stat().st_size, path.stat().st_mtime_ns))
    names = ["path", "content_hash", "duplicate_of", "width", "height", "bytes", "mtime_ns"]
    images = pd.DataFrame(rows, columns=names)
    settings = load_settings(
        images=str(folder),
        output=str(scratch / "output"),
        resolution=options.resolution,
        max_images_per_video=1000,
    )
    recipe = Recipe(f"cluster_{number}", number, f"cluster {number}", images, "", f"{number:032x}")
    nothing = pd.DataFrame(columns=list(MUSIC_TRACKS.columns))
    return Order(recipe, settings, EmbeddingPair(np.zeros((0, 2), np.float32), []), nothing)


def photo(seed: int, width: int = 1920, height: int = 1280) -> Image.Image:
    """Coloured noise whose detail falls off as that of photos does."""
    random = np.random.default_rng(seed)
    distance = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    distance[0, 0] = 1
    planes = []
    for _ in range(3):
        real, imaginary = random.standard_normal((2, height, width // 2 + 1))
        plane = np.fft.irfft2((real + 1j * imaginary) / distance**1.2, (height, width))
        planes.append(plane / plane.std())
    rgb = np.stack([128 + 40 * planes[0] + 15 * plane for plane in planes], axis=-1)
    return Image.fromarray(np.clip(rgb, 0, 255).astype(np.uint8))


def overhead(scratch: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Wall and CPU seconds of `run` and of the plain calls."""
    seconds: dict[str, list[tuple[float, float]]] = {"plain": [], "run": []}
    for number in range(options.rounds):
        for name in seconds:
            folder = scratch / f"{name}{number}"
            environment = _project(folder, options)
            command = (
                [str(Path(__file__).resolve()), "plain"]
                if name == "plain"
                else ["-m", "clustering_assets", "run"]
            )
            seconds[name].append(timed(lambda: _call(command, folder, environment)))  # noqa: B023
            print(f"  {name:6} {seconds[name][-1][0]:7.2f} CPU s {seconds[name][-1][1]:7.2f} s", flush=True)
            shutil.rmtree(folder)
    cpu, wall = (
        {name: statistics.median(v[i] for v in values) for name, values in seconds.items()} for i in (0, 1)
    )
    return {
        "cpu_seconds": cpu,
        "wall_seconds": wall,
        "cpu_over_plain_less_5": (cpu["run"] - 5) / cpu["plain"],
        "wall_over_plain_less_5": (wall["run"] - 5) / wall["plain"],
    }


def loading(scratch: Path, options: argparse.Namespace) -> dict[str, Any]:
    """CPU and wall seconds of processes that load the code location, and that import Dagster."""
    ways = {
        "import dagster": "import dagster",
        "code location": "from clustering_assets.definitions import defs; defs().get_repository_def()",
    }
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for number in range(options.rounds + 1):
        for name, code in ways.items():
            spent = timed(lambda: _call(["-c", code], scratch, dict(os.environ)))  # noqa: B023
            seconds[name] += [spent] if number else []  # the first one reads the files
    cpu, wall = (
        {name: statistics.median(v[i] for v in values) for name, values in seconds.items()} for i in (0, 1)
    )
    return {
        "cpu_seconds": cpu,
        "wall_seconds": wall,
        "cpu_seconds_more": cpu["code location"] - cpu["import dagster"],
    }


def plain(values: Settings) -> None:
    """What an update does but for its reports, without Dagster: scan, embed, cluster, choose, render, look at it."""
    from clustering_assets.clustering.algorithms import Request
    from clustering_assets.clustering.assignments import Pictures, assign
    from clustering_assets.embedding.catalogue import NetworkSpec
    from clustering_assets.embedding.class_scores import class_scores
    from clustering_assets.embedding.embed import Inputs, embed
    from clustering_assets.files import file_source
    from clustering_assets.images.duplicates import near_duplicates
    from clustering_assets.images.manifest import scan, usable
    from clustering_assets.music.cluster_features import cluster_features
    from clustering_assets.music.library import analyse_library
    from clustering_assets.music.match import choose_music
    from clustering_assets.outputs import Outputs
    from clustering_assets.rendering import publish
    from clustering_assets.video.recipe import expected_seconds, recipes

    manifest = scan(file_source(values.images), limits=values.limits)
    tracks = analyse_library(file_source(values.music))
    network = NetworkSpec(values.backbone)
    embedded = embed(Inputs(usable(manifest), file_source(values.images)), network)
    images = pd.DataFrame({"path": embedded.paths}).merge(manifest, on="path", how="left")
    assignment = assign(
        Pictures(
            embedded.vectors,
            images,
            class_scores=lambda features: class_scores(features, network, weights_id=embedded.weights_id),
            duplicate_of=near_duplicates(images, embedded.vectors),
        ),
        Request(values.algorithm, values.clusters, values.eps, values.seed),
    )
    seconds = expected_seconds(assignment.table, values)
    choice = choose_music(cluster_features(assignment.table, manifest), tracks, seconds=seconds)
    pair = EmbeddingPair(embedded.vectors, embedded.paths)
    wanted = recipes(assignment.table, manifest, choice, values).values()
    for _, video in render([Order.of(recipe, values, pair, tracks) for recipe in wanted]):
        assert isinstance(video, Rendered), video
        publish(video, Outputs(values.output))


def sensors(scratch: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Wall seconds from pictures that land to the last video, of the sensors and of `run`."""
    from clustering_assets_tests.projects import SMALL
    from clustering_assets_tests.servers import configure, serving

    folder, copy = scratch / "watched", scratch / "copy"
    environment = _project(folder, options)
    _call(["-m", "clustering_assets", "run"], folder, environment)
    configure(folder)
    shutil.copytree(folder, copy)
    make_pictures(scratch / "new", count=options.clusters * 6, seed=1)
    settings = {name: str(Settings.model_fields[name].default) for name in SMALL} | {
        name.removeprefix("CLUSTERING_").lower(): value
        for name, value in environment.items()
        if name.startswith("CLUSTERING_")
    }
    took: dict[str, float] = {}
    _land(scratch / "new", copy)
    begun = time.monotonic()
    _call(["-m", "clustering_assets", "run"], copy, environment)
    took["run"] = time.monotonic() - begun
    wanted = len(list((copy / "output/videos").glob("*.mp4")))
    with serving(folder, **{**settings, "sensors": True}) as server:
        server.wait_until(server.settled, 60)
        time.sleep(40)  # until the sensors have looked
        landed = time.time()
        _land(scratch / "new", folder)

        def done() -> bool:
            found = [path.stat().st_mtime for path in (folder / "output/videos").glob("*.mp4")]
            return sum(time > landed for time in found) >= wanted and server.settled()

        server.wait_until(done, 3600)
        last = max(path.stat().st_mtime for path in (folder / "output/videos").glob("*.mp4"))
        took["sensors"] = last - landed
        runs = server.runs()
    return {"videos": wanted, "seconds": took, "ratio": took["sensors"] / took["run"], "runs": runs}


def _land(new: Path, folder: Path) -> None:
    for path in sorted(new.iterdir()):
        if not path.name.startswith("."):
            shutil.copy(path, folder / "images" / f"new_{path.name}")


def _project(folder: Path, options: argparse.Namespace) -> dict[str, str]:
    """A folder with pictures and music; the environment of commands in it."""
    make_pictures(folder / "images", count=options.pictures, seed=0)
    make_music(folder / "music", seed=0)
    settings = {
        "images": "images",
        "music": "music",
        "output": "output",
        "clusters": options.clusters,
        "backbone": "efficientnet_lite0",
        "resolution": options.resolution,
        "cache": False,
        "min_images": 20,
    }
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DAGSTER_HOME", "CLUSTERING_"))
    }
    return {**inherited, **{f"CLUSTERING_{name.upper()}": str(value) for name, value in settings.items()}}


def _call(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL
    )


if __name__ == "__main__":
    main()
