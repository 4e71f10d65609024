"""Matching: which track goes with which cluster, and why.

Pictures and tracks lie in one plane of valence and arousal (`clustering_assets.music.emotion`). The cost of a track
for a cluster is the squared distance there, plus what looping and repeating cost; the tracks are assigned so that
the sum of all costs is least.
"""

import hashlib
import logging
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clustering_assets.clustering.keys import partition_key
from clustering_assets.music.emotion import IMAGE_CUES, MUSIC_CUES, Cue, image_emotion, music_emotion
from clustering_assets.music.library import usable_tracks
from clustering_assets.music.moods import Mood, mood_at
from clustering_assets.music.pins import pin_for, pin_warnings, tracks_named
from clustering_assets.tables import MUSIC_CHOICE

log = logging.getLogger("clustering_assets.music")

FEATURES = ("brightness", "colourfulness", "contrast", "saturation", "chroma", "warmth")
"""What is measured of the pictures of a cluster; the median of each counts."""

AROUSAL_WEIGHT, VALENCE_WEIGHT = 2 / 3, 1 / 3
"""Arousal is trusted twice as much as valence: sound predicts it twice as well (Yang et al. 2008: R^2 of .58
against .28)."""

NEAR = 0.10
"""Distance below which two tracks count as equal, so that the words in their names may decide: the standard error of
arousal estimated from sound. A name never overrules a larger difference."""

STAYING = 0.01
"""What it saves to keep the track that a cluster had before, as a squared distance: a video is made again only for a
track that is clearly better."""

REPEAT = 0.08
"""Cost of each earlier use of a track, once there are more clusters than tracks."""

LOOPING = 0.015
"""Cost of a track that must be looped, times the square of the octaves of its length that are missing."""

MARKED = 0.75
"""Spreads from the usual beyond which a feature is called dark, busy, fast and the like."""

USUAL_SECONDS = 100.0
"""Length of a video where nothing better is known."""


def cluster_features(assignments: pd.DataFrame, manifest: pd.DataFrame) -> pd.DataFrame:
    """What the pictures of each cluster look like.

    Args:
        assignments: The `cluster_assignments` table; `path` and `cluster` are needed, `cluster_name` is used.
        manifest: The `image_manifest` table with the features of each picture.

    Returns:
        One row per cluster, sorted by id, unclustered (-1) last: `cluster`, `key`, `name`, `size`, the median of each
        of `FEATURES`, `valence`, `arousal` and `mood`.
    """
    features = [name for name in FEATURES if name in manifest]
    joined = assignments[[name for name in ("path", "cluster", "cluster_name") if name in assignments]].merge(
        manifest[["path", *features]].drop_duplicates("path"), on="path", how="left"
    )
    rows = []
    ids = sorted(joined["cluster"].unique(), key=lambda cluster: (cluster < 0, cluster))
    for cluster in ids:
        members = joined[joined["cluster"] == cluster]
        medians = {name: float(members[name].median()) if name in members else math.nan for name in FEATURES}
        names = members["cluster_name"].dropna() if "cluster_name" in members else pd.Series(dtype=str)
        valence, arousal, mood = image_mood(medians)
        rows.append(
            {
                "cluster": int(cluster),
                "key": partition_key(int(cluster)),
                "name": str(names.iloc[0]) if len(names) else partition_key(int(cluster)),
                "size": len(members),
                **medians,
                "valence": valence,
                "arousal": arousal,
                "mood": mood,
            }
        )
    return pd.DataFrame(
        rows, columns=["cluster", "key", "name", "size", *FEATURES, "valence", "arousal", "mood"]
    )


def image_mood(features: Mapping[str, float]) -> tuple[float, float, Mood]:
    """Valence (0 to 1), arousal (0 to 1) and mood of pictures with these features (see `image_emotion`)."""
    emotion = image_emotion(features)
    return emotion.valence, emotion.arousal, emotion.mood


@dataclass(frozen=True)
class _Fit:
    """How one track fits one cluster: distance in the plane, the cost that is minimised, and how often it loops."""

    distance: float
    cost: float
    loops: float
    name_counts: int  # 1: its name speaks of the cluster's mood, -1: only of the opposite, 0: neither
    stayed: bool  # the cluster had it before


def choose_music(
    clusters: pd.DataFrame,
    tracks: pd.DataFrame,
    *,
    pins: Mapping[str, str] | None = None,
    seconds: Mapping[int, float] | float = USUAL_SECONDS,
    seed: int = 0,
    previous: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Choose a track for every cluster.

    Pins come first. The other clusters get different tracks as long as there are enough, by the assignment of least
    total cost; the result depends on nothing but the arguments, and not on the order of their rows.

    Args:
        clusters: From `cluster_features`.
        tracks: The `music_tracks` table.
        pins: Tracks chosen by the user, from `read_pins`.
        seconds: Expected length of the videos, for all or by cluster id.
        seed: Decides between tracks that are equal in everything.
        previous: What was chosen before, to leave it so where nothing is clearly better.

    Returns:
        The rows of `clusters` with `track` (path in the music folder, '' if there is none), `track_hash`,
        `track_title`, `track_mood`, `track_valence`, `track_arousal`, `distance`, `second`, `second_distance`, `third`,
        `third_distance`, `pinned` and `why` (one sentence).
    """
    usable = usable_tracks(tracks)
    places = [_lengths(seconds, int(cluster)) for cluster in clusters["cluster"]]
    moods: list[Mood] = [mood_at(row["valence"], row["arousal"]) for row in clusters.to_dict("records")]
    before = _before(previous)
    fits = [
        [_fit(cluster, track, mood, length, seed, before) for track in usable.to_dict("records")]
        for cluster, mood, length in zip(clusters.to_dict("records"), moods, places, strict=True)
    ]
    pins = pins or {}
    pinned, lost = _pinned(clusters, moods, tracks, usable, pins)
    for warning in odd_pins(pins, clusters, tracks):
        log.warning("%s", warning)
    chosen = _assigned(fits, pinned, len(usable))
    rows = []
    for index, cluster in enumerate(clusters.to_dict("records")):
        choice = _Choice(
            cluster={**cluster, "mood": moods[index]},
            fits=fits[index],
            track=chosen.get(index),
            pinned="" if index not in pinned else "cluster" if cluster["key"] in pins else "mood",
            lost_pin=lost.get(index, ""),
            elsewhere=Counter(track for other, track in chosen.items() if other != index),
            clusters=len(clusters),
        )
        rows.append(_row(choice, usable))
    columns = [*clusters.columns, *(name for name in MUSIC_CHOICE.columns if name not in clusters)]
    return pd.DataFrame(rows, columns=columns)


@dataclass(frozen=True)
class _Choice:
    """Everything that the row of one cluster says."""

    cluster: Mapping[Any, Any]
    fits: list[_Fit]
    track: int | None
    pinned: str  # what its track is pinned for: "cluster", "mood", or "" for nothing
    lost_pin: str
    elsewhere: Counter[int]  # how many other clusters have each track
    clusters: int  # how many clusters there are


def _lengths(seconds: Mapping[int, float] | float, cluster: int) -> float:
    return float(seconds.get(cluster, USUAL_SECONDS)) if isinstance(seconds, Mapping) else float(seconds)


def distance(cluster: Mapping[Any, Any], track: Mapping[Any, Any]) -> float:
    """Distance of two places with `valence` and `arousal`, weighted; 0 to 1."""
    return math.sqrt(
        AROUSAL_WEIGHT * (cluster["arousal"] - track["arousal"]) ** 2
        + VALENCE_WEIGHT * (cluster["valence"] - track["valence"]) ** 2
    )


def _before(previous: pd.DataFrame | None) -> set[tuple[str, str]]:
    """Key and track hash of each earlier choice."""
    if previous is None or not {"key", "track_hash"} <= set(previous.columns):
        return set()
    return set(zip(previous["key"].astype(str), previous["track_hash"].astype(str), strict=True))


def _fit(
    cluster: Mapping[Any, Any],
    track: Mapping[Any, Any],
    mood: Mood,
    seconds: float,
    seed: int,
    before: set[tuple[str, str]],
) -> _Fit:
    away = distance(cluster, track)
    name_counts = _name_counts(mood, str(track["tags"]).split())
    loops = seconds / max(float(track["end"]) - float(track["start"]), 0.5)
    missing = max(math.log2(loops) - 0.5, 0.0)
    stayed = (str(cluster["key"]), str(track["content_hash"])) in before
    cost = (
        max(away - NEAR / 2 * name_counts, 0.0) ** 2
        + LOOPING * missing**2
        - STAYING * stayed
        + 1e-7 * _dice(seed, str(cluster["key"]), str(track["content_hash"]))
    )
    return _Fit(away, cost, loops, name_counts, stayed)


def _name_counts(mood: Mood, spoken: Sequence[str]) -> int:
    """1 if a name speaks of `mood`, -1 if it speaks of the opposite, 0 if of neither or of both."""
    opposite = {"calm": {"energetic", "upbeat"}, "energetic": {"calm"}, "upbeat": {"calm"}, "neutral": set()}
    return (mood in spoken) - bool(opposite[mood] & set(spoken))


def _dice(seed: int, *parts: str) -> float:
    """A number from 0 to 1 that depends on nothing but the arguments."""
    digest = hashlib.sha256("\0".join([str(seed), *parts]).encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def _pinned(
    clusters: pd.DataFrame,
    moods: Sequence[Mood],
    tracks: pd.DataFrame,
    usable: pd.DataFrame,
    pins: Mapping[str, str],
) -> tuple[dict[int, int], dict[int, str]]:
    """Pinned tracks by position of the cluster, and pins whose track is not there."""
    # a copy of a track is that track, under whichever name it is pinned
    used = tracks[tracks["outcome"] == "used"].sort_values("path")
    paths, position = list(used["path"]), {track: index for index, track in enumerate(usable["content_hash"])}
    found: dict[int, int] = {}
    lost: dict[int, str] = {}
    for index, (key, mood) in enumerate(zip(clusters["key"], moods, strict=True)):
        wanted = pin_for(pins, str(key), mood)
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


def _assigned(fits: list[list[_Fit]], pinned: Mapping[int, int], count: int) -> dict[int, int]:
    """Track of each cluster, by position; empty if there are no tracks."""
    from scipy.optimize import linear_sum_assignment

    chosen = dict(pinned)
    free = [index for index in range(len(fits)) if index not in chosen]
    if not free or not count:
        return chosen
    base = np.array([[fit.cost for fit in fits[index]] for index in free])
    uses = np.bincount(list(pinned.values()), minlength=count) if pinned else np.zeros(count, dtype=int)
    # a used track may be used again only when there is no unused one left for everybody
    rounds = max(1, math.ceil((len(free) + int((uses > 0).sum())) / count))
    costs = np.concatenate([_round_costs(base, uses, more, rounds) for more in range(rounds)], axis=1)
    for row, column in zip(*linear_sum_assignment(costs), strict=True):
        chosen[free[int(row)]] = int(column) % count
    return chosen


def _round_costs(
    base: NDArray[np.float64], uses: NDArray[np.intp], more: int, rounds: int
) -> NDArray[np.float64]:
    """Costs of using each track for the `more`-th time beside its pins; a price that forbids it in the first round."""
    before = uses + more
    forbidden = 1e3 * (before > 0) if rounds == 1 else 0.0
    return base + REPEAT * before + forbidden


def _row(choice: _Choice, usable: pd.DataFrame) -> dict[str, Any]:
    """The row of one cluster."""
    row: dict[str, Any] = dict(choice.cluster)
    empty = {"track": "", "track_hash": "", "track_title": "", "track_mood": "", "second": "", "third": ""}
    row |= empty | {"track_valence": math.nan, "track_arousal": math.nan, "distance": math.nan}
    row |= {"second_distance": math.nan, "third_distance": math.nan, "pinned": bool(choice.pinned)}
    if choice.track is None:
        return row | {"why": "There is no usable track in the music folder, so the video has no sound."}
    track = usable.iloc[choice.track]
    row |= {
        "track": track["path"],
        "track_hash": track["content_hash"],
        "track_title": track["title"],
        "track_mood": track["mood"],
        "track_valence": float(track["valence"]),
        "track_arousal": float(track["arousal"]),
        "distance": choice.fits[choice.track].distance,
    }
    for name, other in zip(("second", "third"), _others(choice), strict=False):
        row[name] = usable["path"].iloc[other]
        row[f"{name}_distance"] = choice.fits[other].distance
    return row | {"why": why(choice, usable)}


def _others(choice: _Choice) -> list[int]:
    """The other tracks, nearest first."""
    order = sorted(range(len(choice.fits)), key=lambda index: (choice.fits[index].distance, index))
    return [index for index in order if index != choice.track]


# --- the sentence -------------------------------------------------------------------------------------------


def why(choice: _Choice, usable: pd.DataFrame) -> str:
    """One sentence that explains the choice for a person, with its numbers."""
    assert choice.track is not None
    track, mood = usable.iloc[choice.track], choice.cluster["mood"]
    looks = _pictures(choice.cluster)
    sound = f"{_title(track)} is {_with_article(str(track['mood']))} track, {_music(track)}"
    if choice.pinned:
        target = "this cluster" if choice.pinned == "cluster" else f"clusters that are {mood}"
        return f"{sound}: pinned for {target}, and {looks[0].lower()}{looks[1:]} read{_s(choice)} as {mood}."
    lost = f"; the pinned “{choice.lost_pin}” is not among the usable tracks" if choice.lost_pin else ""
    link = "and" if track["mood"] == mood else "while"
    return f"{looks} read{_s(choice)} as {mood}, {link} {sound}: {_rank(choice, usable)}{lost}."


def _s(choice: _Choice) -> str:
    """The ending of a verb whose subject is the pictures of a cluster."""
    return "s" if choice.cluster["size"] == 1 else ""


def _title(track: Mapping[Any, Any] | pd.Series) -> str:
    return f"“{' '.join(str(track['title']).split())}”"


def _pictures(cluster: Mapping[Any, Any]) -> str:
    """How pictures look, in words and numbers."""
    pictures = "picture" if cluster["size"] == 1 else "pictures"
    if not all(math.isfinite(cluster[name]) for name in ("brightness", "chroma", "contrast")):
        return f"{'A picture' if cluster['size'] == 1 else 'Pictures'} whose looks are not known"
    light = _graded(
        IMAGE_CUES["brightness"].score(cluster["brightness"]), ("dark", "medium-bright", "bright")
    )
    # two features that agree need less of each to be worth a word
    colour = _graded(1.5 * _colour_score(cluster), ("muted", "moderately colourful", "colourful"))
    edge = _graded(_contrast_score(cluster), ("low-contrast", "medium-contrast", "high-contrast"))
    looks = (
        f"{light} (lightness {cluster['brightness']:.0f} of 100), {colour} (chroma {cluster['chroma']:.0f}), {edge} "
        f"({cluster['contrast']:.2f}) {pictures}"
    )
    return f"A {looks}" if cluster["size"] == 1 else f"{looks[0].upper()}{looks[1:]}"


def _colour_score(cluster: Mapping[Any, Any]) -> float:
    chroma, spread = IMAGE_CUES["chroma"], IMAGE_CUES["colourfulness"]
    return (chroma.score(cluster["chroma"]) + spread.score(cluster["colourfulness"])) / 2


def _contrast_score(cluster: Mapping[Any, Any]) -> float:
    return IMAGE_CUES["contrast"].score(cluster["contrast"])


def _music(track: Mapping[Any, Any] | pd.Series) -> str:
    """How a track sounds, in words and numbers."""
    tempo, rate = float(track["tempo"]), float(track["onset_rate"])
    if not math.isfinite(rate):
        return f"too short to hear a rhythm in, with {_timbre(track)}"
    notes = _graded(
        MUSIC_CUES["onset_rate"].score(rate), ("few notes", "a fair number of notes", "many notes")
    )
    if math.isfinite(tempo):
        pace = _graded(MUSIC_CUES["tempo"].score(tempo), ("slow", "medium-paced", "fast"))
        # the beat may be felt at half or double speed; where the notes disagree with it, only the number stands
        doubtful = (pace, notes) in {("slow", "many notes"), ("fast", "few notes")}
        beat = f"at {tempo:.0f} beats a minute" if doubtful else f"{pace} ({tempo:.0f} beats a minute)"
    else:
        beat = "without a clear beat"
    heard = f"{notes} ({rate:.1f} a second)" if rate >= 0.05 else "hardly a separate note"
    return f"{beat}, with {heard} and {_timbre(track)}"


def _timbre(track: Mapping[Any, Any] | pd.Series) -> str:
    """How the sound of a track is coloured, in words."""
    body = _graded(MUSIC_CUES["fullness"].score(track["fullness"]), ("thin", "", "full"))
    tone = _graded(MUSIC_CUES["centroid"].score(track["centroid"]), ("dark", "", "bright"))
    return f"a {', '.join(word for word in (body, tone) if word) or 'balanced'} sound"


def _graded(score: float, words: tuple[str, str, str]) -> str:
    """One of three words: below, about, and above the usual."""
    return words[0] if score < -MARKED else words[2] if score > MARKED else words[1]


def _with_article(mood: str) -> str:
    return f"an {mood}" if mood[0] in "aeiou" else f"a {mood}"


def _rank(choice: _Choice, usable: pd.DataFrame) -> str:
    """Which place the track has by distance, and why it is not the first if it is not."""
    assert choice.track is not None
    fit, count = choice.fits[choice.track], len(usable)
    away = f"(distance {fit.distance:.2f} of 1)"
    if count == 1:
        return f"the only track there is {away}"
    nearer = [index for index, other in enumerate(choice.fits) if other.distance < fit.distance - 1e-9]
    place = f"the {_ordinal(len(nearer) + 1)} nearest" if nearer else "the nearest"
    causes = f", as {_listed(_causes(choice, nearer, usable))}" if nearer else ""
    return f"{place} in mood of {count} tracks {away}{causes}{_shared(choice, count)}"


def _shared(choice: _Choice, count: int) -> str:
    """That other clusters have the track too, where there are more clusters than tracks."""
    assert choice.track is not None
    others = choice.elsewhere[choice.track]
    if not others or choice.clusters <= count:
        return ""
    have = _counted(others, "another cluster has", "other clusters have")
    return f"; {have} it too, as there are only {count} tracks for {choice.clusters} clusters"


def _causes(choice: _Choice, nearer: list[int], usable: pd.DataFrame) -> list[str]:
    """Why nearer tracks were not taken."""
    assert choice.track is not None
    fit = choice.fits[choice.track]
    # what would cost this cluster less than its track went to others; what would cost it more has itself to blame
    taken = [index for index in nearer if choice.fits[index].cost <= fit.cost and choice.elsewhere[index]]
    left = [index for index in nearer if index not in taken]
    kept = [index for index in left if fit.stayed and choice.fits[index].cost <= fit.cost + STAYING]
    left = [index for index in left if index not in kept]
    short = [index for index in left if choice.fits[index].loops > max(fit.loops, math.sqrt(2))]
    named = [
        index for index in left if index not in short and choice.fits[index].name_counts < fit.name_counts
    ]
    rest = len(left) - len(short) - len(named)
    causes = []
    if taken:
        causes.append(_taken(choice, taken, usable))
    if short:
        causes.append(f"{_counted(len(short), 'a nearer one is', 'nearer ones are')} too short for the video")
    if kept:
        causes.append("it is the track that the cluster had before and none is clearly nearer")
    if named:
        causes.append(_by_name(choice, named, usable))
    if rest:
        causes.append(f"{_counted(rest, 'a nearer one is', 'nearer ones are')} not clearly nearer")
    return causes


def _by_name(choice: _Choice, named: list[int], usable: pd.DataFrame) -> str:
    """That names speak for the track, or against hardly nearer ones."""
    assert choice.track is not None
    mood, alone = choice.cluster["mood"], len(named) == 1
    others = (
        f"{_title(usable.iloc[named[0]])}, which is hardly nearer"
        if alone
        else f"{len(named)} hardly nearer ones"
    )
    if choice.fits[choice.track].name_counts > 0:
        return f"this one's name or genre speaks of {mood} music, unlike {'that' if alone else 'those'} of {others}"
    other = "livelier" if mood == "calm" else "calmer"
    return f"{'the name' if alone else 'the names'} of {others}{', speaks' if alone else ' speak'} of {other} music"


def _taken(choice: _Choice, taken: list[int], usable: pd.DataFrame) -> str:
    """That nearer tracks went to other clusters."""
    if len(taken) == 1:
        others = choice.elsewhere[taken[0]]
        title = _title(usable.iloc[taken[0]])
        return f"the nearer {title} goes with {_counted(others, 'another cluster', 'other clusters')} already"
    return f"{len(taken)} nearer ones go with other clusters already"


def _counted(count: int, one: str, several: str) -> str:
    return one if count == 1 else f"{count} {several}"


def _ordinal(number: int) -> str:
    ending = "th" if 11 <= number % 100 <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


# --- how much the weights matter ----------------------------------------------------------------------------


def sensitivity(
    clusters: pd.DataFrame,
    tracks: pd.DataFrame,
    *,
    change: float = 0.25,
    seconds: Mapping[int, float] | float = USUAL_SECONDS,
    seed: int = 0,
) -> pd.DataFrame:
    """How many choices change when one weight is made smaller or larger.

    Args:
        clusters: From `cluster_features`.
        tracks: The `music_tracks` table.
        change: Share by which each weight is changed, down and up.
        seconds: As in `choose_music`.
        seed: As in `choose_music`.

    Returns:
        One row per weight: `side` (image or music), `cue`, `axis` (valence or arousal), `weight`, and `changed`, the
        share of clusters whose track changes in either direction (the larger of both).
    """
    before = choose_music(clusters, tracks, seconds=seconds, seed=seed)["track_hash"]
    rows = []
    for side, table in (("image", IMAGE_CUES), ("music", MUSIC_CUES)):
        for name, cue in table.items():
            for axis in ("valence", "arousal"):
                weight = getattr(cue, axis)
                if not weight:
                    continue
                changed = 0.0
                for factor in (1 - change, 1 + change):
                    cues = table | {name: replace(cue, **{axis: weight * factor})}
                    moved = (_placed(clusters, image_emotion, cues), tracks)
                    if side == "music":
                        moved = (clusters, _placed(tracks, music_emotion, cues))
                    after = choose_music(*moved, seconds=seconds, seed=seed)["track_hash"]
                    changed = max(changed, float((after != before).mean()))
                rows.append({"side": side, "cue": name, "axis": axis, "weight": weight, "changed": changed})
    return pd.DataFrame(rows)


def _placed(table: pd.DataFrame, emotion_of: Any, cues: dict[str, Cue]) -> pd.DataFrame:
    """`table` with `valence` and `arousal` after other weights."""
    places = [emotion_of(row, cues) for row in table.to_dict("records")]
    return table.assign(
        valence=[place.valence for place in places], arousal=[place.arousal for place in places]
    )
