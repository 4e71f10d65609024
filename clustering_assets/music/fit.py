"""How well a track fits a cluster: their distance in the plane, and what looping, names and staying cost or save."""

import hashlib
import math
from dataclasses import dataclass

from clustering_assets.music.analysis import TrackFacts
from clustering_assets.music.cluster_features import ClusterFeatures
from clustering_assets.music.emotion import Emotion
from clustering_assets.music.moods import opposites

AROUSAL_WEIGHT, VALENCE_WEIGHT = 2 / 3, 1 / 3
"""Arousal is trusted twice as much as valence: sound predicts it twice as well (Yang et al. 2008: R^2 of .58
against .28)."""

NEAR = 0.10
"""Distance below which two tracks count as equal, so that the words in their names may decide: the standard error of
arousal estimated from sound. A name never overrules a larger difference."""

STAYING = 0.01
"""What it saves to keep the track that a cluster had before, as a squared distance: a video is made again only for a
track that is clearly better."""

LOOPING = 0.015
"""Cost of a track that must be looped, times the square of the octaves of its length that are missing."""


Place = ClusterFeatures | TrackFacts | Emotion
"""What lies in the plane of valence and arousal."""


@dataclass(frozen=True)
class Fit:
    """How one track fits one cluster.

    Attributes:
        distance: Distance in the plane, 0 to 1.
        cost: What is minimised.
        loops: How often the track is played in the video.
        name_counts: 1: its name speaks of the cluster's mood, -1: only of the opposite, 0: neither.
        stayed: The cluster had it before.
    """

    distance: float
    cost: float
    loops: float
    name_counts: int
    stayed: bool


def distance(one: Place, other: Place) -> float:
    """Distance of two places, weighted; 0 to 1."""
    return math.sqrt(
        AROUSAL_WEIGHT * (one.arousal - other.arousal) ** 2
        + VALENCE_WEIGHT * (one.valence - other.valence) ** 2
    )


def fit(cluster: ClusterFeatures, track: TrackFacts, seconds: float, stayed: bool, seed: int = 0) -> Fit:
    """How a track fits a cluster.

    Args:
        cluster: The cluster.
        track: The track.
        seconds: Expected length of the cluster's video.
        stayed: The cluster had the track before.
        seed: Decides between tracks that are equal in everything.
    """
    away = distance(cluster, track)
    spoken = set(track.tags.split())
    name_counts = (cluster.mood in spoken) - bool(opposites(cluster.mood) & spoken)
    loops = seconds / max(track.end - track.start, 0.5)
    missing = max(math.log2(loops) - 0.5, 0.0)
    cost = (
        max(away - NEAR / 2 * name_counts, 0.0) ** 2
        + LOOPING * missing**2
        - STAYING * stayed
        + 1e-7 * _dice(seed, cluster.key, track.content_hash)
    )
    return Fit(away, cost, loops, name_counts, stayed)


def _dice(seed: int, *parts: str) -> float:
    """A number from 0 to 1 that depends on nothing but the arguments."""
    digest = hashlib.sha256("\0".join([str(seed), *parts]).encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48
