"""Which pictures are shown, and in what order."""

import numpy as np
import pandas as pd
import pytest

from clustering_assets.video.selection import choose, short_path


def table(count: int, **columns) -> pd.DataFrame:
    return pd.DataFrame({"path": [f"{n:03d}.jpg" for n in range(count)], "duplicate_of": "", **columns})


def groups(sizes: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Vectors around a few well separated directions."""
    rng = np.random.default_rng(seed)
    centres = np.eye(len(sizes), 16)
    return np.concatenate(
        [centre + 0.08 * rng.normal(size=(size, 16)) for centre, size in zip(centres, sizes, strict=True)]
    )


def test_no_more_pictures_are_chosen_than_wanted():
    assert len(choose(table(50), groups((30, 20)), most=7).rows) == 7
    assert len(choose(table(5), groups((3, 2)), most=7).rows) == 5


def test_near_duplicates_stay_out():
    images = table(6)
    images.loc[[1, 4], "duplicate_of"] = "000.jpg"
    assert set(choose(images, groups((3, 3)), most=10).rows) == {0, 2, 3, 5}


def test_every_group_of_a_varied_cluster_is_represented():
    vectors = groups((60, 5, 3, 2))
    of = np.repeat(range(4), (60, 5, 3, 2))
    assert {int(of[row]) for row in choose(table(70), vectors, most=8).rows} == {0, 1, 2, 3}


def test_the_video_begins_with_the_medoid():
    vectors = groups((9, 4))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    medoid = int((unit @ unit.T).sum(axis=0).argmax())
    assert choose(table(13), vectors, most=13).rows[0] == medoid


def test_neighbours_in_the_video_are_more_alike_than_in_file_order():
    rng = np.random.default_rng(4)
    vectors = groups((10, 10, 10))[rng.permutation(30)]
    choice = choose(table(30), vectors, most=30)
    assert choice.mean_step is not None
    assert choice.file_order_step is not None
    assert choice.mean_step < 0.5 * choice.file_order_step


def test_the_order_of_the_rows_makes_no_difference():
    images, vectors = table(25), groups((15, 10))
    turn = np.random.default_rng(1).permutation(25)
    plain = images["path"].iloc[list(choose(images, vectors, most=9).rows)].tolist()
    moved = images.iloc[turn].reset_index(drop=True)
    assert moved["path"].iloc[list(choose(moved, vectors[turn], most=9).rows)].tolist() == plain


def test_pictures_follow_the_time_taken_where_that_is_wanted():
    times = pd.to_datetime(pd.Series(["2021-03-01", "2020-01-01", "2022-01-01", None, "2019-05-05"]))
    choice = choose(table(5, taken_at=times), groups((3, 2)), most=5, order="time")
    assert choice.rows == (4, 1, 0, 2, 3)
    assert choice.order == "time"


def test_where_few_times_are_known_the_order_is_visual_after_all():
    times = pd.to_datetime(pd.Series(["2021-03-01", None, None, None, "2019-05-05"]))
    assert choose(table(5, taken_at=times), groups((3, 2)), most=5, order="time").order == "visual"


def test_without_vectors_the_most_typical_are_shown():
    choice = choose(table(5, typicality=[0.1, 0.9, 0.5, 0.8, float("nan")]), None, most=3)
    assert set(choice.rows) == {1, 2, 3}


def test_nothing_is_chosen_from_nothing():
    assert choose(table(0), np.zeros((0, 4)), most=3).rows == ()


@pytest.mark.parametrize("seed", range(5))
def test_a_short_path_visits_each_point_once_and_is_nearly_the_shortest(seed):
    from itertools import permutations

    points = np.random.default_rng(seed).random((7, 2))
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    path = short_path(distances)
    assert sorted(path) == list(range(7))
    assert path[0] == 0

    def length(order):
        return distances[order[:-1], order[1:]].sum()

    best = min(length(np.array([0, *rest])) for rest in permutations(range(1, 7)))
    assert length(path) <= 1.1 * best


def test_what_must_be_shown_is_shown_and_the_cover_comes_first():
    images = table(40, choice="")
    images.loc[[3, 17, 30], "choice"] = ["must", "cover", "must"]
    for vectors in (groups((30, 10)), None):
        for most in (2, 6):
            rows = choose(images, vectors, most=most).rows
            assert rows[0] == 17 and {3, 17, 30} <= set(rows)
            assert len(rows) == max(most, 3) == len(set(rows))


def test_pictures_that_must_be_shown_leave_the_medoid_of_those_shown_at_the_beginning():
    vectors = groups((9, 4))
    images = table(13, choice="")
    images.loc[12, "choice"] = "must"
    assert choose(images, vectors, most=13).rows[0] == choose(table(13), vectors, most=13).rows[0]
