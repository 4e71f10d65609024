"""What it costs when nothing is new: a look of each sensor, and a run.

    python benchmarks/idle.py [--pictures 20000] [--clusters 8] [--rounds 3] [--json FILE]

The pictures are tiny, their vectors made up and their videos short, so the first update is quick; what is measured
depends on how many there are and not on how large. Seconds are those of the processor, this process and its threads.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import dagster as dg
import numpy as np
from PIL import Image

from clustering_assets.definitions import make_definitions
from clustering_assets.defs.instance import open_instance
from clustering_assets.defs.resources import settings_type
from clustering_assets.defs.update import update
from clustering_assets.embedding.embed import Embedded, Inputs
from clustering_assets.embedding.pace import Waits
from clustering_assets.settings import load_settings


def make_pictures(folder: Path, count: int) -> None:
    rng = np.random.default_rng(0)
    for number in range(count):
        file = folder / f"{number // 500:03d}/{number:06d}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (24, 32, 3), np.uint8)).save(file)


def made_up(inputs: Inputs, clusters: int) -> Embedded:
    """What `embed` gives, without a network."""
    rng, rows = np.random.default_rng(1), len(inputs.table)
    centres = rng.normal(size=(clusters, 64))[np.arange(rows) % clusters]
    vectors = np.abs(centres + 0.3 * rng.normal(size=(rows, 64))).astype(np.float32)
    return Embedded(
        vectors, list(inputs.table["path"]), list(inputs.table["content_hash"]), [], "efficientnet_lite0", 64,
        "none", "none", "none", "00000000", rows, 0, 0.0, Waits(), "", "", 0.0,
    )  # fmt: skip


def seconds(call: Callable[[], object], rounds: int) -> float:
    """Median of the processor's time; the first round fills what is remembered and does not count."""
    took = []
    for _ in range(rounds + 1):
        begun = time.process_time()
        call()
        took.append(time.process_time() - begun)
    return round(statistics.median(took[1:]), 2)


def measure(pictures: int, clusters: int, rounds: int) -> dict[str, float]:
    make_pictures(Path("images"), pictures)
    settings = load_settings(
        images="images", music="music", output="output", min_images=1, clusters=clusters, seconds_per_image=0.4,
        backbone="efficientnet_lite0", resolution="64x64", fps=5, transition_seconds=0.1, max_images_per_video=2,
        quality="preview",
    )  # fmt: skip
    definitions, resource = make_definitions(settings), settings_type(settings)()
    with open_instance(Path()) as instance:
        embed = "clustering_assets.embedding.embed.embed"
        with mock.patch(embed, lambda inputs, *_, **__: made_up(inputs, clusters)):
            update(definitions, instance, settings, announce=print)
        cursor: list[str | None] = [None]

        def look(name: str) -> None:
            context = dg.build_sensor_context(
                instance,
                cursor[0],
                resources={"settings": resource},
                repository_def=definitions.get_repository_def(),
            )
            found = definitions.resolve_sensor_def(name)(context)
            cursor[0] = getattr(found, "cursor", None)
            assert not getattr(found, "run_requests", None), found

        return {
            "new_images_sensor": seconds(lambda: look("new_images_sensor"), rounds),
            "cluster_videos_sensor": seconds(lambda: look("cluster_videos_sensor"), rounds),
            "run": seconds(lambda: update(definitions, instance, settings), rounds),
        }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--clusters", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    target = given.json.absolute() if given.json else None
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        found = measure(given.pictures, given.clusters, given.rounds)
        os.chdir("/")
    print(json.dumps(found, indent=1))
    if target:
        target.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
