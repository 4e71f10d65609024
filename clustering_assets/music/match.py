"""Matching: which track goes with which cluster, and why.

Pictures and tracks lie in one plane of valence and arousal (`clustering_assets.music.emotion`). The cost of a track
for a cluster is the squared distance there, plus what looping and repeating cost. Of the tracks that suit a cluster
one is assigned, so that the sum of all costs is least.
"""

import itertools
import logging
import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clustering_assets.clustering.keys import UNCLUSTERED
from clustering_assets.music.analysis import TrackFacts
from clustering_assets.music.cluster_features import ClusterFeatures
from clustering_assets.music.fit import NEAR, Fit, fit
from clustering_assets.music.library import usable_tracks
from clustering_assets.music.moods import mood_at
from clustering_assets.music.pins import pin_for, pin_warnings, tracks_named
from clustering_assets.music.reasons import Decision, why
from clustering_assets.tables import MUSIC_CHOICE

log = logging.getLogger("clustering_assets.music")

REPEAT = 0.08
"""Cost of each earlier use of a track."""

MOST_LOOPS = 4.0
"""Times that a track may have to be played in a video to be long enough for it."""

MISFIT = 1e3
"""Cost of a track that does not suit."""

MOST_CELLS = 4_000_000
"""Costs that are held at most, which bounds how often a track is shared among hundreds of clusters."""

USUAL_SECONDS = 100.0
"""Length of a video where nothing better is known."""


@dataclass(frozen=True)
class Choice:
    """The track for one cluster; the fields are columns of `clustering_assets.tables.MUSIC_CHOICE`."""

    track: str = ""
    track_hash: str = ""
    track_title: str = ""
    track_mood: str = ""
    track_valence: float = math.nan
    track_arousal: float = math.nan
    distance: float = math.nan
    second: str = ""
    second_distance: float = math.nan
    third: str = ""
    third_distance: float = math.nan
    pinned: bool = False
    why: str = "There is no usable track in the music folder, so the video has no sound."


def choose_music(
    clusters: pd.DataFrame,
    tracks: pd.DataFrame,
    *,
    pins: Mapping[str, str] | None = None,
    seconds: Mapping[int, float] | float = USUAL_SECONDS,
    seed: int = 0,
    previous: pd.DataFrame | None = None,
    sequence: Sequence[int] = (),
) -> pd.DataFrame:
    """Choose a track for every cluster.

    Pins come first. The other clusters get tracks that suit them, different ones where several do, by the assignment of
    least total cost; the result depends on nothing but the arguments, and not on the order of their rows.

    Args:
        clusters: From `cluster_features`.
        tracks: The `music_tracks` table.
        pins: Tracks chosen by the user, from `read_pins`.
        seconds: Expected length of the videos, for all or by cluster id.
        seed: Decides between tracks that are equal in everything.
        previous: What was chosen before, to leave it so where nothing is clearly better.
        sequence: Ids of clusters in the order in which they follow each other; others come behind, by id.

    Returns:
        The rows of `clusters` with the fields of `Choice`.
    """
    usable, pins = usable_tracks(tracks), pins or {}
    for warning in odd_pins(pins, clusters, tracks):
        log.warning("%s", warning)
    places = [ClusterFeatures.of(row) for row in clusters.to_dict("records")]
    fits = fit_all(places, usable, seconds, seed, _before(previous))
    pinned, lost = _pinned(places, tracks, usable, pins)
    rank = {cluster: place for place, cluster in enumerate(sequence)}
    order = sorted(
        range(len(places)),
        key=lambda index: (
            (cluster := places[index].cluster) == UNCLUSTERED,
            rank.get(cluster, len(rank)),
            cluster,
        ),
    )
    place = {index: number for number, index in enumerate(order)}
    found = assigned(
        [fits[index] for index in order],
        len(usable),
        {place[index]: track for index, track in pinned.items()},
    )
    chosen = {order[number]: track for number, track in found.items()}
    rows = []
    for index, (cluster, row) in enumerate(zip(places, clusters.to_dict("records"), strict=True)):
        choice = Choice()
        if index in chosen:
            decision = Decision(
                cluster=cluster,
                tracks=usable,
                fits=fits[index],
                track=chosen[index],
                pinned="" if index not in pinned else "cluster" if cluster.key in pins else "mood",
                lost_pin=lost.get(index, ""),
                elsewhere=Counter(track for other, track in chosen.items() if other != index),
                clusters=len(clusters),
            )
            choice = _choice(decision)
        rows.append({**row, "mood": cluster.mood, **asdict(choice)})
    columns = [*clusters.columns, *(name for name in MUSIC_CHOICE.columns if name not in clusters)]
    return pd.DataFrame(rows, columns=columns)


def _choice(decision: Decision) -> Choice:
    """What the table says of a decision."""
    track, tracks, fits = decision.tracks[decision.track], decision.tracks, decision.fits
    second, third = [*decision.others, None, None][:2]
    return Choice(
        track=track.path,
        track_hash=track.content_hash,
        track_title=track.title,
        track_mood=track.mood,
        track_valence=track.valence,
        track_arousal=track.arousal,
        distance=fits[decision.track].distance,
        second="" if second is None else tracks[second].path,
        second_distance=math.nan if second is None else fits[second].distance,
        third="" if third is None else tracks[third].path,
        third_distance=math.nan if third is None else fits[third].distance,
        pinned=bool(decision.pinned),
        why=why(decision),
    )


def fit_all(
    clusters: Sequence[ClusterFeatures],
    tracks: Sequence[TrackFacts],
    seconds: Mapping[int, float] | float = USUAL_SECONDS,
    seed: int = 0,
    before: Collection[tuple[str, str]] = (),
) -> list[list[Fit]]:
    """How each track (inner lists) fits each cluster.

    Args:
        clusters: The clusters.
        tracks: The usable tracks.
        seconds: Expected length of the videos, for all or by cluster id.
        seed: Decides between tracks that are equal in everything.
        before: Key and track hash of each earlier choice.
    """
    lengths = (
        seconds if isinstance(seconds, Mapping) else dict.fromkeys((one.cluster for one in clusters), seconds)
    )
    return [
        [
            fit(
                one,
                track,
                lengths.get(one.cluster, USUAL_SECONDS),
                (one.key, track.content_hash) in before,
                seed,
            )
            for track in tracks
        ]
        for one in clusters
    ]


def _before(previous: pd.DataFrame | None) -> set[tuple[str, str]]:
    """Key and track hash of each earlier choice."""
    if previous is None or not {"key", "track_hash"} <= set(previous.columns):
        return set()
    return set(zip(previous["key"].astype(str), previous["track_hash"].astype(str), strict=True))


def _pinned(
    clusters: Sequence[ClusterFeatures],
    tracks: pd.DataFrame,
    usable: Sequence[TrackFacts],
    pins: Mapping[str, str],
) -> tuple[dict[int, int], dict[int, str]]:
    """Pinned tracks by position of the cluster, and pins whose track is not there."""
    # a copy of a track is that track, under whichever name it is pinned
    used = tracks[tracks["outcome"] == "used"].sort_values("path")
    paths, position = list(used["path"]), {track.content_hash: index for index, track in enumerate(usable)}
    found: dict[int, int] = {}
    lost: dict[int, str] = {}
    for index, cluster in enumerate(clusters):
        wanted = pin_for(pins, cluster.key, cluster.mood)
        named = tracks_named(wanted, paths) if wanted else []
        if named:
            found[index] = position[used["content_hash"].iloc[named[0]]]
        elif wanted:
            lost[index] = wanted
    return found, lost


def odd_pins(pins: Mapping[str, str], clusters: pd.DataFrame, tracks: pd.DataFrame) -> list[str]:
    """Sentences about pins that go to no cluster, name no track that can be used, or are given twice.

    Args:
        pins: From `read_pins`.
        clusters: From `cluster_features`, or what `choose_music` returned.
        tracks: The `music_tracks` table.
    """
    used = tracks["outcome"] == "used"
    moods = {str(row["key"]): mood_at(row["valence"], row["arousal"]) for row in clusters.to_dict("records")}
    rejected = dict(zip(tracks[~used]["path"], tracks[~used]["reason"], strict=True))
    return pin_warnings(pins, tracks=tracks[used]["path"], rejected=rejected, clusters=moods)


def assigned(
    fits: Sequence[Sequence[Fit]], count: int, pinned: Mapping[int, int] | None = None
) -> dict[int, int]:
    """Track of each cluster, by position, so that the sum of all costs is least; empty if there are no tracks.

    A track is shared rather than a misfit taken (see `suited`); among those that suit, each earlier use costs `REPEAT`.
    Neighbours get different tracks where another one suits.

    Args:
        fits: How each track (inner sequences) fits each cluster, the clusters in the order in which they are shown.
        count: Number of tracks.
        pinned: Tracks that are given, by position of the cluster.
    """
    from scipy.optimize import linear_sum_assignment

    chosen = dict(pinned or {})
    free = [index for index in range(len(fits)) if index not in chosen]
    if not free or not count:
        return chosen
    uses = np.bincount(np.array(list(chosen.values()), dtype=int), minlength=count)
    costs = {index: np.array([fit.cost for fit in fits[index]]) for index in free}
    for index in free:
        costs[index][~suited(fits[index])] = np.inf
    base = np.where(np.isinf(table := np.array([costs[index] for index in free])), MISFIT, table)
    rounds = min(len(free), max(-(-len(free) // count), MOST_CELLS // base.size))
    layers = [base + REPEAT * (uses + more) for more in range(rounds)]
    for row, column in zip(*linear_sum_assignment(np.concatenate(layers, axis=1)), strict=True):
        chosen[free[int(row)]] = int(column) % count
    return _varied(chosen, costs)


def suited(fits: Sequence[Fit]) -> NDArray[np.bool_]:
    """Which tracks suit a cluster: all but those that one more than `NEAR` nearer is long enough for, or as long as."""
    distances, loops = (np.array([getattr(fit, name) for fit in fits]) for name in ("distance", "loops"))
    # by length: the least distance among the tracks that are long enough, or no shorter
    order = np.argsort(needed := np.maximum(loops, MOST_LOOPS), kind="stable")
    least = np.minimum.accumulate(distances[order])
    return distances <= least[np.searchsorted(needed[order], needed, side="right") - 1] + NEAR


def _varied(chosen: dict[int, int], costs: Mapping[int, NDArray[np.float64]]) -> dict[int, int]:
    """The choice without one track for two neighbours in a row, wherever another suits one of them.

    Args:
        chosen: Track of each cluster, by position.
        costs: Costs of all tracks for each cluster that is free to have another, infinite for misfits.
    """
    uses, settled = Counter(chosen.values()), False
    while not settled:  # each change leaves one pair fewer
        settled = True
        for first, second in itertools.pairwise(range(len(chosen))):
            if chosen[first] != chosen[second]:
                continue
            ways = []
            for index in (second, first):
                beside = {chosen.get(index - 1), chosen.get(index + 1)}
                ways += [
                    (cost - costs[index][chosen[index]] + REPEAT * uses[track], index, track)
                    for track, cost in enumerate(costs.get(index, ()))
                    if track not in beside and cost < np.inf
                ]
            if ways:
                _, index, track = min(ways)
                uses.subtract([chosen[index]])
                uses.update([track])
                chosen[index], settled = track, False
    return chosen
