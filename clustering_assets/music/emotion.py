"""Valence and arousal of pictures and of music: the weights, where they come from, and the reference values.

Every feature is first compared with a frozen reference (what is usual for photos, what is usual for music),
never with the user's own folder: otherwise every folder would hold every mood. The weighted sum goes through
the normal distribution function, so 0.5 is usual, and 0 and 1 are the ends that nothing quite reaches.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from clustering_assets.music.moods import mood_at


@dataclass(frozen=True)
class Cue:
    """How one feature speaks of valence and arousal.

    Attributes:
        usual: Mean of the reference.
        spread: Standard deviation of the reference.
        lowest: Least score, in spreads, that counts.
        highest: Largest score, in spreads, that counts.
        valence: Weight for valence.
        arousal: Weight for arousal.
        logarithmic: Whether the feature and its reference are compared as powers of two.
        source: Where sign and order of the weights come from.
    """

    usual: float
    spread: float
    lowest: float
    highest: float
    valence: float
    arousal: float
    source: str
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
    "brightness": Cue(
        50,
        13,
        -2.5,
        2.5,
        0.60,
        0.0,
        "Valdez & Mehrabian 1994: pleasure = .69 B + .22 S; Wilms & Oberfeld 2018",
    ),
    "chroma": Cue(18, 11, -1.3, 3.0, 0.20, 0.40, "Valdez & Mehrabian 1994: arousal = .60 S; Gao & Xin 2006"),
    "colourfulness": Cue(38, 22, -1.3, 3.0, 0.10, 0.25, "Hasler & Suesstrunk 2003; Palmer et al. 2013"),
    # low contrast calms little, high contrast is what excites
    "contrast": Cue(0.23, 0.055, -1.0, 3.5, 0.0, 0.40, "Machajdik & Hanbury 2010; RMS contrast of Peli 1990"),
    "warmth": Cue(0.5, 0.35, -1.5, 1.5, 0.10, 0.0, "Palmer et al. 2013: yellower colours, happier music"),
}
"""The one table for pictures. Brightness has no arousal weight because the studies disagree on its sign."""

MUSIC_CUES: dict[str, Cue] = {
    # the reference: 238 tracks of 22 free games (Battle for Wesnoth, Naev, SuperTux and others), rounded;
    # `benchmarks/music.py --music FOLDER` measures these values on any folder
    "onset_rate": Cue(
        2.15,
        1.28,
        -2.0,
        2.0,
        0.0,
        0.40,
        "Eerola, Friberg & Bresin 2013: articulation, density",
        logarithmic=True,
    ),
    "fullness": Cue(
        0.805,
        0.145,
        -2.5,
        2.0,
        0.0,
        0.30,
        "Whiteford et al. 2018: loud, distorted; Eerola et al. 2013: timbre",
    ),
    "tempo": Cue(
        105, 0.44, -2.0, 2.0, 0.30, 0.15, "Palmer et al. 2013; Eerola et al. 2013", logarithmic=True
    ),
    "centroid": Cue(660, 0.41, -2.0, 2.0, 0.20, 0.15, "Eerola et al. 2013: timbre", logarithmic=True),
    "mode_score": Cue(-0.2, 0.3, -2.0, 2.0, 0.50, 0.0, "Eerola et al. 2013: mode leads; Palmer et al. 2013"),
}
"""The one table for music."""


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
            out, so a track without a beat is judged by the rest.
        cues: Another table than `MUSIC_CUES`.
    """
    return _emotion(features, cues)


def _emotion(features: Mapping[str, float], cues: Mapping[str, Cue]) -> Emotion:
    values = {name: float(features.get(name, math.nan)) for name in cues}
    known = [(cue, cue.score(values[name])) for name, cue in cues.items() if math.isfinite(values[name])]
    valence = _weighted(
        [(cue.valence, score) for cue, score in known], sum(cue.valence for cue in cues.values())
    )
    arousal = _weighted(
        [(cue.arousal, score) for cue, score in known], sum(cue.arousal for cue in cues.values())
    )
    return Emotion(_share_below(valence), _share_below(arousal))


def _weighted(scores: list[tuple[float, float]], total: float) -> float:
    """The sum of weighted scores, the weights raised to `total`: what is known speaks for what is not."""
    weight = sum(weight for weight, _ in scores)
    return sum(weight * score for weight, score in scores) * total / weight if weight else 0.0


def _share_below(score: float) -> float:
    """The standard normal distribution function."""
    return 0.5 * (1 + math.erf(score / math.sqrt(2)))
