import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from clustering_assets.clustering.near_duplicates import keepers


def paths(n):
    return [f"{i}.jpg" for i in range(n)]


def pictures(n, **columns):
    return pd.DataFrame({"path": paths(n), **columns})


def test_a_copy_names_the_better_one_of_its_cluster():
    found = keepers(["", "0.jpg", ""], np.array([0, 0, 1]), pictures(3))
    assert found.tolist() == ["", "0.jpg", ""]


def test_a_cluster_of_copies_only_keeps_its_sharpest():
    rows = pictures(4, sharpness=[9.0, 1.0, 3.0, 2.0], contrast=0.2)
    found = keepers(["", "0.jpg", "0.jpg", "0.jpg"], np.array([0, 1, 1, 1]), rows)
    assert found.tolist() == ["", "2.jpg", "", "2.jpg"]


def test_a_brightened_copy_is_not_sharper():
    rows = pictures(3, sharpness=[9.0, 2.0, 3.0], contrast=[0.2, 0.2, 0.3])
    assert keepers(["", "0.jpg", "0.jpg"], np.array([0, 1, 1]), rows).tolist() == ["", "", "1.jpg"]


def test_of_equally_sharp_copies_the_largest_stays():
    rows = pictures(3, sharpness=1.0, contrast=0.2, width=[90, 30, 60], height=20)
    assert keepers(["", "0.jpg", "0.jpg"], np.array([0, 1, 1]), rows).tolist() == ["", "2.jpg", ""]


def test_a_chain_ends_at_the_best():
    found = keepers(["", "0.jpg", "1.jpg", "2.jpg"], np.zeros(4, int), pictures(4))
    assert found.tolist() == ["", "0.jpg", "0.jpg", "0.jpg"]


def test_copies_of_a_picture_that_is_not_there_keep_one():
    assert keepers(["gone.jpg", "gone.jpg"], np.zeros(2, int), pictures(2)).tolist() == ["", "0.jpg"]


def test_unclustered_copies_keep_one_too():
    assert keepers(["", "0.jpg", "0.jpg"], np.array([0, -1, -1]), pictures(3)).tolist() == ["", "", "1.jpg"]


@given(st.data())
def test_every_cluster_has_a_picture_to_show_and_copies_name_one_of_their_own(data):
    n = data.draw(st.integers(1, 30))
    clusters = np.array(data.draw(st.lists(st.integers(-1, 4), min_size=n, max_size=n)))
    named = data.draw(st.lists(st.sampled_from(["", "gone.jpg", *paths(n)]), min_size=n, max_size=n))
    sharpness = data.draw(st.lists(st.sampled_from([0.5, 2.0, np.nan]), min_size=n, max_size=n))
    table = pictures(n, sharpness=sharpness, contrast=0.2)
    table = table.assign(cluster=clusters, duplicate_of=keepers(named, clusters, table))
    shown = table[table["duplicate_of"] == ""].set_index("path")["cluster"]
    assert set(shown) == set(clusters)
    copies = table[table["duplicate_of"] != ""]
    assert copies["duplicate_of"].map(shown).tolist() == copies["cluster"].tolist()
    alone = [name for name in paths(n) if name not in named and named[paths(n).index(name)] in ("", name)]
    assert set(alone) <= set(shown.index)
