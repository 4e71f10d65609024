"""Embedding on a cluster, here one whose workers live in this process: the same vectors, nothing lost."""

import contextlib
import pickle

import pytest

from clustering_assets.embedding.cache import list_shards
from clustering_assets.embedding.catalogue import NetworkSpec
from clustering_assets.embedding.embed import EmbeddingError, Inputs, RuntimeOptions, embed
from clustering_assets.embedding.runtime import Plan, RuntimeUnavailable
from clustering_assets.embedding.runtime_choice import plan_runtime
from clustering_assets.embedding.shards import check_plan
from clustering_assets.work.engine import Lost, WorkError, portions

LITE = NetworkSpec("efficientnet_lite0")


class OneWorker:
    """A cluster of one worker, whose work comes to it pickled as it would come to another machine.

    Attributes:
        lost: Units that end it, by their names.
        on_shard: Called after each portion.
        sizes: Units in each portion.
    """

    cpus, gpus = 1.0, 0.0

    def __init__(self, lost=(), on_shard=lambda: None):
        self.lost, self.on_shard, self.sizes = lost, on_shard, []

    def run(self, task, units):
        raise AssertionError("only scanning does that")

    def run_in_workers(self, task, units):
        function, begin = pickle.loads(pickle.dumps((task.function, task.begin)))
        begin(None)
        for portion in portions(task, units, 1):
            self.sizes.append(len(portion))
            kept = [unit for unit in portion if task.name(unit) not in self.lost]
            results = iter(pickle.loads(pickle.dumps(function(pickle.loads(pickle.dumps(kept))))))
            self.on_shard()
            for unit in portion:
                lost = task.name(unit) in self.lost
                yield Lost("crash", "ended two workers of the Ray cluster") if lost else next(results)

    def ask_machines(self, question):
        return [("here", pickle.loads(pickle.dumps(question))())]

    def connected(self):
        return contextlib.nullcontext()


def shards_of(cache):
    return [shard for folder in (cache / "vectors").iterdir() for shard in list_shards(folder)]


def test_vectors_are_the_same_and_a_second_run_asks_nobody(pictures, cache, tmp_path):
    images, folder = pictures(70)
    (folder / "003.png").write_bytes(b"no picture")
    facts = (folder / "003.png").stat()
    images.loc[3, ["bytes", "mtime_ns"]] = [facts.st_size, facts.st_mtime_ns]
    alone = embed(Inputs(images, folder), LITE, cache_dir=tmp_path / "alone")
    cluster = OneWorker()
    there = embed(Inputs(images, folder), LITE, RuntimeOptions(engine=cluster), cache_dir=cache)
    assert cluster.sizes == [64, 6] and len(shards_of(cache)) == 2
    assert there.vectors.tobytes() == alone.vectors.tobytes()
    assert (there.paths, there.failures, there.device) == (alone.paths, alone.failures, alone.device)
    assert (there.embedded, there.reused) == (69, 0)
    again = embed(Inputs(images.drop(3), folder), LITE, RuntimeOptions(engine=cluster), cache_dir=cache)
    assert (again.embedded, again.runtime, len(cluster.sizes)) == (0, "cache", 2)


def test_a_picture_that_ends_workers_is_a_failure_and_all_others_have_vectors(pictures, cache):
    images, folder = pictures(5)
    embedded = embed(
        Inputs(images, folder), LITE, RuntimeOptions(engine=OneWorker(lost=["002.png"])), cache_dir=cache
    )
    assert embedded.paths == ["000.png", "001.png", "003.png", "004.png"]
    assert embedded.failures == [
        ("002.png", "embed", "the worker that embedded it ended two workers of the Ray cluster")
    ]


def test_a_shard_that_is_done_twice_is_one_file(pictures, cache):
    images, folder = pictures(4)
    embed(Inputs(images, folder), LITE, RuntimeOptions(engine=OneWorker()), cache_dir=cache)
    before = shards_of(cache)
    before[0].rename(cache / "aside")
    embed(Inputs(images, folder), LITE, RuntimeOptions(engine=OneWorker()), cache_dir=cache)
    assert shards_of(cache) == before
    assert before[0].read_bytes() == (cache / "aside").read_bytes()


def test_a_shard_that_does_not_arrive_is_said(pictures, cache):
    images, folder = pictures(4)

    def vanish():
        for shard in shards_of(cache):
            shard.unlink()

    with pytest.raises(WorkError, match="was written by another machine and is not here"):
        embed(
            Inputs(images, folder), LITE, RuntimeOptions(engine=OneWorker(on_shard=vanish)), cache_dir=cache
        )


def test_without_a_cache_no_vector_could_come_back(pictures):
    images, folder = pictures(1)
    with pytest.raises(EmbeddingError, match="cache = true"):
        embed(Inputs(images, folder), LITE, RuntimeOptions(engine=OneWorker()))


def test_a_machine_that_computes_otherwise_is_refused():
    here = plan_runtime("openvino", use_gpu=False)
    check_plan(here)
    check_plan(Plan("openvino", "cpu", "float32"))
    with pytest.raises(RuntimeUnavailable, match=r"computes on cpu in .* compute on cpu in float16"):
        check_plan(Plan("openvino", "cpu", "float16"))
    with pytest.raises(RuntimeUnavailable, match="compute on mps in float16"):
        check_plan(Plan("torch", "mps", "float16"))


def test_gpus_are_not_asked_of_a_runtime_that_uses_none(pictures, cache):
    images, folder = pictures(1)
    cluster = OneWorker()
    cluster.gpus = 1.0
    with pytest.raises(RuntimeUnavailable, match="set ray_gpus = 0, or runtime = 'torch'"):
        embed(Inputs(images, folder), LITE, RuntimeOptions("openvino", engine=cluster), cache_dir=cache)
