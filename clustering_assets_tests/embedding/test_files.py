"""The pair of files that users get."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from upath import UPath

from clustering_assets.embedding.files import (
    StoredError,
    format_paths,
    load_embeddings,
    parse_paths,
    save_embeddings,
)

VECTORS = np.arange(12, dtype=np.float32).reshape(3, 4)


def test_what_is_saved_comes_back(tmp_path):
    save_embeddings(tmp_path / "embeddings", VECTORS, ["a.jpg", "b/c.png", "ü.webp"])
    vectors, paths = load_embeddings(tmp_path)
    np.testing.assert_array_equal(vectors, VECTORS)
    assert vectors.dtype == np.float32
    assert paths == ["a.jpg", "b/c.png", "ü.webp"]


def test_the_files_are_plain_numpy_and_plain_text(tmp_path):
    save_embeddings(tmp_path, VECTORS, ["a.jpg", "b.jpg", "c.jpg"])
    np.testing.assert_array_equal(np.load(tmp_path / "embeddings.npy"), VECTORS)
    assert (tmp_path / "image_paths.txt").read_text() == "a.jpg\nb.jpg\nc.jpg\n"


@given(
    st.lists(
        st.text(alphabet=st.characters(codec="utf-8") | st.sampled_from("\n\r\\nr\u2028\udcff"), min_size=1)
    )
)
def test_any_file_name_survives(paths):
    text = format_paths(paths)
    assert text.count(b"\n") == len(paths)
    assert parse_paths(text) == paths


def test_files_that_do_not_belong_together_are_refused(tmp_path):
    save_embeddings(tmp_path, VECTORS, ["a.jpg", "b.jpg", "c.jpg"])
    (tmp_path / "image_paths.txt").write_text("a.jpg\n")
    with pytest.raises(StoredError, match=r"3 rows.*1 lines"):
        load_embeddings(tmp_path)


@pytest.mark.parametrize("renames", [1, 2])
def test_a_run_that_is_killed_between_its_files_leaves_no_pair_that_is_believed(tmp_path, renames):
    save_embeddings(tmp_path, VECTORS, ["a.jpg", "b.jpg", "c.jpg"])
    script = (
        "import os, pathlib, numpy as np\n"
        "from clustering_assets.embedding.files import save_embeddings\n"
        "replace, left = pathlib.Path.replace, iter(range(9))\n"
        "def dies(self, target):\n"
        f"    if next(left) == {renames}: os._exit(9)\n"
        "    return replace(self, target)\n"
        "pathlib.Path.replace = dies\n"
        f"save_embeddings(pathlib.Path({str(tmp_path)!r}), np.ones((3, 4), np.float32), ['c.jpg', 'a.jpg', 'b.jpg'])"
    )
    assert subprocess.run([sys.executable, "-c", script]).returncode == 9
    with pytest.raises(StoredError, match=r"not written together.*run again"):
        load_embeddings(tmp_path)
    save_embeddings(tmp_path, VECTORS, ["a.jpg", "b.jpg", "c.jpg"])
    np.testing.assert_array_equal(load_embeddings(tmp_path)[0], VECTORS)


def test_a_run_that_is_killed_before_its_files_leaves_the_old_ones(tmp_path, monkeypatch):
    save_embeddings(tmp_path, VECTORS, ["a.jpg", "b.jpg", "c.jpg"])

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("clustering_assets.embedding.files.format_paths", killed)
    with pytest.raises(KeyboardInterrupt):
        save_embeddings(tmp_path, VECTORS[:1], ["z.jpg"])
    assert load_embeddings(tmp_path)[1] == ["a.jpg", "b.jpg", "c.jpg"]
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("mmap", [False, True])
def test_a_changed_array_is_noticed_also_when_it_is_mapped(tmp_path, mmap):
    save_embeddings(tmp_path, VECTORS, ["a.jpg", "b.jpg", "c.jpg"])
    load_embeddings(tmp_path, mmap=mmap)
    np.save(tmp_path / "embeddings.npy", VECTORS[::-1])
    with pytest.raises(StoredError, match=r"changed since.*delete embeddings\.json"):
        load_embeddings(tmp_path, mmap=mmap)


def test_a_pair_without_hashes_is_taken(tmp_path):
    np.save(tmp_path / "embeddings.npy", VECTORS)
    (tmp_path / "image_paths.txt").write_text("a.jpg\nb.jpg\nc.jpg\n")
    np.testing.assert_array_equal(load_embeddings(tmp_path)[0], VECTORS)


def test_a_pair_on_an_object_store_is_checked_too():
    folder = UPath("memory://stored-pair")
    save_embeddings(folder, VECTORS, ["a.jpg", "b.jpg", "c.jpg"])
    np.testing.assert_array_equal(load_embeddings(folder)[0], VECTORS)
    (folder / "image_paths.txt").write_bytes(b"b.jpg\na.jpg\nc.jpg\n")
    with pytest.raises(StoredError, match="not written together"):
        load_embeddings(folder)


def test_damaged_hashes_are_named(tmp_path):
    save_embeddings(tmp_path, VECTORS, ["a.jpg", "b.jpg", "c.jpg"])
    (tmp_path / "embeddings.json").write_text("{")
    with pytest.raises(StoredError, match=r"embeddings\.json is damaged"):
        load_embeddings(tmp_path)


def test_a_damaged_array_is_named(tmp_path):
    save_embeddings(tmp_path, VECTORS, ["a.jpg", "b.jpg", "c.jpg"])
    (tmp_path / "embeddings.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(StoredError, match=r"embeddings\.npy is damaged"):
        load_embeddings(tmp_path)


def test_a_missing_run_says_what_to_do(tmp_path):
    with pytest.raises(StoredError, match="run the pipeline first"):
        load_embeddings(tmp_path)


def test_rows_and_paths_must_match(tmp_path):
    with pytest.raises(ValueError, match="3 vectors, but 1 paths"):
        save_embeddings(tmp_path, VECTORS, ["a.jpg"])


def test_a_memory_map_is_given_on_request(tmp_path):
    save_embeddings(tmp_path, VECTORS, ["a.jpg", "b.jpg", "c.jpg"])
    vectors, _ = load_embeddings(tmp_path, mmap=True)
    assert isinstance(vectors, np.memmap)
    np.testing.assert_array_equal(vectors, VECTORS)
