"""Clocks of cameras: those that are off are put right, and dates that cannot be are not believed."""

import numpy as np
import pandas as pd
import pytest

from clustering_assets.clustering.clocks import believed_times
from clustering_assets_tests.clustering.photographers import PEOPLE, Habits, pictures_of


@pytest.mark.parametrize("name", [name for name in PEOPLE if name.startswith("two cameras")])
def test_a_camera_that_is_off_against_the_other_is_moved_and_told(name):
    pictures = pictures_of(PEOPLE[name])
    times, notes = believed_times(pictures)
    assert (times - pictures["right"]).abs().max() <= pd.Timedelta(minutes=40)
    assert len(notes) == 1 and notes[0].startswith("the clock of Acme Two was ")


def test_how_far_a_clock_is_off_is_told_in_hours_or_days():
    _, notes = believed_times(pictures_of(PEOPLE["two cameras, one 7 hours off"]))
    assert "7 hours ahead of the others'" in notes[0]
    _, notes = believed_times(pictures_of(PEOPLE["two cameras, one a month off"]))
    assert "31.1 days ahead of the others'" in notes[0]


@pytest.mark.parametrize("name", [name for name in PEOPLE if not name.startswith("two cameras")])
def test_cameras_that_are_right_stay_however_they_are_used(name):
    pictures = pictures_of(PEOPLE[name])
    random = np.random.default_rng(0)
    a_second_one_later = np.arange(len(pictures)) > 0.6 * len(pictures)
    one_for_occasions = pictures["occasion"].isin(random.choice(pictures["occasion"].unique(), 8))
    both_at_random = random.random(len(pictures)) < 0.3
    for other in (a_second_one_later, one_for_occasions, both_at_random):
        told = pictures.assign(camera=np.where(other, "Acme Two", "Acme One"))
        times, notes = believed_times(told)
        assert notes == [] and times.equals(pictures["taken_at"])


def test_the_camera_with_places_is_right_though_it_took_less():
    pictures = pictures_of(Habits(second=0.7, shift=-9, located=1.0, seed=3))
    times, notes = believed_times(pictures)
    assert (times - pictures["right"]).abs().max() <= pd.Timedelta(minutes=40)
    assert "9 hours behind the others'" in notes[0]


def table(*taken: str | None, newest: str = "2024-08-01") -> pd.DataFrame:
    return pd.DataFrame(
        {"taken_at": [pd.Timestamp(one) for one in taken], "mtime_ns": pd.Timestamp(newest).value}
    )


def test_dates_that_cannot_be_are_not_believed_and_told():
    times, notes = believed_times(
        table("2024-05-14 10:00", "1980-01-01 00:03", "2031-05-14", None, "2024-08-02", "1954-07-01")
    )
    assert times.notna().tolist() == [True, False, False, False, True, True]
    assert notes == [
        "no date that can be believed: 1 image without one, 1 image of a clock that was never set and 1 image dated "
        "after the newest file; they are where the images are that look most like them"
    ]


def test_files_that_are_older_than_most_pictures_say_nothing():
    times, notes = believed_times(table("2024-05-14", "2024-05-15", "2024-05-16", newest="1980-01-01"))
    assert times.notna().all() and notes == []


def test_a_manifest_of_dates_alone_will_do():
    times, _ = believed_times(pd.DataFrame({"taken_at": pd.to_datetime(["2024-05-14"])}))
    assert times.notna().all()
