"""The pair of files that users get."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clustering_assets.embedding import load_embeddings
from clustering_assets.embedding.stored import StoredError, format_paths, parse_paths, save_embeddings

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
