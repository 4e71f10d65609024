"""Objects of a store as files: how they are listed, told apart and fetched."""

import os
import pickle
import time
from contextlib import closing

import fsspec
import pytest

from clustering_assets.files import copies, file_source, source_file
from clustering_assets.files.copies import Copies, copies_folder, trim_copies
from clustering_assets.files.source import FoundFile, listing_fingerprint
from clustering_assets.images.manifest import scan
from clustering_assets.stores import StoreError

NAMES = ["a/1.jpg", "a/b/2.jpg", "c/3.jpg", "d.jpg"]


@pytest.fixture
def source(bucket):
    for name in NAMES:
        bucket.put(f"pics/{name}", name.encode())
    bucket.forget()
    return file_source(bucket.place("pics"), "images")


def paths(source) -> list[str]:
    return [file.path for file in source.files()]


@pytest.mark.parametrize("url", ["s3://bucket/a", "gs://bucket/a/", "az://box", "memory://a"])
def test_a_url_is_a_source_that_goes_to_other_processes(url):
    source = file_source(url, "images")
    assert str(source) == url.rstrip("/")
    assert pickle.loads(pickle.dumps(source)) == source
    assert str(source_file(f"{url.rstrip('/')}/b/c.jpg")) == f"{url.rstrip('/')}/b/c.jpg"


def test_a_listing_asks_for_pages_and_for_no_object(source, bucket):
    assert paths(source) == NAMES
    assert len(bucket.requests) == 3 and not bucket.of_objects("HEAD")


def test_many_folders_are_listed_together(source, bucket):
    for number in range(40):
        bucket.put(f"pics/many/{number}/x.jpg", b"x")
    bucket.forget()
    assert len(file_source(bucket.place("pics/many")).files()) == 40
    assert len(bucket.requests) == 2


def test_what_is_hidden_unfinished_of_systems_or_a_result_is_left_out(source, bucket):
    for name in (
        ".a.jpg",
        ".b/c.jpg",
        "a/@eaDir/1.jpg",
        "e.jpg.part",
        "a/out/.clustering_output",
        "a/out/plot.png",
    ):
        bucket.put(f"pics/{name}", b"x")
    bucket.put("pics/empty/", b"")
    assert paths(source) == NAMES
    bucket.put("pics/.clustering_output", b"x")
    assert paths(source) == NAMES


def test_a_change_that_keeps_name_size_and_second_is_seen(source, bucket):
    before = source.files()
    bucket.put("pics/d.jpg", b"D.JPG")
    bucket.put("pics/a/1.jpg", b"a/1.jpg")
    after = source.files()
    assert listing_fingerprint(before) != listing_fingerprint(after)
    assert {file.path for file in set(after) - set(before)} >= {"d.jpg"}
    assert source.stat("d.jpg") == after[-1]


def test_what_is_no_folder_or_not_there_is_an_error(source, bucket):
    with pytest.raises(NotADirectoryError):
        file_source(bucket.place("pics/d.jpg")).files()
    with pytest.raises(FileNotFoundError):
        file_source(bucket.place("nothing")).files()
    with pytest.raises(FileNotFoundError):
        source.open("gone.jpg")
    with pytest.raises(StoreError, match=r"images = .*there is no bucket"):
        file_source("s3://no-such-bucket-anywhere/a", "images").files()


def test_an_object_is_fetched_once_and_anew_when_it_has_changed(source, bucket):
    files = source.files()
    for _ in range(2):
        assert list(source.feed(files)(NAMES)) == NAMES
        for name in NAMES:
            with source.open(name) as file:
                assert file.read() == name.encode()
            assert source.stat(name) in files
    assert sorted(bucket.of_objects("GET")) == [f"pics/{name}" for name in NAMES]
    bucket.put("pics/d.jpg", b"new")
    assert source.files()[-1].bytes == 3
    with source.open("d.jpg") as file:
        assert file.read() == b"new"


def test_a_copy_that_is_not_fresh_is_compared_before_it_is_believed(source, bucket, monkeypatch):
    with source.open("d.jpg"):
        pass
    bucket.put("pics/d.jpg", b"newer")
    monkeypatch.setattr(copies, "TRUSTED_SECONDS", 0)
    with source.open("d.jpg") as file:
        assert file.read() == b"newer"


def test_what_is_large_and_no_picture_by_its_name_is_read_in_pieces(source, bucket, monkeypatch):
    monkeypatch.setattr("clustering_assets.files.remote._READ_IN_PIECES", 10)
    bucket.put("pics/film.bin", bytes(1 << 22))
    bucket.forget()
    with source.open("film.bin") as file:
        assert file.read(100) == bytes(100)
    assert not Copies(str(source)).find("film.bin")


def test_an_object_that_goes_while_others_are_fetched_costs_only_itself(source, bucket):
    files = source.files()
    bucket.remove("pics/c/3.jpg")
    assert list(source.feed(files)(NAMES)) == NAMES
    assert list(scan(source)["stage"]) == ["format"] * 3
    table = scan(source)
    assert list(table["path"]) == ["a/1.jpg", "a/b/2.jpg", "d.jpg"]


def test_a_store_that_goes_away_ends_a_scan_in_words_and_not_with_rejected_pictures(source, bucket):
    bucket.trouble = lambda request: "drop" if request.is_of_object else None
    with pytest.raises(StoreError, match=r"images = .*cannot be reached"):
        scan(source)


def test_fetching_ends_when_nobody_wants_more(source):
    with closing(source.feed(source.files())(NAMES)) as fetched:
        assert next(iter(fetched)) == NAMES[0]


def test_copies_are_bounded_and_belong_to_the_user_alone(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    made = Copies("memory://somewhere")
    old = time.time_ns() - 10**15
    for number in range(4):
        file = FoundFile(f"{number}.jpg", 100, old)
        made.make(file, lambda place: place.write_bytes(bytes(100)))
        time.sleep(0.01)
    trim_copies(250)
    assert [made.find(f"{number}.jpg") is not None for number in range(4)] == [False, False, True, True]
    with pytest.raises(OSError, match="changed while"):
        made.make(FoundFile("5.jpg", 7, old), lambda place: place.write_bytes(b"1"))
    assert len(list(made.folder.iterdir())) == 2
    assert os.stat(copies_folder()).st_mode & 0o077 == 0  # noqa: PTH116


def test_objects_in_memory_are_listed_and_read_like_others(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    memory = fsspec.filesystem("memory")
    memory.pipe(f"/{tmp_path.name}/pics/a.jpg", b"123")
    source = file_source(f"memory://{tmp_path.name}/pics")
    assert [(file.path, file.bytes) for file in source.files()] == [("a.jpg", 3)]
    with source.open("a.jpg") as file:
        assert file.read() == b"123"
