"""Embedding on a Ray cluster: what a shard costs on top of its work, and what a second worker gains, in one run.

    unshare --net --pid --fork --mount-proc sh -c 'ip link set lo up
      ray start --head --port=6379 --node-ip-address=127.0.0.1 --num-cpus=4 --include-dashboard=false
      ray start --address=127.0.0.1:6379 --node-ip-address=127.0.0.1 --num-cpus=4
      python benchmarks/ray_cluster.py --images DIR'

runs it on two nodes of this machine that nothing outside can reach. The ways, `--rounds` times in turn: (a) here,
with one process that decodes beside the network, (b) one worker of one CPU on the cluster, (c) two, (d) one with so few
pictures that nearly all of it is the start. A shard without work in it is what Ray and this project add to each.
"""

import argparse
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

EMPTY_SHARDS = 200


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=Path, required=True, help="folder of pictures")
    parser.add_argument(
        "--address", default="auto", help="HOST:PORT of the head; auto: of this machine's cluster"
    )
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--limit", type=int, default=512, help="most pictures")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print(json.dumps(measure(arguments), indent=1))


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Seconds, rates and ratios."""
    from clustering_assets.images.manifest import scan, usable
    from clustering_assets.work.processes import Processes
    from clustering_assets.work.ray_cluster import RayCluster

    table = usable(scan(arguments.images)).head(arguments.limit)
    one, two = (RayCluster(arguments.address, most=workers) for workers in (1, 2))
    ways = {"(a) here": Processes(1), "(b) one worker": one, "(c) two workers": two}
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        embed_with(Processes(1), table, arguments, cache)  # converts and compiles the network
        seconds: dict[str, list[float]] = {name: [] for name in [*ways, "(d) one worker, 8 pictures"]}
        for _ in range(arguments.rounds):
            for name, engine in ways.items():
                seconds[name].append(embed_with(engine, table, arguments, cache))
            seconds["(d) one worker, 8 pictures"].append(embed_with(one, table.head(8), arguments, cache))
    medians = {name: round(statistics.median(values), 2) for name, values in seconds.items()}
    start = medians["(d) one worker, 8 pictures"]
    work = {name: medians[name] - start for name in ("(b) one worker", "(c) two workers")}
    return {
        "images": len(table),
        "seconds": medians,
        "images_per_second": {name: round(len(table) / medians[name], 1) for name in ways},
        "two workers against one, without their start": round(
            work["(b) one worker"] / work["(c) two workers"], 2
        ),
        "one worker without its start against this machine": round(
            medians["(a) here"] / work["(b) one worker"], 2
        ),
        "ms for a shard without work": round(empty_shards(one), 2),
    }


def embed_with(engine: Any, table: Any, arguments: argparse.Namespace, cache: Path) -> float:
    """Seconds to embed everything anew."""
    from clustering_assets.embedding.catalogue import NetworkSpec
    from clustering_assets.embedding.embed import Inputs, RuntimeOptions, embed

    shutil.rmtree(cache / "vectors", ignore_errors=True)
    begun = time.monotonic()
    embed(
        Inputs(table, arguments.images),
        NetworkSpec(arguments.backbone),
        RuntimeOptions(engine=engine),
        cache_dir=cache,
    )
    return time.monotonic() - begun


def empty_shards(engine: Any) -> float:
    """Milliseconds for a portion in which there is nothing to do, from the second on."""
    from clustering_assets.work.engine import Task

    outcomes = engine.run_in_workers(Task(list), range(EMPTY_SHARDS + 1))
    next(outcomes)
    begun = time.monotonic()
    for _ in outcomes:
        pass
    return (time.monotonic() - begun) / EMPTY_SHARDS * 1000


if __name__ == "__main__":
    main()
