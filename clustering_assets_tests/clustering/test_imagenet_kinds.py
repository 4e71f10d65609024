import pytest

from clustering_assets.clustering.imagenet_kinds import CATCH_ALLS, CLASSES, families, membership, narrower


@pytest.mark.parametrize("further", [False, True])
def test_each_class_is_of_one_kind_at_most(further):
    kinds, member = membership(further=further)
    assert member.shape == (CLASSES, len(kinds))
    assert member.sum(axis=1).max() == 1


def test_families_hold_kinds_that_there_are():
    names, table = families()
    kinds, _ = membership(further=True)
    assert table.shape == (len(kinds), len(names))
    assert table[kinds.index("cats"), names.index("animals")] == 1


def test_a_family_stands_before_those_that_hold_it():
    _, table = families()
    for broad in range(table.shape[1]):
        for narrow in range(broad + 1, table.shape[1]):
            assert (table[:, narrow] > table[:, broad]).any()


def test_within_a_family_are_its_kinds_and_narrower_families():
    assert narrower("felines") == {"felines", "cats", "big cats"}
    assert {"animals", "mammals", "cats", "fish"} <= narrower("animals")
    assert narrower("cats") == {"cats"}


def test_catch_alls_are_kinds_that_there_are():
    assert set(CATCH_ALLS) <= set(membership(further=True)[0])
