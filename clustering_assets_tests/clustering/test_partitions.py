from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from clustering_assets.clustering.algorithms import Request
from clustering_assets.clustering.cluster import beside, cluster
from clustering_assets.clustering.consensus import Consensus, gather
from clustering_assets.clustering.imagenet_kinds import CLASSES, kind_shares, membership
from clustering_assets.clustering.partitions import Partitions


@cache
def parts() -> Partitions:
    """Six groups of very different size, as unit vectors, with the votes on them."""
    random = np.random.default_rng(1)
    centres = np.linalg.qr(random.normal(size=(12, 12)))[0][:6]
    groups = np.repeat(np.arange(6), [70, 40, 20, 12, 10, 10])
    points = centres[groups] + random.normal(0, 0.12, (len(groups), 12))
    points = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    return Partitions(points, gather([points]))


def test_joining_goes_from_many_pieces_to_one():
    numbers = [int(labels.max()) + 1 for labels in parts().joinings]
    assert numbers == list(range(numbers[0], 0, -1))
    assert numbers[0] >= 6


def test_each_joining_keeps_all_other_clusters():
    for fine, coarse in pairwise(parts().joinings):
        pairs = set(zip(fine.tolist(), coarse.tolist(), strict=True))
        assert len(pairs) == fine.max() + 1


def test_pieces_are_joined_to_the_groups_that_are_there():
    labels = parts().joined(6)
    assert labels is not None
    assert sorted(np.bincount(labels)) == [10, 10, 12, 20, 40, 70]
    assert parts().joined(30) is None


@pytest.mark.parametrize("algorithm", ["kmeans", "hierarchical", "auto"])
def test_groups_of_very_uneven_size_are_all_found(algorithm):
    found = cluster(parts().points, Request(algorithm))
    assert sorted(np.bincount(found.labels)) == [10, 10, 12, 20, 40, 70]


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
