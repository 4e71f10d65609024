"""Records of what was published: what they notice, and what they cost."""

import os
import shutil

import pytest
from upath import UPath

from clustering_assets.integrity import RECORDS, SMALL, Records, State, content_hash
from clustering_assets.storage import write_bytes

NAME = "tables/a.csv"
CONTENT = bytes(range(256)) * 8


@pytest.fixture(params=["local", "memory"])
def root(request, tmp_path):
    return str(tmp_path / "out") if request.param == "local" else f"memory://{tmp_path.name}/out"


@pytest.fixture
def records(root):
    write_bytes(UPath(root) / NAME, CONTENT)
    records = Records(root, frozenset({NAME}))
    assert records.state(NAME) is State.UNRECORDED
    records.publish([NAME])
    return records


def test_what_is_as_it_was_written_is_whole(records):
    assert records.state(NAME) is records.state(NAME, thorough=True) is State.WHOLE
    assert records.names() == [NAME]
    assert records.hashes([NAME, "never made"]) == {NAME: content_hash(UPath(records.root) / NAME)}


@pytest.mark.parametrize("content", [b"", CONTENT[:1000], CONTENT[:1000] + bytes(1048), CONTENT[:-1] + b"x"])
def test_damage_is_noticed_and_the_copy_is_believed(records, content):
    (UPath(records.root) / NAME).write_bytes(content)
    assert records.state(NAME) is State.DAMAGED
    assert records.intact(NAME).read_bytes() == CONTENT
    (UPath(records.root) / RECORDS / NAME).write_bytes(content)
    assert records.intact(NAME) is None


def test_a_file_that_is_gone_is_missing_until_it_is_forgotten(records):
    (UPath(records.root) / NAME).unlink()
    assert records.state(NAME) is State.MISSING
    assert records.intact(NAME).read_bytes() == CONTENT
    records.forget(NAME)
    assert records.names() == []


@pytest.mark.parametrize("record", ["", "{", "[]", "null", '{"bytes": 2048}'])
def test_a_file_whose_record_is_no_use_is_not_believed_by_it(records, record):
    (UPath(records.root) / RECORDS / f"{NAME}.json").write_text(record)
    assert records.state(NAME) is State.UNRECORDED


def test_a_record_follows_its_file(records):
    records.moved(NAME, "tables/b.csv")
    (UPath(records.root) / NAME).rename(UPath(records.root) / "tables/b.csv")
    assert records.state("tables/b.csv") is State.WHOLE
    assert records.names() == ["tables/b.csv"]


def test_a_copy_of_an_output_is_as_good_as_the_output(tmp_path):
    write_bytes(tmp_path / "out" / NAME, CONTENT)
    Records(str(tmp_path / "out")).publish([NAME])
    shutil.copytree(tmp_path / "out", tmp_path / "copy", copy_function=shutil.copyfile)
    copy = Records(str(tmp_path / "copy"))
    assert copy.state(NAME) is State.WHOLE
    assert copy.evidence(NAME)[1]["stamp"] == str((tmp_path / "copy" / NAME).stat().st_mtime_ns)


def test_of_a_large_file_damage_without_a_trace_is_found_when_it_is_read_and_known_from_then_on(tmp_path):
    path = tmp_path / "video.mp4"
    path.write_bytes(CONTENT)
    os.truncate(path, SMALL + 1)
    records = Records(str(tmp_path))
    records.publish(["video.mp4"])
    facts = path.stat()
    with path.open("r+b") as file:
        file.write(b"x")
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert records.state("video.mp4") is State.WHOLE
    assert records.state("video.mp4", thorough=True) is State.DAMAGED
    assert records.state("video.mp4") is State.DAMAGED


def test_a_folder_in_the_place_of_a_file_is_no_file(tmp_path):
    (tmp_path / NAME).mkdir(parents=True)
    assert Records(str(tmp_path)).state(NAME) is State.MISSING


def test_an_output_that_is_only_to_be_read_can_be_checked(tmp_path, monkeypatch):
    write_bytes(tmp_path / NAME, CONTENT)
    records = Records(str(tmp_path))
    records.publish([NAME])
    os.utime(tmp_path / NAME, (0, 0))

    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr("clustering_assets.integrity.write_text", refuse)
    assert records.state(NAME) is State.WHOLE
