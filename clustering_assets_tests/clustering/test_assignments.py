import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score

from clustering_assets.clustering.algorithms import Request
from clustering_assets.clustering.assignments import Pictures, assign
from clustering_assets.clustering.feature_space import VectorsError
from clustering_assets.clustering.previous import Previous
from clustering_assets.tables import CLUSTER_ASSIGNMENTS, read_table, write_table

THREE = Request("kmeans", 3)


@pytest.fixture(scope="module")
def first(blobs, frame):
    vectors, groups = blobs((60, 50, 40))
    images = frame(150)
    return vectors, groups, images, assign(Pictures(vectors, images), THREE)


def test_every_picture_has_a_row_in_the_order_given(first):
    _, groups, images, result = first
    assert list(result.table.columns) == list(CLUSTER_ASSIGNMENTS.columns)
    assert result.table["path"].tolist() == images["path"].tolist()
    assert adjusted_rand_score(groups, result.table["cluster"]) > 0.95


def test_each_cluster_has_one_representative(first):
    table = first[3].table
    assert table.groupby("cluster")["is_representative"].sum().tolist() == [1, 1, 1]


def test_typicality_falls_with_the_distance_to_the_centre(first):
    for _, members in first[3].table.groupby("cluster"):
        ordered = members.sort_values("distance_to_center")
        assert ordered["typicality"].is_monotonic_decreasing
        assert ordered["typicality"].iloc[0] == 1
        assert ordered["typicality"].iloc[-1] == 0


def test_the_summary_has_a_row_for_each_cluster(first):
    clusters = first[3].clusters
    assert clusters["key"].tolist() == ["cluster_0", "cluster_1", "cluster_2"]
    assert clusters["size"].tolist() == [60, 50, 40]
    assert set(clusters["neighbour"]) <= set(clusters["key"])
    assert all(path in set(first[2]["path"]) for path in clusters["representative"])


def test_a_second_run_over_the_same_pictures_changes_nothing(first):
    vectors, _, images, before = first
    again = assign(Pictures(vectors, images), THREE, Previous(before.table, before.ids_ever_used))
    assert again.table["cluster"].tolist() == before.table["cluster"].tolist()
    assert again.changes.moved == 0
    assert again.changes.births == ()


def test_pictures_in_another_order_keep_their_clusters(first):
    vectors, _, images, before = first
    order = np.random.default_rng(5).permutation(len(images))
    again = assign(Pictures(vectors[order], images.iloc[order]), THREE, Previous(before.table))
    assert again.changes.moved < 0.02


def test_a_tenth_more_pictures_moves_few_of_the_old(blobs, frame):
    vectors, _ = blobs((100, 80, 60, 40), spread=0.8)
    images = frame(280)
    before = assign(Pictures(vectors[:254], images[:254]), Request("kmeans", 4))
    previous = Previous(before.table, before.ids_ever_used)
    after = assign(Pictures(vectors, images), Request("kmeans", 4), previous)
    assert after.changes.added == 26
    assert after.changes.moved < 0.02
    assert set(after.table["cluster"]) == {0, 1, 2, 3}


def test_clusters_that_stay_much_the_same_keep_their_hints(first, tmp_path):
    vectors, _, images, before = first
    called = before.table.assign(cluster_hint=before.table["cluster"].map({0: "one", 1: "2", 2: "three"}))
    called.loc[called["cluster"] == 0, "cluster_name"] = "Holidays"
    write_table(tmp_path / "clusters" / "cluster_assignments.csv", called)
    previous = read_table(tmp_path / "clusters" / "cluster_assignments.csv")
    again = assign(Pictures(vectors, images), THREE, Previous(previous), names={1: "Sea"})
    assert dict(zip(again.table["cluster"], again.table["cluster_name"], strict=True)) == {
        0: "one",
        1: "Sea",
        2: "three",
    }
    assert set(again.table["cluster_hint"]) == {"one", "2", "three"}
    # a quarter of the first cluster is gone, and the second has grown by half
    rows = np.flatnonzero((called["cluster"] != 0) | (np.arange(150) % 4 > 0))
    less = previous[(previous["cluster"] != 1) | (np.arange(150) % 3 > 0)]
    now = assign(Pictures(vectors[rows], images.iloc[rows]), THREE, Previous(less)).table
    assert set(now.loc[now["cluster"] == 2, "cluster_hint"]) == {"three"}
    assert {"one", "2"}.isdisjoint(now["cluster_hint"])


def test_ids_of_clusters_long_gone_stay_free(first):
    vectors, _, images, _ = first
    result = assign(Pictures(vectors, images), THREE, Previous(ids=[0, 1, 7]))
    assert sorted(result.table["cluster"].unique()) == [8, 9, 10]
    assert result.ids_ever_used == (0, 1, 7, 8, 9, 10)


def test_the_users_names_survive_clustering_again(first):
    vectors, _, images, before = first
    result = assign(Pictures(vectors, images), THREE, Previous(before.table), names={1: "Holidays"})
    assert set(result.table.loc[result.table["cluster"] == 1, "cluster_name"]) == {"Holidays"}


def test_ids_and_names_survive_a_run_that_finds_no_cluster(first, tmp_path):
    vectors, _, images, before = first

    def go_on(earlier, request):
        write_table(tmp_path / "table.csv", earlier.table)
        previous = Previous(read_table(tmp_path / "table.csv"), earlier.ids_ever_used)
        return assign(Pictures(vectors, images), request, previous, names={1: "Holidays"})

    nothing = go_on(before, Request("dbscan", eps=0.001))
    last = go_on(nothing, THREE)
    assert set(nothing.table["cluster"]) == {-1}
    assert last.table["cluster"].tolist() == before.table["cluster"].tolist()
    assert set(last.table.loc[last.table["cluster"] == 1, "cluster_name"]) == {"Holidays"}
    assert last.changes.returns == (0, 1, 2)


def test_outliers_have_their_own_key_and_no_silhouette(blobs, frame):
    vectors, _ = blobs((60, 60), spread=0.2)
    odd = np.random.default_rng(3).gamma(1, 1, (3, 64)).astype(np.float32)
    result = assign(Pictures(np.vstack([vectors, odd]), frame(123)), Request("dbscan", eps=0.6))
    outliers = result.table[result.table["cluster"] == -1]
    assert result.clusters["key"].iloc[-1] == "unclustered"
    assert len(outliers) >= 1
    assert outliers[["silhouette", "distance_to_center"]].isna().all(axis=None)
    assert not outliers["is_representative"].any()


def test_near_duplicates_are_marked_within_each_cluster(first):
    vectors, _, images, _ = first
    marks = np.full(150, "", dtype=object)
    marks[1:] = images["path"][0]  # all copies of one picture, which can only be in one cluster
    table = assign(Pictures(vectors, images, duplicate_of=marks), THREE).table
    assert (table["duplicate_of"] == "").groupby(table["cluster"]).sum().tolist() == [1, 1, 1]
    assert table["duplicate_of"][0] == ""
    home = table["cluster"] == table["cluster"][0]
    assert set(table.loc[home, "duplicate_of"][1:]) == {images["path"][0]}


def test_vectors_of_other_pictures_are_refused(first):
    vectors, _, images, _ = first
    with pytest.raises(VectorsError, match="150 embeddings for 149 images"):
        Pictures(vectors, images[:149])


@pytest.mark.parametrize(
    ("previous", "note"),
    [
        (pd.DataFrame({"path": ["a"], "cluster": [0]}), "lack content_hash or cluster"),
        (pd.DataFrame({"content_hash": ["other"], "cluster": [4]}), "share no image with this folder"),
        (
            pd.DataFrame({"content_hash": ["hash00001", "hash00002"], "cluster": ["x", "0"]}),
            "1 damaged row of",
        ),
        (pd.DataFrame({"content_hash": ["hash00001", None], "cluster": [0, 0]}), "1 damaged row of"),
    ],
)
def test_a_previous_table_of_no_use_is_set_aside_with_a_note(first, previous, note):
    vectors, _, images, _ = first
    result = assign(Pictures(vectors, images), THREE, Previous(previous))
    assert any(note in text for text in result.notes)
    assert len(result.clusters) == 3


def test_a_foreign_previous_table_still_keeps_its_numbers_free(first):
    vectors, _, images, _ = first
    foreign = pd.DataFrame({"content_hash": ["other"], "cluster": [4]})
    result = assign(Pictures(vectors, images), THREE, Previous(foreign))
    assert result.table["cluster"].min() == 5


def test_what_changed_can_be_stored_as_json(first):
    import json

    changes, quality = first[3].changes.as_dict(), first[3].quality.as_dict()
    assert json.loads(json.dumps(changes))["births"] == [0, 1, 2]
    assert json.loads(json.dumps(quality))["clusters"] == 3
