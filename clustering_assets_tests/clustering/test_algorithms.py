import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from clustering_assets.clustering.algorithms import AlgorithmError, cluster
from clustering_assets.clustering.space import VectorsError


@pytest.mark.parametrize("algorithm", ["kmeans", "hierarchical"])
def test_clear_groups_are_found(four_groups, algorithm):
    vectors, groups = four_groups
    found = cluster(vectors, algorithm=algorithm, clusters=4)
    assert adjusted_rand_score(groups, found.labels) > 0.95


@pytest.mark.parametrize("algorithm", ["hdbscan", "auto"])
def test_the_number_of_clear_groups_is_found(four_groups, algorithm):
    vectors, groups = four_groups
    found = cluster(vectors, algorithm=algorithm, clusters=0)
    assert found.quality.clusters == 4
    assert adjusted_rand_score(groups, found.labels) > 0.9


def test_more_clusters_than_distinct_pictures_are_refused():
    vectors = np.repeat(np.eye(3, 8, dtype=np.float32), 5, axis=0)
    with pytest.raises(
        AlgorithmError, match=r"clusters = 4: there are only 3 distinct images; choose from 1 to 3"
    ):
        cluster(vectors, clusters=4)


def test_nan_is_refused_with_its_line():
    vectors = np.ones((10, 4), dtype=np.float32)
    vectors[6, 1] = np.nan
    with pytest.raises(VectorsError, match="line 7"):
        cluster(vectors)
