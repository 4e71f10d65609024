"""What the sample music plays: keys, chords, parts, melodies and the beat grid of each mood, as plain numbers."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

BEATS_PER_BAR = 4
LEAD_IN = 0.05
"""Seconds before the first beat, so that nothing has to fade in over the first note."""
TAIL = 1.9
"""Seconds after the last bar in which the final chord rings out."""

_STRUM = 0.012  # seconds between the tones of a chord
_ROLL = 0.05  # and in the closing chord


@dataclass(frozen=True)
class Part:
    """One instrument, and what it plays in every bar.

    In `steps` the bar is written in sixteenths: a digit begins a note, "-" holds it, "." is silence. For drums and
    chords the digit is the level, up to 9; for an arpeggio the tone of the chord, counted on into the octaves above
    (hexadecimal); for the bass 0 is the root, 1 its octave, 2 its fifth and 3 a step towards the next root.
    """

    plays: Literal["drum", "chord", "arp", "bass", "tune"]
    voice: str  # name of its function in `clustering_assets.demo.voices`
    details: tuple[float, ...]  # arguments of the voice after pitch and length, or after the dice of a drum
    steps: str
    gain: float
    first: int = 0  # the bar in which it sets in
    ring: float = 0.0  # beats that every note sounds at least
    ending: float = 0.0  # beats that it holds the closing chord; 0 to be silent there
    every: int = 1  # it plays in one of so many bars
    centre: int = 60  # MIDI number that its chords lie around
    pan: float = 0.0  # -1 is left, 1 is right
    width: float = (
        0.0  # how far tones of a chord, or notes of an arpeggio by turns, lie to either side of that
    )
    send: float = 0.0  # share sent to the reverb
    echo: float = 0.0  # share sent to the echo


@dataclass(frozen=True)
class Style:
    """The musical facts of one mood."""

    mood: str
    title: str
    tempo: float  # beats per minute for seed 0; other seeds are up to 3 off
    bars: int  # the last of them is the closing chord
    tonic: int  # MIDI number, between C3 (48) and B3 (59)
    level: float  # dB RMS below full scale
    room: float  # seconds in which the reverb falls by 60 dB
    duck: float  # share by which the bass drum presses bass and chords down
    swing: float  # share of a beat by which the second of two eighths comes late
    scale: tuple[int, ...]  # semitones of the seven degrees above the tonic
    chords: tuple[int, ...]  # degree of each chord's root, one for each bar, repeated
    tones: tuple[int, ...]  # steps above the root that make a chord, in degrees (0, 2, 4 is a triad)
    rhythms: tuple[str, ...]  # of a bar of melody, in sixteenths
    parts: tuple[Part, ...]


class Note(NamedTuple):
    """One note of a part."""

    beat: float
    length: float  # in beats
    pitch: int  # MIDI number; 0 for a drum
    level: float  # up to 1
    pan: float


def _pads(centre: int, gain: float, partials: int, ring: float) -> list[Part]:
    """Pads on either side, a little apart in pitch."""
    sides = ((-0.0028, -0.75), (0.0031, 0.75))
    details = {"ring": ring, "ending": 5.5, "centre": centre, "send": 0.3}
    return [Part("chord", "pad", (detune, partials), "9", gain, pan=pan, **details) for detune, pan in sides]


_FACTS = {
    # title, tempo, bars, tonic, level, room, duck, swing
    "upbeat": ("Paper Kites", 122, 21, 48, -15.5, 1.1, 0.35, 0.0),
    "calm": ("Slow Water", 72, 13, 55, -19.0, 2.6, 0.0, 0.0),
    "energetic": ("Neon Run", 140, 25, 57, -14.5, 1.3, 0.62, 0.0),
    "neutral": ("Corner Window", 96, 17, 57, -16.5, 1.5, 0.15, 0.08),
}
_HARMONY = {
    # scale, chords, tones
    "upbeat": ((0, 2, 4, 5, 7, 9, 11), (0, 4, 5, 3, 0, 4, 3, 3), (0, 2, 4, 8)),  # Ionian
    "calm": ((0, 2, 4, 6, 7, 9, 11), (0, 1, 5, 2, 0, 1, 5, 4), (0, 2, 4, 6)),  # Lydian
    "energetic": ((0, 2, 3, 5, 7, 8, 10), (0, 5, 3, 4), (0, 2, 4)),  # Aeolian
    "neutral": ((0, 2, 4, 5, 7, 9, 10), (0, 6, 3, 0, 5, 3, 6, 4), (0, 2, 4, 6)),  # Mixolydian
}
_RHYTHMS = {
    "upbeat": ("0--0--0---0-0---", "0-0---0-0--0----", "0-----0-0-------"),
    "calm": ("0-------0---0---", "..0-----0-------", "0-----------...."),
    "energetic": ("0-00-.0-0-0-0---", "0--0--0-0--0--0-", "0---0-0-0-------"),
    "neutral": ("..0-0---..0-0---", "0---..0-0-----..", "....0-0-0-0-----"),
}
_BANDS = {
    "upbeat": (
        *_pads(60, 0.075, 9, 4.0),
        Part("bass", "bass", (0.35,), "0-----0-0---0-1-", 0.32, ending=4),
        Part("arp", "pluck", (7, 1.5), "4.6.5.7.6.5.7.6.", 0.2, 0, 1.5, width=-0.45, send=0.16, echo=0.22),
        Part("arp", "pluck", (7, 1.5), "......b.....b...", 0.17, 8, 1.5, send=0.16, echo=0.22),
        Part("chord", "pluck", (9, 1), "9---..9---9---..", 0.14, 4, 0, 4, centre=64, width=0.2, send=0.12),
        Part("drum", "kick", (0.6,), "9...9...9...9...", 0.62, ending=4),
        Part("drum", "clap", (), "....9.......9...", 0.5, 1, pan=-0.05, send=0.18),
        Part("drum", "hat", (0.045,), "..9...9...9...9.", 0.3, pan=0.2),
        Part("drum", "hat", (0.2,), "..............9.", 0.26, 3, every=4, pan=0.25, send=0.05),
        Part("drum", "hat", (0.06, 0.03), "9474947494749474", 0.3, 2, pan=-0.35),
        Part("tune", "lead", (3,), "", 0.17, 4, pan=0.05, send=0.25, echo=0.28),
    ),
    "calm": (
        *_pads(62, 0.1, 4, 5.2),
        Part("bass", "bass", (0.04,), "0---------------", 0.3, ending=4),
        Part("arp", "keys", (0.9,), "0...5...6...5...", 0.18, 0, 2.6, 5, width=-0.3, send=0.35, echo=0.12),
        Part("arp", "keys", (0.9,), "..2...3...3...2.", 0.18, 2, 2.6, width=0.3, send=0.35, echo=0.12),
        Part("tune", "bell", (), "", 0.16, 4, pan=0.05, send=0.6, echo=0.3),
    ),
    "energetic": (
        *_pads(62, 0.095, 16, 4.1),
        Part("bass", "bass", (0.8,), ".000.010.001.010", 0.3, ending=4),
        Part("arp", "lead", (9,), "3454348434543484", 0.115, 2, width=-0.55, send=0.12, echo=0.2),
        Part("drum", "kick", (1.0,), "9...9...9...9...", 0.72, ending=4),
        Part("drum", "snare", (0.7,), "....9.......9...", 0.5, send=0.14),
        Part("drum", "snare", (0.7,), "..........45.789", 0.46, 7, every=8, pan=0.1, send=0.1),
        Part("drum", "clap", (), "....9.......9...", 0.25, send=0.15),
        Part("drum", "hat", (0.035,), "9374937493749374", 0.3, pan=0.25),
        Part("drum", "hat", (0.22,), "..9...9...9...9.", 0.14, pan=-0.3),
        Part("drum", "hat", (1.1,), "9...............", 0.34, every=8, ending=4, pan=0.15, send=0.2),
        Part("tune", "lead", (12,), "", 0.19, 8, pan=0.05, send=0.2, echo=0.32),
    ),
    "neutral": (
        *_pads(60, 0.085, 16, 4.4),
        Part("bass", "bass", (0.16,), "0-----1-2---..3-", 0.31, ending=4),
        Part("chord", "keys", (2.1,), "9----.6-..8-----", 0.17, ending=4.5, width=-0.3, send=0.18, echo=0.05),
        Part("chord", "pluck", (9, 1), "....9-....9-9-..", 0.17, 2, centre=69, width=0.2, send=0.12),
        Part("drum", "kick", (0.25,), "9.......6.6.....", 0.55, ending=4),
        Part("drum", "snare", (0.45,), "....9.......9...", 0.4, 1, pan=-0.05, send=0.12),
        Part("drum", "snare", (0.45,), "..............9.", 0.14, 3, every=4, pan=-0.05, send=0.12),
        Part("drum", "hat", (0.04,), "9.7.9.7.9.7.9.7.", 0.42, pan=0.3),
        Part("drum", "hat", (0.06, 0.03), "9.7.9.7.9.7.9.7.", 0.32, pan=-0.4),
        Part("tune", "lead", (2,), "", 0.15, 4, pan=0.05, send=0.3, echo=0.2),
    ),
}

_STYLES: dict[str, tuple[Any, ...]] = {
    mood: (mood, *_FACTS[mood], *_HARMONY[mood], _RHYTHMS[mood], _BANDS[mood]) for mood in _FACTS
}
STYLES = {mood: Style(*facts) for mood, facts in _STYLES.items()}
MOODS = tuple(STYLES)


@dataclass(frozen=True)
class Piece:
    """A style in the key, tempo and length of one piece, and every note of it."""

    style: Style
    tempo: float  # beats per minute
    tonic: int  # MIDI number
    bars: int
    seed: int  # of its dice

    def dice(self, purpose: int) -> np.random.Generator:
        """Random numbers for one purpose of the piece."""
        return np.random.default_rng([self.seed, purpose, *self.style.mood.encode()])

    @property
    def beat_times(self) -> NDArray[np.float64]:
        """Seconds of every beat, ascending, (n,); every fourth from the first on begins a bar."""
        return LEAD_IN + np.arange(self.bars * BEATS_PER_BAR) * 60 / self.tempo

    def pitch(self, degree: int) -> int:
        """MIDI number of a scale degree; 0 is the tonic, 7 the tonic one octave up, negative ones lie below."""
        return self.tonic + 12 * (degree // 7) + self.style.scale[degree % 7]

    def root(self, bar: int) -> int:
        """Degree of the root of the chord of a bar; the last bar is always at home."""
        return 0 if bar >= self.bars - 1 else self.style.chords[bar % len(self.style.chords)]

    def chord(self, bar: int, centre: int) -> list[int]:
        """The chord of a bar, each tone in the octave nearest to `centre`, so that voices move little."""
        tones = [self.pitch(self.root(bar) + step) for step in self.style.tones]
        return sorted(tone + 12 * round((centre - tone) / 12) for tone in tones)

    def bass(self, bar: int) -> tuple[int, int, int, int]:
        """What the bass may play in a bar: root, octave, fifth (or the fourth below), a step to the next root."""
        low, following = (34 + (self.pitch(self.root(at)) - 34) % 12 for at in (bar, bar + 1))
        return low, low + 12, low + (7 if low < 46 else -5), following + (2, -1)[bar % 2]

    def notes(self, part: Part) -> Iterator[Note]:
        """Every note of a part."""
        last = self.bars - 1
        if part.plays == "tune":
            yield from self._tune(part)
            return
        for bar in range(part.first, last, part.every):
            for turn, (beat, length, symbol) in enumerate(_read(part.steps)):
                held, side = max(length * 0.95, part.ring), part.width * (-1) ** turn
                yield from self._sounded(part, bar, beat, held, symbol, part.pan + side)
        if part.ending:
            yield from self._sounded(part, last, 0, part.ending, "", part.pan)

    def _sounded(
        self, part: Part, bar: int, beat: float, length: float, symbol: str, pan: float
    ) -> Iterator[Note]:
        """What a symbol of a part stands for in a bar; an empty one is what it plays in the closing bar."""
        level, start = int(symbol or "9", 16) / 9, self._at(bar, beat)
        chord = self.chord(bar, part.centre)
        if part.plays == "drum":
            yield Note(start, length, 0, level, part.pan)
        elif part.plays == "bass":
            yield Note(start, length, self.bass(bar)[int(symbol or "0")], 1.0, part.pan)
        elif part.plays == "arp" and symbol:
            octave, tone = divmod(int(symbol, 16), len(chord))
            yield Note(start, length, chord[tone] + 12 * octave, 1.0 if beat % 1 == 0 else 0.75, pan)
        else:
            apart = (_STRUM if symbol else _ROLL) * self.tempo / 60
            sides = part.pan + part.width * np.linspace(-1, 1, len(chord))
            for index, (pitch, side) in enumerate(zip(chord, sides.tolist(), strict=True)):
                yield Note(start + index * apart, length, pitch, level, side)

    def _at(self, bar: int, beat: float) -> float:
        """When a beat of a bar is, in beats from the beginning; the second of two eighths swings."""
        return bar * BEATS_PER_BAR + beat + (self.style.swing if beat % 1 == 0.5 else 0)

    def _tune(self, part: Part) -> Iterator[Note]:
        """A melody in the form a b a c, which is what makes it easy to remember.

        It sings four bars of every eight from the bar in which it sets in, and all of the last stretch. Notes on strong
        beats and long notes belong to the chord; the others walk by small steps.
        """
        rng, last = self.dice(5), self.bars - 1
        motifs = [_read(rhythm) for rhythm in rng.permutation(self.style.rhythms)]
        walks = rng.choice([-2, -1, -1, 1, 1, 2], size=(3, 16)).tolist()
        start = degree = int(rng.choice([9, 11]))
        bars = [bar for bar in range(part.first, last) if (bar - part.first) % 8 < 4 or bar >= last - 4]
        for place, bar in enumerate(bars):
            name = (0, 1, 0, 2)[place % 4]
            degree = degree if name else start
            for index, (beat, length, _) in enumerate(motifs[name]):
                degree = min(max(degree + (walks[name][index] if index else 0), 6), 15)
                if beat % 2 == 0 or length >= 1:
                    fitting = (tone for tone in range(4, 18) if (tone - self.root(bar)) % 7 in (0, 2, 4))
                    degree = min(fitting, key=lambda tone: abs(tone - degree))
                pitch = self.pitch(degree) + 12
                pitch -= 12 if pitch > 88 else 0
                level = 1.0 if beat % 2 == 0 else 0.85
                yield Note(self._at(bar, beat), max(length * 0.95, 0.3), pitch, level, part.pan)


def piece_of(mood: str, seed: int = 0, seconds: float | None = None) -> Piece:
    """The piece of a mood, of its own length or of `seconds` with lead-in and tail.

    Raises:
        ValueError: There is no such mood, the message names the four; or `seconds` is not positive.
    """
    if mood not in STYLES:
        raise ValueError(f"mood {mood!r}: choose one of {', '.join(MOODS)}")
    if seconds is not None and not 0 < seconds < 3_600:
        raise ValueError(f"seconds = {seconds}: must be above 0 and below 3600")
    style = STYLES[mood]
    piece = Piece(style, style.tempo, style.tonic, style.bars, seed)
    if seed:
        tempo, tonic = (int(piece.dice(purpose).integers(-3, 4)) for purpose in (1, 2))
        piece = replace(piece, tempo=style.tempo + tempo, tonic=style.tonic + tonic)
    if seconds is not None:
        bar = BEATS_PER_BAR * 60 / piece.tempo
        piece = replace(piece, bars=max(1, int((seconds - LEAD_IN - min(TAIL, seconds / 4)) / bar)))
    return piece


def _read(steps: str) -> list[tuple[float, float, str]]:
    """The notes of a bar in sixteenths: beat, length in beats, symbol."""
    found = re.finditer("[0-9a-f]-*", steps)
    return [(note.start() / 4, len(note[0]) / 4, note[0][0]) for note in found]
