import numpy as np
import pytest
from sklearn.cluster import KMeans

from clustering_assets.clustering.means import means


def within(points, labels):
    """The sum of squared distances to the centres."""
    return sum(
        ((points[labels == k] - points[labels == k].mean(axis=0)) ** 2).sum() for k in np.unique(labels)
    )


@pytest.mark.parametrize("spread", [1.0, 4.0])
def test_clusters_are_as_tight_as_the_best_of_ten_random_starts(blobs, spread):
    points, _ = blobs((60, 40, 30, 20, 10), spread=spread)
    labels = means(points, 5)
    random = KMeans(5, n_init=10, random_state=0).fit(points)
    assert within(points, labels) <= 1.02 * random.inertia_


@pytest.mark.parametrize(("clusters", "made"), [(3, 3), (5, 4)])
def test_equal_points_make_no_more_clusters_than_there_are_different_ones(clusters, made):
    points = np.repeat(np.eye(4), 3, axis=0)
    labels = means(points, clusters)
    assert sorted(np.unique(labels)) == list(range(made))
    assert all(np.ptp(labels[3 * one : 3 * one + 3]) == 0 for one in range(4))
