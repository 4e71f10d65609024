"""Matching: every cluster gets a track for a reason, different ones where there are enough."""

import itertools

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clustering_assets.music.analysis import TrackFacts
from clustering_assets.music.cluster_features import ClusterFeatures
from clustering_assets.music.emotion import image_emotion
from clustering_assets.music.fit import distance
from clustering_assets.music.library import track_table
from clustering_assets.music.match import choose_music
from clustering_assets_tests.music.examples import LIBRARY, LOOKS, clusters, sounding


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


NEAR_TIES = [sounding(f"{index}.ogg", 0.5, 0.5 + index / 50) for index in range(4)]


def test_different_clusters_get_different_tracks_where_several_suit():
    choice = choose_music(clusters("usual", "usual", "usual", "usual"), track_table(NEAR_TIES))
    assert choice["track"].nunique() == 4


def test_few_tracks_that_suit_are_shared_out_evenly():
    choice = choose_music(clusters(*["usual"] * 6), track_table(NEAR_TIES[:2]))
    assert set(choice["track"].value_counts()) == {3}


def test_a_track_is_shared_before_one_that_does_not_fit_is_taken():
    choice = choose_music(clusters("usual", "usual", "usual"), track_table(LIBRARY))
    assert set(choice["track"]) == {"stroll.ogg"}
    assert (
        choice["why"].str.contains("other clusters have it too, as a track that fits is shared before").all()
    )


PLACES = st.lists(st.tuples(st.floats(0.02, 0.98), st.floats(0.02, 0.98)), min_size=1, max_size=9)


@example([(0.5, 0.125), (0.5, 0.5)], ["dark and grey"] * 2, 5)
@settings(max_examples=60)
@given(PLACES, st.lists(st.sampled_from(list(LOOKS)), min_size=1, max_size=12), st.integers(5, 300))
def test_no_track_is_much_further_than_the_nearest_unless_the_sentence_says_why(places, looks, length):
    tracks = [
        sounding(f"{index}.ogg", *place, seconds=length * (1 + index)) for index, place in enumerate(places)
    ]
    for row in choose_music(clusters(*looks), track_table(tracks), seconds=100.0).itertuples():
        nearest = min(row.distance, row.second_distance) if row.second else row.distance
        assert row.distance <= nearest + 0.10 + 1e-6 or "too short for the video" in row.why


@settings(max_examples=60)
@given(PLACES, st.lists(st.sampled_from(list(LOOKS)), min_size=2, max_size=12))
def test_neighbours_have_different_tracks_where_another_suits_one_of_them(places, looks):
    tracks = [sounding(f"{index}.ogg", *place) for index, place in enumerate(places)]
    table = clusters(*looks)
    chosen = list(choose_music(table, track_table(tracks), seconds=100.0)["track"])
    for first, second in itertools.pairwise(range(len(looks))):
        if chosen[first] != chosen[second]:
            continue
        for index in (first, second):
            place = ClusterFeatures.of(table.iloc[index].to_dict())
            away = {track.path: distance(place, track) for track in tracks}
            beside = {chosen[near] for near in (index - 1, index + 1) if 0 <= near < len(chosen)}
            assert {path for path, far in away.items() if far <= min(away.values()) + 0.1 - 1e-6} <= beside


def test_hundreds_of_clusters_share_a_few_tracks():
    choice = choose_music(clusters(*["usual", "stark"] * 150), track_table([*LIBRARY, *NEAR_TIES]))
    assert choice["track"].nunique() >= 5
    assert (choice["track"].iloc[1:].to_numpy() != choice["track"].iloc[:-1].to_numpy()).all()


def test_neighbours_are_those_of_the_sequence_that_is_told():
    table, tracks, told = clusters(*["usual"] * 4), track_table(NEAR_TIES[:2]), [0, 2, 1, 3]
    chosen = choose_music(table, tracks, sequence=told).set_index("cluster")["track"]
    assert all(chosen[one] != chosen[other] for one, other in itertools.pairwise(told))
    by_id = choose_music(table, tracks).set_index("cluster")["track"]
    assert dict(chosen) != dict(by_id)
    assert choose_music(table, tracks, sequence=range(4)).equals(choose_music(table, tracks))


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
    near = sounding("near.ogg", 0.5, 0.52)
    choice = choose_music(clusters("usual", "usual"), track_table([*LIBRARY, twin, near]))
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
    arousal = image_emotion(LOOKS["dark and grey"]).arousal
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
    arousal = image_emotion(LOOKS["dark and grey"]).arousal
    tracks = [
        sounding("a.ogg", 0.1, arousal + 0.05),
        sounding("calm race.ogg", 0.1, arousal + 0.06, tags="calm energetic"),
    ]
    assert choose_music(clusters("dark and grey"), track_table(tracks)).iloc[0]["track"] == "a.ogg"


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


@pytest.mark.parametrize("pin", ["Cafe\u0301 bleu.ogg", "Caf\u00e9 bleu", "deep/CAFE\u0301 BLEU.OGG"])
@pytest.mark.parametrize("name", ["Cafe\u0301 bleu.ogg", "Caf\u00e9 bleu.ogg"])
def test_a_pin_means_its_track_in_whichever_form_accents_are_written(pin, name):
    tracks = track_table([LIBRARY[0], sounding(f"Deep/{name}", 0.4, 0.95)])
    choice = choose_music(clusters("dark and grey"), tracks, pins={"cluster_0": pin}).iloc[0]
    assert choice["track"] == f"Deep/{name}"


def test_a_pin_for_a_mood_counts_for_all_its_clusters():
    looks = clusters("dark and grey", "dark and grey", "usual")
    choice = choose_music(looks, track_table(LIBRARY), pins={"calm": "storm.ogg"})
    assert list(choice["track"]) == ["storm.ogg", "storm.ogg", "stroll.ogg"]


def test_others_do_not_get_a_pinned_track_where_another_suits_them_as_well():
    choice = choose_music(clusters("usual", "usual"), track_table(NEAR_TIES), pins={"cluster_1": "0.ogg"})
    assert list(choice["track"])[1] == "0.ogg"
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
