"""Trips: days away from the places where somebody is usually."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

EARTH = 6371.0
"""Mean radius of the earth, in kilometres."""

NEAR, AWAY = 25.0, 50.0
"""Kilometres: what is nearer is the same place; what is farther from every usual place is away."""

MONTHS = 3
"""A place is usual where pictures were taken in at least so many different months."""

PAUSE = 4
"""Days from one picture of a trip to the next, at most."""

NO_TRIP = -1


def trips(
    days: NDArray[np.integer], place: NDArray[np.integer], latitude: pd.Series, longitude: pd.Series
) -> NDArray[np.int64]:
    """The trip that each day belongs to, by distance to the usual places.

    That time and place together divide a collection as people would is due to Naaman et al. (2004,
    doi 10.1145/996350.996366). Days of which it is not known where they were spent belong to the trip that they lie
    in.

    Args:
        days: (d,) numbers of the days with pictures, ascending.
        place: (n,) position in `days` of the day of each picture.
        latitude: (n,) degrees north of each picture; NaN where not known.
        longitude: (n,) degrees east.

    Returns:
        (d,) numbers of trips, `NO_TRIP` for days that belong to none: all of them where no place is usual.
    """
    north, east = np.radians(latitude.to_numpy(float)), np.radians(longitude.to_numpy(float))
    found = pd.DataFrame({"day": place, "north": north, "cos": np.cos(east), "sin": np.sin(east)}).dropna()
    trip = np.full(len(days), NO_TRIP)
    if found.empty:
        return trip
    where = found.groupby("day").median()
    located = where.index.to_numpy()
    points = np.column_stack([where["north"], np.arctan2(where["sin"], where["cos"])])
    away = _away(points, days[located])
    number, last = NO_TRIP, None
    for today, gone in zip(located, away, strict=True):
        if not gone:
            last = None
            continue
        if last is None or np.diff(days[last : today + 1]).max() > PAUSE:
            number, last = number + 1, today
        trip[last : today + 1] = number
        last = today
    return trip


def _away(points: NDArray[np.floating], days: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Which of the places, one a day, are away from all usual ones; none where there is no usual one.

    Args:
        points: (d, 2) latitude and longitude, in radians.
        days: (d,) numbers of the days.
    """
    from sklearn.neighbors import BallTree

    months = pd.to_datetime(days, unit="D").to_period("M").asi8
    cells, cell = np.unique(points.round(3), axis=0, return_inverse=True)  # about 6 km
    tree = BallTree(cells, metric="haversine")
    seen = pd.Series(months).groupby(cell.ravel()).agg(set)
    near = tree.query_radius(cells, NEAR / EARTH)
    usual = [len(set().union(*seen.loc[others])) >= MONTHS for others in near]
    if not any(usual):
        return np.zeros(len(points), dtype=bool)
    distance, _ = BallTree(cells[usual], metric="haversine").query(points, 1)
    return distance[:, 0] > AWAY / EARTH
