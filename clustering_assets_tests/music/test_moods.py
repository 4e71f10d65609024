"""Moods: where they lie, and the words that speak of them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clustering_assets.music.moods import MOODS, Mood, mood_at, mood_words, opposites


def test_the_moods_lie_where_their_names_say():
    assert mood_at(0.8, 0.8) == "upbeat"
    assert mood_at(0.4, 0.9) == "energetic"
    assert mood_at(0.48, 0.65) == "energetic"
    assert mood_at(0.7, 0.65) == "upbeat"
    assert mood_at(0.7, 0.1) == "calm"
    assert mood_at(0.2, 0.1) == "calm"
    assert mood_at(0.5, 0.5) == "neutral"


@pytest.mark.parametrize(
    ("name", "moods"),
    [
        ("Calm Lake.ogg", {"calm"}),
        ("battle-theme_02.mp3", {"energetic"}),
        ("main_menu.ogg", set()),
        ("TheFinalBattle.ogg", {"energetic"}),
        ("forestnight.ogg", {"calm"}),
        ("Sunday.ogg", set()),
        ("track07.flac", set()),
    ],
)
def test_mood_words_are_found_in_names(name, moods):
    assert mood_words(name) == moods


@settings(max_examples=50)
@given(st.text(max_size=40))
def test_any_name_can_be_read(name):
    assert mood_words(name) <= set(MOODS)


def test_lively_moods_are_the_opposites_of_still_ones():
    assert opposites("calm") == {"upbeat", "energetic"}
    assert opposites("upbeat") == opposites("energetic") == {"calm"}
    assert opposites("neutral") == set()


def test_a_new_mood_is_one_entry(monkeypatch):
    gloomy = Mood(
        "gloomy", region=lambda right, up: right < -0.3 and up < -0.1, lively=-1, words="gloomy funeral"
    )
    monkeypatch.setitem(MOODS, "gloomy", gloomy)
    assert mood_at(0.1, 0.1) == "gloomy"
    assert mood_at(0.4, 0.1) == "calm"
    assert mood_words("Funeral march.ogg") == {"gloomy"}
    assert opposites("upbeat") == {"calm", "gloomy"}
