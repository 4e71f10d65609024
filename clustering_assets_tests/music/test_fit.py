import pytest

from clustering_assets.music.emotion import Emotion
from clustering_assets.music.fit import distance


def test_distance_trusts_arousal_twice_as_much_as_valence():
    centre = Emotion(0.5, 0.5)
    up, right = distance(centre, Emotion(0.5, 0.7)), distance(centre, Emotion(0.7, 0.5))
    assert up**2 == pytest.approx(2 * right**2)
