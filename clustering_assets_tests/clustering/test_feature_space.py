import numpy as np
import pytest

from clustering_assets.clustering import feature_space
from clustering_assets.clustering.feature_space import FeatureSpace, count_distinct


def test_points_have_unit_length(four_groups):
    vectors, _ = four_groups
    points = FeatureSpace.fit(vectors).transform(vectors)
    assert np.linalg.norm(points, axis=1) == pytest.approx(1, abs=1e-5)


def test_a_space_is_fitted_once_and_reused(four_groups):
    vectors, _ = four_groups
    fitted = FeatureSpace.fit(vectors)
    assert fitted.transform(vectors[:7]) == pytest.approx(fitted.transform(vectors)[:7], abs=1e-5)


def test_the_scale_of_the_features_does_not_matter(four_groups):
    vectors, _ = four_groups
    once, louder = (FeatureSpace.fit(v).transform(v) for v in (vectors, 100 * vectors))
    assert np.abs(once @ once.T - louder @ louder.T).max() < 1e-3


def test_the_seed_says_nothing_about_few_pictures():
    vectors = np.random.default_rng(0).normal(size=(300, 400))
    one, other = (FeatureSpace.fit(vectors, seed).transform(vectors) for seed in (0, 1))
    assert np.abs(one @ one.T - other @ other.T).max() < 1e-3


def test_conversion_by_chunks_is_conversion_at_once(four_groups, monkeypatch):
    vectors, _ = four_groups
    fitted = FeatureSpace.fit(vectors)
    whole = fitted.transform(vectors)
    monkeypatch.setattr(feature_space, "CHUNK_ROWS", 7)
    assert fitted.transform(vectors) == pytest.approx(whole, abs=1e-6)


def test_a_memory_map_is_as_good_as_an_array(four_groups, tmp_path):
    vectors, _ = four_groups
    np.save(tmp_path / "v.npy", vectors)
    mapped = np.load(tmp_path / "v.npy", mmap_mode="r")
    assert np.array_equal(
        FeatureSpace.fit(mapped).transform(mapped), FeatureSpace.fit(vectors).transform(vectors)
    )


@pytest.mark.parametrize("vectors", [np.ones((1, 5)), np.ones((4, 5)), np.zeros((4, 5)), np.eye(2, 5)])
def test_degenerate_vectors_give_finite_points(vectors):
    assert np.isfinite(FeatureSpace.fit(vectors).transform(vectors)).all()


def test_distinct_rows_are_counted_no_further_than_asked():
    vectors = np.repeat(np.eye(6), 3, axis=0)
    assert count_distinct(vectors, 100) == 6
    assert count_distinct(vectors, 4) == 4
