"""Clusters and tracks as tables, made of a few words."""

import pandas as pd

from clustering_assets.music.analysis import TrackFacts
from clustering_assets.music.emotion import image_emotion
from clustering_assets.music.moods import mood_at

LOOKS = {
    "dark and grey": {
        "brightness": 25.0,
        "chroma": 4.0,
        "colourfulness": 8.0,
        "contrast": 0.15,
        "warmth": 0.4,
    },
    "usual": {"brightness": 50.0, "chroma": 18.0, "colourfulness": 38.0, "contrast": 0.23, "warmth": 0.5},
    "bright and colourful": {
        "brightness": 66.0,
        "chroma": 36.0,
        "colourfulness": 80.0,
        "contrast": 0.25,
        "warmth": 0.7,
    },
    "stark": {"brightness": 48.0, "chroma": 18.0, "colourfulness": 38.0, "contrast": 0.42, "warmth": 0.5},
}


def clusters(*looks: str) -> pd.DataFrame:
    rows = []
    for index, name in enumerate(looks):
        emotion = image_emotion(LOOKS[name])
        row = {"cluster": index, "key": f"cluster_{index}", "name": name, "size": 20, **LOOKS[name]}
        place = {"valence": emotion.valence, "arousal": emotion.arousal, "mood": emotion.mood}
        rows.append({**row, "saturation": 0.3, **place})
    return pd.DataFrame(rows)


def sounding(
    name: str, valence: float, arousal: float, seconds: float = 180.0, tags: str = "", **more
) -> TrackFacts:
    facts = {
        "path": name,
        "content_hash": f"hash of {name}",
        "outcome": "used",
        "title": name.split(".")[0],
        "seconds": seconds,
        "end": seconds,
        "tempo": 60 + 100 * arousal,
        "onset_rate": 1 + 6 * arousal,
        "centroid": 400 + 600 * arousal,
        "fullness": 0.8,
        "valence": valence,
        "arousal": arousal,
        "mood": mood_at(valence, arousal),
        "tags": tags,
    }
    return TrackFacts(**(facts | more))


LIBRARY = [
    sounding("lullaby.ogg", 0.3, 0.1),
    sounding("stroll.ogg", 0.5, 0.5),
    sounding("carnival.ogg", 0.9, 0.85),
    sounding("storm.ogg", 0.4, 0.95),
]
