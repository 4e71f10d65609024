"""A program that works on a Ray cluster and says what came of it; it is asked, and answers, in JSON."""

import hashlib
import json
import logging
import os
import pickle
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from clustering_assets.embedding.catalogue import NetworkSpec
from clustering_assets.embedding.embed import Inputs, RuntimeOptions, embed
from clustering_assets.embedding.runtime import DeviceLost
from clustering_assets.errors import ClusteringError
from clustering_assets.files import file_source
from clustering_assets.files.local import LocalFolder
from clustering_assets.images.manifest import scan, usable
from clustering_assets.rendering import Order, Refused, Rendered, render
from clustering_assets.storage import send
from clustering_assets.stores import open_place
from clustering_assets.work.engine import Engine, Task
from clustering_assets.work.ray_cluster import RayCluster


@dataclass(frozen=True)
class Trapped(LocalFolder):
    """A folder in which a file called `slow` opens slowly, and one called `deadly` ends whoever opens it.

    That is the process that decodes, and the one that started it: the worker of the cluster.

    Attributes:
        last: Seconds that a file called `last` takes to open.
    """

    last: float = 0.0

    def __reduce__(self) -> Any:
        return type(self), (self.folder, self.follow_links, self.last)

    def open(self, path: str) -> BinaryIO:
        if "deadly" in path:
            os.kill(os.getppid(), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)
        if "slow" in path:
            time.sleep(0.1)
        if "last" in path:
            time.sleep(self.last)
        return super().open(path)


def main(request: dict[str, Any]) -> dict[str, Any]:
    """What becomes of the pictures of `folder` with the cache `cache`, or of pickled orders of videos, or of numbers.

    The rest of a request is as of `RayCluster` and `Trapped`.
    """
    engine = RayCluster(
        request.get("address", "auto"),
        request.get("cpus", 1),
        request.get("gpus", 0),
        request.get("most"),
    )
    folder = Path(request["folder"])
    if bucket := request.get("bucket"):
        return on_a_store(folder, bucket, engine)
    begun = time.monotonic()
    said: dict[str, Any] = {}
    try:
        with as_version(request.get("ray_version")):
            if orders := request.get("orders"):
                return {"videos": rendered(pickle.loads(Path(orders).read_bytes()), engine)}
            if broken := request.get("broken"):
                task = Task(partial(first_breaks, Path(broken)))
                return {"units": list(engine.run_in_workers(task, range(8)))}
            if request.get("scan"):
                said["manifest"] = scan(folder, engine=engine).to_json(date_format="iso")
            embedded = embed(
                Inputs(usable(scan(folder)), Trapped(folder, last=request.get("last", 0.0))),
                NetworkSpec("efficientnet_lite0"),
                RuntimeOptions(engine=engine),
                cache_dir=Path(request["cache"]),
            )
        said |= {
            "vectors": hashlib.sha256(embedded.vectors.tobytes()).hexdigest(),
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


def on_a_store(folder: Path, bucket: str, engine: Engine) -> dict[str, Any]:
    """What becomes of the pictures of a folder when they, the cache and a video lie in a bucket."""
    store = open_place(f"s3://{bucket}")
    patience = time.monotonic() + 60
    while True:
        try:
            store.fs.mkdir(bucket)
            break
        except ClusteringError:
            assert time.monotonic() < patience
            time.sleep(0.2)
    for file in sorted(folder.iterdir()):
        send(file, store / "pics" / file.name)
    source = file_source(f"s3://{bucket}/pics")
    images = usable(scan(source, engine=engine))
    spec, cache = NetworkSpec("efficientnet_lite0"), store / "out/cache"
    first, again = (
        embed(Inputs(images, source), spec, RuntimeOptions(engine=engine), cache_dir=cache) for _ in range(2)
    )
    return {
        "vectors": hashlib.sha256(first.vectors.tobytes()).hexdigest(),
        "paths": first.paths,
        "failures": [*first.failures, *again.failures],
        "embedded": [first.embedded, again.embedded],
        "left": [path.name for path in (store / "out").rglob(".*")],
    }


def rendered(orders: list[Order], engine: Engine) -> dict[str, str]:
    """The digest of each video that a cluster renders."""
    return {key: digest_of(video) for key, video in render(orders, engine)}


def digest_of(video: Rendered | Refused) -> str:
    """What tells the file of a video from others; or why there is none."""
    if isinstance(video, Refused):
        return video.reason
    return hashlib.sha256(Path(video.staged).read_bytes()).hexdigest()


def first_breaks(mark: Path, units: list[int]) -> list[int]:
    """The units, by all workers but the first that comes here."""
    with suppress(FileExistsError):
        mark.touch(exist_ok=False)
        raise DeviceLost("this GPU computes no more")
    return units


@contextmanager
def as_version(version: str | None) -> Iterator[None]:
    """Inside the block Ray takes itself for another version."""
    import ray

    before = ray.__version__
    ray.__version__ = version or before
    try:
        yield
    finally:
        ray.__version__ = before


def run() -> None:
    """Answer the requests on the command line; not as `__main__`, whose classes other processes do not find."""
    logging.basicConfig(level=logging.INFO, stream=sys.stdout)
    with suppress(KeyboardInterrupt):
        sys.stdout.write("\nSAID " + json.dumps([main(request) for request in json.loads(sys.argv[1])]))
