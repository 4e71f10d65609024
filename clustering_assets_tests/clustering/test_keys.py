import pytest
from hypothesis import given
from hypothesis import strategies as st

from clustering_assets.clustering.keys import IdentityError, cluster_of, in_order, partition_key


@given(st.integers(min_value=-1, max_value=10**9))
def test_key_and_id_are_inverse(cluster):
    assert cluster_of(partition_key(cluster)) == cluster


def test_unclustered_pictures_have_their_own_key():
    assert partition_key(-1) == "unclustered"


@pytest.mark.parametrize(
    "key", ["", "cluster_", "cluster_-1", "cluster_01", "cluster_x", "3", "Cluster_3", "cluster_³"]
)
def test_a_foreign_key_is_refused(key):
    with pytest.raises(IdentityError, match="cluster_<id>"):
        cluster_of(key)


def test_clusters_are_listed_by_number_and_the_unclustered_last():
    assert in_order([3, -1, 0, 3, 11]) == [0, 3, 11, -1]
