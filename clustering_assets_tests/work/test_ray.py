"""A real Ray cluster of three nodes embeds what this machine embeds, whatever ends in the middle."""

import json
import shutil
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from clustering_assets.embedding.catalogue import NetworkSpec
from clustering_assets.embedding.embed import Inputs, embed
from clustering_assets.images.manifest import scan, usable
from clustering_assets_tests.embedding.conftest import paint
from clustering_assets_tests.ray_clusters import ADDRESS, Network, network

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
    """A program in the network that embeds."""

    process: psutil.Popen
    output: str = ""

    def said(self, within: float = 200) -> dict:
        """What it says at its end."""
        self.output, _ = self.process.communicate(timeout=within)
        *_, last = self.output.rpartition("\nSAID ")
        assert "\nSAID " in self.output, self.output
        return json.loads(last)

    def signal(self, number: int) -> None:
        """Send a signal to the program itself, not to what brought it into the network."""
        while not (programs := self.process.children()):
            pass
        programs[0].send_signal(number)


def started(net: Network, folder: Path, cache: Path, *before: str, **request: object) -> Driver:
    request |= {"folder": str(folder), "cache": str(cache)}
    program = "from clustering_assets_tests.ray_driver import run; run()"
    return Driver(net.start(*before, sys.executable, "-c", program, json.dumps(request)))


def paint_folder(folder: Path, names: list[str]) -> Path:
    folder.mkdir(parents=True)
    for seed, name in enumerate(names):
        paint(seed).save(folder / f"{name}.png")
    return folder


@pytest.fixture(scope="module")
def net():
    try:
        with network() as made:
            made.start_cluster()
            yield made
    except PermissionError as error:
        pytest.skip(f"no network namespace can be made here: {error}")


def embedded_here(place, names):
    """A folder of pictures, its manifest, its embeddings as this machine makes them, and the cache of that."""
    folder = paint_folder(place / "images", names)
    images = scan(folder)
    return (
        folder,
        images,
        embed(Inputs(usable(images), folder), LITE, cache_dir=place / "cache"),
        place / "cache",
    )


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """A folder of slow and quick pictures, embedded here."""
    names = [f"{number:03}{'slow' * (number % 3 == 1)}" for number in range(150)]
    return embedded_here(tmp_path_factory.mktemp("local"), names)


@pytest.fixture
def cache(tmp_path, local):
    """An empty cache that knows the converted network."""
    folder = tmp_path / "cache"
    folder.mkdir()
    (folder / "models").symlink_to(local[3] / "models", target_is_directory=True)
    return folder


def check_same(said, local, cache):
    folder, _, embedded, _ = local
    assert said.get("error") is None, said
    assert (said["paths"], said["failures"]) == (embedded.paths, [])
    assert said["vectors"] == embedded.vectors.tobytes().hex()
    assert not list(folder.rglob(".*")) and not list(cache.glob(".*"))


def test_vectors_and_manifest_are_those_of_this_machine_and_a_second_run_needs_no_cluster(net, local, cache):
    driver = started(net, local[0], cache, scan=True)
    said = driver.said()
    check_same(said, local, cache)
    assert said["manifest"] == local[1].to_json(date_format="iso")
    assert said["embedded"] == 150 and said["device"] == local[2].device
    assert "workers of the Ray cluster" in driver.output and "Embedding" in driver.output
    assert said["signals_kept"]
    assert net.is_gone(ACTOR, 10)
    again = started(net, local[0], cache, address="127.0.0.1:1").said()
    check_same(again, local, cache)
    assert (again["embedded"], again["reused"]) == (0, 150)


def first_work(net, driver):
    """A worker that does a shard, as soon as one does."""
    try:
        return net.wait_for(DECODER)[0].parent()
    except AssertionError:
        driver.said(within=1)
        raise


def test_a_worker_that_is_killed_loses_nothing(net, local, cache):
    driver = started(net, local[0], cache)
    first_work(net, driver).kill()
    check_same(driver.said(), local, cache)
    assert "a worker of the Ray cluster ended, and its work is done again" in driver.output


def test_a_file_that_kills_each_worker_is_the_only_one_that_is_lost(net, tmp_path, cache):
    folder = paint_folder(tmp_path / "images", [*map(str, range(10)), "5deadly"])
    said = started(net, folder, cache).said()
    assert said.get("error") is None, said
    assert said["paths"] == [f"{number}.png" for number in range(10)]
    assert said["failures"] == [
        ["5deadly.png", "embed", "the worker that embedded it ended two workers of the Ray cluster"]
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_ends_all_within_seconds_and_the_next_run_goes_on(net, local, cache, number):
    driver = started(net, local[0], cache)
    first_work(net, driver)
    driver.signal(number)
    driver.process.communicate(timeout=20)
    assert net.is_gone(ACTOR, 15) and net.is_gone(DECODER, 15)
    assert not list(cache.glob(".*"))
    check_same(started(net, local[0], cache).said(), local, cache)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"address": "127.0.0.1:9"}, ["ray_address = '127.0.0.1:9'", "nothing answers there"]),
        ({"ray_version": "2.1.0"}, ["the same Ray and the same Python", "2.1.0"]),
        ({"cpus": 64}, ["ray_cpus = 64", "12 CPUs and 0 GPUs are free", "has 4 CPUs"]),
        ({"gpus": 1}, ["ray_gpus = 1", "no room"]),
    ],
    ids=["unreachable", "another version", "too many CPUs", "no GPU"],
)
def test_a_cluster_that_cannot_do_it_is_refused_at_once(net, local, cache, request_, words):
    said = started(net, local[0], cache, **request_).said()
    assert all(word in said["error"] for word in words), said["error"]
    assert said["seconds"] < 60
    assert not (cache / "vectors").exists()


@pytest.mark.parametrize("which", ["images", "cache"])
def test_a_place_that_only_this_machine_has_is_noticed(net, local, tmp_path, which):
    place = tmp_path / "here"
    place.mkdir()
    paint_folder(tmp_path / "images", ["a", "b"])
    (tmp_path / "cache").mkdir()
    hide = 'mount -t tmpfs here "$0" && cp -r "$1" "$2" "$0" && shift 2 && exec "$@"'
    alone = [
        "unshare",
        "--mount",
        "sh",
        "-c",
        hide,
        str(place),
        str(tmp_path / "images"),
        str(tmp_path / "cache"),
    ]
    places = {name: tmp_path / name for name in ("images", "cache")} | {which: place / which}
    said = started(net, places["images"], places["cache"], *alone).said()
    assert "a place that all machines share" in said["error"]
    assert str(places[which]) in said["error"] and said["error"].count("127.0.0.1") == 3


def test_a_cluster_that_loses_its_head_ends_the_run_with_words_and_the_next_goes_on(tmp_path, cache):
    slow = embedded_here(tmp_path / "slow", [f"{number:03}slow" for number in range(300)])
    with network() as one:
        one.start_cluster(nodes=2)
        driver = started(one, slow[0], cache, cpus=3)
        first_work(one, driver)
        while driver.process.is_running() and not list((cache / "vectors").rglob("*.parquet")):
            time.sleep(0.1)
        one.kill_head()
        lost = time.monotonic()
        said = driver.said(within=90)
        assert f"The head of the Ray cluster, {ADDRESS}, has been silent" in said.get("error", ""), (
            driver.output
        )
        assert time.monotonic() - lost < 60
    with network() as another:
        another.start_cluster(nodes=1)
        said = started(another, slow[0], cache).said()
        check_same(said, slow, cache)
        assert said["reused"] >= 64
