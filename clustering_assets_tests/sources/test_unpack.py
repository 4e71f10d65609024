"""Unpacking: inside the folder, inside the caps, one bad entry costs itself."""

import gzip
import io
import stat
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clustering_assets.sources.imported import SourceError
from clustering_assets.sources.unpack import Caps, spread, unpack


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in" / "pictures"


@pytest.fixture
def archive(tmp_path, zipped):
    def make(contents, **options) -> Path:
        path = tmp_path / "in" / "a.zip"
        path.write_bytes(zipped(contents, **options))
        return path

    return make


def _files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_pictures_are_unpacked_with_their_folders_and_the_rest_is_skipped(archive, folder, picture):
    contents = {
        "cats/1.jpg": picture(1),
        "dogs/2.JPEG": picture(2),
        "labels.csv": b"a,b",
        "run.py": b"print()",
    }
    done = unpack(archive(contents), folder)
    assert _files(folder) == ["cats/1.jpg", "dogs/2.JPEG"]
    assert (folder / "cats/1.jpg").read_bytes() == picture(1)
    assert (done.files, done.skipped, done.failures) == (2, 2, ())
    assert done.bytes == len(picture(1)) + len(picture(2))


@pytest.mark.parametrize(
    "name",
    [
        "/abs.jpg",
        "../up.jpg",
        "a/../../up.jpg",
        "..\\up.jpg",
        "C:/win.jpg",
        "a\\b.jpg",
        "x/" + "n" * 300 + ".jpg",
    ],
)
def test_a_path_that_is_not_safe_is_listed_and_not_written(archive, folder, picture, tmp_path, name):
    done = unpack(archive({name: picture(), "good.jpg": picture(1)}), folder)
    assert _files(folder) == ["good.jpg"]
    assert [failure[0] for failure in done.failures] == [name]
    assert _files(tmp_path) == ["in/a.zip", "in/pictures/good.jpg"]


@given(name=st.text(alphabet="./\\abC:\0 é~", min_size=1, max_size=24))
def test_no_name_leaves_the_folder(tmp_path_factory, zipped, picture, name):
    top = tmp_path_factory.mktemp("names")
    (top / "a.zip").write_bytes(zipped({name + ".jpg": picture()}))
    unpack(top / "a.zip", top / "pictures")
    written = [path for path in top.rglob("*") if path.is_file() and path.name != "a.zip"]
    assert all(path.resolve().is_relative_to((top / "pictures").resolve()) for path in written)


def test_a_link_in_a_zip_is_not_made(tmp_path, folder, picture):
    link = zipfile.ZipInfo("link.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as made:
        made.writestr(link, "/etc/passwd")
        made.writestr("good.jpg", picture())
    done = unpack(tmp_path / "a.zip", folder)
    assert _files(folder) == ["good.jpg"]
    assert done.failures == (("link.jpg", "not a regular file"),)


def test_links_and_devices_in_a_tar_are_not_made(tmp_path, folder, picture):
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as made:
        for kind, name in (
            (tarfile.SYMTYPE, "link.jpg"),
            (tarfile.LNKTYPE, "hard.jpg"),
            (tarfile.FIFOTYPE, "pipe.jpg"),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            made.addfile(info)
        for name in ("../up.jpg", "deep/good.jpg"):
            info = tarfile.TarInfo(name)
            info.size = len(picture())
            made.addfile(info, io.BytesIO(picture()))
    done = unpack(tmp_path / "a.tar.gz", folder)
    assert _files(folder) == ["deep/good.jpg"]
    assert {failure[0] for failure in done.failures} == {"link.jpg", "hard.jpg", "pipe.jpg", "../up.jpg"}


def test_a_zip_bomb_is_refused_before_anything_is_written(archive, folder, picture):
    bomb = archive({"a.jpg": picture(), "bomb.jpg": bytes(40_000_000)})
    assert bomb.stat().st_size < 100_000
    with pytest.raises(SourceError, match="zip bomb"):
        unpack(bomb, folder)
    assert not folder.exists()


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_many_entries_that_grow_too_much_together_are_a_bomb_too(kind, tmp_path, folder):
    path = tmp_path / f"a.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as made:
            for number in range(12):
                made.writestr(f"{number}.bmp", bytes(9_000_000))
    else:
        with tarfile.open(path, "w:gz", compresslevel=1) as made:
            info = tarfile.TarInfo("0.bmp")
            info.size = 108_000_000
            made.addfile(info, io.BytesIO(bytes(info.size)))
    with pytest.raises(SourceError, match="or more; refused as a zip bomb"):
        unpack(path, folder)
    assert not folder.exists()


def test_a_zip_that_was_cut_off_is_called_so(archive, folder, picture):
    path = archive({f"{i}.jpg": picture(i) for i in range(5)})
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(SourceError, match="the end of the archive is missing; delete it and import again"):
        unpack(path, folder)


def test_many_entries_that_are_too_large_together_are_refused(archive, folder, picture):
    with pytest.raises(SourceError, match="possible zip bomb"):
        unpack(archive({f"{i}.jpg": picture(i) for i in range(20)}), folder, caps=Caps(bytes=5_000))
    assert not folder.exists()


def test_too_many_entries_are_refused(archive, folder):
    with pytest.raises(SourceError, match="more than 20 entries"):
        unpack(archive({f"{i}.jpg": b"x" for i in range(30)}), folder, caps=Caps(files=20))


def test_an_entry_above_its_own_limit_costs_only_itself(archive, folder, picture):
    done = unpack(archive({"a.jpg": picture(), "b.jpg": b"x" * 9_000}), folder, caps=Caps(file_bytes=5_000))
    assert _files(folder) == ["a.jpg"]
    assert done.failures[0][0] == "b.jpg" and "5,000" in done.failures[0][1]


def test_a_damaged_entry_costs_only_itself_and_leaves_nothing(archive, folder, picture):
    path = archive({"a.jpg": picture(1), "b.jpg": picture(2)}, compression=zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    at = data.find(picture(2)) + 50
    data[at : at + 8] = bytes(8)
    path.write_bytes(data)
    done = unpack(path, folder)
    assert _files(folder) == ["a.jpg"]
    assert [failure[0] for failure in done.failures] == ["b.jpg"]


def test_a_cut_archive_is_an_error_that_names_it(archive, folder, picture):
    path = archive({"a.jpg": picture(1), "b.jpg": picture(2)})
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(SourceError, match=r"a\.zip"):
        unpack(path, folder)


def test_what_is_there_already_is_left_alone(archive, folder, picture):
    path = archive({"a.jpg": picture(1), "b.jpg": picture(2)})
    unpack(path, folder)
    before = (folder / "a.jpg").stat().st_mtime_ns
    (folder / "b.jpg").write_bytes(b"cut")
    done = unpack(path, folder)
    assert (done.files, done.skipped) == (1, 1)
    assert (folder / "a.jpg").stat().st_mtime_ns == before
    assert (folder / "b.jpg").read_bytes() == picture(2)


def test_hidden_files_and_resource_forks_are_no_pictures(archive, folder, picture):
    unpack(archive({"__MACOSX/._a.jpg": b"fork", ".hidden.jpg": picture(), "a.jpg": picture()}), folder)
    assert _files(folder) == ["a.jpg"]


def test_a_limit_takes_pictures_from_all_over_the_archive(archive, folder, picture):
    contents = {f"{kind}/{i}.jpg": picture(i) for kind in "abcd" for i in range(5)}
    done = unpack(archive(contents), folder, limit=4)
    assert {name[0] for name in _files(folder)} == set("abcd")
    assert (done.files, done.skipped) == (4, 16)


@given(count=st.integers(0, 200), limit=st.integers(1, 250))
def test_spreading_gives_the_right_number_in_order_without_repeats(count, limit):
    chosen = spread(range(count), limit)
    assert len(chosen) == min(count, limit)
    assert chosen == sorted(set(chosen))


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
@pytest.mark.parametrize("first", [True, False])
def test_a_header_of_a_gigabyte_is_refused_without_reading_it(kind, first, folder, picture, tmp_path):
    path = tmp_path / "in" / "a.tgz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        if not first:
            entry = tarfile.TarInfo("1.jpg")
            entry.size = len(picture(1))
            file.write(entry.tobuf() + picture(1).ljust(-(-entry.size // 512) * 512, b"\0"))
        header = tarfile.TarInfo("notes")
        header.type, header.size = kind, 1 << 30
        file.write(header.tobuf(tarfile.GNU_FORMAT))
        file.write(bytes(20_000_000))
    tracemalloc.start()
    with pytest.raises(SourceError, match="a header that is too large"):
        unpack(path, folder)
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()
    assert _files(folder) == []


@pytest.mark.parametrize("packed", ["gz", "bz2", "xz", ""])
def test_tar_archives_of_every_compression_are_unpacked(packed, folder, picture, tmp_path):
    path = tmp_path / "in" / "a.archive"
    with tarfile.open(path, f"w:{packed}") as file:
        for number in range(3):
            entry = tarfile.TarInfo(f"{'deep/' * 40}{number}.jpg")
            entry.size = len(picture(number))
            file.addfile(entry, io.BytesIO(picture(number)))
    assert unpack(path, folder).files == 3


def test_a_tar_archive_that_was_cut_is_damaged(folder, picture, tmp_path):
    path = tmp_path / "in" / "a.tgz"
    with tarfile.open(path, "w:gz") as file:
        for number in range(9):
            entry = tarfile.TarInfo(f"{number}.jpg")
            entry.size = len(picture(number))
            file.addfile(entry, io.BytesIO(picture(number)))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(SourceError, match="the archive is damaged"):
        unpack(path, folder)
