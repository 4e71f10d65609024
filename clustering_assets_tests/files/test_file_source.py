"""Sources by what settings and arguments say, and their files."""

import pickle
from contextlib import chdir
from pathlib import Path

import pytest

from clustering_assets.files import file_source, source_file
from clustering_assets.files.local import LocalFolder


@pytest.mark.parametrize("place", ["pictures", "/data/pictures", ".", "~/pictures"])
def test_a_plain_path_is_a_folder_of_this_machine(place):
    source = file_source(place)
    assert source == LocalFolder(Path(place))
    assert file_source(source) is source
    assert str(source) == place


@pytest.mark.parametrize("place", ["a.jpg", "album/a.jpg", "/data/album/a.jpg"])
def test_a_file_keeps_its_name(place):
    file = source_file(place)
    assert (file.name, file.stem) == ("a.jpg", "a")
    assert source_file(file) is file
    assert Path(str(file)) == Path(place)


def test_a_folder_is_the_same_in_a_process_that_stands_elsewhere(tmp_path, save):
    save("here/a.txt", b"12345")
    with chdir(tmp_path):
        sent = pickle.dumps(file_source("here"))
    source = pickle.loads(sent)
    assert source.stat("a.txt").bytes == 5
    with source.open("a.txt") as file:
        assert file.read() == b"12345"
