"""Pins: a small file that is read leniently where it is clear and refused with its line where it is not."""

import pytest

from clustering_assets.music.pins import PinsError, read_pins


def pins(tmp_path, text: str) -> dict[str, str]:
    path = tmp_path / "pins.csv"
    path.write_text(text, encoding="utf-8")
    return read_pins(path)


def test_clusters_moods_and_the_unclustered_can_be_pinned(tmp_path):
    text = "cluster_0, a.ogg\nCalm,Evening/slow river.mp3\nunclustered,b.ogg\n3,c.ogg\n"
    assert pins(tmp_path, text) == {
        "cluster_0": "a.ogg",
        "calm": "Evening/slow river.mp3",
        "unclustered": "b.ogg",
        "cluster_3": "c.ogg",
    }


def test_comments_blank_lines_and_a_header_are_passed_over(tmp_path):
    assert pins(tmp_path, "\ufeffcluster,track\n\n# my own\ncluster_1,a.ogg\n") == {"cluster_1": "a.ogg"}


def test_a_quoted_name_may_hold_a_comma(tmp_path):
    assert pins(tmp_path, 'upbeat,"One, two.ogg"\n') == {"upbeat": "One, two.ogg"}


@pytest.mark.parametrize(
    "line", ["cluster_0", "cluster_x,a.ogg", "happy,a.ogg", "cluster_0,", "cluster_0,a.ogg,b"]
)
def test_a_line_that_is_no_pin_is_refused_with_its_number(tmp_path, line):
    with pytest.raises(PinsError, match="line 2"):
        pins(tmp_path, f"calm,a.ogg\n{line}\n")


def test_pinning_twice_is_refused(tmp_path):
    with pytest.raises(PinsError, match="cluster_0 is pinned twice"):
        pins(tmp_path, "cluster_0,a.ogg\ncluster_0,b.ogg\n")


def test_a_missing_file_pins_nothing_unless_it_was_asked_for(tmp_path):
    assert read_pins(tmp_path / "pins.csv") == {}
    with pytest.raises(PinsError, match="does not exist"):
        read_pins(tmp_path / "pins.csv", required=True)


def test_what_is_no_text_is_refused(tmp_path):
    (tmp_path / "pins.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(PinsError, match="UTF-8"):
        read_pins(tmp_path / "pins.csv")
