"""Which files a folder has, and which of them must not be opened."""

import contextlib
import os
import pickle
import socket
import tempfile
from pathlib import Path

import pytest

from clustering_assets.files.local import LocalFolder
from clustering_assets.files.source import FoundFile, links_left_out, listing_fingerprint

NOW = 1_700_000_000_000_000_000


def paths(folder) -> list[str]:
    return [file.path for file in LocalFolder(folder).files()]


def problems(folder) -> dict[str, str | None]:
    return {file.path: file.problem for file in LocalFolder(folder).files()}


def test_files_of_all_folders_are_listed_in_one_order(save, tmp_path):
    for name in ("b.jpg", "a/z.png", "a/b/c.txt", "B.jpg", "é.jpg", "two\nlines.jpg"):
        save(name, b"x")
    assert paths(tmp_path) == sorted(["b.jpg", "a/z.png", "a/b/c.txt", "B.jpg", "é.jpg", "two\nlines.jpg"])


def test_a_file_comes_with_its_size_and_time(save, tmp_path):
    path = save("a.jpg", b"12345")
    os.utime(path, ns=(NOW, NOW))
    assert LocalFolder(tmp_path).files() == [FoundFile("a.jpg", 5, NOW)]


def test_hidden_and_partial_files_are_left_out(save, tmp_path):
    for name in (".a.jpg", "b.jpg.partial", ".cache/c.jpg", "d.jpg"):
        save(name, b"x")
    assert paths(tmp_path) == ["d.jpg"]


OF_SYSTEMS = """@eaDir @EADIR __MACOSX #recycle $RECYCLE.BIN $Recycle.Bin lost+found RECYCLER .Trash-1000
@Recently-Snapshot @Recycle CaptureOne"""


@pytest.mark.parametrize("folder", [*OF_SYSTEMS.split(), "System Volume Information"])
def test_what_systems_keep_beside_pictures_is_left_out(folder, save, tmp_path):
    for name in (
        f"{folder}/a.jpg",
        f"album/{folder}/a.jpg/THUMB_XL.jpg",
        "album/a.jpg",
        f"not{folder}/a.jpg",
    ):
        save(name, b"x")
    assert paths(tmp_path) == sorted(["album/a.jpg", f"not{folder}/a.jpg"])


@pytest.mark.parametrize("ending", [".part", ".crdownload", ".partial"])
def test_a_download_that_is_not_finished_is_left_out(ending, save, tmp_path):
    save(f"a.jpg{ending}", b"x")
    save("spare.part.jpg", b"x")
    assert paths(tmp_path) == ["spare.part.jpg"]


def test_previews_of_a_catalogue_are_left_out(save, tmp_path):
    save("album/Catalog Previews.lrdata/0/a.jpg", b"x")
    save("album/lrdata/a.jpg", b"x")
    assert paths(tmp_path) == ["album/lrdata/a.jpg"]


@pytest.fixture
def album(save, tmp_path):
    """A folder of links to pictures elsewhere, to their folder, back into it, to nothing and to where it lies."""
    elsewhere = save("elsewhere/a.jpg", b"1").parent
    save("elsewhere/deep/b.jpg", b"22")
    album = save("albums/summer/own.jpg", b"333").parent
    (elsewhere / "back").symlink_to(album)
    (elsewhere / "further").symlink_to(save("third/c.jpg", b"4444").parent)
    (album / "one.jpg").symlink_to(elsewhere / "a.jpg")
    (album / "all").symlink_to(elsewhere)
    (album / "again").symlink_to(elsewhere)
    (album / "above").symlink_to(album.parent)
    (album / "gone.jpg").symlink_to(tmp_path / "nothing")
    return album


def test_links_that_leave_the_folder_are_followed_where_that_is_asked_for_and_loops_end(album):
    source = LocalFolder(album, follow_links=True)
    found = {file.path: (file.bytes, file.problem) for file in source.files()}
    assert found == {
        "own.jpg": (3, None),
        "one.jpg": (1, None),
        "again/a.jpg": (1, None),
        "again/deep/b.jpg": (2, None),
        "again/further/c.jpg": (4, None),
        "above": (0, "symbolic link that leaves the folder"),
        "gone.jpg": (0, "symbolic link to nothing"),
    }
    assert pickle.loads(pickle.dumps(source)).files() == source.files()
    with source.open("again/further/c.jpg") as file:
        assert file.read() == b"4444"


def test_links_that_are_not_followed_are_told_once_with_the_setting(album):
    source = LocalFolder(album)
    told = links_left_out(source.files(), source)
    assert told.startswith("4 links lead out of") and "above" in told and "follow_links" in told
    assert "\n" not in told
    assert links_left_out([FoundFile("a.jpg", 1, 1)], source) == ""


def test_a_link_that_leaves_the_folder_is_listed_but_marked(save, tmp_path):
    outside = save("outside/secret.jpg", b"x")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "file.jpg").symlink_to(outside)
    (inside / "folder").symlink_to(outside.parent)
    leaves = "symbolic link that leaves the folder"
    assert problems(inside) == {"file.jpg": leaves, "folder": leaves}


def test_a_folder_whose_name_only_begins_alike_is_outside(save, tmp_path):
    save("photos-private/a.jpg", b"x")
    inside = tmp_path / "photos"
    inside.mkdir()
    (inside / "a.jpg").symlink_to(tmp_path / "photos-private" / "a.jpg")
    assert problems(inside) == {"a.jpg": "symbolic link that leaves the folder"}


def test_a_link_inside_the_folder_is_followed(save, tmp_path):
    save("a.jpg", b"123")
    (tmp_path / "b.jpg").symlink_to("a.jpg")
    assert [(file.path, file.bytes, file.problem) for file in LocalFolder(tmp_path).files()] == [
        ("a.jpg", 3, None),
        ("b.jpg", 3, None),
    ]


def test_loops_end_and_every_file_is_listed_under_its_own_name(save, tmp_path):
    save("z/a.jpg", b"x")
    (tmp_path / "z" / "up").symlink_to("..")
    (tmp_path / "self").symlink_to(".")
    (tmp_path / "alias").symlink_to("z")
    assert paths(tmp_path) == ["z/a.jpg"]


def test_a_folder_reached_only_by_a_link_is_searched(save, tmp_path):
    save(".store/a.jpg", b"x")
    (tmp_path / "shown").symlink_to(".store")
    assert paths(tmp_path) == ["shown/a.jpg"]


def test_special_files_and_broken_links_are_marked(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "gone.jpg").symlink_to("nowhere")
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "socket.jpg"))
    server.close()
    assert problems(tmp_path) == {
        "pipe.jpg": "special file",
        "gone.jpg": "symbolic link to nothing",
        "socket.jpg": "special file",
    }


def test_a_link_to_itself_is_marked(tmp_path):
    (tmp_path / "me.jpg").symlink_to("me.jpg")
    assert problems(tmp_path) == {"me.jpg": "symbolic link to nothing"}


@pytest.mark.skipif(
    os.name == "nt" or os.uname().sysname == "Darwin", reason="names are always Unicode there"
)
def test_a_name_that_is_not_unicode_is_written_readably_and_marked(tmp_path):
    with open(os.fsencode(tmp_path) + b"/bad\xff.jpg", "wb") as file:  # noqa: PTH123 - a Path has no bytes
        file.write(b"x")
    assert problems(tmp_path) == {"bad\\xff.jpg": "file name that is not valid UTF-8"}


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="folders cannot be closed here")
@pytest.mark.parametrize("rights", [0o000, 0o444, 0o111])
def test_a_folder_that_cannot_be_read_or_entered_costs_only_itself(rights):
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "open.jpg").write_bytes(b"x")
        closed = folder / "closed"
        closed.mkdir()
        (closed / "a.jpg").write_bytes(b"x")
        closed.chmod(rights)
        stack.callback(closed.chmod, 0o755)
        if os.geteuid() == 0:  # nothing is closed to root
            os.seteuid(65534)
            stack.callback(os.seteuid, 0)
        found = {file.path: file.problem for file in LocalFolder(folder).files()}
    assert found.pop("open.jpg") is None
    closed_file = {"closed/a.jpg": "cannot be examined: Permission denied"}
    closed_folder = {"closed": "folder that cannot be read: Permission denied"}
    assert found == (closed_file if rights == 0o444 else closed_folder)


def test_a_folder_of_results_below_the_pictures_is_left_out_but_not_the_folder_itself(tmp_path):
    from clustering_assets.storage import mark_output

    for name in ("a.png", "results/plot.png", "results/videos/still.png", "other/b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    mark_output(tmp_path / "results")
    assert [file.path for file in LocalFolder(tmp_path).files()] == ["a.png", "other/b.png"]
    assert [file.path for file in LocalFolder(tmp_path / "results").files()] == [
        "plot.png",
        "videos/still.png",
    ]


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        LocalFolder(tmp_path / "gone").files()


def test_the_fingerprint_depends_on_names_sizes_and_times_only():
    files = [FoundFile("a", 1, NOW), FoundFile("b", 2, NOW)]
    same = listing_fingerprint(files)
    assert listing_fingerprint(iter(files)) == same
    for changed in (
        files[:1],
        [files[0], FoundFile("c", 2, NOW)],
        [files[0], FoundFile("b", 3, NOW)],
        [files[0], FoundFile("b", 2, NOW + 1)],
        [files[0], FoundFile("b", 2, NOW, "special file")],
    ):
        assert listing_fingerprint(changed) != same
