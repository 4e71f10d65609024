"""The cache: what it keeps, what it drops, what it does when it cannot write."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from clustering_assets.embedding import cache as cache_module
from clustering_assets.embedding.cache import (
    VectorStore,
    cache_info,
    list_shards,
    parse_shard,
    prune_cache,
    read_shard,
    rewrite_set,
    write_shard,
)
from clustering_assets.embedding.catalogue import NetworkSpec
from clustering_assets.embedding.embed import Inputs, RuntimeOptions, embed

LITE = NetworkSpec("efficientnet_lite0")
OPENVINO = RuntimeOptions("openvino")
HASHES = pd.Index(["aa", "bb", "cc", "dd"])
VECTORS = np.linspace(0, 3, 12, dtype=np.float32).reshape(4, 3)


def stored(store: VectorStore) -> dict[int, list[float]]:
    return {
        int(position): row.tolist()
        for positions, rows in store.vectors()
        for position, row in zip(positions, rows, strict=True)
    }


def test_what_is_put_is_found_by_the_next_run(tmp_path):
    with VectorStore(HASHES, 3, tmp_path) as store:
        store.put(np.array([2, 0]), VECTORS[[2, 0]])
    found = VectorStore(HASHES, 3, tmp_path)
    assert found.at_hand.tolist() == [True, False, True, False]
    assert stored(found) == {row: VECTORS[row].astype(np.float16).tolist() for row in (0, 2)}


def test_work_done_before_an_error_is_kept(tmp_path):
    with pytest.raises(KeyboardInterrupt), VectorStore(HASHES, 3, tmp_path) as store:
        store.put(np.array([1]), VECTORS[[1]])
        raise KeyboardInterrupt
    assert VectorStore(HASHES, 3, tmp_path).at_hand.tolist() == [False, True, False, False]


def test_a_full_shard_is_written_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(cache_module, "SHARD_ROWS", 2)
    store = VectorStore(HASHES, 3, tmp_path)
    store.put(np.array([0]), VECTORS[[0]])
    assert list_shards(tmp_path) == []
    store.put(np.array([1]), VECTORS[[1]])
    assert len(list_shards(tmp_path)) == 1


def test_vectors_too_small_for_float16_are_kept_in_float32(tmp_path):
    vectors = np.array([[1.7e-8, 0, 3e-8], [0, 0, 0]], np.float32)
    _, rows = parse_shard(read_shard(write_shard(tmp_path, pd.Index(["aa", "bb"]), vectors)))
    np.testing.assert_array_equal(rows, vectors)


def test_vectors_too_large_for_float16_are_kept_in_float32(tmp_path):
    vectors = np.array([[1e6, 1.5, -2e5]], np.float32)
    _, rows = parse_shard(write_shard(tmp_path, pd.Index(["aa"]), vectors).read_bytes())
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows, vectors)


def test_float16_hardly_turns_a_vector(tmp_path):
    vectors = np.abs(np.random.default_rng(0).normal(size=(50, 1280))).astype(np.float32)
    _, rows = parse_shard(write_shard(tmp_path, pd.RangeIndex(50).astype(str), vectors).read_bytes())
    a, b = vectors.astype(float), rows.astype(float)
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    assert rows.dtype == np.float16
    assert cosine.min() > 1 - 1e-6


@pytest.mark.parametrize("damage", ["flip", "cut", "empty"])
def test_a_damaged_shard_is_dropped_and_rebuilt(pictures, cache, damage, caplog):
    images, folder = pictures(3)
    first = embed(Inputs(images, folder), LITE, cache_dir=cache)
    (shard,) = (cache / "vectors").rglob("*.parquet")
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes({"flip": bytes(data), "cut": bytes(data[:500]), "empty": b""}[damage])
    again = embed(Inputs(images, folder), LITE, cache_dir=cache)
    assert "is damaged" in caplog.text
    assert again.embedded == 3
    np.testing.assert_array_equal(again.vectors, first.vectors)
    assert embed(Inputs(images, folder), LITE, cache_dir=cache).embedded == 0


def test_a_half_written_shard_is_ignored(tmp_path):
    (tmp_path / ".abc.parquet.12345678.partial").write_bytes(b"half")
    assert VectorStore(HASHES, 3, tmp_path).at_hand.sum() == 0


def test_changed_pixels_are_embedded_again(pictures, cache):
    images, folder = pictures(2)
    before = embed(Inputs(images, folder), LITE, cache_dir=cache)
    (folder / "000.png").write_bytes((folder / "001.png").read_bytes())
    facts = (folder / "000.png").stat()
    images.loc[0, ["content_hash", "bytes", "mtime_ns"]] = ["changed", facts.st_size, facts.st_mtime_ns]
    after = embed(Inputs(images, folder), LITE, cache_dir=cache)
    assert after.embedded == 1
    np.testing.assert_array_equal(after.vectors[0], before.vectors[1])


def test_precisions_do_not_mix(pictures, cache):
    images, folder = pictures(3)
    embed(Inputs(images.iloc[:2], folder), LITE, OPENVINO, cache_dir=cache)
    (one,) = (cache / "vectors").iterdir()
    one.rename(one.with_name(one.name.rsplit("-", 1)[0] + "-float16"))
    mixed = embed(Inputs(images, folder), LITE, OPENVINO, cache_dir=cache)
    assert mixed.precision != "float16"
    assert mixed.embedded == 3


def test_a_cache_that_cannot_be_written_is_reported_and_the_run_goes_on(pictures, tmp_path):
    images, folder = pictures(3)
    (tmp_path / "blocked").write_text("a file where a folder should be")
    embedded = embed(Inputs(images, folder), LITE, OPENVINO, cache_dir=tmp_path / "blocked" / "cache")
    assert embedded.vectors.shape == (3, 1280)
    assert "cannot be written to" in embedded.warning


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_disk_that_fills_up_is_reported_and_nothing_is_lost(tmp_path, monkeypatch):
    def full(path, data):
        into_cache = tmp_path in path.parents
        (Path("/dev/full") if into_cache else path).write_bytes(data)

    with VectorStore(HASHES, 3, tmp_path) as store:
        store.put(np.array([0]), VECTORS[[0]])
        store.flush()
        monkeypatch.setattr(cache_module, "write_bytes", full)
        for row in (1, 3):
            store.put(np.array([row]), VECTORS[[row]])
            store.flush()
        assert "No space left" in store.problem
        assert sorted(stored(store)) == [0, 1, 3]
    assert VectorStore(HASHES, 3, tmp_path).at_hand.tolist() == [True, False, False, False]


def test_a_cache_with_many_small_shards_is_written_together(tmp_path):
    for row in range(4):
        write_shard(tmp_path, HASHES[[row]], VECTORS[[row]])
    write_shard(tmp_path, HASHES[:2], VECTORS[:2])
    rewrite_set(tmp_path)
    (shard,) = list_shards(tmp_path)
    hashes, rows = parse_shard(read_shard(shard) or b"")
    assert sorted(hashes) == list(HASHES)
    order = HASHES.get_indexer(hashes)
    np.testing.assert_array_equal(rows, VECTORS[order].astype(np.float16))


def test_writing_a_single_shard_together_keeps_it(tmp_path):
    shard = write_shard(tmp_path, HASHES, VECTORS)
    rewrite_set(tmp_path)
    assert list_shards(tmp_path) == [shard]


def test_info_counts_and_prune_removes_what_is_not_kept(tmp_path):
    for name in ("one", "two"):
        write_shard(tmp_path / "vectors" / name, HASHES, VECTORS)
    info = cache_info(tmp_path)
    assert [(entry.name, entry.shards, entry.vectors) for entry in info.sets] == [
        ("one", 1, 4),
        ("two", 1, 4),
    ]
    pruned = prune_cache(tmp_path, keep_hashes={"aa", "cc"}, keep_sets={"one"})
    assert pruned.vectors == 6
    assert pruned.bytes > 0
    (left,) = cache_info(tmp_path).sets
    assert (left.name, left.vectors) == ("one", 2)


def test_an_empty_cache_has_nothing(tmp_path):
    info = cache_info(tmp_path / "nowhere")
    assert (info.sets, info.bytes) == ((), 0)
