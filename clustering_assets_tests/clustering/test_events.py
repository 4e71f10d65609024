"""Events from the times of pictures: what people of different habits would call one."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score

from clustering_assets.clustering.clocks import believed_times
from clustering_assets.clustering.events import even_stretches, find_events
from clustering_assets_tests.clustering.photographers import PEOPLE, pictures_of

NOWHERE = float("nan")


def found(*sittings: tuple[str, int], place: tuple[float, float] = (NOWHERE, NOWHERE)):
    """The events of pictures that were taken a minute apart, so many from each time."""
    times = pd.Series(
        [pd.Timestamp(start) + pd.Timedelta(minutes=n) for start, count in sittings for n in range(count)]
    )
    labels, events = find_events(times, times.map(lambda _: place[0]), times.map(lambda _: place[1]))
    sizes = np.bincount(labels)
    return [
        (f"{first:%Y-%m-%d}", f"{last:%Y-%m-%d}", kind, int(sizes[n]))
        for n, (first, last, kind) in events.items()
    ]


@pytest.mark.parametrize(("name", "least"), [(name, 0.85) for name in PEOPLE])
def test_events_of_generated_photographers_are_those_they_took_pictures_of(name, least):
    pictures = pictures_of(replace(PEOPLE[name], seed=40))
    times, _ = believed_times(pictures)
    labels, _ = find_events(times, pictures["latitude"], pictures["longitude"])
    assert adjusted_rand_score(pictures["occasion"], labels) > least


def test_days_in_a_row_are_one_event_and_days_without_pictures_end_it():
    assert found(("2024-05-14 10:00", 30), ("2024-05-15 09:00", 40), ("2024-05-18 10:00", 30)) == [
        ("2024-05-14", "2024-05-15", "day", 70),
        ("2024-05-18", "2024-05-18", "day", 30),
    ]


def test_a_day_of_rest_beside_two_in_a_row_ends_no_event():
    assert len(found(("2024-05-14 10:00", 30), ("2024-05-15 09:00", 40), ("2024-05-17 10:00", 30))) == 1
    assert len(found(("2024-05-14 10:00", 30), ("2024-05-16 09:00", 40))) == 2


def test_the_night_belongs_to_the_evening_before():
    assert found(("2023-12-31 22:00", 200), ("2024-06-01 12:00", 10)) == [
        ("2023-12-31", "2023-12-31", "day", 200),
        ("2024-06-01", "2024-06-01", "day", 10),
    ]


def test_a_day_of_many_pictures_stands_out_of_everyday_ones():
    everyday = [(f"{day:%Y-%m-%d} 12:00", 2) for day in pd.date_range("2024-03-01", "2024-04-30")]
    events = found(*everyday[:20], ("2024-03-21 10:00", 90), *everyday[21:])
    assert events == [
        ("2024-03-01", "2024-03-31", "month", 60),
        ("2024-03-21", "2024-03-21", "day", 90),
        ("2024-04-01", "2024-04-30", "month", 60),
    ]


def test_what_is_too_little_for_an_event_is_put_together_by_month_and_then_by_year():
    assert found(
        ("2023-02-01 12:00", 4),
        ("2023-02-20 12:00", 4),
        ("2023-05-05 12:00", 2),
        ("2023-09-09 12:00", 3),
        ("2024-08-01 12:00", 1),
    ) == [
        ("2023-02-01", "2023-02-20", "month", 8),
        ("2023-05-05", "2023-09-09", "year", 5),
        ("2024-08-01", "2024-08-01", "year", 1),
    ]


def test_pictures_without_a_time_have_no_event():
    times = pd.Series(pd.to_datetime(["2024-05-14 10:00", None]))
    labels, events = find_events(times, times.map(lambda _: NOWHERE), times.map(lambda _: NOWHERE))
    assert labels.tolist() == [0, -1] and list(events) == [0]
    assert find_events(times[1:], times[1:], times[1:])[1] == {}


def test_years_between_two_events_cost_no_time():
    assert found(("1954-07-01 12:00", 30), ("2024-07-01 12:00", 30))[1][:2] == ("2024-07-01", "2024-07-01")


def test_stretches_are_told_by_pictures_a_day():
    days = np.arange(60)
    counts = np.where((days >= 30) & (days < 34), 80, 3)
    assert np.flatnonzero(np.diff(even_stretches(days, counts))).tolist() == [29, 33]


def test_the_order_of_the_rows_says_nothing():
    pictures = pictures_of(PEOPLE["a few every day"])
    mixed = pictures.sample(frac=1, random_state=1)
    labels = [
        find_events(table["taken_at"], table["latitude"], table["longitude"])[0]
        for table in (pictures, mixed)
    ]
    assert labels[0][mixed.index.to_numpy()].tolist() == labels[1].tolist()
