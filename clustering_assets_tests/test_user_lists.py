"""Lists that users write by hand: what a reader must not stumble over, wait for or believe."""

import os

import pytest

from clustering_assets.clustering.given_names import NamesError, read_names
from clustering_assets.music.pins import PinsError, read_pins

READERS = pytest.mark.parametrize(("read", "error"), [(read_names, NamesError), (read_pins, PinsError)])


@READERS
def test_a_fifo_is_not_waited_for(tmp_path, read, error):
    os.mkfifo(tmp_path / "list.csv")
    with pytest.raises(error, match=r"list\.csv: is no ordinary file"):
        read(tmp_path / "list.csv")


@READERS
def test_a_folder_and_a_file_of_gigabytes_are_no_lists(tmp_path, read, error):
    with pytest.raises(error, match="is no ordinary file"):
        read(tmp_path)
    with (tmp_path / "list.csv").open("wb") as file:
        file.truncate(3_000_000_000)
    with pytest.raises(error, match="larger than 10 MB"):
        read(tmp_path / "list.csv")


@READERS
@pytest.mark.parametrize("content", ["\0" * 200_000, 'cluster_0,"' + "a" * 200_000])
def test_what_is_no_csv_is_said_with_the_line(tmp_path, read, error, content):
    (tmp_path / "list.csv").write_text(content)
    with pytest.raises(error, match=r"list\.csv, line 1"):
        read(tmp_path / "list.csv")


@READERS
@pytest.mark.parametrize(
    "text",
    [
        '\ufeffcluster_0,"Ein, zwei"\r\n\r\n,\r\n"# no",x\r\n',
        "\ufeffcluster_0;Ein, zwei;\r\n;;\r\n# no;x;\r\n",
    ],
)
def test_a_list_saved_by_a_spreadsheet_is_read(tmp_path, read, error, text):
    (tmp_path / "list.csv").write_bytes(text.encode())
    assert list(read(tmp_path / "list.csv").values()) == ["Ein, zwei"]
