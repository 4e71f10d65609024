"""Stored tables: what is written comes back, and what a file system may say fits in."""

import os
from datetime import datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from upath import UPath

from clustering_assets.images.manifest import REJECTED, scan
from clustering_assets.music.library import analyse_library
from clustering_assets.outputs import Outputs
from clustering_assets.results import is_whole
from clustering_assets.tables import (
    CLUSTER_ASSIGNMENTS,
    IMAGE_MANIFEST,
    MUSIC_CHOICE,
    TABLES,
    TEXT,
    DamagedTable,
    read_table,
    write_table,
)
from clustering_assets.work.threads import Threads

VALUES = {
    "string": st.text(st.characters(exclude_categories=["Cs"]))
    | st.sampled_from(["NA", "007", "1e5", "True", "a\rb"]),
    "int64": st.integers(-(2**53), 2**53),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "double": st.integers(-99_999, 99_999)
    .map(lambda number: number / 64)
    .map(lambda number: float(f"{number:.6g}")),
    "bool": st.booleans(),
    "timestamp[ns]": st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1)),
    "list<item: double>": st.lists(st.floats(0, 100), max_size=3),
}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.asset)
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_every_table_comes_back_as_it_was_written(table, data):
    kinds = {name: VALUES[str(column.type)] for name, column in table.columns.items()}
    rows = data.draw(st.lists(st.fixed_dictionaries(kinds), min_size=1, max_size=4))
    written = table.arrow({name: [row[name] for row in rows] for name in kinds}).to_pandas()
    path = UPath("memory://tables") / table.file
    write_table(path, written)
    pd.testing.assert_frame_equal(read_table(path), written, check_dtype=False)


def test_a_name_is_text_in_every_table_or_in_none():
    kinds = [(name, column.type == TEXT) for table in TABLES for name, column in table.columns.items()]
    assert len(set(kinds)) == len(dict(kinds))


def test_plain_tables_are_written_without_needless_quotes(tmp_path):
    table = pd.DataFrame({"path": ["a.jpg", "b,c.jpg"], "cluster": [0, -1], "x": [0.5, None]})
    write_table(tmp_path / "t.csv", table)
    assert (tmp_path / "t.csv").read_bytes() == b'path,cluster,x\na.jpg,0,0.5\n"b,c.jpg",-1,\n'


@pytest.mark.parametrize(
    ("content", "words"),
    [("", "cannot be read"), ("path,cluster\na,1\n", "no column cluster_name, duplicate_of")],
)
def test_a_damaged_table_is_named_with_the_way_out(tmp_path, content, words):
    outputs = Outputs(str(tmp_path))
    outputs.path("clusters").mkdir()
    outputs.path(CLUSTER_ASSIGNMENTS.file).write_text(content)
    with pytest.raises(DamagedTable, match=f"cluster_assignments.csv.*{words}.*run again"):
        outputs.read_table(CLUSTER_ASSIGNMENTS)
    assert outputs.read_previous(CLUSTER_ASSIGNMENTS) is None
    assert not is_whole(outputs, CLUSTER_ASSIGNMENTS.file)
    with pytest.raises(FileNotFoundError):
        outputs.read_table(MUSIC_CHOICE)


def test_numbers_of_files_beyond_any_table_are_held_as_near_as_they_can_be():
    columns = {name: [None] for name in IMAGE_MANIFEST.columns} | {"mtime_ns": [2**70], "bytes": [-(2**70)]}
    row = IMAGE_MANIFEST.arrow(columns).to_pylist()[0]
    assert (row["mtime_ns"], row["bytes"]) == (2**63 - 1, -(2**63 - 1))


def test_a_file_of_the_year_2400_costs_neither_the_scan_nor_the_music(tmp_path):
    for name in ("a.png", "b.mp3"):
        (tmp_path / name).write_bytes(b"neither picture nor music")
        os.utime(tmp_path / name, (13_600_000_000, 13_600_000_000))
    if (tmp_path / "a.png").stat().st_mtime < 13e9:
        pytest.skip("this file system knows no such time")
    manifest = scan(tmp_path, engine=Threads())
    assert manifest["outcome"].tolist() == [REJECTED] * 2
    assert scan(tmp_path, previous=manifest, engine=Threads()).equals(manifest)
    assert analyse_library(tmp_path)["outcome"].tolist() == ["rejected"]


def test_a_name_with_a_carriage_return_is_read_back(tmp_path):
    table = pd.DataFrame({name: [pd.NA] for name in CLUSTER_ASSIGNMENTS.columns}).assign(path="scan\r001.jpg")
    write_table(tmp_path / "t.csv", table)
    assert read_table(tmp_path / "t.csv")["path"].tolist() == ["scan\r001.jpg"]


@pytest.mark.parametrize(
    "name", ["=1+1.jpg", "@sum.jpg", "+1.jpg", "-1", "\tx", "'=1", "''@x", "'plain", "plain=1", ""]
)
def test_no_spreadsheet_takes_a_text_for_a_formula_and_it_is_read_back(tmp_path, name):
    table = pd.DataFrame({column: [pd.NA] for column in CLUSTER_ASSIGNMENTS.columns}).assign(
        path=name, cluster=-1
    )
    write_table(tmp_path / "t.csv", table)
    back = read_table(tmp_path / "t.csv")
    assert (back["path"].tolist(), back["cluster"].tolist()) == ([name], [-1])
    cell = (tmp_path / "t.csv").read_text().splitlines()[1].lstrip('"')
    assert not cell.startswith(("=", "@", "+", "-", "\t"))


ROWS = {
    "path": "a.jpg",
    "cluster": 0,
    "cluster_name": "a",
    "duplicate_of": "",
    "is_representative": True,
    "x": 0.5,
}


@pytest.mark.parametrize(
    "odd",
    [
        {"cluster": "abc"},
        {"cluster": None},
        {"cluster": 1.5},
        {"cluster": -2},
        {"cluster": 99999999999999999999},
        {"cluster": 10**9},
        {"path": "../../secret/x.jpg"},
        {"path": "/etc/passwd"},
        {"is_representative": "perhaps"},
        {"x": "left"},
    ],
    ids=str,
)
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_what_a_column_cannot_hold_is_refused_with_its_name(odd, ending, tmp_path):
    place = tmp_path / f"t.{ending}"
    rows = pd.DataFrame([ROWS, {**ROWS, **odd}])
    try:
        write_table(place, rows)
    except (pa.ArrowException, OverflowError):
        pytest.skip("Parquet cannot hold it in the first place")
    with pytest.raises(DamagedTable, match=f"column {next(iter(odd))}.*run again to make it anew"):
        CLUSTER_ASSIGNMENTS.read(place)


def test_columns_of_nobody_are_left_out_and_a_needed_one_is_missed(tmp_path):
    write_table(tmp_path / "t.csv", pd.DataFrame([{**ROWS, "mtime_ns": 5, "width": "wide"}]))
    assert list(CLUSTER_ASSIGNMENTS.read(tmp_path / "t.csv")) == [
        name for name in CLUSTER_ASSIGNMENTS.columns if name in ROWS
    ]
    write_table(tmp_path / "t.csv", pd.DataFrame([{"path": "a.jpg", "cluster": 0}]))
    with pytest.raises(DamagedTable, match="no column cluster_name"):
        CLUSTER_ASSIGNMENTS.read(tmp_path / "t.csv")


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.asset)
def test_an_empty_table_is_a_table(table, tmp_path):
    place = tmp_path / f"t{Path(table.file).suffix}"
    write_table(place, table.schema.empty_table().to_pandas())
    assert table.read(place).empty
