"""Valence and arousal of pictures and of music: the weights, where they come from, and the reference values.

Every feature is first compared with a frozen reference (what is usual for photos, what is usual for music),
never with the user's own folder: otherwise every folder would hold every mood. The weighted sum goes through
the normal distribution function, so 0.5 is usual, and 0 and 1 are the ends that nothing quite reaches.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from clustering_assets.music.moods import mood_at


@dataclass(frozen=True)
class Cue:
    """How one feature speaks of valence and arousal; beside each stands where sign and order of its weights come from.

    Attributes:
        usual: Mean of the reference.
        spread: Standard deviation of the reference.
        lowest: Least score, in spreads, that counts.
        highest: Largest score, in spreads, that counts.
        valence: Weight for valence.
        arousal: Weight for arousal.
        logarithmic: Whether the feature and its reference are compared as powers of two.
    """

    usual: float
    spread: float
    lowest: float
    highest: float
    valence: float
    arousal: float
    logarithmic: bool = False

    def score(self, value: float) -> float:
        """`value` in spreads from the usual, held within the bounds; 0 where it is not known."""
        if not math.isfinite(value):
            return 0.0
        if self.logarithmic:
            score = math.log2(max(value, 1e-6) / self.usual) / self.spread
        else:
            score = (value - self.usual) / self.spread
        return min(max(score, self.lowest), self.highest)


IMAGE_CUES: dict[str, Cue] = {
    # the reference: 1,200 photos, 150 of each class of the Natural Images data set (Roy et al. 2018), rounded
    # Valdez & Mehrabian 1994: pleasure = .69 B + .22 S; Wilms & Oberfeld 2018
    "brightness": Cue(50, 13, -2.5, 2.5, valence=0.60, arousal=0.0),
    # Valdez & Mehrabian 1994: arousal = .60 S; Gao & Xin 2006
    "chroma": Cue(18, 11, -1.3, 3.0, valence=0.20, arousal=0.40),
    # Hasler & Suesstrunk 2003; Palmer et al. 2013
    "colourfulness": Cue(38, 22, -1.3, 3.0, valence=0.10, arousal=0.25),
    # low contrast calms little, high contrast is what excites: Machajdik & Hanbury 2010; RMS contrast of Peli 1990
    "contrast": Cue(0.23, 0.055, -1.0, 3.5, valence=0.0, arousal=0.40),
    # Palmer et al. 2013: yellower colours, happier music
    "warmth": Cue(0.5, 0.35, -1.5, 1.5, valence=0.10, arousal=0.0),
}
"""The one table for pictures. Brightness has no arousal weight because the studies disagree on its sign."""

MUSIC_CUES: dict[str, Cue] = {
    # the reference: 238 tracks of 22 free games (Battle for Wesnoth, Naev, SuperTux and others), rounded;
    # `benchmarks/music.py --music FOLDER` measures these values on any folder
    # Eerola, Friberg & Bresin 2013: articulation, density
    "onset_rate": Cue(2.15, 1.28, -2.0, 2.0, valence=0.0, arousal=0.40, logarithmic=True),
    # Whiteford et al. 2018: loud, distorted; Eerola et al. 2013: timbre
    "fullness": Cue(0.805, 0.145, -2.5, 2.0, valence=0.0, arousal=0.30),
    # Palmer et al. 2013; Eerola et al. 2013
    "tempo": Cue(105, 0.44, -2.0, 2.0, valence=0.30, arousal=0.15, logarithmic=True),
    # Eerola et al. 2013: timbre
    "centroid": Cue(660, 0.41, -2.0, 2.0, valence=0.20, arousal=0.15, logarithmic=True),
    # Eerola et al. 2013: mode leads; Palmer et al. 2013
    "mode_score": Cue(0.0, 0.27, -2.0, 2.0, valence=0.50, arousal=0.0),
}
"""The one table for music."""

LEARNED_CUES: dict[str, Cue] = {
    # the reference: every other track of eight free games, 70 of them, rounded
    "learned_energy": Cue(0.3, 0.2, -2.0, 2.0, valence=0.0, arousal=1.0),
    "learned_valence": Cue(0.21, 0.145, -2.0, 2.0, valence=1.0, arousal=0.0),
}
"""What a learned model hears (`clustering_assets.music.learned_mood`), which counts as much as all other cues."""

BOTH = 0.55
"""Weight of either where both are known, so that places are spread in the plane as widely as they are by one."""


@dataclass(frozen=True)
class Emotion:
    """A place in the plane of valence and arousal.

    Attributes:
        valence: 0 (unpleasant) to 1 (pleasant).
        arousal: 0 (still) to 1 (lively).
    """

    valence: float
    arousal: float

    @property
    def mood(self) -> str:
        """The mood whose region this is."""
        return mood_at(self.valence, self.arousal)


def image_emotion(features: Mapping[str, float], cues: Mapping[str, Cue] = IMAGE_CUES) -> Emotion:
    """Where pictures with these features lie.

    Args:
        features: `brightness` (mean L*, 0 to 100), `chroma` (mean C*ab), `colourfulness` (Hasler & Suesstrunk's
            M3), `contrast` (RMS of luma), `warmth` (0 to 1). What is missing or NaN is left out.
        cues: Another table than `IMAGE_CUES`, to see what a weight does.
    """
    return _emotion(features, cues)


def music_emotion(features: Mapping[str, float], cues: Mapping[str, Cue] = MUSIC_CUES) -> Emotion:
    """Where music with these features lies.

    Args:
        features: `onset_rate` (per second), `fullness` (0 to 1), `tempo` (beats per minute, NaN without a beat),
            `centroid` (hertz), `loudness` (LUFS), `mode_score` (-1 to 1). What is missing or NaN is left
            out, so a track without a beat is judged by the rest. Where `learned_energy` and `learned_valence` (0 to
            1) are known, they count as much as all the others.
        cues: Another table than `MUSIC_CUES`.
    """
    if all(math.isfinite(features.get(name, math.nan)) for name in LEARNED_CUES):
        cues = {
            name: replace(cue, valence=BOTH * cue.valence, arousal=BOTH * cue.arousal)
            for name, cue in {**cues, **LEARNED_CUES}.items()
        }
    return _emotion(features, cues)


def _emotion(features: Mapping[str, float], cues: Mapping[str, Cue]) -> Emotion:
    """The weighted sums of the scores; the weights of what is known speak for what is not."""
    values = {name: float(features.get(name, math.nan)) for name in cues}
    known = [(cue, cue.score(values[name])) for name, cue in cues.items() if math.isfinite(values[name])]

    def along(axis: str) -> float:
        """The place on an axis: the standard normal distribution function of the sum."""
        total = sum(getattr(cue, axis) for cue in cues.values())
        weight = sum(getattr(cue, axis) for cue, _ in known)
        weighted = sum(getattr(cue, axis) * score for cue, score in known)
        return 0.5 * (1 + math.erf((weighted * total / weight if weight else 0.0) / math.sqrt(2)))

    return Emotion(along("valence"), along("arousal"))
