"""How much the weights of emotion matter for which track goes with which cluster."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import pandas as pd

from clustering_assets.music.analysis import TrackFacts
from clustering_assets.music.cluster_features import ClusterFeatures
from clustering_assets.music.emotion import IMAGE_CUES, MUSIC_CUES, Emotion, image_emotion, music_emotion
from clustering_assets.music.library import usable_tracks
from clustering_assets.music.match import USUAL_SECONDS, assigned, fit_all

Placed = TypeVar("Placed", ClusterFeatures, TrackFacts)


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
    places = [ClusterFeatures.of(row) for row in clusters.to_dict("records")]
    usable = usable_tracks(tracks)

    def chosen(places: Sequence[ClusterFeatures], usable: Sequence[TrackFacts]) -> list[int | None]:
        tracks = assigned(fit_all(places, usable, seconds, seed), len(usable))
        return [tracks.get(index) for index in range(len(places))]

    before = chosen(places, usable)
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
                    if side == "image":
                        after = chosen(
                            [_moved(one, image_emotion(vars(one), cues)) for one in places], usable
                        )
                    else:
                        after = chosen(
                            places, [_moved(one, music_emotion(vars(one), cues)) for one in usable]
                        )
                    moved = sum(new != old for new, old in zip(after, before, strict=True))
                    changed = max(changed, moved / max(len(before), 1))
                rows.append({"side": side, "cue": name, "axis": axis, "weight": weight, "changed": changed})
    return pd.DataFrame(rows)


def _moved(one: Placed, place: Emotion) -> Placed:
    """The cluster or track at another place."""
    return replace(one, valence=place.valence, arousal=place.arousal, mood=place.mood)
