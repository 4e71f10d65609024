"""Pins: a small file that is read leniently where it is clear and refused with its line where it is not."""

import pytest

from clustering_assets.music.pins import PinsError, pin_warnings, read_pins


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


def test_a_cluster_is_found_however_its_number_is_written(tmp_path):
    assert pins(tmp_path, "Cluster 03,a.ogg\ncluster_0012,b.ogg\n") == {
        "cluster_3": "a.ogg",
        "cluster_12": "b.ogg",
    }


@pytest.mark.parametrize("line", ["cluster_0|a.ogg", 'calm,"' + "a" * 140_000 + '"'])
def test_what_is_wrong_with_a_line_is_said_with_the_way_out(tmp_path, line):
    with pytest.raises(PinsError, match=r"line 1: .*cluster_0,song\.mp3"):
        pins(tmp_path, line)


def odd(tmp_path, text: str, **known) -> list[str]:
    """What is odd about a pins file, without the name of its folder."""
    path = tmp_path / "pins.csv"
    path.write_text(text, encoding="utf-8")
    known = {
        "tracks": ["a.ogg", "Deep/six.flac"],
        "clusters": {"cluster_0": "calm", "cluster_1": "upbeat"},
    } | known
    return [sentence.removeprefix(f"{tmp_path}/") for sentence in pin_warnings(read_pins(path), **known)]


def test_nothing_is_odd_about_pins_that_hit(tmp_path):
    assert odd(tmp_path, "cluster_0,a.ogg\ncluster_1,Deep/six.flac\n") == []
    assert odd(tmp_path, "calm,a.ogg\nupbeat,SIX\n") == []


def test_a_pin_for_a_cluster_that_is_not_there_is_odd(tmp_path):
    assert odd(tmp_path, "calm,a.ogg\ncluster_99,six.flac\n") == [
        "pins.csv, line 2: there is no cluster_99 (only cluster_0, cluster_1), so this pin does nothing"
    ]


def test_many_clusters_are_not_all_listed(tmp_path):
    clusters = {f"cluster_{number}": "calm" for number in range(12)}
    (found,) = odd(tmp_path, "cluster_99,a.ogg\n", clusters=clusters)
    assert "there is no cluster_99 (only cluster_0 to cluster_11, 12 in all), so" in found


def test_a_pin_to_a_track_that_is_not_there_is_odd_even_where_no_cluster_has_that_mood(tmp_path):
    assert odd(tmp_path, "energetic,missing.mp3\n") == [
        "pins.csv, line 1: no cluster is energetic at present, so this pin does nothing",
        "pins.csv, line 1: there is no track “missing.mp3” in the music folder",
    ]


def test_a_pin_that_is_lost_costs_its_cluster_only_that_track(tmp_path):
    assert odd(tmp_path, "cluster_0,missing.mp3\n") == [
        "pins.csv, line 1: there is no track “missing.mp3” in the music folder, so another is chosen"
    ]


def test_a_pin_to_a_track_that_cannot_be_used_says_why(tmp_path):
    found = odd(tmp_path, "calm,hush.wav\n", rejected={"hush.wav": "silent"})
    assert found == ["pins.csv, line 1: “hush.wav” cannot be used (silent), so another is chosen"]


def test_a_line_given_twice_is_odd(tmp_path):
    assert odd(tmp_path, "cluster_0,a.ogg\n\ncluster_0,a.ogg\n0,a.ogg\n") == [
        "pins.csv, line 1: the same pin for cluster_0 is given again on line 3, 4"
    ]


def test_a_mood_whose_clusters_all_have_pins_of_their_own_is_odd(tmp_path):
    assert odd(tmp_path, "calm,a.ogg\n0,six\n") == [
        "pins.csv, line 1: every cluster that is calm has a pin of its own, so this pin does nothing"
    ]


def test_a_name_that_several_tracks_bear_is_odd(tmp_path):
    found = odd(tmp_path, "calm,six\n", tracks=["One/six.flac", "Two/six.ogg"])
    assert len(found) == 1
    assert "“six” may be 2 tracks (“One/six.flac”, “Two/six.ogg”)" in found[0]


def test_what_is_not_known_yet_is_not_judged(tmp_path):
    assert odd(tmp_path, "cluster_99,missing.mp3\n", tracks=None, clusters=None) == []
