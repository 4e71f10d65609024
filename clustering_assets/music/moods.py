"""The moods: regions of one plane of valence (pleasant) and arousal (lively), both 0 to 1.

The plane is Russell's circumplex (1980, J. Personality and Social Psychology 39); pictures and music are placed
in it alike, so a mood means the same for both. Everything about a mood is in its entry of `MOODS`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

NEUTRAL_BELOW, NEUTRAL_ABOVE = 0.10, 0.07
"""How far arousal may lie below and above the centre to be neutral; less where valence is extreme."""

UPBEAT_SLOPE = 2.2
"""Above the centre, what is livelier than `UPBEAT_SLOPE * (valence - 0.5)` is energetic: what is upbeat is pleasant."""


@dataclass(frozen=True)
class Mood:
    """One mood.

    Attributes:
        name: What it is called, also in pins.
        region: Whether a place is in it, by valence and arousal less 0.5; the moods listed after it come first.
        lively: 1 for lively moods, -1 for still ones, which are their opposites, 0 for what is neither.
        words: Words in file names, titles and genres that speak of it; they decide only between near equals.
    """

    name: str
    region: Callable[[float, float], bool]
    lively: int
    words: str


def _near_the_centre(right: float, up: float) -> bool:
    reach = NEUTRAL_ABOVE if up > 0 else NEUTRAL_BELOW
    return (up / reach) ** 2 + (right / 0.5) ** 4 <= 1


MOODS = {
    mood.name: mood
    for mood in (
        Mood(
            "upbeat",
            region=lambda right, up: True,
            lively=1,
            words="""upbeat happy joy joyful cheerful fun funny sunny summer bright bouncy dance party victory win
            won winner fanfare festival celebration swing samba holiday carnival jolly merry playful""",
        ),
        Mood(
            "calm",
            region=lambda right, up: up <= 0,
            lively=-1,
            words="""calm ambient ambience peaceful peace quiet sleep sleepy lullaby serene gentle soft slow relax
            relaxing relaxed chill dream dreamy night moon rain snow forest cave lake ocean water garden meditation
            sad lament melancholy sorrow elegy farewell credits ballad rest home village""",
        ),
        Mood(
            "energetic",
            region=lambda right, up: up > max(UPBEAT_SLOPE * right, 0),
            lively=1,
            words="""energetic energy battle fight fighting boss war combat action attack race racing chase fast
            furious intense danger epic rock metal techno hardcore drums storm rage power speed rush run assault""",
        ),
        Mood("neutral", region=_near_the_centre, lively=0, words="neutral background lounge elevator"),
    )
}
"""All moods by name, in the order in which they are listed to people."""


def mood_at(valence: float, arousal: float) -> str:
    """The name of the mood of a place in the plane.

    Args:
        valence: 0 (unpleasant) to 1 (pleasant).
        arousal: 0 (still) to 1 (lively).
    """
    return next(name for name, mood in reversed(MOODS.items()) if mood.region(valence - 0.5, arousal - 0.5))


def opposites(mood: str) -> set[str]:
    """The still moods for a lively one, and the other way round."""
    return {name for name, other in MOODS.items() if other.lively * MOODS[mood].lively < 0}


def mood_words(*texts: str) -> set[str]:
    """The moods that words of a file name, a title or a genre speak of."""
    known = {name: set(mood.words.split()) for name, mood in MOODS.items()}
    words = {word for text in texts for word in _split(text, set().union(*known.values()))}
    return {name for name in MOODS if words & known[name]}


def _split(text: str, known: set[str]) -> set[str]:
    """Words of a name: split at signs, digits and capitals; a known word that begins or ends one counts as well."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    found = set(re.findall(r"[a-z]+", spaced.lower()))
    parts = {
        word
        for word in known
        if len(word) >= 4 and any(part.startswith(word) or part.endswith(word) for part in found)
    }
    return found | parts
