import numpy as np
import pytest

from clustering_assets.clustering.consensus import gather
from clustering_assets.clustering.partitions import Partitions
from clustering_assets.clustering.structure import doubts, stability

PAIRS = np.repeat(np.eye(4, dtype=np.float32)[:2], 10, axis=0) + np.linspace(0, 0.01, 20)[:, None].astype(
    np.float32
)


@pytest.mark.parametrize("votes", [True, False])
def test_a_single_cluster_is_neither_stable_nor_doubted(votes):
    partitions = Partitions(PAIRS, gather([PAIRS]) if votes else None)
    one = np.zeros(len(PAIRS), dtype=int)
    assert np.isnan(stability(partitions, one))
    assert doubts(partitions, one, np.nan) == []


def test_clusters_that_mix_two_groups_are_told_from_two_that_would_not():
    mixed = np.arange(len(PAIRS)) % 2
    (doubt,) = doubts(Partitions(PAIRS, None), mixed, np.nan)
    assert doubt.startswith("these 2 clusters overlap")
    assert "; another 2 would stand apart" in doubt
