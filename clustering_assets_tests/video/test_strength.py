"""Strong pictures open and end a video and meet the loud music; weak ones do not."""

import numpy as np
import pandas as pd
import pytest

from clustering_assets.audio.soundtrack import Track
from clustering_assets.settings import VideoSettings
from clustering_assets.video.selection import choose
from clustering_assets.video.storyboard import Material, plan
from clustering_assets.video.strength import correlation, face_bonus, in_words, meet_the_music, strengths

FACTS = {"sharpness": 300.0, "contrast": 0.2, "brightness": 55.0, "width": 4000, "height": 3000}


def images(*changes: dict) -> pd.DataFrame:
    rows = [
        {**FACTS, **change, "path": f"{number}.jpg", "content_hash": f"{number}"}
        for number, change in enumerate(changes)
    ]
    return pd.DataFrame(rows).assign(duplicate_of="")


@pytest.mark.parametrize(
    "weakness",
    [{"sharpness": 20.0}, {"brightness": 8.0}, {"brightness": 97.0}, {"contrast": 0.03}, {"width": 400}],
)
def test_a_blurred_dark_pale_or_small_picture_is_weak(weakness):
    found = strengths(images({}, weakness, {}))
    assert found.min() == found[1] < found[0] == found[2]


def test_a_typical_picture_is_stronger_than_an_odd_one():
    vectors = np.array([[1, 0.1], [1, -0.1], [0.2, 1]])
    found = strengths(images({}, {}, {}), vectors)
    assert found[2] < min(found[:2])


def test_what_is_not_known_of_pictures_makes_none_weaker():
    found = strengths(pd.DataFrame({"path": ["a.jpg", "b.jpg"]}))
    assert found[0] == found[1]


def test_a_whole_face_opens_well_and_half_a_face_does_not():
    assert face_bonus(None) == face_bonus(()) == 0
    assert face_bonus(((0.4, 0.2, 0.6, 0.5),)) > 0 > face_bonus(((0.9, 0.2, 1.0, 0.5),))


def test_the_strongest_picture_opens_and_the_second_strongest_ends():
    vectors = np.random.default_rng(0).normal(0, 1, (12, 8)) + 2
    table = images(*[{} for _ in range(12)])
    strength = np.linspace(0, 1, 12)[::-1]
    shown = choose(table, vectors, most=9, strength=strength).rows
    assert len(shown) == 9
    assert shown[0] == min(shown) and shown[-1] == sorted(shown)[1]


def test_a_blurred_dark_picture_never_opens():
    vectors = np.random.default_rng(0).normal(0, 0.1, (6, 8)) + 1
    vectors[3] = vectors.mean(axis=0)  # the medoid
    table = images(*[{"sharpness": 15.0, "brightness": 6.0} if number == 3 else {} for number in range(6)])
    storyboard = plan(Material(table, ".", VideoSettings(), vectors=vectors))
    shown = [still.path for still in storyboard.slides if still]
    assert "3.jpg" in shown[1:-1]


def test_strong_pictures_move_to_where_it_is_loud():
    random = np.random.default_rng(0)
    points = random.normal(0, 1, (20, 6))
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    strength, loudness = random.random(20), np.repeat([-30.0, -14.0], 10)
    path = np.arange(20)
    met = meet_the_music(path, distances, strength, loudness)
    assert sorted(met) == path.tolist() and (met[0], met[-1]) == (0, 19)
    assert correlation(strength[met], loudness) > correlation(strength, loudness) + 0.3
    np.testing.assert_array_equal(meet_the_music(path, distances, strength, np.full(20, -14.0)), path)


def test_the_storyboard_says_how_well_they_meet():
    table = images(*[{"sharpness": 30.0 + 30 * number} for number in range(12)])
    vectors = np.random.default_rng(1).normal(0, 1, (12, 16)) + 1
    curve = np.concatenate([np.full(20, -30.0), np.full(28, -12.0)])
    track = Track("x.ogg", end=48.0, loudness_curve=curve)
    settings = VideoSettings(seconds_per_image=4.0)
    fit = plan(Material(table, ".", settings, vectors=vectors, track=track)).music_fit
    assert fit is not None and fit > 0.3 and "loud" in in_words(fit)
    silent = plan(Material(table, ".", settings, vectors=vectors))
    assert silent.music_fit is None and in_words(None) == ""
