"""The map: clusters part on it, it depends on the pictures alone, and stays much as it was when some are added."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import silhouette_score

from clustering_assets.clustering.map_layout import ROWS, earlier_places, lay_out_map

GROUPS, EACH = 8, 25


@pytest.fixture(scope="module")
def groups():
    """Unit vectors of eight groups in many directions, their first two components and their labels."""
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(GROUPS), EACH)
    points = np.eye(20)[labels] + random.normal(0, 0.22, (len(labels), 20))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    left, size, _ = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)
    return points.astype(np.float32), (left * size)[:, :2], labels


def test_clusters_part_where_the_principal_components_heap_them(groups):
    points, plane, labels = groups
    place = lay_out_map(points, plane, labels, np.arange(len(points)))
    assert place.shape == (len(points), 2)
    assert silhouette_score(place, labels) > 0.6 > 0.3 > silhouette_score(plane, labels)


def test_the_order_of_the_rows_says_nothing(groups):
    points, plane, labels = groups
    shuffled = np.random.default_rng(1).permutation(len(points))
    place = lay_out_map(points, plane, labels, np.arange(len(points)))
    again = lay_out_map(points[shuffled], plane[shuffled], labels[shuffled], np.argsort(shuffled))
    np.testing.assert_array_equal(again, place[shuffled])


def test_what_was_on_the_map_stays_when_pictures_are_added(groups):
    points, plane, labels = groups
    old = np.random.default_rng(2).random(len(points)) < 0.85
    before = np.full((len(points), 2), np.nan)
    before[old] = lay_out_map(points[old], plane[old], labels[old], np.arange(old.sum()))
    place = lay_out_map(points, plane, labels, np.arange(len(points)), before)
    extent = np.ptp(before[old], axis=0).max()
    moved = np.linalg.norm(place - before, axis=1)[old] / extent
    assert np.median(moved) < 0.03 and np.quantile(moved, 0.95) < 0.1
    assert silhouette_score(place, labels) > 0.6
    np.testing.assert_array_equal(lay_out_map(points, plane, labels, np.arange(len(points)), place), place)


def test_of_very_many_pictures_the_rest_lie_among_their_neighbours(monkeypatch, groups):
    points, plane, labels = groups
    monkeypatch.setattr("clustering_assets.clustering.map_layout.ROWS", 120)
    order = np.random.default_rng(3).permutation(len(points))
    place = lay_out_map(points, plane, labels, order)
    assert ROWS > 120 and silhouette_score(place, labels) > 0.6


@pytest.mark.parametrize("count", [1, 2, 4, 5, 7])
def test_a_few_pictures_have_a_map(groups, count):
    points, plane, labels = (part[::30][:count] for part in groups)
    assert np.isfinite(lay_out_map(points, plane, labels, np.arange(count))).all()


def test_tables_of_older_versions_have_no_map():
    table = pd.DataFrame({"content_hash": ["a", "b"], "x": [0.0, 1.0], "y": [2.0, 3.0]})
    assert earlier_places(None, ["a"]) is None
    assert earlier_places(table, ["a"]) is None
    found = earlier_places(table.assign(component_1=0.0), ["b", "new"])
    np.testing.assert_array_equal(found, [[1, 3], [np.nan, np.nan]])
