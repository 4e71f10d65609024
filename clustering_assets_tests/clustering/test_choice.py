import itertools

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from clustering_assets.clustering.algorithms import Request
from clustering_assets.clustering.choice import (
    METHODS,
    Families,
    choose_any,
    choose_told,
    mean_agreement,
    numbers,
    shares_of_best,
)
from clustering_assets.clustering.cluster import cluster
from clustering_assets.clustering.consensus import gather
from clustering_assets.clustering.partitions import Partitions


def shoots(count, each):
    """Unit vectors of many small tight groups."""
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(count), each)
    points = random.normal(size=(count, 40))[groups] + random.normal(0, 0.3, (len(groups), 40))
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32), groups


@pytest.fixture(scope="module")
def many_small():
    points, groups = shoots(30, 8)
    return Partitions(points, gather([points])), groups


def test_more_than_twenty_small_groups_are_all_found(many_small):
    partitions, groups = many_small
    found = choose_any(partitions, [partitions.points], len(groups))
    assert adjusted_rand_score(groups, found.labels) > 0.95
    assert "clusters chosen from 2 to" in found.note


def test_small_tight_groups_beside_each_other_are_not_joined():
    random, sizes = np.random.default_rng(0), (22, 20, 18, 15, 14, 12, 10, 9, 8, 7, 6, 5)
    groups = np.repeat(range(12), sizes)
    centres = random.normal(size=(12, 40))
    for one in (-1, -3):
        centres[one] = centres[one - 1] + 0.6 * (centres[one] - centres[one - 1])
    points = centres[groups] + random.normal(0, 0.45, (len(groups), 40))
    points = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    found = choose_any(Partitions(points, gather([points])), [points], len(groups))
    assert adjusted_rand_score(groups, found.labels) > 0.99


def test_no_chosen_cluster_is_tiny(many_small):
    partitions, groups = many_small
    assert np.bincount(choose_any(partitions, [partitions.points], len(groups)).labels).min() >= 3


@pytest.mark.parametrize("clusters", [2, 7, 30, 100])
def test_a_number_that_is_told_is_made_exactly(many_small, clusters):
    partitions, _ = many_small
    found = choose_told(partitions, [partitions.points], clusters)
    assert np.unique(found.labels).tolist() == list(range(clusters))


def test_how_far_the_methods_agree_is_said(many_small):
    partitions, groups = many_small
    clear, unclear = (choose_told(partitions, [partitions.points], number) for number in (30, 21))
    assert adjusted_rand_score(groups, clear.labels) > 0.95
    assert clear.note == (
        "30 clusters, as told, made of what 5 methods share, which agree with one another to 1.00 of 1"
    )
    said, _, agreement = unclear.note.removesuffix(" of 1").rpartition(" ")
    assert said == "21 clusters, as told, made of what 5 methods share, which agree with one another to"
    assert 0.3 < float(agreement) < 0.95


def test_what_methods_share_is_no_further_from_them_than_they_are_from_one_another(blobs):
    points, _ = blobs((40, 30, 25, 12), spread=2.5)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    partitions = Partitions(points, gather([points]))
    families = Families(partitions, [points], 6)
    shared, made = families.shared(6), families.made(6)
    assert list(made) == list(METHODS)
    close = [adjusted_rand_score(shared.labels, labels) for labels in made.values()]
    assert shared.agreement < 0.95
    assert np.mean(close) >= shared.agreement


@pytest.mark.parametrize("sizes", [(5, 6, 7, 8, 9, 12, 15, 18, 20), (60, 8, 6, 5)])
def test_tight_groups_of_unequal_size_are_found_when_their_number_is_told(blobs, sizes):
    vectors, groups = blobs(sizes, spread=0.5)
    found = cluster(vectors, Request("kmeans", len(sizes)))
    assert adjusted_rand_score(groups, found.labels) > 0.98


def test_only_methods_that_are_named_are_used(many_small):
    partitions, _ = many_small
    families = Families(partitions, [partitions.points], 16)
    for method, alone in families.made(16).items():
        found = choose_told(partitions, [partitions.points], 16, (method,))
        assert adjusted_rand_score(found.labels, alone) == 1
        assert found.note == "16 clusters, as told, made by one method"


def test_without_votes_the_methods_that_need_none_choose_a_number():
    points, groups = shoots(15, 40)
    found = choose_any(Partitions(points, None), [points], len(points))
    assert adjusted_rand_score(groups, found.labels) > 0.99
    assert found.note.startswith("15 clusters chosen from 2 to ")
    assert "; made of what 4 methods share" in found.note


def test_without_votes_more_than_thirty_groups_are_found():
    points, groups = shoots(40, 12)
    found = choose_any(Partitions(points, None), [points], len(points))
    assert adjusted_rand_score(groups, found.labels) > 0.95


@pytest.mark.parametrize("clusters", [2, 7, 30, 100, 239])
def test_without_votes_a_number_that_is_told_is_made_exactly(clusters):
    points, _ = shoots(30, 8)
    found = choose_told(Partitions(points, None), [points], clusters)
    assert np.unique(found.labels).tolist() == list(range(clusters))
    assert found.note.startswith(f"{clusters} clusters, as told, made of what 4 methods share")


@pytest.mark.parametrize(
    "sizes", [(2, 2), (3, 2), (4, 3), (2, 2, 2), (2, 3, 4), (5, 4), (4, 4, 3), (2, 2, 2, 2, 2)]
)
@pytest.mark.parametrize("algorithm", ["kmeans", "hierarchical", "auto"])
def test_the_groups_of_a_tiny_folder_are_found(blobs, algorithm, sizes):
    vectors, groups = blobs(sizes)
    assert adjusted_rand_score(groups, cluster(vectors, Request(algorithm)).labels) == 1


def test_the_only_number_that_is_possible_is_not_chosen_from_2_to_2(blobs):
    vectors, _ = blobs((3, 2))
    assert (
        cluster(vectors, Request("auto"))
        .notes[0]
        .startswith("2 clusters, the only number that is possible here;")
    )


def test_pictures_that_are_all_the_same_are_one_cluster():
    points = np.tile(np.eye(1, 8, dtype=np.float32), (20, 1))
    found = choose_any(Partitions(points, None), [points], 1)
    assert found.labels.tolist() == [0] * 20
    assert found.note == "1 cluster: there is nothing to tell apart"


def test_where_all_but_odd_pictures_are_in_one_cluster_there_are_two():
    points = np.vstack([np.tile(np.eye(1, 8), (97, 1)), np.eye(8)[1:4]]).astype(np.float32)
    found = choose_any(Partitions(points, None), [points], 4)
    assert len(set(found.labels[:97])) == 1
    assert set(found.labels) == {0, 1}
    assert found.note == "2 clusters: in every number tried all but odd pictures are in one"


@pytest.mark.parametrize("algorithm", ["kmeans", "hierarchical", "auto"])
def test_one_odd_picture_among_few_leaves_a_choice(algorithm):
    vectors = np.random.default_rng(9).gamma(1, 1, (5, 32)).astype(np.float32)
    vectors[1:] = vectors[1] * np.random.default_rng(8).lognormal(0, 0.05, (4, 32))
    assert cluster(vectors, Request(algorithm)).quality.clusters == 2


@pytest.mark.parametrize(("count", "each"), [(13, 2), (40, 3)])
@pytest.mark.parametrize("votes", [True, False])
def test_as_many_groups_as_there_may_be_are_found(count, each, votes):
    points, groups = shoots(count, each)
    found = choose_any(Partitions(points, gather([points]) if votes else None), [points], len(points))
    assert adjusted_rand_score(groups, found.labels) == 1
    assert f"with more they would have fewer than {each} pictures on average" in found.note


@pytest.mark.parametrize("votes", [True, False])
def test_as_many_clusters_as_different_pictures_are_no_cap(many_small, votes):
    partitions, _ = many_small
    partitions = partitions if votes else Partitions(partitions.points, None)
    assert choose_any(partitions, [partitions.points], 12).note.count(";") == 1


def test_twice_as_many_are_tried_while_the_largest_number_wins(many_small):
    partitions, groups = many_small
    found = choose_any(partitions, [partitions.points], len(groups), most=8)
    assert adjusted_rand_score(groups, found.labels) > 0.95


@pytest.mark.parametrize("algorithm", ["kmeans", "hierarchical"])
def test_a_method_that_is_named_finds_more_than_twenty_groups(algorithm):
    points, groups = shoots(26, 6)
    found = cluster(points, Request(algorithm))
    assert found.quality.clusters > 20
    assert adjusted_rand_score(groups, found.labels) > 0.8
    assert any("clusters chosen from 2 to" in note for note in found.notes)


def test_every_small_number_is_tried_and_ever_fewer_large_ones():
    assert numbers(8) == [2, 3, 4, 5, 6, 7, 8]
    tried = numbers(60)
    assert tried[:11] == list(range(2, 13))
    assert tried[-1] == 60
    assert numbers(13)[-2:] == [12, 13]
    assert tried == sorted(set(tried))
    assert numbers(1) == []


def test_mean_agreement_is_the_mean_of_all_pairs():
    one, two, three = np.array([0, 0, 1, 1]), np.array([1, 1, 0, 0]), np.array([0, 1, 0, 1])
    assert mean_agreement([one, two, three]) == pytest.approx((1 - 0.5 - 0.5) / 3)
    assert mean_agreement([one]) == 1
    random = np.random.default_rng(1)
    labels = [np.r_[0:k, random.integers(0, k, 90)][:90] for k in (1, 2, 3, 5)]
    expected = [adjusted_rand_score(*pair) for pair in itertools.combinations(labels, 2)]
    assert mean_agreement(labels) == pytest.approx(np.mean(expected))


def test_rows_in_another_order_give_the_same_clusters(blobs):
    vectors, _ = blobs((50, 40, 30), spread=1.2)
    names = np.random.default_rng(0).permutation(len(vectors))
    shuffled = np.random.default_rng(1).permutation(len(vectors))
    there = cluster(vectors, Request("auto"), order=np.argsort(names))
    here = cluster(vectors[shuffled], Request("auto"), order=np.argsort(names[shuffled]))
    assert np.array_equal(there.labels[shuffled], here.labels)
    assert np.array_equal(there.points[shuffled], here.points)


def test_shares_of_next_to_nothing_stay_small():
    assert shares_of_best(np.array([[0.01, 0.4], [0.02, 0.2]]), (0.1, 0.1)) == pytest.approx(
        np.array([[0.1, 1], [0.2, 0.5]])
    )


def test_shares_keep_the_order_where_all_evidence_is_against():
    shares = shares_of_best(np.array([[-0.1, 0.2], [-0.2, 0.1], [-0.05, 0.0]]))
    assert shares == pytest.approx(np.array([[-0.5, 1], [-1, 0.5], [-0.25, 0]]))
