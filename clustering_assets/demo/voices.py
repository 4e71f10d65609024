"""The instruments of the sample music: a function for each sound, mono float32 at 44.1 kHz, about -1 to 1."""

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 44_100
"""Samples per second of everything in the sample music."""

Sound = NDArray[np.float32]

_RELEASE = 0.03  # seconds; long enough to be free of clicks, short enough to stay tight


def _seconds(seconds: float) -> NDArray[np.float64]:
    """The time of each sample of a note, in seconds."""
    return np.arange(max(1, round(seconds * SAMPLE_RATE))) / SAMPLE_RATE


def _held(time: NDArray[np.float64], attack: float, release: float) -> NDArray[np.float64]:
    """An envelope that rises over `attack` seconds, holds, and falls to exactly 0 over `release` seconds."""
    rise = np.clip(time / attack, 0, 1)
    fall = np.clip((time[-1] - time) / release, 0, 1)
    return (0.5 - 0.5 * np.cos(np.pi * rise)) * (0.5 - 0.5 * np.cos(np.pi * fall))


def _harmonics(
    phase: NDArray[np.float64], amplitudes: list[NDArray[np.float64] | float]
) -> NDArray[np.float64]:
    """The sum of `amplitudes[k - 1] * sin(k * phase)`.

    One sine and one cosine are enough: sin(kx) = 2 cos(x) sin((k-1)x) - sin((k-2)x) (Chebyshev).
    """
    before, partial, twice = np.zeros_like(phase), np.sin(phase), 2 * np.cos(phase)
    total = amplitudes[0] * partial
    for amplitude in amplitudes[1:]:
        before, partial = partial, twice * partial - before
        total += amplitude * partial
    return total


def _audible(frequency: float, count: int) -> int:
    """How many of `count` partials of `frequency` stay below 15 kHz, at least one."""
    return max(1, min(count, int(15_000 / frequency)))


def pad(frequency: float, seconds: float, detune: float, partials: int) -> Sound:
    """A soft string-like tone that opens slowly.

    Args:
        frequency: Pitch in Hz.
        seconds: Length including the release.
        detune: Share by which the pitch is off, such as 0.003; two pads detuned either way make it wide.
        partials: Number of partials; more are brighter.
    """
    time = _seconds(seconds)
    drift = 0.0006 * np.sin(2 * np.pi * 0.23 * time + 40 * detune)
    phase = 2 * np.pi * frequency * np.cumsum(1 + detune + drift) / SAMPLE_RATE
    opening = 0.45 + 0.55 * np.sin(np.pi * np.clip(time / time[-1], 0, 1)) ** 0.8
    brightness = 1.5 + partials * 0.55 * opening
    levels = [k**-0.9 * np.exp(-k / brightness) for k in range(1, _audible(frequency, partials) + 1)]
    attack = min(0.45, seconds * 0.3)
    return (1.1 * _harmonics(phase, levels) * _held(time, attack, min(0.7, seconds * 0.35))).astype(
        np.float32
    )


def keys(frequency: float, seconds: float, hardness: float) -> Sound:
    """An electric piano: two-operator FM with a short metallic tine (Chowning 1973, the DX7's layout)."""
    time = _seconds(seconds)
    angle = 2 * np.pi * frequency * time
    body = np.sin(angle + hardness * np.exp(-time * 3.2) * np.sin(angle))
    tine = (
        np.sin(angle + 0.35 * np.exp(-time * 14) * np.sin(14 * angle)) if frequency < 900 else np.sin(angle)
    )
    decay = np.exp(-time * (0.9 + frequency / 900))
    tremolo = 1 + 0.06 * np.sin(2 * np.pi * 4.3 * time)
    tone = (0.75 * body + 0.25 * tine) * decay * tremolo
    return (tone * _held(time, 0.004, min(0.12, seconds * 0.4))).astype(np.float32)


def pluck(frequency: float, seconds: float, partials: int, damping: float) -> Sound:
    """A plucked string: partials that die the faster the higher they are.

    Args:
        frequency: Pitch in Hz.
        seconds: Length including the release.
        partials: Number of partials.
        damping: How fast the sound dies; 1 is a guitar, 3 a marimba.
    """
    time = _seconds(seconds)
    position = 0.23  # of the string, where it is plucked: takes out every partial with a node there
    tone = np.zeros_like(time)
    for k in range(1, _audible(frequency, partials) + 1):
        stretched = frequency * k * np.sqrt(1 + 0.0004 * k * k)
        level = np.sin(np.pi * k * position) / k**1.15
        tone += level * np.exp(-time * damping * (1.9 + 1.3 * k)) * np.sin(2 * np.pi * stretched * time)
    return (1.2 * tone * _held(time, 0.002, min(_RELEASE, seconds * 0.4))).astype(np.float32)


def bass(frequency: float, seconds: float, bite: float) -> Sound:
    """A round bass with an edge that closes quickly.

    Args:
        frequency: Pitch in Hz.
        seconds: Length including the release.
        bite: 0 is almost a sine, 1 growls.
    """
    time = _seconds(seconds)
    closing = 1.2 + bite * (2.5 + 7 * np.exp(-time * 9))
    levels = [np.exp(-(k - 1) / closing) / k**0.8 for k in range(1, 13)]
    tone = _harmonics(2 * np.pi * frequency * time, levels)
    shaped = np.tanh(1.15 * tone) * np.exp(-time * 0.9)
    return (0.85 * shaped * _held(time, 0.006, min(0.05, seconds * 0.4))).astype(np.float32)


def lead(frequency: float, seconds: float, partials: int) -> Sound:
    """A singing lead with a vibrato that comes in late; few partials make a flute, many a synthesiser."""
    time = _seconds(seconds)
    vibrato = 0.0045 * np.clip((time - 0.22) / 0.3, 0, 1) * np.sin(2 * np.pi * 5.2 * time)
    phase = 2 * np.pi * frequency * np.cumsum(1 + vibrato) / SAMPLE_RATE
    closing = 1.2 + partials * (0.35 + 0.5 * np.exp(-time * 5))
    levels = [np.exp(-(k - 1) / closing) / k**0.75 for k in range(1, _audible(frequency, partials) + 1)]
    tone = _harmonics(phase, levels) / (1 + 0.09 * partials)
    return (tone * _held(time, 0.018, min(0.12, seconds * 0.4)) * np.exp(-time * 0.5)).astype(np.float32)


def bell(frequency: float, seconds: float) -> Sound:
    """A small bell: partials of a struck bar, long in the air."""
    time = _seconds(seconds)
    tone = np.zeros_like(time)
    for ratio, level, decay in ((1, 1, 1.1), (2.76, 0.28, 2.6), (5.4, 0.12, 5.5), (0.5, 0.15, 0.9)):
        if frequency * ratio < 15_000:
            tone += level * np.exp(-time * decay) * np.sin(2 * np.pi * frequency * ratio * time)
    return (0.7 * tone * _held(time, 0.003, min(0.25, seconds * 0.4))).astype(np.float32)


def kick(weight: float) -> Sound:
    """A bass drum whose pitch falls to 48 Hz; a larger `weight` is longer and clicks harder."""
    time = _seconds(0.24 + 0.12 * weight)
    falling = 48 + (70 + 60 * weight) * np.exp(-time * 34)
    body = np.sin(2 * np.pi * np.cumsum(falling) / SAMPLE_RATE) * np.exp(-time * (13 - 4 * weight))
    click = 0.25 * weight * np.exp(-time * 320) * np.sin(2 * np.pi * 1_900 * time)
    return ((body + click) * _held(time, 0.0015, 0.05)).astype(np.float32)


def snare(rng: np.random.Generator, noise: float) -> Sound:
    """A snare: a struck skin under rustling wires; `noise` is the share of the wires."""
    time = _seconds(0.28)
    wires = np.diff(rng.standard_normal(time.size + 1)) * np.exp(-time * 21)
    skin = (np.sin(2 * np.pi * 187 * time) + 0.5 * np.sin(2 * np.pi * 331 * time)) * np.exp(-time * 26)
    tone = noise * 0.35 * wires + (1 - noise) * 0.8 * skin
    return (tone * _held(time, 0.001, 0.08)).astype(np.float32)


def clap(rng: np.random.Generator) -> Sound:
    """Hands: four bursts of noise within 30 ms and a short tail."""
    time = _seconds(0.3)
    level = np.zeros_like(time)
    for start, strength, decay in ((0.0, 0.7, 190), (0.011, 0.7, 190), (0.021, 0.8, 190), (0.03, 1.0, 24)):
        late = time >= start
        level[late] = np.maximum(level[late], strength * np.exp(-(time[late] - start) * decay))
    noise = rng.standard_normal(time.size + 2)
    band = noise[2:] - 0.25 * noise[1:-1] - 0.7 * noise[:-2]  # weak below 1 kHz, strongest about 9 kHz
    return (0.35 * band * level * _held(time, 0.001, 0.1)).astype(np.float32)


def hat(rng: np.random.Generator, length: float) -> Sound:
    """A hi-hat of about `length` seconds: 0.04 is closed, 0.25 open."""
    time = _seconds(length * 2.2)
    noise = np.diff(rng.standard_normal(time.size + 2), n=2)
    tone = noise * np.exp(-time / length * 3.2)
    return (0.16 * tone * _held(time, 0.001, length * 0.5)).astype(np.float32)


def shaker(rng: np.random.Generator) -> Sound:
    """A shaker: noise that swells for 30 ms and fades."""
    time = _seconds(0.12)
    swell = np.clip(time / 0.03, 0, 1) ** 2 * np.exp(-np.clip(time - 0.03, 0, None) * 45)
    return (0.2 * np.diff(rng.standard_normal(time.size + 1)) * swell * _held(time, 0.004, 0.03)).astype(
        np.float32
    )
