import numpy as np
import pytest
from sklearn.metrics import silhouette_samples, silhouette_score

from clustering_assets.clustering import quality
from clustering_assets.clustering.quality import mean_silhouette, measure, measure_fit, silhouettes


@pytest.fixture
def labelled():
    random = np.random.default_rng(0)
    labels = random.integers(0, 4, 200)
    points = random.normal(size=(200, 6)) + labels[:, None]
    return points, labels


def test_silhouettes_are_those_of_scikit_learn(labelled):
    points, labels = labelled
    assert silhouettes(points, labels) == pytest.approx(silhouette_samples(points, labels), abs=1e-6)


def test_the_mean_silhouette_of_distances_is_that_of_scikit_learn(labelled):
    from scipy.spatial.distance import pdist, squareform

    points, labels = labelled
    distances = squareform(pdist(points))
    assert mean_silhouette(distances, labels) == pytest.approx(silhouette_score(points, labels), abs=1e-6)


def test_silhouettes_of_a_sample_are_near_the_exact_ones(labelled, monkeypatch):
    points, labels = labelled
    monkeypatch.setattr(quality, "EXACT_ROWS", 50)
    monkeypatch.setattr(quality, "SAMPLE_ROWS", 120)
    assert np.abs(silhouettes(points, labels) - np.asarray(silhouette_samples(points, labels))).mean() < 0.04


def test_unclustered_pictures_have_no_silhouette_and_do_not_count(labelled):
    points, labels = labelled
    marked = labels.copy()
    marked[:20] = -1
    values = silhouettes(points, marked)
    assert np.isnan(values[:20]).all()
    assert values[20:] == pytest.approx(silhouette_samples(points[20:], labels[20:]), abs=1e-6)


def test_a_single_cluster_has_no_silhouette():
    assert np.isnan(silhouettes(np.random.default_rng(0).normal(size=(5, 3)), np.zeros(5, dtype=int))).all()


def test_the_representative_has_the_least_sum_of_distances():
    points = np.array([[0.0], [1.0], [2.0], [10.0]])
    assert measure_fit(points, np.zeros(4, dtype=int)).representatives == {0: 1}


def test_the_neighbour_is_the_nearest_cluster():
    points = np.array([[0.0], [0.1], [1.0], [1.1], [5.0], [5.1]])
    assert measure_fit(points, np.array([0, 0, 1, 1, 2, 2])).neighbours == {0: 1, 1: 0, 2: 1}


def test_figures_without_meaning_are_none():
    _, found = measure(np.eye(4), np.zeros(4, dtype=int), stability=np.nan, explained=np.nan)
    figures = found.as_dict()
    assert figures["silhouette"] is None
    assert figures["calinski_harabasz"] is None
    assert figures["clusters"] == 1
