"""Matching: every cluster gets a track for a reason, different ones where there are enough."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clustering_assets.music.analysis import TrackFacts
from clustering_assets.music.library import track_table
from clustering_assets.music.match import choose_music, cluster_features, distance, image_mood, sensitivity
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
        valence, arousal, mood = image_mood(LOOKS[name])
        row = {"cluster": index, "key": f"cluster_{index}", "name": name, "size": 20, **LOOKS[name]}
        rows.append({**row, "saturation": 0.3, "valence": valence, "arousal": arousal, "mood": mood})
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


def test_moods_meet():
    choice = choose_music(clusters(*LOOKS), track_table(LIBRARY))
    assert list(choice["track"]) == ["lullaby.ogg", "stroll.ogg", "carnival.ogg", "storm.ogg"]
    assert list(choice["track_mood"]) == list(choice["mood"])


def test_the_stored_columns_are_there():
    choice = choose_music(clusters("usual"), track_table(LIBRARY))
    wanted = """cluster key name size brightness colourfulness contrast saturation chroma warmth valence arousal mood
        track track_hash track_mood distance second second_distance third third_distance pinned why"""
    assert set(wanted.split()) <= set(choice.columns)


def test_the_top_three_come_with_growing_distances():
    choice = choose_music(clusters("usual"), track_table(LIBRARY)).iloc[0]
    assert choice["distance"] <= choice["second_distance"] <= choice["third_distance"]
    assert len({choice["track"], choice["second"], choice["third"]}) == 3


def test_different_clusters_get_different_tracks_where_there_are_enough():
    choice = choose_music(clusters("usual", "usual", "usual", "usual"), track_table(LIBRARY))
    assert choice["track"].nunique() == 4


def test_few_tracks_are_shared_out_evenly():
    choice = choose_music(clusters(*["usual"] * 6), track_table(LIBRARY[1:3]))
    assert choice["track"].value_counts().max() <= 4
    assert choice["track"].nunique() == 2


def test_one_track_serves_all():
    choice = choose_music(clusters(*LOOKS), track_table(LIBRARY[:1]))
    assert set(choice["track"]) == {"lullaby.ogg"}
    assert "only track" in choice["why"].iloc[0]


def test_without_music_there_is_no_track_and_a_reason():
    choice = choose_music(clusters("usual"), track_table([TrackFacts("bad.mp3", reason="silent")]))
    assert choice["track"].iloc[0] == ""
    assert "no sound" in choice["why"].iloc[0]


def test_no_clusters_give_no_rows():
    choice = choose_music(clusters("usual").iloc[:0], track_table(LIBRARY))
    assert choice.empty
    assert "track" in choice


def test_the_same_music_twice_is_one_track():
    twin = sounding("copy of stroll.ogg", 0.5, 0.5, content_hash="hash of stroll.ogg")
    choice = choose_music(clusters("usual", "usual"), track_table([*LIBRARY, twin]))
    assert choice["track_hash"].nunique() == 2


@settings(max_examples=40)
@given(
    places=st.lists(st.tuples(st.floats(0.02, 0.98), st.floats(0.02, 0.98)), min_size=1, max_size=12),
    count=st.integers(1, 5),
    order=st.randoms(use_true_random=False),
)
def test_the_order_of_the_rows_does_not_matter(places, count, order):
    tracks = [sounding(f"{index}.ogg", *place) for index, place in enumerate(places)]
    table = clusters(*list(LOOKS)[:count]) if count <= 4 else clusters(*LOOKS, "usual")
    first = choose_music(table, track_table(tracks)).set_index("key")["track"]
    order.shuffle(tracks)
    again = choose_music(table.iloc[::-1], track_table(tracks)).set_index("key")["track"]
    assert first.to_dict() == again.to_dict()


@settings(max_examples=40)
@given(st.lists(st.integers(2, 98), min_size=2, max_size=20, unique=True))
def test_a_grey_cluster_gets_a_calmer_track_than_a_colourful_one(levels):
    tracks = [sounding(f"{index}.ogg", 0.5, level / 100) for index, level in enumerate(levels)]
    choice = choose_music(clusters("bright and colourful", "dark and grey"), track_table(tracks))
    arousal = choice.set_index("name")["track_arousal"]
    assert arousal["dark and grey"] <= arousal["bright and colourful"]


def test_a_track_much_too_short_is_passed_over():
    jingle = sounding("jingle.ogg", 0.5, 0.5, seconds=5.0)
    near = sounding("near.ogg", 0.5, 0.65)
    choice = choose_music(clusters("usual"), track_table([jingle, near]), seconds=100.0).iloc[0]
    assert choice["track"] == "near.ogg"
    assert "too short" in choice["why"]


def test_a_short_track_is_fine_for_a_short_video():
    jingle = sounding("jingle.ogg", 0.5, 0.5, seconds=9.0)
    choice = choose_music(clusters("usual"), track_table([jingle, LIBRARY[3]]), seconds={0: 8.0}).iloc[0]
    assert choice["track"] == "jingle.ogg"


def test_a_name_decides_between_near_equals():
    # equally far from the cluster, on either side
    _, arousal, _ = image_mood(LOOKS["dark and grey"])
    tracks = [
        sounding("a.ogg", 0.1, arousal + 0.05, tags="energetic"),
        sounding("b.ogg", 0.1, arousal + 0.06, tags="calm"),
    ]
    choice = choose_music(clusters("dark and grey"), track_table(tracks)).iloc[0]
    assert choice["track"] == "b.ogg"
    assert (
        "as this one's name or genre speaks of calm music, unlike that of “a”, which is hardly nearer."
        in choice["why"]
    )


def test_a_name_that_speaks_of_both_decides_nothing():
    _, arousal, _ = image_mood(LOOKS["dark and grey"])
    tracks = [
        sounding("a.ogg", 0.1, arousal + 0.05),
        sounding("calm race.ogg", 0.1, arousal + 0.06, tags="calm energetic"),
    ]
    assert choose_music(clusters("dark and grey"), track_table(tracks)).iloc[0]["track"] == "a.ogg"


def test_a_name_that_speaks_of_the_opposite_is_said_to():
    _, arousal, _ = image_mood(LOOKS["dark and grey"])
    tracks = [
        *(sounding(f"{name}.ogg", 0.1, arousal + 0.05, tags="energetic") for name in "ab"),
        sounding("c.ogg", 0.1, arousal + 0.06),
    ]
    choice = choose_music(clusters("dark and grey"), track_table(tracks)).iloc[0]
    assert choice["track"] == "c.ogg"
    assert "as the names of 2 hardly nearer ones speak of livelier music." in choice["why"]


def test_a_name_never_overrules_what_is_heard():
    liar = sounding("calm.ogg", 0.5, 0.9, tags="calm")
    true = sounding("x.ogg", 0.3, 0.3, tags="energetic")
    choice = choose_music(clusters("dark and grey"), track_table([liar, true])).iloc[0]
    assert choice["track"] == "x.ogg"


@pytest.mark.parametrize("pin", ["Deep/Storm.ogg", "storm.ogg", "STORM"])
def test_a_pinned_track_is_taken(pin):
    tracks = track_table([LIBRARY[0], sounding("Deep/Storm.ogg", 0.4, 0.95)])
    choice = choose_music(clusters("dark and grey"), tracks, pins={"cluster_0": pin}).iloc[0]
    assert choice["track"] == "Deep/Storm.ogg"
    assert choice["pinned"]
    assert "pinned" in choice["why"]


def test_a_pin_for_a_mood_counts_for_all_its_clusters():
    looks = clusters("dark and grey", "dark and grey", "usual")
    choice = choose_music(looks, track_table(LIBRARY), pins={"calm": "storm.ogg"})
    assert list(choice["track"]) == ["storm.ogg", "storm.ogg", "stroll.ogg"]


def test_others_do_not_get_a_pinned_track_where_there_are_enough():
    choice = choose_music(clusters("stark", "usual"), track_table(LIBRARY), pins={"cluster_1": "storm.ogg"})
    assert list(choice["track"])[1] == "storm.ogg"
    assert choice["track"].nunique() == 2


def test_a_pin_that_is_gone_is_said_and_another_track_taken(caplog):
    choice = choose_music(clusters("usual"), track_table(LIBRARY), pins={"cluster_0": "gone.ogg"}).iloc[0]
    assert choice["track"] == "stroll.ogg"
    assert not choice["pinned"]
    assert "gone.ogg" in choice["why"]
    assert "gone.ogg" in caplog.text


def test_a_track_may_be_pinned_by_the_name_of_its_copy():
    twin = sounding("zz copy.ogg", 0.4, 0.95, content_hash="hash of storm.ogg")
    choice = choose_music(
        clusters("usual"), track_table([*LIBRARY, twin]), pins={"cluster_0": "zz copy.ogg"}
    ).iloc[0]
    assert choice["track_hash"] == "hash of storm.ogg"
    assert choice["pinned"]


def test_pins_that_hit_nothing_are_said(caplog):
    broken = TrackFacts("hush.ogg", reason="silent")
    pins = {"cluster_9": "storm.ogg", "energetic": "gone.ogg", "cluster_0": "hush.ogg"}
    choose_music(clusters("usual"), track_table([*LIBRARY, broken]), pins=pins)
    for part in (
        "there is no cluster_9",
        "no cluster is energetic",
        "no track “gone.ogg”",
        "cannot be used (silent)",
    ):
        assert caplog.text.count(part) == 1


def test_the_track_of_before_stays_until_another_is_clearly_better():
    near = [sounding("a.ogg", 0.5, 0.55), sounding("b.ogg", 0.5, 0.50)]
    before = choose_music(clusters("usual"), track_table(near[:1]))
    kept = choose_music(clusters("usual"), track_table(near), previous=before)
    assert list(kept["track"]) == ["a.ogg"]
    assert "before" in kept["why"].iloc[0]
    far = [sounding("a.ogg", 0.5, 0.80), near[1]]
    assert list(choose_music(clusters("usual"), track_table(far), previous=before)["track"]) == ["b.ogg"]


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
    assert len(sensitivity(clusters("usual"), track_table([snippet])))


def test_distance_trusts_arousal_twice_as_much_as_valence():
    centre = {"valence": 0.5, "arousal": 0.5}
    up, right = (
        distance(centre, {"valence": 0.5, "arousal": 0.7}),
        distance(centre, {"valence": 0.7, "arousal": 0.5}),
    )
    assert up**2 == pytest.approx(2 * right**2)


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
    assert features["mood"].iloc[0] == image_mood(features.iloc[0].to_dict())[2]


def test_the_pull_of_each_weight_is_reported():
    rng = np.random.default_rng(0)
    tracks = [
        sounding(f"{index}.ogg", *rng.uniform(0.1, 0.9, 2), mode_score=0.1, flux=0.5, loudness=-15)
        for index in range(12)
    ]
    report = sensitivity(clusters(*LOOKS), track_table(tracks))
    assert {"side", "cue", "axis", "weight", "changed"} == set(report.columns)
    assert set(report["side"]) == {"image", "music"}
    assert report["changed"].between(0, 1).all()
    assert (report["weight"] != 0).all()
