"""What is asked of a beat before anything is bound to it."""

import numpy as np
from numpy.typing import NDArray

CLEAR_BEAT = 0.25
"""Least beat clarity (height of the autocorrelation peak, 0 to 1) of a beat that is worth cutting on."""

STEADY_BEAT = 0.08
"""Largest relative spread of the beat's period that cuts are bound to."""

BAR = 4
"""Beats in a bar, where nothing else is known."""


def beat_is_clear(beats: NDArray[np.floating], clarity: float | None) -> bool:
    """Whether cuts may be bound to these beats: clear, and evenly spaced but for the joints of a loop.

    Args:
        beats: Times of the beats, in seconds, rising.
        clarity: How clear the analysis found them, 0 to 1; None where it is not known.
    """
    if len(beats) < 2 * BAR or (clarity is not None and not clarity >= CLEAR_BEAT):
        return False
    periods = np.diff(beats)
    middle = float(np.median(periods))
    if middle <= 0:
        return False
    spread = float(np.quantile(np.abs(periods - middle), 0.9)) / middle
    return spread <= 2 * STEADY_BEAT and float(np.median(np.abs(periods - middle))) / middle <= STEADY_BEAT
