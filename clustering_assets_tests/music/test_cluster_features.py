import pandas as pd
import pytest

from clustering_assets.music.cluster_features import cluster_features
from clustering_assets.music.emotion import image_emotion


def test_features_of_a_cluster_are_medians_of_its_pictures():
    assignments = pd.DataFrame(
        {"path": ["a", "b", "c", "d"], "cluster": [0, 0, 0, -1], "cluster_name": ["Dunes"] * 3 + ["rest"]}
    )
    manifest = pd.DataFrame(
        {
            "path": ["a", "b", "c", "d", "unused"],
            **{
                name: [1.0, 2.0, 90.0, 7.0, 5.0]
                for name in ("brightness", "colourfulness", "chroma", "saturation")
            },
            "contrast": [0.1, 0.2, 0.3, 0.4, 0.5],
            "warmth": 0.5,
        }
    )
    features = cluster_features(assignments, manifest)
    assert list(features["key"]) == ["cluster_0", "unclustered"]
    assert list(features["size"]) == [3, 1]
    assert list(features["name"]) == ["Dunes", "rest"]
    assert features["brightness"].iloc[0] == 2.0
    assert features["contrast"].iloc[0] == pytest.approx(0.2)
    assert features["mood"].iloc[0] == image_emotion(features.iloc[0].to_dict()).mood
