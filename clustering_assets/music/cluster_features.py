"""What the pictures of each cluster look like, and where that lies in the plane of valence and arousal."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import pandas as pd

from clustering_assets.clustering.keys import in_order, partition_key
from clustering_assets.music.emotion import image_emotion
from clustering_assets.music.moods import mood_at

FEATURES = ("brightness", "colourfulness", "contrast", "saturation", "chroma", "warmth")
"""What is measured of the pictures of a cluster; the median of each counts."""


@dataclass(frozen=True)
class ClusterFeatures:
    """One cluster; the fields are the columns of `cluster_features`, described with `music_choice`."""

    cluster: int
    key: str
    name: str
    size: int
    brightness: float
    colourfulness: float
    contrast: float
    saturation: float
    chroma: float
    warmth: float
    valence: float
    arousal: float
    mood: str

    @classmethod
    def of(cls, row: Mapping[Any, Any]) -> Self:
        """The cluster of a row, with the mood of its place."""
        values = {field.name: row[field.name] for field in fields(cls)}
        values["mood"] = mood_at(row["valence"], row["arousal"])
        return cls(**values)


def cluster_features(assignments: pd.DataFrame, manifest: pd.DataFrame) -> pd.DataFrame:
    """The features of each cluster.

    Args:
        assignments: The `cluster_assignments` table; `path` and `cluster` are needed, `cluster_name` is used.
        manifest: The `image_manifest` table with the features of each picture.

    Returns:
        One row per cluster, sorted by id, unclustered (-1) last, with the fields of `ClusterFeatures` as columns: the
        median of each of `FEATURES`, NaN where it is not known.
    """
    named = [name for name in ("path", "cluster", "cluster_name") if name in assignments]
    features = manifest.reindex(columns=["path", *FEATURES]).drop_duplicates("path")
    joined = assignments[named].merge(features, on="path", how="left")
    rows = []
    for cluster in in_order(joined["cluster"]):
        members = joined[joined["cluster"] == cluster]
        names = members["cluster_name"].dropna() if "cluster_name" in members else pd.Series(dtype=str)
        medians = {name: float(members[name].median()) for name in FEATURES}
        emotion = image_emotion(medians)
        rows.append(
            ClusterFeatures(
                cluster=cluster,
                key=partition_key(cluster),
                name=str(names.iloc[0]) if len(names) else partition_key(cluster),
                size=len(members),
                **medians,
                valence=emotion.valence,
                arousal=emotion.arousal,
                mood=emotion.mood,
            )
        )
    return pd.DataFrame(rows, columns=[field.name for field in fields(ClusterFeatures)])
