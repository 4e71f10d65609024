from typing import get_args

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from clustering_assets.clustering import cluster as entry
from clustering_assets.clustering.algorithms import AlgorithmError, Request
from clustering_assets.clustering.cluster import by_size, cluster, needed_bytes
from clustering_assets.clustering.estimators import ESTIMATORS
from clustering_assets.clustering.feature_space import VectorsError
from clustering_assets.settings import NUMBERED, Algorithm

ALGORITHMS = get_args(Algorithm)


def test_every_algorithm_has_its_estimator_and_those_that_are_told_a_number_take_it():
    assert tuple(ESTIMATORS) == ALGORITHMS
    takes = {name: "n_clusters" in estimator().get_params() for name, estimator in ESTIMATORS.items()}
    assert [name for name in ALGORITHMS if takes[name]] == list(NUMBERED)


@pytest.mark.parametrize("algorithm", ["kmeans", "hierarchical"])
def test_clear_groups_are_found(four_groups, algorithm):
    vectors, groups = four_groups
    found = cluster(vectors, Request(algorithm, 4))
    assert adjusted_rand_score(groups, found.labels) > 0.95
    assert found.algorithm == algorithm


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_number_of_clear_groups_is_found(four_groups, algorithm):
    vectors, groups = four_groups
    found = cluster(vectors, Request(algorithm))
    assert found.quality.clusters == 4
    assert adjusted_rand_score(groups, found.labels) > 0.9


def test_one_large_group_among_small_ones_stays_whole(blobs):
    vectors, groups = blobs((160, 20, 15, 15, 10), spread=0.6)
    found = cluster(vectors, Request("auto"))
    assert adjusted_rand_score(groups, found.labels) > 0.9


def test_the_same_seed_gives_the_same_clusters(blobs):
    vectors, _ = blobs((50, 40, 30), spread=1.2)
    first, second = (cluster(vectors, Request("auto", seed=3)) for _ in range(2))
    assert np.array_equal(first.labels, second.labels)
    assert np.array_equal(first.coordinates, second.coordinates)


@pytest.mark.parametrize("algorithm", ["kmeans", "auto", "hdbscan"])
def test_the_seed_decides_only_where_a_sample_stands_for_all(blobs, algorithm, monkeypatch):
    vectors, _ = blobs((40, 30, 20), spread=2.0)

    def found(seed):
        return cluster(vectors, Request(algorithm, seed=seed), order=np.arange(len(vectors))).labels

    assert np.array_equal(found(0), found(7))
    drawn = []
    monkeypatch.setattr(
        "clustering_assets.clustering.estimators.lay_out"
        if algorithm == "hdbscan"
        else "clustering_assets.clustering.consensus.lay_out",
        lambda points, seed=0, **_: drawn.append(seed) or points[:, :2].astype(float),
    )
    monkeypatch.setattr(entry, "FULL_ROWS", 60)
    found(7)
    assert drawn and min(drawn) >= 7


@pytest.mark.parametrize("algorithm", ["kmeans", "hierarchical", "auto"])
def test_a_chosen_number_is_explained_with_its_margin(four_groups, algorithm):
    notes = cluster(four_groups[0], Request(algorithm)).notes
    assert "4 clusters chosen from 2 to" in notes[0]
    assert "points ahead of" in notes[0]


def test_a_cloud_without_clusters_is_called_one():
    cloud = np.random.default_rng(0).normal(size=(150, 60)).astype(np.float32)
    notes = cluster(cloud, Request("auto")).notes
    assert any("no cluster structure" in note for note in notes)


@pytest.mark.parametrize("algorithm", ["kmeans", "hierarchical", "dbscan", "hdbscan"])
def test_every_algorithm_says_that_noise_has_no_groups(algorithm):
    noise = np.abs(np.random.default_rng(1).normal(size=(120, 80))).astype(np.float32)
    notes = cluster(noise, Request(algorithm, 5)).notes
    assert any(note.startswith("no cluster structure") for note in notes)


def test_a_number_that_does_not_fit_is_said_not_to(four_groups):
    notes = cluster(four_groups[0], Request("kmeans", 14)).notes
    assert any("these 14 clusters overlap" in note and "4 would stand apart" in note for note in notes)


def test_clear_groups_are_not_called_a_cloud(four_groups):
    found = cluster(four_groups[0], Request("auto"))
    assert found.quality.stability > 0.9
    assert not any("no clear" in note for note in found.notes)


def test_labels_run_from_the_largest_cluster_to_the_smallest():
    assert by_size(np.array([5, 2, 2, -1, 9, 9, 9])).tolist() == [2, 1, 1, -1, 0, 0, 0]


def test_beyond_the_full_size_a_sample_is_clustered_and_the_rest_follows(blobs, monkeypatch):
    monkeypatch.setattr(entry, "FULL_ROWS", 120)
    vectors, groups = blobs((150, 150, 100))
    found = cluster(vectors, Request("kmeans", 3))
    assert adjusted_rand_score(groups, found.labels) > 0.95
    assert any("120 of 400 images were clustered" in note for note in found.notes)


@pytest.mark.parametrize(
    ("clusters", "said"), [(0, "3 clusters chosen from 2 to"), (3, "3 clusters, as told")]
)
def test_many_pictures_are_clustered_without_the_slow_layouts(blobs, monkeypatch, clusters, said):
    monkeypatch.setattr(entry, "SWIFT_ROWS", 100)
    monkeypatch.setattr("clustering_assets.clustering.estimators.gather", None)
    vectors, groups = blobs((80, 60, 40))
    found = cluster(vectors, Request("kmeans", clusters))
    assert adjusted_rand_score(groups, found.labels) > 0.95
    assert found.quality.stability > 0.9
    assert found.notes[0].startswith(said)


def test_without_layouts_a_number_that_does_not_fit_is_said_not_to(blobs, monkeypatch):
    monkeypatch.setattr(entry, "SWIFT_ROWS", 100)
    vectors, _ = blobs((60, 50, 40), spread=0.8)
    notes = cluster(vectors, Request("kmeans", 40)).notes
    assert any("these 40 clusters overlap" in note and "3 would stand apart" in note for note in notes)


def test_what_cannot_fit_is_refused_with_its_number(four_groups, monkeypatch):
    monkeypatch.setattr(entry, "free_bytes", lambda: 50_000_000)
    with pytest.raises(AlgorithmError, match=r"needs up to 0\.3 GB of memory and 0\.1 GB are free"):
        cluster(four_groups[0], Request("kmeans", 4))


def test_a_million_pictures_fit_into_four_gigabytes():
    assert needed_bytes(1_000_000, entry.FULL_ROWS) < 4e9


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("n", [1, 2, 3])
def test_too_few_pictures_to_tell_apart_are_one_cluster(algorithm, n):
    vectors = np.random.default_rng(0).random((n, 8)).astype(np.float32)
    assert cluster(vectors, Request(algorithm)).labels.tolist() == [0] * n


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("n", [4, 5, 9, 13, 20])
def test_small_sets_are_labelled_whole(algorithm, n):
    vectors = np.random.default_rng(n).random((n, 8)).astype(np.float32)
    found = cluster(vectors, Request(algorithm))
    assert len(found.labels) == n
    assert found.labels.min() >= -1


@pytest.mark.parametrize("algorithm", ["kmeans", "hierarchical"])
@pytest.mark.parametrize("clusters", [1, 2, 5])
def test_small_sets_are_divided_as_told(algorithm, clusters):
    vectors = np.random.default_rng(1).random((5, 8)).astype(np.float32)
    assert cluster(vectors, Request(algorithm, clusters)).quality.clusters == clusters


def test_identical_pictures_are_one_cluster():
    found = cluster(np.ones((30, 8), dtype=np.float32), Request("auto"))
    assert set(found.labels.tolist()) == {0}
    assert "only 1 distinct" in found.notes[0]


@pytest.mark.parametrize("algorithm", ["kmeans", "hierarchical", "auto"])
def test_a_sample_of_identical_pictures_is_one_cluster_without_doubts(monkeypatch, algorithm):
    monkeypatch.setattr(entry, "FULL_ROWS", 40)
    vectors = np.ones((60, 8), dtype=np.float32)
    vectors[50:54] = np.random.default_rng(0).random((4, 8))
    found = cluster(vectors, Request(algorithm), order=np.arange(60))
    assert set(found.labels.tolist()) == {0}
    assert found.notes[0] == "1 cluster: there is nothing to tell apart"
    assert len(found.notes) == 2
    assert "40 of 60 images were clustered" in found.notes[1]


def test_many_copies_of_few_pictures_stay_together():
    originals = np.random.default_rng(0).random((6, 20)).astype(np.float32)
    labels = cluster(np.repeat(originals, 10, axis=0), Request("kmeans", 6)).labels.reshape(6, 10)
    assert (labels == labels[:, :1]).all()
    assert len(set(labels[:, 0].tolist())) == 6


def test_more_clusters_than_distinct_pictures_are_refused():
    vectors = np.repeat(np.eye(3, 8, dtype=np.float32), 5, axis=0)
    with pytest.raises(
        AlgorithmError, match="clusters = 4: there are only 3 distinct images; choose from 1 to 3"
    ):
        cluster(vectors, Request("kmeans", 4))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_refused_with_its_line(bad):
    vectors = np.ones((10, 4), dtype=np.float32)
    vectors[6, 1] = bad
    with pytest.raises(VectorsError, match="line 7"):
        cluster(vectors, Request("kmeans"))


@pytest.mark.parametrize(
    "vectors",
    [np.zeros((0, 8), dtype=np.float32), np.zeros(8, dtype=np.float32), np.zeros((3, 4), dtype=np.int64)],
)
def test_what_is_no_table_of_vectors_is_refused(vectors):
    with pytest.raises(VectorsError):
        cluster(vectors, Request("kmeans"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("kmedoids",), "algorithm = 'kmedoids': choose one of kmeans, hierarchical"),
        (("kmeans", -2), "clusters = -2"),
        (("dbscan", 0, -1.0), "eps = -1.0"),
    ],
)
def test_settings_out_of_range_are_refused_with_name_value_and_range(settings, message):
    with pytest.raises(AlgorithmError, match=message):
        Request(*settings)


def test_a_radius_that_finds_nothing_is_told_beside_the_knee(four_groups):
    found = cluster(four_groups[0], Request("dbscan", eps=0.001))
    assert set(found.labels) == {-1}
    assert not any("single group" in note for note in found.notes)
    note = next(note for note in found.notes if note.startswith("no cluster was found"))
    knee_eps = float(note.rsplit("= ", 1)[1])
    assert cluster(four_groups[0], Request("dbscan", eps=knee_eps)).quality.clusters > 1


def test_density_that_is_even_is_told_as_no_cluster():
    even = np.random.default_rng(0).gamma(1.0, 1.0, (3, 60, 32))[2].astype(np.float32)
    found = cluster(even, Request("hdbscan"))
    assert set(found.labels) == {-1}
    assert any(note.startswith("no cluster was found") for note in found.notes)


def test_one_distinct_picture_is_told_in_the_singular():
    same = np.ones((6, 8), dtype=np.float32)
    assert any("only 1 distinct image:" in note for note in cluster(same, Request("kmeans")).notes)
    with pytest.raises(AlgorithmError, match="there is only 1 distinct image; choose 1, or auto"):
        cluster(same, Request("kmeans", 3))
