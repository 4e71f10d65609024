"""Keys: known ones are found, and where the published profiles agree nothing else is said."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from clustering_assets.audio.decoding import RATE
from clustering_assets.music.spectra import SpectrumMeter
from clustering_assets.music.tonality import NAMES, key_fits, tonality_of
from clustering_assets_tests.sounds import sine

CADENCES = {
    "major": ((0, 4, 7), (5, 9, 12), (7, 11, 14), (0, 4, 7)),
    "minor": ((0, 3, 7), (5, 8, 12), (7, 11, 14), (0, 3, 7)),
}


@pytest.mark.parametrize("mode", CADENCES)
@pytest.mark.parametrize("tonic", range(12))
def test_the_key_of_a_cadence_is_found(tonic, mode):
    meter = SpectrumMeter()
    for chord in CADENCES[mode]:
        pitches = [48 + tonic + chord[0], *(60 + tonic + step for step in chord)]
        tones = [sine(1.0, 440 * 2 ** ((pitch - 69) / 12), 0.2, RATE) for pitch in pitches]
        meter.add(np.stack([np.sum(tones, axis=0)] * 2).astype(np.float32))
    found = tonality_of(meter.spectra().chroma)
    assert (found.tonic, found.mode) == (NAMES[tonic], mode)
    assert (found.score > 0) == (mode == "major")


@given(arrays(np.float32, 12, elements=st.floats(0, 1, width=32)))
def test_where_all_profiles_agree_so_does_what_is_said(chroma):
    if chroma.std() < 1e-3:
        return
    best = {int(fits.argmax()) for fits in key_fits(chroma).reshape(-1, 24)}
    found = tonality_of(chroma[None])
    if len(best) == 1:
        mode, tonic = divmod(best.pop(), 12)
        assert (found.tonic, found.mode) == (NAMES[tonic], ("major", "minor")[mode])


def test_silence_has_no_key():
    assert tonality_of(np.zeros((5, 12), np.float32)).tonic == ""
