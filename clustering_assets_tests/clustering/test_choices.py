"""The user's last word on pictures: what a file of choices may say, and what becomes of clusters and pictures."""

import pandas as pd
import pytest

from clustering_assets.clustering.algorithms import Request
from clustering_assets.clustering.assignments import Pictures, assign
from clustering_assets.clustering.choices import Choices, ChoicesError, is_shown, read_choices
from clustering_assets.clustering.keys import UNCLUSTERED
from clustering_assets.clustering.previous import Previous

TWO = Request("kmeans", 2)


@pytest.fixture
def chosen(tmp_path):
    """The choices that a text makes of pictures."""

    def read(text: str, *paths: str, **facts: object) -> Choices:
        manifest = pd.DataFrame({"path": list(paths)}).assign(
            **({"outcome": "used", "reason": "", "duplicate_of": ""} | facts)
        )
        (tmp_path / "choices.csv").write_bytes(text.encode())
        return read_choices(tmp_path / "choices.csv", manifest)

    return read


@pytest.fixture(scope="module")
def found(blobs, frame):
    """Two clusters of twelve and eight pictures, two of which look the same, and a way to make them anew."""
    vectors, _ = blobs((12, 8))
    pictures = Pictures(vectors, frame(20), duplicate_of=[""] * 20)
    first = assign(pictures, TWO)
    twins = first.table.index[first.table["cluster"] == 0][:2]
    copies = [str(first.table["path"][twins[0]]) if row == twins[1] else "" for row in range(20)]

    def again(previous=first, **choices):
        before = Previous(previous.table, previous.ids_ever_used, previous.request)
        return assign(
            Pictures(vectors, frame(20), duplicate_of=copies), TWO, before, choices=Choices(**choices)
        )

    return again(), again


def members(result, name):
    return set(result.table.loc[result.table["cluster_name"] == name, "path"])


def pictures_of(result, cluster):
    return result.table.loc[result.table["cluster"] == cluster, "path"].tolist()


@pytest.mark.parametrize(
    "text",
    [
        "a.jpg,exclude\nb.jpg,cover\nc.jpg,together Ann & Bob\n",
        "\ufeffpath;choice;\r\n a.jpg ; Exclude;\r\nb.jpg;COVER;\r\n# no;x\r\n;;\r\nc.jpg;together  Ann & Bob;\r\n",
        'path,choice\n"a.jpg","exclude"\nb.jpg,must\nb.jpg,cover\n\nc.jpg,together Ann & Bob\n'
        "c.jpg,together ann & bob\n",
    ],
)
def test_choices_are_read_as_people_and_spreadsheets_write_them(chosen, text):
    choices = chosen(text, "a.jpg", "b.jpg", "c.jpg")
    assert choices == Choices({"a.jpg": "exclude", "b.jpg": "cover"}, {"c.jpg": "Ann & Bob"})


def test_no_file_means_no_choices(tmp_path):
    assert read_choices(tmp_path / "choices.csv") == Choices()


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("cafe\u0301.jpg", "caf\u00e9.jpg"),
        ("trip\\a.jpg", "trip/a.jpg"),
        ('"two\nlines\u2028.jpg"', "two\nlines\u2028.jpg"),
        ("'=a.jpg", "=a.jpg"),
    ],
)
def test_a_picture_is_found_however_its_name_is_written(chosen, written, path):
    assert chosen(f"{written},exclude\n", path).shown == {path: "exclude"}


def test_a_line_that_is_wrong_is_told_and_costs_only_itself(chosen):
    lines = [
        "a.jpg,banish",
        "old/b.jpg,must",
        "a.jpg,must",
        "a.jpg,exclude",
        "b.jpg,together",
        "b.jpg,apart",
        "b.jpg,together X",
    ]
    choices = chosen("\n".join(lines), "a.jpg", "b.jpg")
    assert choices.shown == {"a.jpg": "must"}
    assert choices.groups == {"b.jpg": ""}
    for line, words in enumerate(
        (
            "no choice",
            "no picture old/b.jpg in the folder; did you mean b.jpg?",
            "",
            "“must” (line 3)",
            "no choice",
            "",
            "“apart” (line 6)",
        )
    ):
        told = [odd for odd in choices.odd if f"choices.csv, line {line + 1}:" in odd]
        assert len(told) == bool(words) and all(words in odd for odd in told)


def test_a_choice_of_a_copy_counts_for_the_picture_that_stands_for_it_and_one_of_a_broken_file_for_none(
    chosen,
):
    facts = {
        "outcome": ["used", "duplicate", "rejected"],
        "reason": ["", "", "is cut short"],
        "duplicate_of": ["", "a.jpg", ""],
    }
    choices = chosen("b.jpg,exclude\nc.jpg,must", "a.jpg", "b.jpg", "c.jpg", **facts)
    assert choices.shown == {"a.jpg": "exclude"}
    assert "c.jpg is not used: is cut short" in choices.odd[0]


def test_without_choices_nothing_is_chosen(found):
    table = found[0].table
    assert (table["choice"] == "").all() and table["found_cluster"].isna().all()


def test_pictures_that_belong_together_are_a_cluster_of_that_name_which_stays(found):
    first, again = found
    some = {pictures_of(first, 0)[3]: "Ann", pictures_of(first, 1)[0]: "Ann"}
    own = again(groups=some)
    assert members(own, "Ann") == set(some)
    assert set(own.table.loc[own.table["cluster_name"] == "Ann", "cluster"]) == {2}
    later = again(own, groups={**some, pictures_of(first, 1)[1]: "ann"})
    assert set(later.table.loc[later.table["cluster_name"] == "Ann", "cluster"]) == {2}
    assert len(members(later, "Ann")) == 3


def test_a_choice_that_is_withdrawn_leaves_what_was_before_it(found):
    first, again = found
    own = again(groups={pictures_of(first, 0)[3]: "Ann", pictures_of(first, 0)[4]: ""})
    after = again(own)
    pd.testing.assert_frame_equal(after.table, first.table)
    assert 2 in after.ids_ever_used


@pytest.mark.parametrize("as_key", [False, True])
def test_a_picture_joins_the_cluster_that_is_named(found, as_key):
    first, again = found
    moved = pictures_of(first, 0)[2]
    name = (
        "cluster_1" if as_key else str(first.table.loc[first.table["cluster"] == 1, "cluster_name"].iloc[0])
    )
    table = again(groups={moved: name}).table.set_index("path")
    assert table.loc[moved, "cluster"] == 1 and table.loc[moved, "found_cluster"] == 0
    lost = again(groups={moved: "cluster_7"})
    assert "there is no cluster_7" in " ".join(lost.notes)
    assert lost.table.set_index("path").loc[moved, "cluster"] == 0


def test_a_picture_that_stands_apart_is_in_no_cluster(found):
    first, again = found
    alone = pictures_of(first, 0)[2]
    assert pictures_of(again(groups={alone: ""}), UNCLUSTERED) == [alone]


def test_the_cover_stands_for_its_cluster_and_a_second_one_is_only_shown(found):
    first, again = found
    one, other = pictures_of(first, 1)[:2]
    result = again(shown={other: "cover", one: "cover"})
    table = result.table.set_index("path")
    assert table.index[table["is_representative"] & (table["cluster"] == 1)].tolist() == [other]
    assert table.loc[one, "choice"] == "must" and one in " ".join(result.notes)
    assert result.clusters["representative"].tolist()[1] == other


def test_of_two_that_look_the_same_the_one_that_must_be_shown_is(found):
    first, again = found
    twin, sharper = first.table.loc[first.table["duplicate_of"] != "", ["path", "duplicate_of"]].iloc[0]
    table = again(shown={twin: "must"}).table.set_index("path")
    assert table.loc[twin, "duplicate_of"] == "" and table.loc[sharper, "duplicate_of"] == twin
    both = again(shown={twin: "must", sharper: "must"}).table.set_index("path")
    assert (both.loc[[twin, sharper], "duplicate_of"] == "").all()


def test_what_is_left_out_is_not_shown_nor_what_looks_the_same_and_stands_for_nothing(found):
    first, again = found
    sharper = first.table.loc[first.table["duplicate_of"] != "", "duplicate_of"].iloc[0]
    face = str(
        first.table.loc[first.table["is_representative"] & (first.table["cluster"] == 1), "path"].iloc[0]
    )
    table = again(shown={sharper: "exclude", face: "exclude"}).table
    gone = set(table.loc[~is_shown(table), "path"])
    assert {sharper, face} < gone and len(gone) == 3
    now = table[table["is_representative"] & (table["cluster"] == 1)]
    assert len(now) == 1 and is_shown(now).all()


def test_a_cluster_of_which_everything_is_left_out_is_told(found):
    first, again = found
    result = again(shown=dict.fromkeys(pictures_of(first, 1), "exclude"))
    assert "it has no video" in " ".join(result.notes)


def test_a_file_that_is_none_is_refused(tmp_path):
    (tmp_path / "choices.csv").mkdir()
    with pytest.raises(ChoicesError, match=r"choices\.csv"):
        read_choices(tmp_path / "choices.csv")
