"""Every shape that is stored comes back as it was, wherever the output is."""

import os
import subprocess
import sys
import tempfile
import time

import dagster as dg
import numpy as np
import pandas as pd
import pytest
from upath import UPath

from clustering_assets.definitions import project_resources
from clustering_assets.defs.io_managers.base import OUTPUT
from clustering_assets.settings import load_settings

KEYS = dg.DynamicPartitionsDefinition(name="keys")
TABLE = pd.DataFrame(
    {
        "path": ["NA", "001.jpg", 'a,"b"\nc.jpg'],
        "content_hash": ["12e5", "007", ""],
        "cluster": [0, 1, -1],
        "x": [0.5, np.nan, 2.0],
    }
)


@pytest.fixture(params=["local", "memory"])
def output(request, tmp_path):
    return str(tmp_path / "out") if request.param == "local" else f"memory://{tmp_path.name}/out"


def resources(output):
    return project_resources(load_settings(output=output))


@pytest.mark.parametrize("name", ["tables/a.csv", "tables/a.parquet"])
def test_a_table_comes_back_with_its_values_and_types(output, name):
    @dg.asset(io_manager_key="table_io", metadata={OUTPUT: name})
    def table() -> pd.DataFrame:
        return TABLE

    seen = {}

    @dg.asset(io_manager_key="io_manager")
    def reader(table: pd.DataFrame) -> None:
        seen["table"] = table

    result = dg.materialize([table, reader], resources=resources(output))
    pd.testing.assert_frame_equal(seen["table"], TABLE, check_dtype=False)
    assert (UPath(output) / name).exists()
    metadata = result.asset_materializations_for_node("table")[0].metadata
    assert metadata["dagster/row_count"].value == 3
    assert [column.name for column in metadata["dagster/column_schema"].value.columns] == list(TABLE.columns)


def test_embeddings_come_back_as_a_pair(output):
    from clustering_assets.embedding.files import EmbeddingPair, load_embeddings

    vectors = np.arange(12, dtype=np.float32).reshape(4, 3)
    paths = ["a.jpg", "b c.jpg", "d\ne.jpg", "ü.png"]

    @dg.asset(io_manager_key="array_io", metadata={OUTPUT: "embeddings/embeddings.npy"})
    def pair():
        return EmbeddingPair(vectors, paths)

    seen = {}

    @dg.asset(io_manager_key="io_manager")
    def reader(pair) -> None:
        seen["pair"] = pair

    dg.materialize([pair, reader], resources=resources(output))
    np.testing.assert_array_equal(seen["pair"].vectors, vectors)
    assert seen["pair"].paths == paths
    stored, stored_paths = load_embeddings(output)
    np.testing.assert_array_equal(stored, vectors)
    assert stored_paths == paths


def test_a_report_is_stored_as_text_as_json_and_as_a_picture(output):
    from matplotlib.figure import Figure

    from clustering_assets.report.dataset_analysis import DatasetAnalysis

    figure = Figure(figsize=(2, 1), dpi=50)

    @dg.asset(io_manager_key="text_io", metadata={OUTPUT: "report.txt"})
    def report():
        return DatasetAnalysis(text="fünf\n", data={"count": np.int64(5)}, figure=figure)

    seen = {}

    @dg.asset(io_manager_key="io_manager")
    def reader(report) -> None:
        seen["data"] = report

    dg.materialize([report, reader], resources=resources(output))
    root = UPath(output)
    assert seen["data"] == {"count": 5}
    assert (root / "report.txt").read_text(encoding="utf-8") == "fünf\n"
    assert (root / "report.png").read_bytes().startswith(b"\x89PNG")


def test_a_page_is_stored_as_html(output):
    from clustering_assets.report.page import Gallery

    @dg.asset(io_manager_key="page_io", metadata={OUTPUT: "gallery/index.html"})
    def page():
        return Gallery("<p>fünf</p>", 5, failures=[], bundles={"pictures/a.js": "a()", "pictures/b.js": None})

    seen = {}

    @dg.asset(io_manager_key="io_manager")
    def reader(page) -> None:
        seen["page"] = page

    result = dg.materialize([page, reader], resources=resources(output))
    assert seen["page"] == "<p>fünf</p>"
    (event,) = result.asset_materializations_for_node("page")
    assert event.metadata["pictures"].value == 5


@pytest.mark.parametrize("present", [[], ["k1"], ["k1", "k2"]])
def test_a_fan_in_gets_a_dict_of_however_many_partitions_there_are(output, present):
    @dg.asset(io_manager_key="table_io", partitions_def=KEYS, metadata={OUTPUT: "parts/{partition}.csv"})
    def part(context) -> pd.DataFrame:
        return pd.DataFrame({"key": [context.partition_key]})

    seen = {}

    @dg.asset(io_manager_key="io_manager")
    def reader(part) -> None:
        seen["parts"] = part

    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("keys", present)
        for key in present:
            dg.materialize([part], partition_key=key, instance=instance, resources=resources(output))
        dg.materialize([part, reader], selection=[reader], instance=instance, resources=resources(output))
    assert {key: table["key"].tolist() for key, table in seen["parts"].items()} == {
        key: [key] for key in present
    }


def test_one_partition_downstream_of_one_partition_gets_the_bare_value(output):
    @dg.asset(io_manager_key="table_io", partitions_def=KEYS, metadata={OUTPUT: "parts/{partition}.csv"})
    def part(context) -> pd.DataFrame:
        return pd.DataFrame({"key": [context.partition_key]})

    seen = {}

    @dg.asset(io_manager_key="io_manager", partitions_def=KEYS)
    def follower(part) -> None:
        seen["part"] = part

    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("keys", ["k1"])
        dg.materialize([part, follower], partition_key="k1", instance=instance, resources=resources(output))
    assert seen["part"]["key"].tolist() == ["k1"]


def test_an_asset_without_a_name_for_its_output_is_told_what_to_write():
    @dg.asset(io_manager_key="table_io")
    def nameless() -> pd.DataFrame:
        return TABLE

    with pytest.raises(dg.DagsterInvalidDefinitionError, match="nameless needs metadata"):
        dg.materialize([nameless], resources=resources("memory://nameless"))


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    from clustering_assets.storage import atomic_path, write_text

    write_text(tmp_path / "a.txt", "old")

    def fail_in_the_middle():
        with atomic_path(tmp_path / "a.txt") as partial:
            partial.write_text("half")
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        fail_in_the_middle()
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


KILLED = """
import os, pathlib, sys
from clustering_assets.storage import atomic_path, scratch_folder
video = pathlib.Path(sys.argv[1]) / "videos/a.mp4"
with atomic_path(video) as half, scratch_folder() as scratch, scratch_folder(half.parent):
    half.write_bytes(b"half")
    (scratch / "network.bin").write_bytes(b"half")
    os.kill(os.getpid(), 9)
"""


def test_what_a_killed_process_left_goes_and_what_anybody_else_has_stays(tmp_path, monkeypatch):
    from clustering_assets.storage import atomic_path, remove_leftovers, scratch_folder

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    environment = {**os.environ, "TMPDIR": str(tmp_path / "scratch")}
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], env=environment, check=False)
    left = {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*") if not path.is_dir()}
    assert left == {"videos", "scratch"}
    old = [".b.csv.12345678.partial", ".g.csv.00000000-1-00000000-12345678.partial"]
    theirs = [
        "c.partial",
        "videos/.d.mp4",
        ".x.partial",
        ".notes.txt.partial",
        "videos/.clustering_assets-mine",
    ]
    for name in (*old, *theirs):
        (tmp_path / name).write_bytes(b"half")
        os.utime(tmp_path / name, (0, 0))
    young = tmp_path / ".e.csv.12345678.partial"
    young.write_bytes(b"of an older version")
    elsewhere = tmp_path / ".h.csv.00000000-1-00000000-12345678.partial"
    elsewhere.write_bytes(b"of another machine")
    with atomic_path(tmp_path / "f.txt") as under_way, scratch_folder() as scratch:
        under_way.write_text("f")
        removed = remove_leftovers(tmp_path, now=time.time())
        assert scratch.is_dir()
    assert len(removed) == 5
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {*theirs, "f.txt", young.name, elsewhere.name}
    assert list((tmp_path / "scratch").iterdir()) == []
