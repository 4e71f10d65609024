"""Trips: days away from the places where somebody usually is."""

import numpy as np
import pandas as pd

from clustering_assets.clustering.events import find_events
from clustering_assets.clustering.trips import NO_TRIP, trips

HOME, ROME, NAPLES = (50.11, 8.68), (41.89, 12.49), (40.85, 14.27)
UNKNOWN = (float("nan"), float("nan"))


def trips_of(*days: tuple[int, tuple[float, float]]) -> list[int]:
    """The trips of pictures, one on each of these days at these places."""
    numbers = np.array([day for day, _ in days])
    north, east = (pd.Series([place[axis] for _, place in days]) for axis in (0, 1))
    return trips(numbers, np.arange(len(days)), north, east).tolist()


AT_HOME = [(day, HOME) for day in range(0, 120, 10)]


def test_days_away_from_the_usual_place_are_a_trip_from_place_to_place():
    away = [(200, ROME), (201, ROME), (203, NAPLES), (220, ROME)]
    assert trips_of(*AT_HOME, *away) == [NO_TRIP] * 12 + [0, 0, 0, 1]


def test_a_day_at_home_divides_two_trips():
    assert trips_of(*AT_HOME, (200, ROME), (201, HOME), (202, ROME))[-3:] == [0, NO_TRIP, 1]


def test_days_of_which_the_place_is_not_known_belong_to_the_trip_they_lie_in():
    assert trips_of(*AT_HOME, (200, ROME), (201, UNKNOWN), (202, ROME), (203, UNKNOWN))[-4:] == [
        0,
        0,
        0,
        NO_TRIP,
    ]


def test_without_a_usual_place_there_are_no_trips():
    assert trips_of((0, ROME), (1, NAPLES), (2, HOME)) == [NO_TRIP] * 3
    assert trips_of((0, UNKNOWN), (1, UNKNOWN)) == [NO_TRIP] * 2


def test_a_usual_place_at_the_date_line_is_one_place():
    either_side = [(day, (-17.0, 179.99 if day % 20 else -179.99)) for day in range(0, 120, 10)]
    assert trips_of(*either_side, (130, (-17.0, 178.0)))[-2:] == [NO_TRIP, 0]


def test_a_trip_is_one_event_also_with_a_day_without_pictures_and_ends_at_home():
    days = [f"2024-{month:02d}-{day:02d}" for month in (1, 2, 3) for day in (3, 17)]
    days += ["2024-05-14", "2024-05-15", "2024-05-17", "2024-05-18"]
    places = [HOME] * 6 + [ROME] * 3 + [HOME]
    times = pd.Series(
        [pd.Timestamp(day) + pd.Timedelta(hours=12, minutes=n) for day in days for n in range(20)]
    )
    north, east = (pd.Series(np.repeat([place[axis] for place in places], 20)) for axis in (0, 1))
    labels, events = find_events(times, north, east)
    assert len(events) == 8
    assert [f"{day:%d}" for day in events[6][:2]] == ["14", "17"] and (labels == 6).sum() == 60
