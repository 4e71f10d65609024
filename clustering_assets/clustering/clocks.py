"""When pictures were taken, as far as the clocks of their cameras can be believed."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clustering_assets.words import counted, listed

SLOT = pd.Timedelta(minutes=30)
"""Cameras are compared by the half hours in which they took something."""

UNSET = ("1970-01-01", "1980-01-01")
"""Days on which clocks begin that nobody has set."""

LATE = pd.Timedelta(days=2)
"""How long after the folder's newest file a picture may have been taken; beyond, its date is an error."""

FEWEST, DAYS, FAR_DAYS = 12, 3, 6
"""Half hours and days in which a camera must have been used for its clock to be corrected, and days for `FAR`."""

FAR = pd.Timedelta(hours=26)
"""What a time zone, a half of the day or a slip by one day can explain; more needs more evidence."""

SAME = 0.6
"""Least share of a camera's half hours in which the others were used too, once its clock is put right."""

LEAD = 1.5
"""How many times more half hours must agree than at any other shift, also than as the clock stands."""

SAMPLE = 200
"""Half hours of a camera that are compared, at most."""


def believed_times(images: pd.DataFrame) -> tuple[pd.Series, list[str]]:
    """When each picture was taken, in local time, and what a person should know of it.

    A camera whose clock is off against the others is found by when they were used: people who take several along use
    them in the same half hours. Its pictures are moved by the shift at which most of its half hours coincide with those
    of the others (the peak of the cross-correlation of their activity), if that is far beyond chance. Dates of clocks
    that were never set, and such as lie after the folder's newest file, are not believed.

    Args:
        images: n rows with `taken_at`; `camera`, `latitude` and `mtime_ns` are used where they are there.

    Returns:
        (n,) times, NaT where there is none that can be believed, and notes.
    """
    times = (
        pd.to_datetime(images["taken_at"], errors="coerce").reset_index(drop=True).astype("datetime64[ns]")
    )
    notes = []
    for camera, rows, shift in _shifts(times, images):
        times[rows] += shift
        direction = "behind" if shift > pd.Timedelta(0) else "ahead of"
        notes.append(
            f"the clock of {camera} was {_length(abs(shift))} {direction} the others': "
            f"its {counted(int(rows.sum()), 'image')} were moved by that"
        )
    unset = times.dt.strftime("%Y-%m-%d").isin(UNSET)
    late = _late(times, images)
    reasons = [
        f"{counted(int(where.sum()), 'image')} {why}"
        for where, why in (
            (times.isna(), "without one"),
            (unset, "of a clock that was never set"),
            (late & ~unset, "dated after the newest file"),
        )
        if where.any()
    ]
    times = times.mask(unset | late)
    if reasons and times.notna().any():
        notes.append(
            f"no date that can be believed: {listed(reasons)}; they are where the images are that look most like them"
        )
    return times, notes


def _late(times: pd.Series, images: pd.DataFrame) -> pd.Series:
    """Which dates lie after the newest file; none if most do, for then it is the files' times that are wrong."""
    if "mtime_ns" not in images or images.empty:
        return pd.Series(False, times.index)
    late = times > pd.Timestamp(int(images["mtime_ns"].max())) + LATE
    return late & (2 * late.sum() < times.notna().sum())


def _shifts(times: pd.Series, images: pd.DataFrame) -> Iterator[tuple[str, NDArray[np.bool_], pd.Timedelta]]:
    """Camera, rows and shift of each camera whose clock is off.

    The one with most coordinates, whose clock satellites or a network set, or else the one used most is right; the
    others are held against it and against those that were before them.
    """
    if "camera" not in images:
        return
    known = times.notna().to_numpy()
    cameras = images["camera"].fillna("").astype(str).to_numpy()
    located = images["latitude"].notna().to_numpy() if "latitude" in images else np.zeros(len(images), bool)
    names, count = np.unique(cameras[known & (cameras != "")], return_counts=True)
    fixes = np.array([(located & known & (cameras == name)).sum() for name in names])
    slots = times.to_numpy().astype("datetime64[ns]").astype(np.int64) // SLOT.value
    right = np.array([], dtype=np.int64)
    for position in np.lexsort((names, -count, -fixes)):
        rows = known & (cameras == names[position])
        own = np.unique(slots[rows])
        shift = best_shift(own, right)
        if shift:
            yield str(names[position]), rows, shift * SLOT
        right = np.union1d(right, own + shift)


def best_shift(own: NDArray[np.int64], others: NDArray[np.int64]) -> int:
    """By how many half hours a camera's clock must be moved to agree with the others'; 0 where that is not clear.

    Args:
        own: The half hours, counted from 1970, in which it was used; sorted, each once.
        others: Those in which the others were used.
    """
    days = len(np.unique(own * SLOT.value // pd.Timedelta(days=1).value))
    if len(own) < FEWEST or days < DAYS or not len(others):
        return 0
    sample = own[np.linspace(0, len(own) - 1, min(SAMPLE, len(own))).astype(int)]
    around = np.unique(others[:, None] + np.array([-1, 0, 1]))
    shifts = (around[:, None] - sample[None, :]).ravel()
    least = int(min(shifts.min(), 0))
    agree = np.bincount(shifts - least, minlength=1 - least)
    peak = np.flatnonzero(agree == agree.max())
    best = int(peak[peak - peak[0] <= 4].mean()) + least
    far = abs(best) * SLOT > FAR
    elsewhere = np.delete(agree, slice(max(best - least - 4, 0), best - least + 5))
    clear = LEAD * elsewhere.max(initial=0) <= agree.max() and LEAD * agree[-least] <= agree.max()
    if not clear or agree.max() < SAME * len(sample) or days < (FAR_DAYS if far else DAYS):
        return 0
    return best


def _length(shift: pd.Timedelta) -> str:
    """A shift as people say it: in hours, or in days."""
    hours = shift / pd.Timedelta(hours=1)
    return f"{hours:g} hours" if hours < 48 else f"{hours / 24:,.1f} days"
