"""What the sample music plays: keys, chords, melodies and the beat grid of each mood, as plain numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BEATS_PER_BAR = 4
LEAD_IN = 0.05
"""Seconds before the first beat, so that nothing has to fade in over the first note."""
TAIL = 1.9
"""Seconds after the last bar in which the final chord rings out."""

_LYDIAN = (0, 2, 4, 6, 7, 9, 11)
_IONIAN = (0, 2, 4, 5, 7, 9, 11)
_MIXOLYDIAN = (0, 2, 4, 5, 7, 9, 10)
_AEOLIAN = (0, 2, 3, 5, 7, 8, 10)


@dataclass(frozen=True)
class Style:
    """The musical facts of one mood.

    Attributes:
        mood: Name of the mood.
        title: Title of the piece.
        tempo: Beats per minute for seed 0; other seeds are up to 3 off.
        bars: Bars in the piece as a whole, the last of which is the closing chord.
        tonic: MIDI number of the key's tonic, between C3 (48) and B3 (59).
        scale: Semitones of the seven degrees above the tonic.
        chords: Degree of each chord's root, one for each bar, repeated.
        tones: Steps above the root that make a chord, in degrees (0, 2, 4 is a triad).
        swing: Share of a beat by which the second of two eighths comes late.
        rhythms: Rhythms of a bar of melody, each a sequence of (beat, length in beats).
    """

    mood: str
    title: str
    tempo: float
    bars: int
    tonic: int
    scale: tuple[int, ...]
    chords: tuple[int, ...]
    tones: tuple[int, ...]
    swing: float
    rhythms: tuple[tuple[tuple[float, float], ...], ...]


STYLES = {
    "upbeat": Style(
        mood="upbeat",
        title="Paper Kites",
        tempo=122,
        bars=21,
        tonic=48,
        scale=_IONIAN,
        chords=(0, 4, 5, 3, 0, 4, 3, 3),
        tones=(0, 2, 4, 8),
        swing=0.0,
        rhythms=(
            ((0, 0.75), (0.75, 0.75), (1.5, 1), (2.5, 0.5), (3, 1)),
            ((0, 0.5), (0.5, 1), (1.5, 0.5), (2, 0.75), (2.75, 1.25)),
            ((0, 1.5), (1.5, 0.5), (2, 2)),
        ),
    ),
    "calm": Style(
        mood="calm",
        title="Slow Water",
        tempo=72,
        bars=13,
        tonic=55,
        scale=_LYDIAN,
        chords=(0, 1, 5, 2, 0, 1, 5, 4),
        tones=(0, 2, 4, 6),
        swing=0.0,
        rhythms=(
            ((0, 2), (2, 1), (3, 1)),
            ((0.5, 1.5), (2, 2)),
            ((0, 3),),
        ),
    ),
    "energetic": Style(
        mood="energetic",
        title="Neon Run",
        tempo=140,
        bars=25,
        tonic=57,
        scale=_AEOLIAN,
        chords=(0, 5, 2, 6),
        tones=(0, 2, 4),
        swing=0.0,
        rhythms=(
            ((0, 0.5), (0.5, 0.25), (0.75, 0.5), (1.5, 0.5), (2, 0.5), (2.5, 0.5), (3, 1)),
            ((0, 0.75), (0.75, 0.75), (1.5, 0.5), (2, 0.75), (2.75, 0.75), (3.5, 0.5)),
            ((0, 1), (1, 0.5), (1.5, 0.5), (2, 2)),
        ),
    ),
    "neutral": Style(
        mood="neutral",
        title="Corner Window",
        tempo=96,
        bars=17,
        tonic=57,
        scale=_MIXOLYDIAN,
        chords=(0, 6, 3, 0, 5, 3, 6, 4),
        tones=(0, 2, 4, 6),
        swing=0.08,
        rhythms=(
            ((0.5, 0.5), (1, 1), (2.5, 0.5), (3, 1)),
            ((0, 1), (1.5, 0.5), (2, 1.5)),
            ((1, 0.5), (1.5, 0.5), (2, 0.5), (2.5, 1.5)),
        ),
    ),
}
"""The four moods in the order of their names' use: upbeat, calm, energetic, neutral."""

MOODS = tuple(STYLES)


@dataclass(frozen=True)
class BeatGrid:
    """Where the beats of a generated track are, exactly.

    Attributes:
        tempo: Beats per minute.
        beat_times: Seconds of every beat, ascending, float64.
        downbeat: Index of the first beat of a bar.
        beats_per_bar: Always 4.
    """

    tempo: float
    beat_times: NDArray[np.float64]
    downbeat: int = 0
    beats_per_bar: int = BEATS_PER_BAR


@dataclass(frozen=True)
class Note:
    """One note: when it starts and how long it is in beats, and its pitch as a MIDI number."""

    beat: float
    length: float
    pitch: int


def style_of(mood: str) -> Style:
    """The style of a mood.

    Raises:
        ValueError: There is no such mood; the message names the four.
    """
    if mood not in STYLES:
        raise ValueError(f"mood {mood!r}: choose one of {', '.join(MOODS)}")
    return STYLES[mood]


def tempo_of(style: Style, seed: int) -> float:
    """Beats per minute of the piece for this seed."""
    return style.tempo + (0 if seed == 0 else int(_dice(style, seed, 1).integers(-3, 4)))


def tonic_of(style: Style, seed: int) -> int:
    """MIDI number of the tonic for this seed: the style's own, or up to three semitones away."""
    return style.tonic + (0 if seed == 0 else int(_dice(style, seed, 2).integers(-3, 4)))


def bars_within(style: Style, seed: int, seconds: float | None) -> int:
    """Whole bars of a piece of `seconds` including its lead-in and tail; the style's own number for None."""
    if seconds is None:
        return style.bars
    bar = BEATS_PER_BAR * 60 / tempo_of(style, seed)
    return max(1, int((seconds - LEAD_IN - min(TAIL, seconds / 4)) / bar))


def frequency_of(pitch: float) -> float:
    """Hz of a MIDI number (69 is 440 Hz), equal temperament."""
    return 440.0 * 2 ** ((pitch - 69) / 12)


def pitch_of(style: Style, tonic: int, degree: int) -> int:
    """MIDI number of a scale degree; 0 is the tonic, 7 the tonic one octave up, negative ones lie below."""
    return tonic + 12 * (degree // 7) + style.scale[degree % 7]


def chord_at(style: Style, bar: int, bars: int) -> int:
    """Degree of the root of the chord of a bar; the last bar is always at home."""
    return 0 if bar == bars - 1 else style.chords[bar % len(style.chords)]


def voicing(style: Style, tonic: int, root: int, centre: int) -> list[int]:
    """The chord on `root`, each tone in the octave nearest to `centre`, so that voices move little."""
    tones = []
    for step in style.tones:
        pitch = pitch_of(style, tonic, root + step)
        tones.append(pitch + 12 * round((centre - pitch) / 12))
    return sorted(tones)


def melody(
    style: Style, tonic: int, bars: Sequence[int], roots: Sequence[int], rng: np.random.Generator
) -> list[Note]:
    """A melody of phrases of four bars in the form a b a c, which is what makes it easy to remember.

    Notes on strong beats and long notes belong to the chord; the others walk by small steps.

    Args:
        style: The mood.
        tonic: MIDI number of the tonic.
        bars: Numbers of the bars that the melody plays in, consecutive.
        roots: Degree of the chord of each of these bars.
        rng: Dice of the piece.
    """
    order = rng.permutation(len(style.rhythms))
    motif = {name: style.rhythms[order[i % len(order)]] for i, name in enumerate("abc")}
    steps = {name: rng.choice([-2, -1, -1, 1, 1, 2], size=16) for name in "abc"}
    start = int(rng.choice([9, 11]))
    notes = []
    degree = start
    for place, (bar, root) in enumerate(zip(bars, roots, strict=True)):
        name = "abac"[place % 4]
        if name == "a":
            degree = start
        for index, (beat, length) in enumerate(motif[name]):
            degree = int(np.clip(degree + (steps[name][index] if index else 0), 6, 15))
            if beat % 2 == 0 or length >= 1:
                degree = _nearest_tone(degree, root)
            notes.append(Note(bar * BEATS_PER_BAR + beat, length * 0.95, pitch_of(style, tonic, degree)))
    return notes


def _nearest_tone(degree: int, root: int) -> int:
    """The tone of the triad on `root` that is nearest to `degree`."""
    return min(
        (tone for tone in range(4, 18) if (tone - root) % 7 in (0, 2, 4)), key=lambda tone: abs(tone - degree)
    )


def _dice(style: Style, seed: int, purpose: int) -> np.random.Generator:
    """Random numbers for one purpose of one piece."""
    return np.random.default_rng([seed, purpose, *style.mood.encode()])


def dice(mood: str, seed: int) -> np.random.Generator:
    """Random numbers of a piece, for its melody and the noise in its drums."""
    return _dice(style_of(mood), seed, 0)


def beat_grid(mood: str, seed: int = 0, seconds: float | None = None) -> BeatGrid:
    """The exact beats of what `clustering_assets.demo.music.synthesise` makes with the same arguments."""
    style = style_of(mood)
    tempo = tempo_of(style, seed)
    beats = bars_within(style, seed, seconds) * BEATS_PER_BAR
    return BeatGrid(tempo, LEAD_IN + np.arange(beats) * 60 / tempo)
