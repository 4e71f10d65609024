"""The sentence that explains the choice of a track to a person, with its numbers."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from clustering_assets.music.analysis import TrackFacts
from clustering_assets.music.cluster_features import ClusterFeatures
from clustering_assets.music.emotion import IMAGE_CUES, MUSIC_CUES
from clustering_assets.music.fit import NEAR, STAYING, Fit
from clustering_assets.music.moods import MOODS
from clustering_assets.words import listed, one_or_several, ordinal, with_article

MARKED = 0.75
"""Spreads from the usual beyond which a feature is called dark, busy, fast and the like."""


@dataclass(frozen=True)
class Decision:
    """The track for one cluster and everything that it was decided by.

    Attributes:
        cluster: The cluster.
        tracks: The usable tracks.
        fits: How each of them fits.
        track: Position of the one that was chosen.
        pinned: What it is pinned for: "cluster", "mood", or "" for nothing.
        lost_pin: A track that is pinned and not there; empty if there is none.
        elsewhere: How many other clusters have each track, by position.
        clusters: How many clusters there are.
    """

    cluster: ClusterFeatures
    tracks: Sequence[TrackFacts]
    fits: Sequence[Fit]
    track: int
    pinned: str
    lost_pin: str
    elsewhere: Counter[int]
    clusters: int

    @property
    def others(self) -> list[int]:
        """Positions of the other tracks, nearest first."""
        order = sorted(range(len(self.fits)), key=lambda index: (self.fits[index].distance, index))
        return [index for index in order if index != self.track]


def why(choice: Decision) -> str:
    """One sentence that explains the choice for a person, with its numbers."""
    track, mood = choice.tracks[choice.track], choice.cluster.mood
    looks = _pictures(choice.cluster)
    sound = f"{_title(track)} is {with_article(track.mood)} track, {_music(track)}"
    if choice.pinned:
        target = "this cluster" if choice.pinned == "cluster" else f"clusters that are {mood}"
        return f"{sound}: pinned for {target}, and {looks[0].lower()}{looks[1:]} read{_s(choice)} as {mood}."
    lost = f"; the pinned “{choice.lost_pin}” is not among the usable tracks" if choice.lost_pin else ""
    link = "and" if track.mood == mood else "while"
    return f"{looks} read{_s(choice)} as {mood}, {link} {sound}: {_rank(choice)}{lost}."


def _s(choice: Decision) -> str:
    """The ending of a verb whose subject is the pictures of a cluster."""
    return "s" if choice.cluster.size == 1 else ""


def _title(track: TrackFacts) -> str:
    return f"“{' '.join(track.title.split())}”"


def _pictures(cluster: ClusterFeatures) -> str:
    """How pictures look, in words and numbers."""
    pictures = "picture" if cluster.size == 1 else "pictures"
    if not all(map(math.isfinite, (cluster.brightness, cluster.chroma, cluster.contrast))):
        return f"{'A picture' if cluster.size == 1 else 'Pictures'} whose looks are not known"
    score = {name: cue.score(getattr(cluster, name)) for name, cue in IMAGE_CUES.items()}
    light = _graded(score["brightness"], ("dark", "medium-bright", "bright"))
    # two features that agree need less of each to be worth a word
    colourful = 1.5 * (score["chroma"] + score["colourfulness"]) / 2
    colour = _graded(colourful, ("muted", "moderately colourful", "colourful"))
    edge = _graded(score["contrast"], ("low-contrast", "medium-contrast", "high-contrast"))
    looks = (
        f"{light} (lightness {cluster.brightness:.0f} of 100), {colour} (chroma {cluster.chroma:.0f}), {edge} "
        f"({cluster.contrast:.2f}) {pictures}"
    )
    return f"A {looks}" if cluster.size == 1 else f"{looks[0].upper()}{looks[1:]}"


def _music(track: TrackFacts) -> str:
    """How a track sounds, in words and numbers."""
    tempo, rate = track.tempo, track.onset_rate
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


def _timbre(track: TrackFacts) -> str:
    """How the sound of a track is coloured, in words."""
    body = _graded(MUSIC_CUES["fullness"].score(track.fullness), ("thin", "", "full"))
    tone = _graded(MUSIC_CUES["centroid"].score(track.centroid), ("dark", "", "bright"))
    return f"a {', '.join(word for word in (body, tone) if word) or 'balanced'} sound"


def _graded(score: float, words: tuple[str, str, str]) -> str:
    """One of three words: below, about, and above the usual."""
    return words[0] if score < -MARKED else words[2] if score > MARKED else words[1]


def _rank(choice: Decision) -> str:
    """Which place the track has by distance, and why it is not the first if it is not."""
    fit, count = choice.fits[choice.track], len(choice.tracks)
    away = f"(distance {fit.distance:.2f} of 1)"
    if count == 1:
        return f"the only track there is {away}"
    nearer = [index for index, other in enumerate(choice.fits) if other.distance < fit.distance - 1e-9]
    place = f"the {ordinal(len(nearer) + 1)} nearest" if nearer else "the nearest"
    causes = f", as {listed(_causes(choice, nearer))}" if nearer else ""
    return f"{place} in mood of {count} tracks {away}{causes}{_shared(choice, count)}"


def _shared(choice: Decision, count: int) -> str:
    """That other clusters have the track too, and why."""
    others = choice.elsewhere[choice.track]
    if not others:
        return ""
    few = f"there are only {count} tracks for {choice.clusters} clusters"
    cause = (
        few if choice.clusters > count else "a track that fits is shared before one that does not is taken"
    )
    return f"; {one_or_several(others, 'another cluster has', 'other clusters have')} it too, as {cause}"


def _causes(choice: Decision, nearer: list[int]) -> list[str]:
    """Why nearer tracks were not taken."""
    fit = choice.fits[choice.track]
    # what would cost this cluster less than its track went to others; what would cost it more has itself to blame, and
    # what is much nearer its length: one that is long enough would have been shared
    taken = [
        index
        for index in nearer
        if choice.elsewhere[index]
        and choice.fits[index].cost <= fit.cost
        and choice.fits[index].distance >= fit.distance - NEAR
    ]
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
        causes.append(_taken(choice, taken))
    if short:
        causes.append(
            f"{one_or_several(len(short), 'a nearer one is', 'nearer ones are')} too short for the video"
        )
    if kept:
        causes.append("it is the track that the cluster had before and none is clearly nearer")
    if named:
        causes.append(_by_name(choice, named))
    if rest:
        causes.append(f"{one_or_several(rest, 'a nearer one is', 'nearer ones are')} not clearly nearer")
    return causes


def _by_name(choice: Decision, named: list[int]) -> str:
    """That names speak for the track, or against hardly nearer ones."""
    mood, alone = choice.cluster.mood, len(named) == 1
    others = (
        f"{_title(choice.tracks[named[0]])}, which is hardly nearer"
        if alone
        else f"{len(named)} hardly nearer ones"
    )
    if choice.fits[choice.track].name_counts > 0:
        return f"this one's name or genre speaks of {mood} music, unlike {'that' if alone else 'those'} of {others}"
    other = "livelier" if MOODS[mood].lively < 0 else "calmer"
    return f"{'the name' if alone else 'the names'} of {others}{', speaks' if alone else ' speak'} of {other} music"


def _taken(choice: Decision, taken: list[int]) -> str:
    """That nearer tracks went to other clusters."""
    if len(taken) == 1:
        others = choice.elsewhere[taken[0]]
        title = _title(choice.tracks[taken[0]])
        return f"the nearer {title} goes with {one_or_several(others, 'another cluster', 'other clusters')} already"
    return f"{len(taken)} nearer ones go with other clusters already"
