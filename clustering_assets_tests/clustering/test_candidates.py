from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from clustering_assets.clustering.algorithms import Request
from clustering_assets.clustering.candidates import (
    Candidate,
    Partitions,
    chosen_or_joined,
    even,
    explain,
    shares_of_best,
)
from clustering_assets.clustering.cluster import beside, cluster
from clustering_assets.clustering.consensus import Consensus, gather
from clustering_assets.clustering.imagenet_kinds import CLASSES, kind_shares, membership


@cache
def parts() -> Partitions:
    """Six groups of very different size, as unit vectors, with the votes on them."""
    random = np.random.default_rng(1)
    centres = np.linalg.qr(random.normal(size=(12, 12)))[0][:6]
    groups = np.repeat(np.arange(6), [70, 40, 20, 12, 10, 10])
    points = centres[groups] + random.normal(0, 0.12, (len(groups), 12))
    points = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    return Partitions(points, gather([points]))


def candidate(sizes):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    return Candidate("kmeans", len(sizes), labels, 0.5, 0.5)


def test_joining_goes_from_many_pieces_to_one():
    numbers = [int(labels.max()) + 1 for _, labels in parts().joinings]
    assert numbers == list(range(numbers[0], 0, -1))
    assert numbers[0] >= 6


def test_each_joining_keeps_all_other_clusters():
    steps = [labels for _, labels in parts().joinings]
    for fine, coarse in pairwise(steps):
        pairs = set(zip(fine.tolist(), coarse.tolist(), strict=True))
        assert len(pairs) == fine.max() + 1


def test_pieces_are_joined_to_the_groups_that_are_there():
    labels = parts().joined(6)
    assert labels is not None
    assert sorted(np.bincount(labels)) == [10, 10, 12, 20, 40, 70]
    assert parts().joined(30) is None


def test_groups_of_uneven_size_are_all_found():
    found = parts().candidates("kmeans")
    chosen = chosen_or_joined(next(c for c in found if not even(c)), found, parts())
    assert (chosen.method, chosen.clusters) == ("joined", 6)


def test_an_even_choice_stands():
    assert even(candidate([40, 100]))
    assert not even(candidate([30, 100]))
    chosen = candidate([33, 33, 32, 32, 32])
    assert chosen_or_joined(chosen, [chosen], parts()) is chosen


def test_far_more_joined_pieces_win_over_an_even_choice():
    chosen = candidate([81, 81])
    assert chosen_or_joined(chosen, [chosen], parts()).clusters == 6


def test_affinity_is_agreement_and_cosine():
    points = np.array([[1, 0], [1, 0], [0, 1]], dtype=np.float32)
    agreement = np.array([[1, 1, 0.5], [1, 1, 0.25], [0.5, 0.25, 1]])
    affinity = Consensus([], [], agreement).affinity(np.array([0, 0, 1]), points)
    assert affinity == pytest.approx(np.array([[2, 0.375], [0.375, 2]]))


def kind_head(features):
    scores = np.zeros((len(features), CLASSES))
    scores[features[:, 0] > 0, 200] = 40
    scores[features[:, 1] > 0, 950] = 40
    return scores, ["word"] * CLASSES


def test_kinds_of_thing_set_pictures_apart():
    vectors = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], dtype=np.float32)
    shares = kind_shares(vectors, kind_head)
    kinds, _ = membership()
    assert shares is not None
    assert shares.shape == (4, len(kinds) + 1)
    assert shares.mean(axis=0) == pytest.approx(0, abs=1e-6)
    assert shares[0, kinds.index("dogs")] == pytest.approx(0.5, abs=1e-2)
    assert shares[2, kinds.index("dogs")] == pytest.approx(-0.5, abs=1e-2)


def test_a_network_without_these_classes_says_nothing_of_kinds():
    vectors = np.ones((3, 2), dtype=np.float32)
    assert kind_shares(vectors, lambda features: None) is None
    assert kind_shares(vectors, lambda features: (features, ["a", "b"])) is None


def test_kinds_part_what_looks_alike():
    random = np.random.default_rng(0)
    vectors = np.abs(random.normal(size=(80, 30))).astype(np.float32)
    kinds = np.where(np.arange(80)[:, None] < 40, [0.9, -0.9], [-0.9, 0.9])
    labels = cluster(vectors, Request("kmeans", 2), kinds).labels
    assert set(labels[:40]) != set(labels[40:])
    assert len(set(labels[:40])) == len(set(labels[40:])) == 1


def test_directions_beside_keep_unit_length():
    joined = beside(np.eye(3, dtype=np.float32), np.full((3, 2), 0.3))
    assert joined.shape == (3, 5)
    assert np.linalg.norm(joined, axis=1) == pytest.approx(1, abs=1e-6)


def rated(clusters, modularity, silhouette):
    labels = np.arange(12) % clusters
    return Candidate("kmeans", clusters, labels, modularity, silhouette)


def spread_points():
    return np.random.default_rng(0).normal(size=(12, 3))


def test_a_margin_is_in_per_cent_of_the_rival():
    found = [rated(2, 0.5, 0.4), rated(3, 0.25, 0.3)]
    assert ", 60.0% ahead of 3;" in explain(found[0], found, spread_points())


@pytest.mark.parametrize("silhouette", [0.0, -0.02, 1e-12])
def test_a_margin_over_a_rival_near_zero_is_in_points(silhouette):
    found = [rated(2, 0.5, silhouette), rated(3, -0.1, -0.3), rated(4, -0.1, -0.4)]
    lead, _, rest = explain(found[0], found, spread_points()).partition(" of 2 points ahead of ")
    assert rest
    assert 0 < float(lead.rsplit(" ", 1)[1]) <= 4


def test_a_single_candidate_is_not_chosen_from_2_to_2():
    found = [rated(2, 0.5, 0.4)]
    assert explain(found[0], found, spread_points()).startswith(
        "2 clusters, the only number that is possible"
    )


def test_the_largest_number_that_was_tried_is_said_where_it_wins():
    many = Candidate("kmeans", 20, np.arange(60) % 20, 0.5, 0.4)
    few = Candidate("kmeans", 4, np.arange(60) % 4, 0.5, 0.4)
    points = np.random.default_rng(0).normal(size=(60, 3))
    assert explain(many, [many, few], points).endswith("more than 20 were not tried")
    assert "not tried" not in explain(few, [many, few], points)


def test_shares_of_next_to_nothing_stay_small():
    assert shares_of_best(np.array([[0.01, 0.4], [0.02, 0.2]]), (0.1, 0.1)) == pytest.approx(
        np.array([[0.1, 1], [0.2, 0.5]])
    )


def test_shares_keep_the_order_where_all_evidence_is_against():
    shares = shares_of_best(np.array([[-0.1, 0.2], [-0.2, 0.1], [-0.05, 0.0]]))
    assert shares == pytest.approx(np.array([[-0.5, 1], [-1, 0.5], [-0.25, 0]]))


@pytest.mark.parametrize("algorithm", ["kmeans", "auto"])
def test_one_odd_picture_among_few_leaves_a_choice(algorithm):
    vectors = np.random.default_rng(9).gamma(1, 1, (5, 32)).astype(np.float32)
    vectors[1:] = vectors[1] * np.random.default_rng(8).lognormal(0, 0.05, (4, 32))
    assert cluster(vectors, Request(algorithm)).quality.clusters == 2
