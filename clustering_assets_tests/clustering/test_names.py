import numpy as np
import pandas as pd
import pytest

from clustering_assets.clustering.imagenet_kinds import CLASSES, membership
from clustering_assets.clustering.names import name_clusters, with_given

LABELS = np.array([0, 0, 1, 1, -1])
VECTORS = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [1, 1]], dtype=np.float32)


MANY_LABELS, MANY_VECTORS = np.repeat(LABELS, 2), np.repeat(VECTORS, 2, axis=0)


def head(features):
    """A head of three classes: the first axis speaks for a boat, the second for a lake, both for water."""
    weights = np.array([[8, 0, 4], [0, 8, 4]])
    return features @ weights, ["boat, vessel", "lake", "water"]


def images(*colours):
    return pd.DataFrame({"dominant_colours": colours})


def test_a_sky_in_several_blues_beside_white_clouds_is_blue():
    sky, night = "#f2f2ea #b0d4e9 #6bb5ea #90c7eb", "#070c32 #18296b #2b50ad #d6cef4"
    names = name_clusters(np.array([0, 1]), np.eye(2, dtype=np.float32), images(sky, night))
    assert "blue" in names[0] and "blue" in names[1]


def test_words_set_clusters_apart():
    names = name_clusters(MANY_LABELS, MANY_VECTORS, pd.DataFrame(index=range(10)), class_scores=head)
    assert names[0].startswith("boat")
    assert names[1].startswith("lake")


def test_a_cluster_of_one_kind_is_named_for_it():
    words = [f"class {i}" for i in range(CLASSES)]

    def imagenet(features):
        scores = np.zeros((len(features), CLASSES))
        scores[features[:, 0] > 0, 200] = 12
        scores[features[:, 1] > 0, 950] = 12
        return scores, words

    names = name_clusters(MANY_LABELS, MANY_VECTORS, pd.DataFrame(index=range(10)), class_scores=imagenet)
    assert names[0] == "dogs, class 200"
    assert names[1] == "fruit, class 950"


def test_what_may_be_a_cat_or_a_dog_is_a_mammal():
    words = [f"class {i}" for i in range(CLASSES)]

    def unsure(features):
        scores = np.zeros((len(features), CLASSES))
        scores[features[:, 0] > 0, 200] = 12
        scores[features[:, 0] > 0, 283] = 11.8
        scores[features[:, 1] > 0, 950] = 12
        return scores, words

    names = name_clusters(MANY_LABELS, MANY_VECTORS, pd.DataFrame(index=range(10)), class_scores=unsure)
    assert names[0].startswith("mammals")
    assert names[1].startswith("fruit")


WORDS = [f"class {i}" for i in range(CLASSES)]


def imagenet(*pictures):
    """A head of 1000 classes, sure of a class of each picture in order; for None it leans a little to animals."""

    def scores(features):
        found = np.zeros((len(pictures), CLASSES))
        for row, number in enumerate(pictures):
            if number is None:
                found[row, :398] = 0.2
            else:
                found[row, number] = 12
        return found[np.asarray(features[:, 0], dtype=int)], WORDS

    return scores


def numbered(n):
    """Vectors whose first component is the number of the picture."""
    return np.arange(n, dtype=np.float32)[:, None]


def test_a_network_that_knows_nothing_sees_no_animals():
    head = imagenet(*[None] * 9, *[950] * 9)
    labels = np.repeat([0, 1], 9)
    names = name_clusters(labels, numbered(18), images(*["#101010"] * 18), class_scores=head)
    assert names == {0: "black", 1: "fruit, class 950"}


def test_a_third_of_fish_does_not_make_the_rest_fish():
    head = imagenet(*[1] * 4, *[None] * 8, *[950] * 4)
    labels = np.repeat([0, 1], [12, 4])
    names = name_clusters(labels, numbered(16), images(*["#101010"] * 16), class_scores=head)
    assert names[0] == "black"


def test_a_colour_of_few_pictures_names_no_cluster():
    few = ["#101010"] * 2 + ["#f08010", "#f0e010", "#20a030", "#2040e0", "#e060a0", "#704010", "#ff0000"]
    rows = images(*few, *["#20a030"] * 9)
    labels = np.repeat([0, 1], 9)
    assert name_clusters(labels, numbered(18), rows) == {0: "mixed colours", 1: "green"}
    strong = rows.assign(colourfulness=80.0)
    assert name_clusters(labels, numbered(18), strong)[0] == "colourful"


def test_three_shades_of_grey_are_grey():
    shades = images("#404040", "#404040", "#808080", "#808080", "#c0c0c0", "#c0c0c0", "#20a030")
    assert name_clusters(np.zeros(7, int), numbered(7), shades) == {0: "grey"}


def test_an_orange_on_white_is_orange():
    assert name_clusters(np.zeros(3, int), numbered(3), images(*["#ffffff #f08010 #f09020"] * 3)) == {
        0: "orange"
    }


def test_equal_hints_are_told_apart_by_a_second_colour():
    rows = images(*["#ffffff #fefefe #f08010"] * 3, *["#ffffff #fefefe #404040"] * 3)
    names = name_clusters(np.repeat([0, 1], 3), numbered(6), rows.assign(contrast=0.4))
    assert names == {0: "white with orange, high contrast", 1: "white with grey, high contrast"}


def test_things_on_white_are_more_than_white():
    rows = images(*["#ffffff #fefefe #f08010"] * 4).assign(colourfulness=66.0)
    assert name_clusters(np.zeros(4, int), numbered(4), rows) == {0: "colourful with white"}


@pytest.mark.parametrize(("number", "name"), [(587, "tools, class 587"), (917, "drawings")])
def test_kinds_for_names_alone(number, name):
    head = imagenet(*[number] * 4, *[950] * 4)
    names = name_clusters(np.repeat([0, 1], 4), numbered(8), images(*["#101010"] * 8), class_scores=head)
    assert names[0] == name


def test_equal_hints_are_told_apart_by_what_differs():
    rows = images("#1030d0", "#1133cc", "#1030d0", "#1133cc", "").assign(
        brightness=[20.0, 22.0, 60.0, 61.0, 0.0]
    )
    names = name_clusters(LABELS, VECTORS, rows.assign(contrast=0.2))
    assert names[0] != names[1]
    assert not any("#" in name for name in names.values())


def test_of_three_alike_the_extremes_get_a_word():
    labels = np.arange(3)
    rows = images("#808080", "#818181", "#7f7f7f").assign(brightness=[50.0, 70.0, 30.0])
    names = name_clusters(labels, np.eye(3, dtype=np.float32), rows)
    assert names == {0: "grey", 1: "grey, lighter", 2: "grey, darker"}


def test_words_need_no_colour():
    rows = images(*["#1030d0 #ffffff"] * 4, *["#20a020"] * 4, *["#ffffff"] * 2)
    names = name_clusters(MANY_LABELS, MANY_VECTORS, rows, class_scores=head)
    assert not any(colour in name for name in names.values() for colour in ("blue", "green"))


def test_a_folder_or_a_time_says_more_than_a_colour():
    rows = images(*["#1030d0"] * 12).assign(
        path=[f"trips/{'Rome' if i < 4 else 'other'}/{i}.jpg" for i in range(12)],
        taken_at=pd.to_datetime(["2019-07-03"] * 4 + ["2021-05-01", "2021-05-20"] * 2 + ["2019-07-04"] * 4),
    )
    assert name_clusters(np.repeat([0, 1, 2], 4), numbered(12), rows) == {
        0: "Rome",
        1: "May 2021",
        2: "4 July 2019",
    }


def test_a_word_in_most_file_names_says_more_than_a_colour_and_what_cameras_write_says_nothing():
    names = [f"Harbour_{i:03}_small.jpg" for i in range(4)] + [f"IMG_{i:04}_edit.jpg" for i in range(4)]
    rows = images(*["#1030d0"] * 4, *["#20a030"] * 4).assign(path=names)
    assert name_clusters(np.repeat([0, 1], 4), numbered(8), rows) == {0: "harbour", 1: "green"}


def test_a_folder_of_all_pictures_says_nothing():
    rows = images(*["#1030d0"] * 3, *["#20a030"] * 3).assign(path=[f"photos/{i}.jpg" for i in range(6)])
    assert name_clusters(np.repeat([0, 1], 3), numbered(6), rows) == {0: "blue", 1: "green"}


def test_without_a_head_the_colour_is_the_name():
    rows = images("#1030d0", "#1133cc", "#20a020", "#22aa22", "")
    names = name_clusters(LABELS, VECTORS, rows)
    assert names == {-1: "unclustered", 0: "blue", 1: "green"}


def test_a_network_that_knows_no_words_leaves_the_colour():
    rows = images("#1030d0", "#1133cc", "#20a020", "#22aa22", "")
    assert name_clusters(LABELS, VECTORS, rows, class_scores=lambda features: None)[1] == "green"


def test_with_nothing_known_the_number_is_the_name():
    names = name_clusters(LABELS, VECTORS, pd.DataFrame(index=range(5)))
    assert names[1] == "cluster 1"


def test_equal_hints_are_told_apart_by_a_picture():
    rows = images("#1030d0", "#1133cc", "#1030d0", "#1133cc", "").assign(path=[f"{i}.jpg" for i in range(5)])
    assert name_clusters(LABELS, VECTORS, rows)[1] == "blue, with 2"


def test_where_not_even_paths_are_known_the_number_tells_apart():
    rows = images("#1030d0", "#1133cc", "#1030d0", "#1133cc", "")
    assert name_clusters(LABELS, VECTORS, rows)[1] == "blue #1"


@pytest.mark.parametrize(
    ("numbers", "name"), [((283, 292), "felines"), ((1, 150), "sea animals"), ((200, 283, 340), "mammals")]
)
def test_between_a_kind_and_all_animals_there_are_narrower_families(numbers, name):
    head = imagenet(*numbers * 4, *[200, 1, 10] * 4)
    sizes = [4 * len(numbers), 12]
    names = name_clusters(
        np.repeat([0, 1], sizes), numbered(sum(sizes)), images(*[""] * sum(sizes)), class_scores=head
    )
    assert names[0].split(",")[0] == name


def spread_out(kinds, by):
    """A head that says a little of anything, and of the classes of these kinds more by so much, nine pictures each."""
    names, member = membership(further=True)
    raised = [sum(member[:, names.index(kind)] for kind in of) for of in kinds]
    table = np.random.default_rng(0).normal(0, 1, (9 * len(kinds), CLASSES)) + by * np.repeat(
        raised, 9, axis=0
    )
    return lambda features: (table[features[:, 0].astype(int)], WORDS)


@pytest.mark.parametrize(
    ("kinds", "name"),
    [
        (["cats"], "cats"),
        (["cats", "big cats"], "felines"),
        (["sports"], "grey"),
    ],
    ids=["a kind", "two of a family", "what anything is taken for"],
)
def test_what_the_classes_of_a_kind_say_together_counts_though_no_picture_is_sure(kinds, name):
    head = spread_out([kinds, ["fruit"], ["aircraft"]], 2.5)
    rows = images(*["#808080"] * 27)
    names = name_clusters(np.repeat([0, 1, 2], 9), numbered(27), rows, class_scores=head)
    assert {0: name, 1: "fruit", 2: "aircraft"} == names


def test_three_pictures_are_too_few_to_say_what_they_show():
    head = imagenet(*[200] * 3, *[950] * 4)
    names = name_clusters(np.repeat([0, 1], [3, 4]), numbered(7), images(*["#808080"] * 7), class_scores=head)
    assert names == {0: "grey", 1: "fruit, class 950"}


def test_a_class_of_no_kind_names_nothing():
    head = imagenet(*[646] * 9, *[950] * 9)
    names = name_clusters(np.repeat([0, 1], 9), numbered(18), images(*["#808080"] * 18), class_scores=head)
    assert names[0] == "grey"


def test_two_families_in_one_cluster_are_both_named():
    scores, words = [], None
    for of in (["cats", "big cats"], ["dogs", "wolves and foxes"]):
        kinds = [of, ["fruit"], ["aircraft"]]
        table, words = spread_out(kinds, 6)(numbered(27))
        scores.append(table)
    both = np.vstack([scores[0][:9], scores[1]])
    names = name_clusters(
        np.repeat([0, 1, 2], [18, 9, 9]),
        numbered(36),
        images(*["#808080"] * 36),
        class_scores=lambda features: (both[features[:, 0].astype(int)], words),
    )
    assert names[0] in ("dogs and felines", "felines and dogs", "cats and dogs", "dogs and cats")


def test_a_kind_that_other_pictures_contradict_is_not_claimed():
    table, words = spread_out([["boats and ships"], ["fruit"], ["aircraft"]], 2.5)(numbered(27))
    table[:4, 497] += 12
    names = name_clusters(
        np.repeat([0, 1, 2], 9),
        numbered(27),
        images(*["#808080"] * 27),
        class_scores=lambda features: (table[features[:, 0].astype(int)], words),
    )
    assert names == {0: "grey", 1: "fruit", 2: "aircraft"}


def test_what_a_network_says_of_all_clusters_alike_names_none():
    head = spread_out([["cats"]] * 2, 2.5)
    names = name_clusters(np.repeat([0, 1], 9), numbered(18), images(*["#808080"] * 18), class_scores=head)
    assert all(name.startswith("grey") for name in names.values())


def test_the_users_name_wins():
    assert with_given({0: "boats", 1: "Sailing"}, {0: "Sailing", 7: "Gone"}) == {
        0: "Sailing",
        1: "Sailing #1",
    }


def test_a_hint_stays_while_nothing_contradicts_it():
    rows = images(*["#1030d0"] * 4, *["#20a030"] * 4)
    labels = np.repeat([0, 1], 4)
    before = {0: "colourful with red", 1: "blue", 5: "of a cluster that is gone"}
    assert name_clusters(labels, numbered(8), rows, before=before) == {0: "colourful with red", 1: "blue"}
    assert name_clusters(labels, numbered(8), rows, before={1: "blue"}) == {0: "blue #0", 1: "blue"}


@pytest.mark.parametrize(
    ("hint", "stays"),
    [
        ("fruit (black)", True),
        ("fruit, class 953 (red)", True),
        ("black", False),
        ("food and plants (black)", False),
        ("dogs (black)", False),
    ],
)
def test_a_hint_goes_when_another_kind_is_seen(hint, stays):
    head = imagenet(*[950] * 4, *[260] * 4)
    rows = images(*["#101010"] * 8)
    names = name_clusters(
        np.repeat([0, 1], 4), numbered(8), rows, class_scores=head, before={0: hint, 1: "dogs"}
    )
    assert names == {0: hint if stays else "fruit, class 950", 1: "dogs"}


def test_a_kind_is_good_enough_for_its_family():
    # dogs and cats alike: the network says mammals where it said dogs before
    head = imagenet(*[260, 283] * 4, *[950] * 4)
    rows = images(*["#101010"] * 12)
    labels = np.repeat([0, 1], [8, 4])
    assert name_clusters(labels, numbered(12), rows, class_scores=head)[0].startswith("mammals")
    names = name_clusters(labels, numbered(12), rows, class_scores=head, before={0: "dogs (grey)"})
    assert names[0] == "dogs (grey)"


def unsure(features):
    """A head that is sure of nothing."""
    return np.zeros((len(features), 4)), ["coil", "bannister", "fish", "fog"]


def test_words_that_the_network_is_not_sure_of_are_left_out():
    rows = images("#1030d0", "#1133cc", "#a0e0a0", "#a2e2a2", "")
    rows["brightness"] = [20, 22, 85, 84, 50]
    rows["contrast"] = [0.05, 0.06, 0.4, 0.35, 0.2]
    names = name_clusters(LABELS, VECTORS, rows, class_scores=unsure)
    assert names[0] == "dark blue, low contrast"
    assert names[1] == "light green, high contrast"
