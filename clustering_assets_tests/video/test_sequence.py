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


def test_scenes_of_which_nothing_is_known_stay_as_they_are():
    assert in_sequence([scene(0), scene(1)]) == [0, 1]
    assert in_sequence([scene(-1)]) == [0]
