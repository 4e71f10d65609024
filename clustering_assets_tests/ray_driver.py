"""A program that embeds a folder on a Ray cluster and says what came of it; it is asked, and answers, in JSON."""

import json
import logging
import os
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from clustering_assets.embedding.catalogue import NetworkSpec
from clustering_assets.embedding.embed import Inputs, RuntimeOptions, embed
from clustering_assets.errors import ClusteringError
from clustering_assets.files.local import LocalFolder
from clustering_assets.images.manifest import scan, usable
from clustering_assets.work.ray_cluster import RayCluster


@dataclass(frozen=True)
class Trapped(LocalFolder):
    """A folder in which a file called `slow` opens slowly, and one called `deadly` ends whoever opens it.

    That is the process that decodes, and the one that started it: the worker of the cluster.
    """

    def open(self, path: str) -> BinaryIO:
        if "deadly" in path:
            os.kill(os.getppid(), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)
        if "slow" in path:
            time.sleep(0.2)
        return super().open(path)


def main(request: dict[str, Any]) -> dict[str, Any]:
    """What becomes of the pictures of `folder` with the cache `cache`; `cpus` and `gpus` as of `RayCluster`."""
    if version := request.get("ray_version"):
        import ray

        ray.__version__ = version
    engine = RayCluster(request.get("address", "auto"), request.get("cpus", 1), request.get("gpus", 0))
    folder = Path(request["folder"])
    begun = time.monotonic()
    said: dict[str, Any] = {}
    try:
        if request.get("scan"):
            said["manifest"] = scan(folder, engine=engine).to_json(date_format="iso")
        embedded = embed(
            Inputs(usable(scan(folder)), Trapped(folder)),
            NetworkSpec("efficientnet_lite0"),
            RuntimeOptions(engine=engine),
            cache_dir=Path(request["cache"]),
        )
        said |= {
            "vectors": embedded.vectors.tobytes().hex(),
            "paths": embedded.paths,
            "failures": embedded.failures,
            "embedded": embedded.embedded,
            "reused": embedded.reused,
            "device": embedded.device,
        }
    except ClusteringError as error:
        said["error"] = str(error)
    kept = signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    return {**said, "seconds": time.monotonic() - begun, "signals_kept": kept}


def run() -> None:
    """Answer the request on the command line; not as `__main__`, whose classes other processes do not find."""
    logging.basicConfig(level=logging.INFO, stream=sys.stdout)
    with suppress(KeyboardInterrupt):
        sys.stdout.write("\nSAID " + json.dumps(main(json.loads(sys.argv[1]))))
