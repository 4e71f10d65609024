import pytest

from clustering_assets.clustering.imagenet_kinds import CLASSES, families, membership


@pytest.mark.parametrize("further", [False, True])
def test_each_class_is_of_one_kind_at_most(further):
    kinds, member = membership(further=further)
    assert member.shape == (CLASSES, len(kinds))
    assert member.sum(axis=1).max() == 1


def test_families_hold_kinds_that_there_are():
    names, table = families()
    kinds, _ = membership(further=True)
    assert table.shape == (len(kinds), len(names))
    assert table.sum(axis=1).max() == 1
    assert table[kinds.index("cats"), names.index("animals")] == 1
