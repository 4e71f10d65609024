import math

import numpy as np

from clustering_assets.music.library import track_table
from clustering_assets.music.sensitivity import sensitivity
from clustering_assets_tests.music.examples import LOOKS, clusters, sounding


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


def test_what_is_not_known_of_a_track_moves_nothing():
    snippet = sounding("blip.ogg", 0.5, 0.5, seconds=2.0, onset_rate=math.nan, flux=math.nan, tempo=math.nan)
    assert set(sensitivity(clusters("usual"), track_table([snippet]))["changed"]) == {0.0}
