"""The order of a film: time where it is known, else a short path on which the music changes."""

import numpy as np
import pandas as pd

from clustering_assets.video.sequence import Scene, in_sequence


def scene(number, *taken, look=None, track=""):
    times = pd.Series(pd.to_datetime([*taken] or [None]))
    return Scene(number, times, None if look is None else np.array(look, float), track)


def test_scenes_come_in_the_order_of_time_and_those_without_one_behind():
    scenes = [scene(0, "2024-05-03"), scene(1), scene(2, "2024-05-01", "2024-05-02", "2030-01-01"), scene(-1)]
    assert in_sequence(scenes) == [2, 0, 1, 3]


def test_without_dates_alike_scenes_follow_each_other_from_the_largest():
    looks = {0: [1, 0], 1: [0, 1], 2: [0.9, 0.4]}
    scenes = [scene(number, look=look) for number, look in looks.items()]
    scenes[0] = scene(0, None, None, look=looks[0])
    assert in_sequence(scenes) == [0, 2, 1]


def test_neighbours_rather_have_different_music():
    scenes = [
        scene(0, None, None, look=[1, 0, 0], track="a"),
        scene(1, look=[1, 0.2, 0], track="a"),
        scene(2, look=[1, 0, 0.9], track="b"),
        scene(-1, look=[1, 0, 0], track="a"),
    ]
    assert in_sequence(scenes) == [0, 2, 1, 3]


def test_music_that_repeats_is_parted_along_a_path_however_unlike_the_scenes_are():
    looks = [[1, 0, 0], [1, 0.01, 0], [1, 0.02, 0], [-1, 0, 0], [-1, 0.01, 0]]
    scenes = [
        scene(number, *[None] * (3 - number), look=look, track="aaabb"[number])
        for number, look in enumerate(looks)
    ]
    order = in_sequence(scenes)
    assert order[0] == 0 and [scenes[place].track for place in order] == list("ababa")


def test_in_time_one_of_the_same_while_comes_between_two_of_the_same_music():
    spring, all_year, autumn = (
        ("2024-04-01", "2024-05-01"),
        ("2024-01-01", "2024-06-15", "2024-12-01"),
        ("2024-09-01", "2024-09-20"),
    )
    scenes = [scene(0, *spring, track="a"), scene(1, *spring, track="a"), scene(2, *all_year, track="b")]
    assert in_sequence(scenes) == [0, 2, 1]
    apart = [*scenes[:2], scene(2, *autumn, track="b")]
    assert in_sequence(apart) == [0, 1, 2], "what came later stays behind"
    silent = [scene(number, *spring) for number in range(2)] + [scene(2, *all_year, track="b")]
    assert in_sequence(silent) == [0, 1, 2]
    before = [scene(0, *all_year, track="b"), scene(1, *autumn, track="a"), scene(2, *autumn, track="a")]
    assert in_sequence(before) == [1, 0, 2]


def test_scenes_of_which_nothing_is_known_stay_as_they_are():
    assert in_sequence([scene(0), scene(1)]) == [0, 1]
    assert in_sequence([scene(-1)]) == [0]
