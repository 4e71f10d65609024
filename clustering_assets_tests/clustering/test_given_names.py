import pytest

from clustering_assets.clustering.given_names import NamesError, read_names


def test_a_file_of_names_is_read(tmp_path):
    file = tmp_path / "names.csv"
    file.write_text(
        'cluster,name\n# mine\n0,Holidays\n\ncluster_3, "Sea, sand"\nunclustered,Rest\n', encoding="utf-8"
    )
    assert read_names(file) == {0: "Holidays", 3: "Sea, sand", -1: "Rest"}


def test_a_spreadsheets_byte_order_mark_is_no_part_of_a_name(tmp_path):
    file = tmp_path / "names.csv"
    file.write_bytes(b"\xef\xbb\xbf0,Holidays\r\n1,Caf\xc3\xa9\r\n")
    assert read_names(file) == {0: "Holidays", 1: "Café"}


@pytest.mark.parametrize("path", [None, ""])
def test_no_file_is_no_names(path):
    assert read_names(path) == {}


def test_a_file_that_is_not_there_is_no_names(tmp_path):
    assert read_names(tmp_path / "names.csv") == {}


@pytest.mark.parametrize("line", ["0", "0,", "zero,Holidays", "-7,Holidays", "0,Holidays,more"])
def test_a_line_that_cannot_be_read_is_named(tmp_path, line):
    file = tmp_path / "names.csv"
    file.write_text(f"1,Good\n{line}\n")
    with pytest.raises(NamesError, match=r"names\.csv, line 2"):
        read_names(file)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    file = tmp_path / "names.csv"
    file.write_bytes(b"0,\xff\xfe\x00")
    with pytest.raises(NamesError, match="cannot be read as text"):
        read_names(file)


def test_a_name_is_one_line_that_no_terminal_obeys(tmp_path):
    file = tmp_path / "names.csv"
    file.write_bytes(b"0,\x1b[31mHolidays\x07 at\tsea\x7f\n")
    assert read_names(file) == {0: "[31mHolidays at sea"}


@pytest.mark.parametrize("text", ["0,\x00\x07", '0,"' + "a" * 140_000 + '"'])
def test_a_line_that_names_nothing_readable_is_refused(tmp_path, text):
    file = tmp_path / "names.csv"
    file.write_text(text)
    with pytest.raises(NamesError, match="line 1"):
        read_names(file)
