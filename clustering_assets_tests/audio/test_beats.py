"""Which beats are good enough to cut on."""

import numpy as np

from clustering_assets.audio.beats import beat_is_clear


def test_a_steady_beat_is_clear_and_a_weak_or_ragged_one_is_not():
    steady = 0.5 * np.arange(100)
    ragged = np.cumsum(np.random.default_rng(0).uniform(0.2, 0.9, 100))
    assert beat_is_clear(steady, 0.8)
    assert not beat_is_clear(steady, 0.1)
    assert not beat_is_clear(ragged, 0.8)
    assert not beat_is_clear(steady[:3], 0.8)


def test_the_joint_of_a_loop_does_not_make_a_beat_unclear():
    looped = np.concatenate([0.5 * np.arange(60), 30.3 + 0.5 * np.arange(60)])
    assert beat_is_clear(looped, 0.8)
