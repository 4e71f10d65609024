"""The four moods: regions of one plane of valence (pleasant) and arousal (lively), both 0 to 1.

The plane is Russell's circumplex (1980, J. Personality and Social Psychology 39); pictures and music are placed
in it alike, so a mood means the same for both.
"""

import re
from typing import Literal, get_args

Mood = Literal["upbeat", "calm", "energetic", "neutral"]

MOODS: tuple[Mood, ...] = get_args(Mood)
"""All moods, in the order in which they are listed to people."""

NEUTRAL_BELOW, NEUTRAL_ABOVE = 0.10, 0.07
"""How far arousal may lie below and above the centre to be neutral; less where valence is extreme."""

UPBEAT_SLOPE = 2.2
"""Above the centre, what is livelier than `UPBEAT_SLOPE * (valence - 0.5)` is energetic: what is upbeat is pleasant."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


WORDS: dict[Mood, frozenset[str]] = {
    "calm": _words(
        """calm ambient ambience peaceful peace quiet sleep sleepy lullaby serene gentle soft slow relax relaxing
        relaxed chill dream dreamy night moon rain snow forest cave lake ocean water garden meditation sad lament
        melancholy sorrow elegy farewell credits ballad rest home village"""
    ),
    "upbeat": _words(
        """upbeat happy joy joyful cheerful fun funny sunny summer bright bouncy dance party victory win won winner
        fanfare festival celebration swing samba holiday carnival jolly merry playful"""
    ),
    "energetic": _words(
        """energetic energy battle fight fighting boss war combat action attack race racing chase fast furious
        intense danger epic rock metal techno hardcore drums storm rage power speed rush run assault"""
    ),
    "neutral": _words("neutral background lounge elevator"),
}
"""Words in file names, titles and genres that speak of a mood; they decide only between near equals."""


def mood_at(valence: float, arousal: float) -> Mood:
    """The mood of a place in the plane.

    Args:
        valence: 0 (unpleasant) to 1 (pleasant).
        arousal: 0 (still) to 1 (lively).
    """
    right, up = valence - 0.5, arousal - 0.5
    reach = NEUTRAL_ABOVE if up > 0 else NEUTRAL_BELOW
    if (up / reach) ** 2 + (right / 0.5) ** 4 <= 1:
        return "neutral"
    if up <= 0:
        return "calm"
    return "energetic" if up > UPBEAT_SLOPE * right else "upbeat"


def mood_words(*texts: str) -> set[Mood]:
    """The moods that words of a file name, a title or a genre speak of."""
    words = {word for text in texts for word in _split(text)}
    return {mood for mood, known in WORDS.items() if words & set(known)}


def _split(text: str) -> set[str]:
    """Words of a name: split at signs, digits and capitals; a known word that begins one counts as well."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    found = set(re.findall(r"[a-z]+", spaced.lower()))
    known = {word for words in WORDS.values() for word in words if len(word) >= 4}
    return found | {word for word in known for part in found if part.startswith(word) or part.endswith(word)}
