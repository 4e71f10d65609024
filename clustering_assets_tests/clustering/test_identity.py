import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clustering_assets.clustering.identity import keep_ids, remember_gone


def hashes(n):
    return [f"h{i}" for i in range(n)]


def known(labels):
    return dict(zip(hashes(len(labels)), labels, strict=True))


def test_the_first_run_numbers_clusters_from_large_to_small():
    ids, changes = keep_ids(np.array([7, 7, 3, 3, 3, -1]), hashes(6), None)
    assert ids.tolist() == [1, 1, 0, 0, 0, -1]
    assert changes.first


@given(st.permutations(range(5)))
def test_renumbered_clusters_get_their_ids_back(permutation):
    before = np.repeat([0, 2, 3, 7, 11], 4)
    labels = np.array([permutation[i] for i in np.repeat(range(5), 4)])
    ids, changes = keep_ids(labels, hashes(20), known(before.tolist()))
    assert ids.tolist() == before.tolist()
    assert changes.moved == 0
    assert not changes.births
    assert not changes.deaths


def test_a_new_cluster_never_takes_a_number_that_was_used_before():
    labels = np.repeat([0, 1], 5)
    before = dict(zip(hashes(5), [2] * 5, strict=True))
    ids, changes = keep_ids(labels, hashes(10), before, previous_ids=[0, 1, 2, 9])
    assert set(ids.tolist()) == {2, 10}
    assert changes.births == (10,)


def test_ids_used_before_are_kept_free_when_the_previous_table_is_lost():
    ids, _ = keep_ids(np.array([0, 0, 1]), hashes(3), None, previous_ids=[0, 1, 4])
    assert ids.tolist() == [5, 5, 6]


def test_a_merge_names_its_sources_and_the_death():
    labels = np.zeros(10, dtype=int)
    ids, changes = keep_ids(labels, hashes(10), known([0] * 6 + [1] * 4))
    assert set(ids.tolist()) == {0}
    assert changes.merges == {0: (0, 1)}
    assert "cluster_1 went into cluster_0" in changes.sentence()
    assert changes.deaths == (1,)
    assert changes.moved == pytest.approx(0.4)


def test_a_split_names_its_heirs_and_the_birth():
    labels = np.array([0] * 6 + [1] * 4)
    ids, changes = keep_ids(labels, hashes(10), known([5] * 10))
    assert ids.tolist() == [5] * 6 + [6] * 4
    assert changes.splits == {5: (5, 6)}
    assert changes.births == (6,)


def test_added_and_removed_pictures_are_counted():
    ids, changes = keep_ids(np.zeros(4, dtype=int), ["h0", "h1", "new1", "new2"], known([0, 0, 0]))
    assert ids.tolist() == [0, 0, 0, 0]
    assert (changes.added, changes.removed) == (2, 1)


def test_copies_of_one_picture_count_each():
    ids, _ = keep_ids(np.array([0, 0, 1]), ["same", "same", "other"], {"same": 4, "other": 2})
    assert ids.tolist() == [4, 4, 2]


@given(
    st.lists(st.integers(-1, 4), min_size=1, max_size=40),
    st.lists(st.integers(-1, 4), min_size=1, max_size=40),
    st.sets(st.integers(0, 12)),
)
def test_ids_stand_for_the_same_partition_and_never_return(labels, before, ever):
    labels = np.array(labels)
    previous = known(before)
    ids, _ = keep_ids(labels, hashes(len(labels)), previous, ever)
    pairs = set(zip(labels.tolist(), ids.tolist(), strict=True))
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})
    assert all((a == -1) == (b == -1) for a, b in pairs)
    retired = set(ever) - set(previous.values())
    assert not retired & set(ids.tolist())


def after(*runs):
    """The ids of each of a series of runs over the same pictures, one clustering after the other, and the changes."""
    names = hashes(len(runs[0]))
    previous, gone, used, made = None, {}, set(), []
    for labels in runs:
        ids, changes = keep_ids(np.array(labels), names, previous, used, gone)
        gone = dict(zip(names, remember_gone(ids, names, previous, gone), strict=True))
        previous = dict(zip(names, ids.tolist(), strict=True))
        used |= {i for i in ids.tolist() if i >= 0}
        made.append((ids.tolist(), changes))
    return made


SIX = [0] * 9 + [1] * 8 + [2] * 7 + [3] * 6


@pytest.mark.parametrize("between", [[-1] * 30, [0] * 30, [*[0] * 17, *[1] * 13]])
def test_clusters_have_their_ids_again_after_a_run_without_them(between):
    first, *_, last = after(SIX, between, between, SIX)
    assert last[0] == first[0]
    assert not last[1].births


def test_clusters_that_return_are_told():
    changes = after(SIX, [-1] * 30, SIX)[-1][1]
    assert changes.returns == (0, 1, 2, 3)
    assert "back: cluster_0, cluster_1, cluster_2, cluster_3" in changes.sentence()


def test_what_shares_little_with_a_cluster_gone_is_new():
    other = (np.arange(30) % 10).tolist()
    changes = after([0] * 15 + [1] * 15, [-1] * 30, other)[-1][1]
    assert changes.returns == ()
    assert changes.births == tuple(range(2, 12))


def test_a_cluster_that_goes_on_keeps_its_id_beside_one_gone():
    halves = [0] * 15 + [1] * 15
    made = after(halves, [0] * 20 + [-1] * 10, [0] * 20 + [1] * 10)
    assert set(made[1][0][:20]) == {0}
    assert set(made[2][0][:20]) == {0}
    assert set(made[2][0][20:]) == {1}


def test_only_the_last_clusters_of_a_picture_are_remembered():
    before, gone = {"a": 9, "b": -1}, {"a": [7, 5, 3, 1], "b": [2]}
    assert remember_gone(np.array([5, 6]), ["a", "b"], before, gone) == [[9, 7, 3, 1], [2]]


@given(st.lists(st.lists(st.integers(-1, 3), min_size=12, max_size=12), min_size=1, max_size=6))
def test_an_id_comes_back_only_to_pictures_that_had_it(runs):
    names = hashes(12)
    members = {}
    for ids, _ in after(*runs):
        for number in set(ids) - {-1}:
            now = {name for name, i in zip(names, ids, strict=True) if i == number}
            assert not members.get(number) or members[number] & now
            members[number] = members.get(number, set()) | now
