"""From a table of pictures to vectors: order, reuse, failures."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from clustering_assets.embedding import preparing
from clustering_assets.embedding.catalogue import NetworkSpec
from clustering_assets.embedding.embed import EmbeddingError, Inputs, RuntimeOptions, embed

LITE = NetworkSpec("efficientnet_lite0")


def test_every_picture_gets_a_row_in_the_order_of_the_table(pictures, cache):
    images, folder = pictures(5)
    images = images.iloc[::-1].reset_index(drop=True)
    embedded = embed(Inputs(images, folder), LITE, cache_dir=cache)
    assert embedded.paths == images["path"].tolist()
    assert embedded.content_hashes == images["content_hash"].tolist()
    assert embedded.vectors.shape == (5, 1280)
    assert embedded.vectors.dtype == np.float32
    assert np.isfinite(embedded.vectors).all()
    assert (embedded.embedded, embedded.reused, embedded.failures) == (5, 0, [])


def test_vectors_do_not_depend_on_order_or_batch_size(pictures, cache):
    images, folder = pictures(11)
    one = embed(Inputs(images, folder), LITE, RuntimeOptions(batch_size=32), cache_dir=cache)
    shuffled = images.sample(frac=1, random_state=1)
    other = embed(Inputs(shuffled, folder), LITE, RuntimeOptions(batch_size=3))
    back = [other.paths.index(path) for path in one.paths]
    np.testing.assert_allclose(other.vectors[back], one.vectors, atol=2e-3)


def test_many_pictures_are_prepared_by_processes_with_the_same_result(pictures, cache, monkeypatch):
    images, folder = pictures(24)
    (folder / "003.png").write_bytes(b"no picture")
    few = embed(Inputs(images, folder), LITE, cache_dir=cache)
    monkeypatch.setattr(preparing, "FEW", 10)
    many = embed(Inputs(images, folder), LITE)
    assert many.paths == few.paths and len(few.paths) == 23
    assert many.failures == few.failures
    np.testing.assert_array_equal(many.vectors, few.vectors)
    assert "would help" in many.limit and min(many.waits.for_pictures, many.waits.for_network) >= 0


def test_unchanged_pictures_are_not_embedded_again(pictures, cache):
    images, folder = pictures(4)
    first = embed(Inputs(images, folder), LITE, cache_dir=cache)
    again = embed(Inputs(images, folder), LITE, cache_dir=cache)
    assert (again.embedded, again.reused, again.runtime) == (0, 4, "cache")
    np.testing.assert_array_equal(again.vectors, first.vectors)


def test_one_new_picture_costs_one_embedding(pictures, cache):
    images, folder = pictures(4)
    embed(Inputs(images.iloc[:3], folder), LITE, cache_dir=cache)
    grown = embed(Inputs(images, folder), LITE, cache_dir=cache)
    assert (grown.embedded, grown.reused) == (1, 3)


def test_a_renamed_picture_costs_nothing(pictures, cache):
    images, folder = pictures(2)
    embed(Inputs(images, folder), LITE, cache_dir=cache)
    (folder / "000.png").rename(folder / "renamed.png")
    images.loc[0, "path"] = "renamed.png"
    again = embed(Inputs(images, folder), LITE, cache_dir=cache)
    assert again.embedded == 0
    assert again.paths[0] == "renamed.png"


def test_copies_of_a_picture_are_embedded_once(pictures, cache):
    images, folder = pictures(2)
    doubled = pd.concat([images, images], ignore_index=True)
    embedded = embed(Inputs(doubled, folder), LITE, cache_dir=cache)
    assert (embedded.embedded, embedded.reused) == (2, 2)
    np.testing.assert_array_equal(embedded.vectors[:2], embedded.vectors[2:])


def test_a_reused_run_opens_no_picture_and_imports_no_network_library(pictures, cache):
    images, folder = pictures(3)
    embed(Inputs(images, folder), LITE, cache_dir=cache)
    for path in folder.iterdir():
        path.unlink()
    images.to_parquet(cache / "images.parquet")
    script = (
        "import sys, pandas as pd, pathlib\n"
        "from clustering_assets.embedding.catalogue import NetworkSpec\n"
        "from clustering_assets.embedding.embed import Inputs, embed\n"
        f"cache = pathlib.Path({str(cache)!r})\n"
        "inputs = Inputs(pd.read_parquet(cache / 'images.parquet'), cache)\n"
        f"e = embed(inputs, {LITE!r}, cache_dir=cache)\n"
        "print(e.reused, [m for m in ('torch', 'torchvision', 'openvino') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "3 []"


def test_pictures_that_vanished_or_broke_or_changed_cost_only_themselves(pictures, cache):
    images, folder = pictures(5)
    (folder / "000.png").unlink()
    (folder / "001.png").write_bytes((folder / "001.png").read_bytes()[:200])
    Image.new("RGB", (50, 50), "red").save(folder / "002.png")
    embedded = embed(Inputs(images, folder), LITE, cache_dir=cache)
    assert embedded.paths == ["003.png", "004.png"]
    assert [failure.path for failure in embedded.failures] == ["000.png", "001.png", "002.png"]
    assert [failure.stage for failure in embedded.failures] == ["read", "decode", "embed"]
    assert "changed since it was scanned" in embedded.failures[2].reason


def test_a_broken_copy_does_not_stop_the_whole_one(pictures, cache):
    images, folder = pictures(2)
    gone = images.iloc[[0]].assign(path="gone.png")
    embedded = embed(Inputs(pd.concat([gone, images], ignore_index=True), folder), LITE, cache_dir=cache)
    assert embedded.paths == ["000.png", "001.png"]
    assert [failure.path for failure in embedded.failures] == ["gone.png"]


def test_nothing_usable_is_an_error_that_names_files(pictures, cache):
    images, folder = pictures(2)
    for path in folder.iterdir():
        path.write_bytes(b"no picture")
    with pytest.raises(EmbeddingError, match=r"none of 2 pictures.*\n.*000\.png"):
        embed(Inputs(images, folder), LITE, cache_dir=cache)


def test_pictures_of_another_source_are_embedded_as_those_of_a_folder(pictures, cache, memory_source):
    images, folder = pictures(3)
    expected = embed(Inputs(images, folder), LITE).vectors
    source = memory_source(folder)
    source.contents["001.png"] += b"changed"
    embedded = embed(Inputs(images, source), LITE, cache_dir=cache)
    np.testing.assert_allclose(embedded.vectors, expected[[0, 2]], atol=2e-3)
    assert [failure.path for failure in embedded.failures] == ["001.png"]
