"""Events: pictures of days that belong together, by how many were taken and where."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clustering_assets.clustering.trips import NO_TRIP, trips

DAY_BEGINS = pd.Timedelta(hours=4)
"""What is taken after midnight belongs to the evening before."""

QUIET = 60
"""Days without a picture that count, at most, so that the years between two events weigh no more than months."""

NOISE = 0.5
"""Least standard deviation of the logarithm of pictures a day that is taken for chance."""

LONGEST, OFTEN = 28, 0.5
"""Where somebody photographs as much as ever for more days than this, on at least this share of them, it is no event
but everyday life; neither is any other stretch on which they took no more."""

ENOUGH = 6
"""Fewest pictures that are an event; what is less is put together by month, and where that is not enough, by year."""


def find_events(
    times: pd.Series, latitude: pd.Series, longitude: pd.Series
) -> tuple[NDArray[np.int64], dict[int, tuple[pd.Timestamp, pd.Timestamp, str]]]:
    """Which event each picture belongs to.

    How much somebody photographs is followed from day to day: an event is a run of days without a pause on which as
    many pictures were taken, more or fewer than before and after (`even_stretches`). So it adapts to people who take
    pictures on occasions alone and to such as take some every day. Where it is known where pictures were taken, the
    days of a trip belong together, and no event holds days at home and away. Everyday life, and what is too little
    for an event, is put together by month.

    Args:
        times: (n,) when each picture was taken, local time; NaT where that is not known.
        latitude: (n,) degrees north; NaN where not known.
        longitude: (n,) degrees east.

    Returns:
        (n,) numbers of events in the order of time, -1 where the time is not known, and for each its first and last day
        and what those are: `day`, `month` or `year`.
    """
    known = times.notna().to_numpy()
    if not known.any():
        return np.full(len(times), -1), {}
    day = (times[known] - DAY_BEGINS).dt.floor("D")
    number = (day - pd.Timestamp(0)).dt.days.to_numpy()
    days, place, counts = np.unique(number, return_inverse=True, return_counts=True)
    runs = _runs(days, counts, trips(days, place, latitude[known], longitude[known]))[place]
    month = day.dt.year.to_numpy() * 12 + day.dt.month.to_numpy() - 1
    keys = np.stack([np.zeros_like(runs), runs], axis=1)  # the kind of group, and which
    keys[runs < 0] = np.stack([np.ones_like(month), month], axis=1)[runs < 0]
    for kind, wider in ((1, month), (2, month // 12)):
        _, group, size = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
        small = size[group.ravel()] < ENOUGH
        keys[small] = np.stack([np.full_like(wider, kind), wider], axis=1)[small]
    _, group = np.unique(keys, axis=0, return_inverse=True)
    return _in_order(known, day, group.ravel(), keys[:, 0])


def _in_order(
    known: NDArray[np.bool_], day: pd.Series, group: NDArray[np.intp], kind: NDArray[np.integer]
) -> tuple[NDArray[np.int64], dict[int, tuple[pd.Timestamp, pd.Timestamp, str]]]:
    """The groups numbered by their first days, and what is known of each."""
    facts = pd.DataFrame({"day": day.to_numpy(), "kind": kind}).groupby(group)
    first, last, kinds = facts["day"].min(), facts["day"].max(), facts["kind"].first()
    order = np.lexsort((kinds.to_numpy(), first.to_numpy()))
    rank = np.argsort(order)
    labels = np.full(len(known), -1)
    labels[known] = rank[group]
    return labels, {
        position: (first.iloc[old], last.iloc[old], ("day", "month", "year")[kinds.iloc[old]])
        for position, old in enumerate(order)
    }


def _runs(
    days: NDArray[np.integer], counts: NDArray[np.integer], trip: NDArray[np.integer]
) -> NDArray[np.int64]:
    """The number of the run that each day belongs to; -1 for everyday life.

    Args:
        days: (d,) numbers of the days with pictures, ascending.
        counts: (d,) pictures of each.
        trip: (d,) number of the trip that each belongs to, or `NO_TRIP`.
    """
    stretch = even_stretches(days, counts)
    same = (trip[1:] == trip[:-1]) & (
        (trip[1:] != NO_TRIP) | ((stretch[1:] == stretch[:-1]) & (_steps(days) == 1))
    )
    run = np.concatenate([[0], np.cumsum(~same)])
    first, used = np.unique(stretch, return_index=True, return_counts=True)[1:]
    span = days[first + used - 1] - days[first] + 1
    level = np.bincount(stretch, np.log1p(counts)) / span
    lasting = (span > LONGEST) & (used >= OFTEN * span)
    everyday = level <= level[lasting].max(initial=-np.inf) + NOISE
    return np.where(everyday[stretch] & (trip == NO_TRIP), -1, run)


def even_stretches(days: NDArray[np.integer], counts: NDArray[np.integer]) -> NDArray[np.int64]:
    """The days divided into stretches in each of which about as many pictures are taken a day.

    The logarithm of the pictures a day is taken for constant in a stretch but for chance, and the division is the one
    with the least sum of squares with a penalty for each stretch (Schwarz's criterion), found by dynamic programming
    (Jackson et al., 2005, doi 10.1109/LSP.2001.838216). Cooper et al. (2005, doi 10.1145/1083314.1083317) choose
    events by the same criterion among those that gaps of time propose.

    Args:
        days: (d,) numbers of the days with pictures, ascending.
        counts: (d,) pictures of each.

    Returns:
        (d,) numbers of stretches, from 0 in the order of time.
    """
    place = np.concatenate([[0], np.cumsum(np.minimum(_steps(days), QUIET))])
    value = np.zeros(place[-1] + 1)
    value[place] = np.log1p(counts)
    n = len(value)
    spread = max(NOISE, _noise(np.diff(value)), _noise(np.diff(np.log1p(counts))[np.diff(days) == 1]))
    penalty = 2 * np.log(n)
    total, squares = (np.concatenate([[0], np.cumsum(v)]) for v in (value, value**2))
    cost, begins = np.zeros(n + 1), np.zeros(n + 1, dtype=np.int64)
    for end in range(1, n + 1):
        start = np.arange(end)
        left = squares[end] - squares[start] - (total[end] - total[start]) ** 2 / (end - start)
        sums = cost[:end] + left / spread**2 + penalty
        begins[end] = sums.argmin()
        cost[end] = sums[begins[end]]
    edge = np.zeros(n, dtype=np.int64)
    end = n
    while end:
        end = begins[end]
        edge[end] = 1
    return np.unique(np.cumsum(edge)[place], return_inverse=True)[1]


def _steps(days: NDArray[np.integer]) -> NDArray[np.integer]:
    """From each day with pictures to the next; one day of rest beside two in a row does not count."""
    steps = np.diff(days)
    beside = np.concatenate([[0], steps, [0]]) == 1
    return np.where((steps == 2) & (beside[:-2] | beside[2:]), 1, steps)


def _noise(steps: NDArray[np.floating]) -> float:
    """The standard deviation of what differs by `steps` from one to the next, from their median (robust)."""
    return float(1.4826 * np.median(np.abs(steps)) / np.sqrt(2)) if len(steps) > 2 else 0.0
