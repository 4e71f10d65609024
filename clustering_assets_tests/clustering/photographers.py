"""Photographers made up for tests and benchmarks: when, where and with what they took pictures, and what of it belongs
together."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

HOME = (50.11, 8.68)


@dataclass(frozen=True)
class Habits:
    """How somebody photographs.

    Attributes:
        snaps: Everyday pictures a day; those of a month belong together.
        parties, weekends, holidays: How many occasions of each kind there are, of 1, 2 to 3 and 5 to 14 days.
        pace: Pictures a day on occasions, as a factor.
        rest: Share of the days of holidays without a picture.
        days: Over how many days all of this is spread.
        located: Share of the pictures with coordinates.
        second: Share of the pictures on occasions that a second camera took.
        shift: How far its clock is off, in hours.
        never_set: Its clock counts from the first of January 2010, when it was first used.
        seed: Seed of it all.
    """

    snaps: float = 0.0
    parties: int = 10
    weekends: int = 4
    holidays: int = 2
    pace: float = 1.0
    rest: float = 0.1
    days: int = 540
    located: float = 0.0
    second: float = 0.0
    shift: float = 0.0
    never_set: bool = False
    seed: int = 0


PEOPLE = {
    "on occasions only": Habits(),
    "quiet months": Habits(parties=5, weekends=1, holidays=1, days=900, snaps=0.05),
    "a few every day": Habits(snaps=3),
    "many every day": Habits(snaps=12, pace=2),
    "every day, with places": Habits(snaps=3, located=0.9),
    "often away, with places": Habits(snaps=1, parties=4, weekends=10, holidays=4, located=0.7),
    "by profession": Habits(parties=90, weekends=0, holidays=1, pace=5, days=365),
    "two cameras, one 7 hours off": Habits(snaps=1, second=0.4, shift=7),
    "two cameras, one a month off": Habits(snaps=1, second=0.4, shift=31 * 24 + 3),
    "two cameras, one never set": Habits(snaps=1, second=0.4, never_set=True),
}
"""What they are called, and their habits."""


def pictures_of(habits: Habits) -> pd.DataFrame:
    """What somebody took: `path`, `content_hash`, `taken_at`, `camera`, `latitude` and `longitude` as in a manifest.

    And `right` (when it was taken in truth) and `occasion` (the number of what it belongs to).
    """
    random = np.random.default_rng(habits.seed)
    rows: list[tuple[pd.Timestamp, tuple[float, float], int, bool]] = []
    start = pd.Timestamp("2022-03-01")
    kinds = ["party"] * habits.parties + ["weekend"] * habits.weekends + ["holiday"] * habits.holidays
    random.shuffle(kinds)
    free = habits.days / max(len(kinds), 1)
    begins = [start + pd.Timedelta(days=int((i + random.uniform(0, 0.6)) * free)) for i in range(len(kinds))]
    away: set[int] = set()
    until = start
    for number, (kind, begin) in enumerate(zip(kinds, begins, strict=True)):
        length = {"party": 1, "weekend": random.integers(2, 4), "holiday": random.integers(5, 15)}[kind]
        begin = max(begin, until)
        until = begin + pd.Timedelta(days=int(length) + 1)
        place = HOME if kind == "party" else (random.uniform(36, 62), random.uniform(-9, 25))
        for day in range(int(length)):
            away.add((begin - start).days + day)
            if kind == "holiday" and random.random() < habits.rest:
                continue
            count = max(4, round(habits.pace * random.lognormal(3.6, 0.5)))
            rows += [(t, place, number, True) for t in _day(begin + pd.Timedelta(days=day), count, random)]
    for day in sorted(set(range(habits.days)) - away):
        today = start + pd.Timedelta(days=day)
        month = 10_000 + 12 * today.year + today.month
        rows += [(t, HOME, month, False) for t in _snaps(today, random.poisson(habits.snaps), random)]
    return _table(rows, habits, random)


def _day(day: pd.Timestamp, count: int, random: np.random.Generator) -> list[pd.Timestamp]:
    """Pictures of a full day: two to four sittings, in each of them bursts with pauses between."""
    sittings = np.sort(random.uniform(9, 20, random.integers(2, 5)))
    times = []
    for part, sitting in zip(np.array_split(np.arange(count), len(sittings)), sittings, strict=True):
        pauses = np.where(
            random.random(len(part)) < 0.6,
            random.exponential(8, len(part)),
            random.exponential(400, len(part)),
        )
        seconds = np.minimum(np.cumsum(pauses), 4 * 3600)
        times += [day + pd.Timedelta(hours=float(sitting), seconds=float(s)) for s in seconds]
    return times


def _snaps(day: pd.Timestamp, count: int, random: np.random.Generator) -> list[pd.Timestamp]:
    return [day + pd.Timedelta(hours=float(hour)) for hour in random.uniform(7, 23, count)]


def _table(rows: list, habits: Habits, random: np.random.Generator) -> pd.DataFrame:
    rows = sorted(rows, key=lambda row: row[0])
    right = pd.to_datetime([row[0].floor("s") for row in rows]).as_unit("ns")
    second = np.array([row[3] for row in rows]) & (random.random(len(rows)) < habits.second)
    taken = right.to_series(index=range(len(rows)))
    taken[second] += pd.Timedelta(hours=habits.shift)
    if habits.never_set:
        taken[second] += pd.Timestamp("2010-01-01 00:02") - taken[second].min()
    places = np.array([row[1] for row in rows]) + random.normal(0, 0.02, (len(rows), 2))
    places[second | (random.random(len(rows)) >= habits.located)] = np.nan
    return pd.DataFrame(
        {
            "path": [f"{number:05d}.jpg" for number in range(len(rows))],
            "content_hash": [f"{random.integers(2**62):032x}" for _ in rows],
            "taken_at": taken,
            "camera": np.where(second, "Acme Two", "Acme One"),
            "latitude": places[:, 0],
            "longitude": places[:, 1],
            "right": right,
            "occasion": [row[2] for row in rows],
        }
    )
