"""The sentence that explains a choice says what is so."""

import math

import pytest

from clustering_assets.music.emotion import image_emotion
from clustering_assets.music.library import track_table
from clustering_assets.music.match import choose_music
from clustering_assets_tests.music.examples import LIBRARY, LOOKS, clusters, sounding


def test_the_sentence_says_what_is_so():
    choice = choose_music(clusters("dark and grey"), track_table(LIBRARY)).iloc[0]
    assert choice["why"] == (
        "Dark (lightness 25 of 100), muted (chroma 4), low-contrast (0.15) pictures read as calm, and “lullaby” is "
        "a calm track, slow (70 beats a minute), with a fair number of notes (1.6 a second) and a dark sound: the "
        "nearest in mood of 4 tracks (distance 0.14 of 1)."
    )


def test_one_picture_is_one_picture():
    looks = clusters("dark and grey").assign(size=1)
    choice = choose_music(looks, track_table(LIBRARY)).iloc[0]
    assert choice["why"].startswith(
        "A dark (lightness 25 of 100), muted (chroma 4), low-contrast (0.15) picture reads as"
    )


def test_where_tracks_are_shared_the_sentence_says_so():
    looks = clusters(*["usual"] * 5, "dark and grey", "stark", "bright and colourful")
    choice = choose_music(looks, track_table(LIBRARY[:3]))
    uses = choice["track"].value_counts()
    assert len(uses) == 3
    for row in choice.itertuples():
        others = uses[row.track] - 1
        said = {0: "", 1: "; another cluster has it too"}.get(
            others, f"; {others} other clusters have it too"
        )
        assert f"{said}, as there are only 3 tracks for 8 clusters." in str(row.why) or not others
        assert ("too, as there are only" in str(row.why)) == (others > 0)


def test_a_nearer_track_that_several_clusters_share_is_not_said_to_go_with_one():
    tracks = [sounding("a.ogg", 0.5, 0.5), sounding("b.ogg", 0.5, 0.8)]
    choice = choose_music(clusters(*["usual"] * 5), track_table(tracks))
    uses = choice["track"].value_counts()
    assert uses["a.ogg"] >= 3
    for sentence in choice.loc[choice["track"] == "b.ogg", "why"]:
        assert f"as the nearer “a” goes with {uses['a.ogg']} other clusters already" in sentence


def test_the_nearer_track_that_went_elsewhere_is_named():
    near = [sounding("a.ogg", 0.5, 0.5), sounding("b.ogg", 0.5, 0.6)]
    choice = choose_music(clusters("usual", "usual"), track_table(near)).set_index("track")["why"]
    assert "the nearest in mood of 2 tracks (distance 0.00 of 1)." in choice["a.ogg"]
    assert (
        "the 2nd nearest in mood of 2 tracks (distance 0.08 of 1), as the nearer “a” goes with another cluster already."
        in choice["b.ogg"]
    )


def test_a_nearer_track_of_other_clusters_that_is_too_short_anyway_is_called_too_short():
    jingle = sounding("jingle.ogg", 0.5, 0.5, seconds=5.0)
    near = sounding("near.ogg", 0.5, 0.65)
    looks, pins = clusters("usual", "usual"), {"cluster_1": "jingle.ogg"}
    choice = choose_music(looks, track_table([jingle, near, LIBRARY[0]]), pins=pins, seconds=100.0).iloc[0]
    assert choice["track"] == "near.ogg"
    assert "as a nearer one is too short for the video" in choice["why"]


def test_a_pin_for_a_mood_is_called_so():
    choice = choose_music(
        clusters("dark and grey", "usual"), track_table(LIBRARY), pins={"calm": "storm.ogg"}
    )
    assert "pinned for clusters that are calm, and dark (lightness" in choice["why"].iloc[0]


def test_a_track_without_a_beat_is_called_so():
    track = sounding("drone.ogg", 0.2, 0.05, tempo=math.nan)
    assert "without a clear beat" in choose_music(clusters("usual"), track_table([track]))["why"].iloc[0]


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"centroid": 300.0, "fullness": 0.4}, "a thin, dark sound"),
        ({"centroid": 1200.0, "fullness": 0.98}, "a full, bright sound"),
        ({"centroid": 660.0, "fullness": 0.4}, "a thin sound"),
        ({"centroid": 660.0, "fullness": 0.8}, "a balanced sound"),
        ({"onset_rate": 7.0}, "with many notes (7.0 a second)"),
        ({"onset_rate": 0.5}, "with few notes (0.5 a second)"),
        ({"onset_rate": 0.01}, "with hardly a separate note"),
        ({"tempo": 60.0, "onset_rate": 7.0}, "track, at 60 beats a minute, with many notes"),
    ],
)
def test_a_sound_is_called_what_it_is(facts, words):
    track = sounding("drone.ogg", 0.2, 0.05, **facts)
    assert words in choose_music(clusters("usual"), track_table([track]))["why"].iloc[0]


def test_a_snippet_is_too_short_for_a_rhythm():
    snippet = sounding("blip.ogg", 0.5, 0.5, seconds=2.0, onset_rate=math.nan, flux=math.nan, tempo=math.nan)
    choice = choose_music(clusters("usual"), track_table([snippet])).iloc[0]
    assert "“blip” is a neutral track, too short to hear a rhythm in, with a balanced sound" in choice["why"]
    assert "nan" not in choice["why"]


def test_a_name_that_speaks_of_the_opposite_is_said_to():
    arousal = image_emotion(LOOKS["dark and grey"]).arousal
    tracks = [
        *(sounding(f"{name}.ogg", 0.1, arousal + 0.05, tags="energetic") for name in "ab"),
        sounding("c.ogg", 0.1, arousal + 0.06),
    ]
    choice = choose_music(clusters("dark and grey"), track_table(tracks)).iloc[0]
    assert choice["track"] == "c.ogg"
    assert "as the names of 2 hardly nearer ones speak of livelier music." in choice["why"]
