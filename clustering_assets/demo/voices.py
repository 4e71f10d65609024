"""The instruments of the sample music: a function for each sound, mono float32 at 44.1 kHz, about -1 to 1.

What is tuned takes its pitch in Hz and its length in seconds, release included; drums take dice for their noise.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 44_100
"""Samples per second of everything in the sample music."""

Sound = NDArray[np.float32]
_Curve = NDArray[np.float64]


def _seconds(seconds: float) -> _Curve:
    """The time of each sample of a note, in seconds."""
    return np.arange(max(1, round(seconds * SAMPLE_RATE))) / SAMPLE_RATE


def _shaped(tone: _Curve, attack: float, release: float) -> Sound:
    """The tone, rising over `attack` seconds and falling to exactly 0 over `release`, or less if it is short."""
    time = np.arange(len(tone)) / SAMPLE_RATE
    fall = (time[-1] - time) / min(release, max(time[-1], 1e-6) * 0.4)
    for share in (time / attack, fall):
        tone = tone * (0.5 - 0.5 * np.cos(np.pi * np.clip(share, 0, 1)))
    return tone.astype(np.float32)


def _harmonics(frequency: float, bend: _Curve | float, partials: int, tilt: float, closing: _Curve) -> _Curve:
    """A tone of up to `partials` below 15 kHz, the k-th as loud as exp(-(k - 1) / closing) / k**tilt.

    `bend` is the change of its pitch as a share of it. One sine and one cosine are enough for all partials:
    sin(kx) = 2 cos(x) sin((k-1)x) - sin((k-2)x) (Chebyshev).
    """
    phase = 2 * np.pi * frequency * np.cumsum(1 + bend + 0 * closing) / SAMPLE_RATE
    before, partial, twice = np.zeros_like(phase), np.sin(phase), 2 * np.cos(phase)
    total = partial.copy()
    fading = np.exp(-1 / closing)
    level = fading.copy()
    for k in range(2, min(partials, int(15_000 / frequency)) + 1):
        before, partial = partial, twice * partial - before
        total += level * partial * k**-tilt
        level *= fading
    return total


def _struck(frequency: float, time: _Curve, partials: Iterable[tuple[float, float, float]]) -> _Curve:
    """The sum of partials below 15 kHz that die away: each a multiple of the frequency, a level and a decay."""
    tone = np.zeros_like(time)
    for ratio, level, decay in partials:
        if frequency * ratio < 15_000:
            tone += level * np.exp(-time * decay) * np.sin(2 * np.pi * frequency * ratio * time)
    return tone


def pad(frequency: float, seconds: float, detune: float, partials: int) -> Sound:
    """A soft string-like tone that opens slowly, off by the share `detune`; more `partials` are brighter."""
    time = _seconds(seconds)
    drift = detune + 0.0006 * np.sin(2 * np.pi * 0.23 * time + 40 * detune)
    opening = 1.5 + partials * (0.25 + 0.3 * np.sin(np.pi * time / seconds) ** 0.8)
    tone = _harmonics(frequency, drift, partials, 0.9, opening) * np.exp(-1 / opening)
    return _shaped(1.1 * tone, min(0.45, seconds * 0.3), 0.7)


def keys(frequency: float, seconds: float, hardness: float) -> Sound:
    """An electric piano: two-operator FM with a short metallic tine (Chowning 1973, the DX7's layout)."""
    time = _seconds(seconds)
    angle = 2 * np.pi * frequency * time
    body = np.sin(angle + hardness * np.exp(-time * 3.2) * np.sin(angle))
    tine = np.sin(angle + (0.35 if frequency < 900 else 0) * np.exp(-time * 14) * np.sin(14 * angle))
    tremolo = 1 + 0.06 * np.sin(2 * np.pi * 4.3 * time)
    return _shaped(
        (0.75 * body + 0.25 * tine) * np.exp(-time * (0.9 + frequency / 900)) * tremolo, 0.004, 0.12
    )


def pluck(frequency: float, seconds: float, partials: int, damping: float) -> Sound:
    """A string plucked at 0.23 of its length: the higher a partial, the sooner it dies; `damping` 1 is a guitar's."""
    k = np.arange(1, partials + 1)
    levels, decays = 1.2 * np.sin(np.pi * k * 0.23) / k**1.15, damping * (1.9 + 1.3 * k)
    stiff = k * np.sqrt(1 + 0.0004 * k * k)
    return _shaped(
        _struck(frequency, _seconds(seconds), zip(stiff, levels, decays, strict=True)), 0.002, 0.03
    )


def bass(frequency: float, seconds: float, bite: float) -> Sound:
    """A round bass with an edge that closes quickly; `bite` 0 is almost a sine, 1 growls."""
    time = _seconds(seconds)
    tone = _harmonics(frequency, 0.0, 12, 0.8, 1.2 + bite * (2.5 + 7 * np.exp(-time * 9)))
    return _shaped(0.85 * np.tanh(1.15 * tone) * np.exp(-time * 0.9), 0.006, 0.05)


def lead(frequency: float, seconds: float, partials: int) -> Sound:
    """A singing lead with a vibrato that comes in late; few partials make a flute, many a synthesiser."""
    time = _seconds(seconds)
    vibrato = 0.0045 * np.clip((time - 0.22) / 0.3, 0, 1) * np.sin(2 * np.pi * 5.2 * time)
    closing = 1.2 + partials * (0.35 + 0.5 * np.exp(-time * 5))
    tone = _harmonics(frequency, vibrato, partials, 0.75, closing) / (1 + 0.09 * partials)
    return _shaped(tone * np.exp(-time * 0.5), 0.018, 0.12)


def bell(frequency: float, seconds: float) -> Sound:
    """A small bell: partials of a struck bar, long in the air."""
    partials = ((1, 0.7, 1.1), (2.76, 0.2, 2.6), (5.4, 0.085, 5.5), (0.5, 0.1, 0.9))
    return _shaped(_struck(frequency, _seconds(seconds), partials), 0.003, 0.25)


def kick(rng: np.random.Generator, weight: float) -> Sound:
    """A bass drum whose pitch falls to 48 Hz; a larger `weight` is longer and its beater clicks harder."""
    time = _seconds(0.24 + 0.12 * weight)
    falling = 48 + (70 + 60 * weight) * np.exp(-time * 34)
    body = np.sin(2 * np.pi * np.cumsum(falling) / SAMPLE_RATE) * np.exp(-time * (13 - 4 * weight))
    click = 0.25 * weight * np.exp(-time * 320) * np.sin(2 * np.pi * rng.uniform(1_800, 2_000) * time)
    return _shaped(body + click, 0.0015, 0.05)


def snare(rng: np.random.Generator, noise: float) -> Sound:
    """A snare: a struck skin under rustling wires; `noise` is the share of the wires."""
    time = _seconds(0.28)
    wires = np.diff(rng.standard_normal(time.size + 1)) * np.exp(-time * 21)
    skin = _struck(187, time, ((1, 1, 26), (1.77, 0.5, 26)))
    return _shaped(noise * 0.35 * wires + (1 - noise) * 0.8 * skin, 0.001, 0.08)


def clap(rng: np.random.Generator) -> Sound:
    """Hands: four bursts of noise within 30 ms and a short tail."""
    time = _seconds(0.3)
    bursts = ((0.0, 0.7, 190), (0.011, 0.7, 190), (0.021, 0.8, 190), (0.03, 1.0, 24))
    level = np.max(
        [(time >= at) * loud * np.exp(-np.abs(time - at) * decay) for at, loud, decay in bursts], axis=0
    )
    noise = rng.standard_normal(time.size + 2)
    band = noise[2:] - 0.25 * noise[1:-1] - 0.7 * noise[:-2]  # weak below 1 kHz, strongest about 9 kHz
    return _shaped(0.35 * band * level, 0.001, 0.1)


def hat(rng: np.random.Generator, length: float, attack: float = 0.001) -> Sound:
    """A hi-hat of about `length` seconds: 0.04 is closed, 0.25 open, and with an attack of 0.03 it is a shaker."""
    time = _seconds(length * 2.2)
    noise = np.diff(rng.standard_normal(time.size + 2), n=2)
    return _shaped(0.16 * noise * np.exp(-time / length * 3.2), attack, length * 0.5)
