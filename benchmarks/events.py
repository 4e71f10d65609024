"""How well events are found in what generated photographers took, against ways that are known.

    python benchmarks/events.py [--seeds 5] [--from 100] [--json FILE]

Each photographer is made up anew with each seed. The table shows the median over seeds of the adjusted Rand index
between what belongs together (an occasion; everyday pictures of a month) and the events found: by this project, by
calendar day, by pauses of a day, and by gaps that are large for their surroundings (PhotoTOC: Platt, Czerwinski and
Field, 2003, doi 10.1109/ICICS.2003.1292402, with its published constants; it looks for sittings, of which an occasion
has several); all but the first are given the true times. The last column is the share of pictures that keep their event
when the last tenth of all pictures comes.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from clustering_assets.clustering.clocks import believed_times
from clustering_assets.clustering.events import find_events
from clustering_assets.clustering.identity import keep_ids
from clustering_assets_tests.clustering.photographers import PEOPLE, pictures_of


def by_day(times: pd.Series) -> NDArray[np.integer]:
    """Calendar days."""
    return times.dt.floor("D").astype("int64").to_numpy()


def by_pause(times: pd.Series) -> NDArray[np.integer]:
    """Runs of calendar days with pictures."""
    return (times.dt.floor("D").diff() > pd.Timedelta(days=1)).cumsum().to_numpy()


def by_local_gap(times: pd.Series, factor: float = 17, around: int = 10) -> NDArray[np.integer]:
    """PhotoTOC: a gap ends an event where it is `factor` times the geometric mean of the gaps around it."""
    gaps = pd.Series(np.log(times.diff().dt.total_seconds().to_numpy()[1:] + 1))
    usual = gaps.rolling(2 * around + 1, center=True, min_periods=1).mean()
    return np.concatenate([[0], (gaps >= np.log(factor) + usual).cumsum()])


def ours(pictures: pd.DataFrame) -> NDArray[np.int64]:
    """The events of this project, from what the cameras say."""
    times, _ = believed_times(pictures)
    return find_events(times, pictures["latitude"], pictures["longitude"])[0]


def kept(pictures: pd.DataFrame) -> float:
    """The share of pictures that keep the number of their event when the last tenth comes."""
    early = pictures[: len(pictures) * 9 // 10]
    before = dict(zip(early["content_hash"], ours(early).tolist(), strict=True))
    hashes = pictures["content_hash"].tolist()
    ids, _ = keep_ids(ours(pictures), hashes, before, before.values())
    return float(np.mean([before[h] == number for h, number in zip(hashes, ids, strict=True) if h in before]))


WAYS: dict[str, Callable[[pd.Series], NDArray[np.integer]]] = {
    "calendar day": by_day,
    "pause of a day": by_pause,
    "PhotoTOC": by_local_gap,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--from", type=int, default=100, dest="first")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results = {}
    print("| photographer | pictures | this project | " + " | ".join(WAYS) + " | kept |")
    print("|---" * (4 + len(WAYS)) + "|")
    for name, habits in PEOPLE.items():
        rows = []
        for seed in range(options.first, options.first + options.seeds):
            pictures = pictures_of(replace(habits, seed=seed))
            labels = [ours(pictures), *(way(pictures["right"]) for way in WAYS.values())]
            scores = [float(adjusted_rand_score(pictures["occasion"], own)) for own in labels]
            rows.append([len(pictures), *scores, kept(pictures)])
        middle = [median(column) for column in zip(*rows, strict=True)]
        results[name] = dict(zip(["pictures", "this project", *WAYS, "kept"], middle, strict=True))
        print(f"| {name} | {middle[0]:,.0f} | " + " | ".join(f"{value:.2f}" for value in middle[1:]) + " |")
        sys.stdout.flush()
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
