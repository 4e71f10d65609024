"""A real Ray cluster of three nodes makes what this machine makes, whatever ends in the middle."""

import hashlib
import json
import pickle
import shutil
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import psutil
import pytest

from clustering_assets.embedding.catalogue import NetworkSpec
from clustering_assets.embedding.embed import Embedded, Inputs, embed
from clustering_assets.embedding.files import EmbeddingPair, load_embeddings
from clustering_assets.images.manifest import scan, usable
from clustering_assets.rendering import Order, render
from clustering_assets.tables import MUSIC_TRACKS
from clustering_assets.work.threads import Here
from clustering_assets_tests.embedding.conftest import paint
from clustering_assets_tests.ray_clusters import ADDRESS, Network, network
from clustering_assets_tests.ray_driver import digest_of

pytest.importorskip("ray")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(map(shutil.which, ("unshare", "nsenter", "ip"))), reason="no namespaces on this system"
    ),
]

ACTOR, DECODER = "ray::_Actor", "clustering_assets.work.worker"
LITE = NetworkSpec("efficientnet_lite0")


@dataclass
class Driver:
    """A program in the network that works on the cluster."""

    process: psutil.Popen
    output: str = ""

    def said(self, within: float = 200) -> list[dict]:
        """What it says at its end, to each request."""
        self.output, _ = self.process.communicate(timeout=within)
        *_, last = self.output.rpartition("\nSAID ")
        assert "\nSAID " in self.output, self.output
        return json.loads(last)

    def signal(self, number: int) -> None:
        """Send a signal to the program itself, not to what brought it into the network."""
        while not (programs := self.process.children()):
            pass
        programs[0].send_signal(number)


class Local(NamedTuple):
    """Pictures, and what this machine makes of them."""

    folder: Path
    images: pd.DataFrame
    embedded: Embedded
    cache: Path

    def check_same(self, said: dict) -> None:
        assert said.get("error") is None, said
        assert (said["paths"], said["failures"]) == (self.embedded.paths, [])
        assert said["vectors"] == hashlib.sha256(self.embedded.vectors.tobytes()).hexdigest()
        assert not list(self.folder.rglob(".*"))


def started(net: Network, folder: Path, cache: Path, *requests: dict[str, Any], before=()) -> Driver:
    """A driver that is asked to embed `folder`, once or once for each request."""
    asked = [{"folder": str(folder), "cache": str(cache), **request} for request in requests or ({},)]
    program = "from clustering_assets_tests.ray_driver import run; run()"
    return Driver(net.start(*before, sys.executable, "-c", program, json.dumps(asked)))


def paint_folder(folder: Path, names: list[str]) -> Path:
    folder.mkdir(parents=True)
    for seed, name in enumerate(names):
        paint(seed).save(folder / f"{name}.png")
    return folder


@pytest.fixture(scope="module")
def net():
    """Three nodes, until the last test takes their head away."""
    try:
        with network() as made:
            made.start_cluster()
            yield made
    except PermissionError as error:
        pytest.skip(f"no network namespace can be made here: {error}")


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """Pictures for three shards, of which every third opens slowly; the last shard has only two."""
    place = tmp_path_factory.mktemp("local")
    names = [f"{n:03}{'slow' * (n % 3 == 1)}" for n in range(128)]
    folder = paint_folder(place / "images", [*names, "128last", "129last"])
    images = scan(folder)
    embedded = embed(Inputs(usable(images), folder), LITE, cache_dir=place / "cache")
    return Local(folder, images, embedded, place / "cache")


@pytest.fixture
def cache(tmp_path, local):
    """An empty cache that knows the converted network."""
    folder = tmp_path / "cache"
    folder.mkdir()
    (folder / "models").symlink_to(local.cache / "models", target_is_directory=True)
    return folder


def first_work(net, driver):
    """A worker that does a shard, as soon as one does."""
    try:
        return net.wait_for(DECODER)[0].parent()
    except AssertionError:
        driver.said(within=1)
        raise


def test_results_are_those_of_this_machine_and_a_second_run_needs_no_cluster(net, local, cache):
    driver = started(net, local.folder, cache, {"scan": True}, {"address": "127.0.0.1:1"})
    said, again = driver.said()
    local.check_same(said)
    assert said["manifest"] == local.images.to_json(date_format="iso")
    assert (said["embedded"], said["device"]) == (130, local.embedded.device)
    assert "workers of the Ray cluster" in driver.output and "Embedding" in driver.output
    assert said["signals_kept"]
    local.check_same(again)
    assert (again["embedded"], again["reused"]) == (0, 130)
    assert net.is_gone(ACTOR, 10) and not list(cache.glob(".*"))


def test_a_worker_that_is_killed_loses_nothing(net, local, cache):
    driver = started(net, local.folder, cache)
    first_work(net, driver).kill()
    local.check_same(driver.said()[0])
    assert "a worker of the Ray cluster ended, and its work is done again" in driver.output


def test_a_file_that_kills_each_worker_is_the_only_one_that_is_lost(net, tmp_path, cache):
    folder = paint_folder(tmp_path / "images", ["0", "1deadly", "2"])
    (said,) = started(net, folder, cache).said()
    assert said.get("error") is None, said
    assert said["paths"] == ["0.png", "2.png"]
    assert said["failures"] == [
        ["1deadly.png", "embed", "the worker that embedded it ended two workers of the Ray cluster"]
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_ends_all_within_seconds(net, local, cache, number):
    driver = started(net, local.folder, cache)
    first_work(net, driver)
    driver.signal(number)
    driver.process.communicate(timeout=20)
    assert net.is_gone(ACTOR, 15) and net.is_gone(DECODER, 15)
    assert not list(cache.glob(".*"))


def test_a_cluster_that_cannot_do_it_is_refused_at_once(net, local, cache):
    refusals = [
        ({"address": "127.0.0.1:9"}, ["ray_address = '127.0.0.1:9'", "nothing answers there"]),
        ({"ray_version": "2.1.0"}, ["the same Ray and the same Python", "2.1.0"]),
        ({"cpus": 64}, ["ray_cpus = 64", "12 CPUs and 0 GPUs are free", "has 4 CPUs"]),
        ({"gpus": 1}, ["ray_gpus = 1", "no room"]),
    ]
    said = started(net, local.folder, cache, *(request for request, _ in refusals)).said()
    for (_, words), answer in zip(refusals, said, strict=True):
        assert all(word in answer["error"] for word in words), answer
        assert answer["seconds"] < 60
    assert not (cache / "vectors").exists()


def test_a_place_that_only_this_machine_has_is_noticed(net, tmp_path):
    here = tmp_path / "here"
    here.mkdir()
    hide = 'mount -t tmpfs here "$0" && exec "$@"'
    alone = ["unshare", "--mount", "sh", "-c", hide, str(here)]
    folder = paint_folder(tmp_path / "images", ["a", "b"])
    (said,) = started(net, folder, here / "cache", before=alone).said()
    assert "the output must lie in a place that all machines share" in said["error"]
    assert str(here / "cache") in said["error"] and said["error"].count("127.0.0.1") == 3


def test_pictures_and_the_cache_may_lie_on_a_store(net, local, tmp_path):
    server = net.start_store()
    try:
        (said,) = started(net, local.folder, tmp_path, {"bucket": "photos"}).said()
    finally:
        server.kill()
    local.check_same(said)
    assert said["embedded"] == [130, 0] and said["left"] == []


def test_videos_are_those_of_this_machine(net, project, tmp_path):
    tracks = project.outputs.read_table(MUSIC_TRACKS)
    pair = EmbeddingPair(*load_embeddings("output"))
    recipes = list(project.recipes(fps=12).values())[:2]
    orders = [Order.of(recipe, project.settings(fps=12), pair, tracks) for recipe in recipes]
    here = {key: digest_of(video) for key, video in render(orders, Here())}
    (tmp_path / "orders").write_bytes(pickle.dumps(orders))
    (said,) = started(net, tmp_path, tmp_path, {"orders": str(tmp_path / "orders")}).said()
    assert len(here) == 2 and said.get("error") is None, said
    assert said["videos"] == here


def test_a_worker_whose_device_is_lost_is_done_without(net, tmp_path):
    driver = started(net, tmp_path, tmp_path, {"most": 2, "broken": str(tmp_path / "broken")})
    (said,) = driver.said()
    assert said["units"] == list(range(8)), said
    assert "the work goes on with 1 workers: this GPU computes no more" in driver.output


def test_a_cluster_that_loses_its_head_ends_the_run_with_words_and_the_next_goes_on(net, local, cache):
    driver = started(net, local.folder, cache, {"last": 60.0})
    while driver.process.poll() is None and not list((cache / "vectors").rglob("*.parquet")):
        time.sleep(0.05)
    net.kill_head()
    lost = time.monotonic()
    (said,) = driver.said(within=90)
    assert f"The head of the Ray cluster, {ADDRESS}, has been silent" in said.get("error", ""), driver.output
    assert time.monotonic() - lost < 60
    after = embed(Inputs(usable(local.images), local.folder), LITE, cache_dir=cache)
    assert after.reused in (64, 128)
    assert after.vectors.tobytes() == local.embedded.vectors.tobytes()
