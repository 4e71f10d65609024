"""Clusters as folders: what is put there, what is kept, and what is never touched."""

import json
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clustering_assets.export.folders import LISTING, ExportError, export_folders, folder_names
from clustering_assets.files.local import LocalFolder
from clustering_assets_tests.conftest import MemorySource


@pytest.fixture
def originals(tmp_path):
    """A folder with four files, two of one name."""
    folder = tmp_path / "images"
    for name in ("a.jpg", "b.jpg", "trip/a.jpg", "trip/c.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return LocalFolder(folder)


def assignments(**clusters: list[str]) -> pd.DataFrame:
    rows = [(path, number, name) for number, (name, paths) in enumerate(clusters.items()) for path in paths]
    return pd.DataFrame(rows, columns=["path", "cluster", "cluster_name"])


def tree(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if not path.is_dir() and not path.name.startswith(".")
    )


SHORE_AND_CITY = assignments(shore=["a.jpg", "trip/a.jpg"], city=["b.jpg", "trip/c.jpg"])


@pytest.mark.parametrize("how", ["links", "hardlinks", "copies"])
def test_each_cluster_is_a_folder_and_files_of_one_name_are_numbered(originals, tmp_path, how):
    before = {path: path.stat() for path in originals.folder.rglob("*.jpg")}
    done = export_folders(SHORE_AND_CITY, originals, tmp_path / "out", how)
    assert tree(tmp_path / "out") == ["city/b.jpg", "city/c.jpg", "shore/a (2).jpg", "shore/a.jpg"]
    assert (tmp_path / "out/shore/a (2).jpg").read_bytes() == b"trip/a.jpg"
    assert (done.folders, done.made, done.kept, done.removed, done.failures) == (2, 4, 0, 0, ())
    again = export_folders(SHORE_AND_CITY, originals, tmp_path / "out", how)
    assert (again.made, again.kept) == (0, 4)
    for path, facts in before.items():
        assert (path.stat().st_size, path.stat().st_mtime_ns) == (facts.st_size, facts.st_mtime_ns)


@pytest.mark.parametrize("how", ["links", "hardlinks", "copies"])
def test_what_is_in_another_cluster_now_moves_and_empty_folders_go(originals, tmp_path, how):
    export_folders(SHORE_AND_CITY, originals, tmp_path / "out", how)
    moved = assignments(shore=["a.jpg", "b.jpg"])
    done = export_folders(moved, originals, tmp_path / "out", how)
    assert tree(tmp_path / "out") == ["shore/a.jpg", "shore/b.jpg"]
    assert (done.made, done.kept, done.removed) == (1, 1, 3)
    assert not (tmp_path / "out/city").exists()


def test_links_become_copies_when_asked(originals, tmp_path):
    export_folders(SHORE_AND_CITY, originals, tmp_path / "out", "links")
    export_folders(SHORE_AND_CITY, originals, tmp_path / "out", "copies")
    assert not any(path.is_symlink() for path in (tmp_path / "out").rglob("*"))
    assert len(tree(tmp_path / "out")) == 4


def test_nothing_of_the_user_is_overwritten_or_removed(originals, tmp_path):
    out = tmp_path / "out"
    (out / "shore").mkdir(parents=True)
    (out / "shore/a.jpg").write_bytes(b"mine")
    (failure,) = export_folders(SHORE_AND_CITY, originals, out, "copies").failures
    assert failure.path == "a.jpg" and "not from an export" in failure.reason
    (out / "city/b.jpg").write_bytes(b"retouched")
    export_folders(assignments(shore=["trip/a.jpg"]), originals, out, "copies")
    assert (out / "shore/a.jpg").read_bytes() == b"mine"
    assert (out / "city/b.jpg").read_bytes() == b"retouched"


def test_a_listing_from_elsewhere_removes_nothing_outside(originals, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    victim = tmp_path / "victim.txt"
    victim.write_text("keep")
    facts = victim.stat()
    put = ["copies", facts.st_size, facts.st_mtime_ns]
    (out / LISTING).write_text(
        json.dumps({"../victim.txt": put, str(victim): put, "x/../../victim.txt": put})
    )
    export_folders(SHORE_AND_CITY, originals, out)
    assert victim.read_text() == "keep"


def test_a_killed_export_goes_on(originals, tmp_path):
    export_folders(SHORE_AND_CITY, originals, tmp_path / "out")
    (tmp_path / "out" / LISTING).unlink()
    (tmp_path / "out/city/b.jpg").unlink()
    done = export_folders(SHORE_AND_CITY, originals, tmp_path / "out")
    assert (done.made, done.kept, done.failures) == (1, 3, ())


def test_a_picture_that_is_gone_costs_only_itself(originals, tmp_path):
    (originals.folder / "b.jpg").unlink()
    done = export_folders(SHORE_AND_CITY, originals, tmp_path / "out")
    assert [failure.path for failure in done.failures] == ["b.jpg"]
    assert len(tree(tmp_path / "out")) == 3


def test_pictures_elsewhere_are_copied_and_not_linked(tmp_path):
    source = MemorySource({"a.jpg": b"pixels"})
    with pytest.raises(ExportError, match="copies"):
        export_folders(assignments(shore=["a.jpg"]), source, tmp_path / "out")
    export_folders(assignments(shore=["a.jpg"]), source, tmp_path / "out", "copies")
    assert (tmp_path / "out/shore/a.jpg").read_bytes() == b"pixels"


def test_an_export_inside_the_pictures_is_no_picture(originals):
    export_folders(SHORE_AND_CITY, originals, originals.folder / "clusters", "copies")
    assert len(originals.files()) == 4


def test_a_destination_that_is_a_file_is_told(originals, tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(ExportError, match="out"):
        export_folders(SHORE_AND_CITY, originals, tmp_path / "out")


@given(st.dictionaries(st.from_regex(r"cluster_\d{1,3}", fullmatch=True), st.text(max_size=300), max_size=8))
def test_any_names_give_folders_that_every_system_takes_and_no_two_alike(names):
    folders = folder_names(names)
    assert len({name.casefold() for name in folders.values()}) == len(names)
    for name in folders.values():
        assert name.strip(" .") == name != "" and not set(name) & set('<>:"/\\|?*\0\n')
        assert len(name.encode()) <= 255
