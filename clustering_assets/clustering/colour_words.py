"""Words for what pictures look like: their colours, lightness and contrast."""

import colorsys
from collections import Counter, defaultdict

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clustering_assets.clustering.feature_space import sample_members

SEEN = 400
"""Pictures of each cluster whose colours are looked at."""

PREVAILS = 1 / 3
"""Least share of a cluster's pictures that a colour, or a class beside its kind, must mark to be in the name."""

BACKDROP = 0.6
"""How much white counts beside other colours: it is most often the ground that a thing stands on."""

COLOURFUL = 45
"""Median colourfulness from which pictures without a common colour are called colourful: "quite colourful" in the
words of Hasler and Suesstrunk, 2003, doi 10.1117/12.477378."""

DARK, LIGHT = 35, 70
"""L* (0 to 100) below which a colour is called dark, and above which light."""

FLAT, STARK = 0.12, 0.28
"""RMS contrast (0 to 1) below which it is called low, and above which high."""

GREYS = ((0.85, "white"), (0.6, "light grey"), (0.3, "grey"), (-1.0, "dark grey"))
"""Words for colours without a hue, each with the lightness (0 to 1, of HLS) above which it holds."""

HUES = (
    (15, "red"), (42, "orange"), (68, "yellow"), (165, "green"), (200, "cyan"), (255, "blue"), (290, "purple"),
    (340, "pink"), (361, "red"),
)  # fmt: skip
"""Words for hues, each with the angle (degrees) below which it holds."""


def main_colours(labels: NDArray[np.integer], images: pd.DataFrame, clusters: list[int]) -> dict[int, str]:
    """For each cluster the colour word that sets it apart, of those that many of its pictures have.

    Without one it is "colourful", or '' where even that would not be true or nothing is known.

    Args:
        labels: (n,) cluster ids.
        images: n rows; `dominant_colours` and `colourfulness` are used where they are there.
        clusters: The ids to find words for.
    """
    if "dominant_colours" not in images:
        return dict.fromkeys(clusters, "")
    here = {}
    for c in clusters:
        counts = Counter(_main_colour(text) for text in _known_colours(labels, images, c))
        here[c] = {word: count / counts.total() for word, count in counts.items()}
    size = {c: int((labels == c).sum()) for c in clusters if here[c]}
    everywhere: defaultdict[str, float] = defaultdict(float)
    for c, n in size.items():
        for word, share in here[c].items():
            everywhere[word] += share * n / sum(size.values())
    result = {}
    for c in clusters:
        weight = {
            w: s * np.log(1e-9 + s / everywhere[w]) + 0.2 * s for w, s in here[c].items() if s >= PREVAILS
        }
        if weight:
            result[c] = max(sorted(weight), key=lambda w: weight[w])
        elif sum(share for word, share in here[c].items() if _plain(word) == "grey") >= PREVAILS:
            result[c] = "grey"
        else:
            result[c] = "colourful" if _is_colourful(images[labels == c]) else ""
    return result


def colours_seen(labels: NDArray[np.integer], images: pd.DataFrame, cluster: int) -> dict[str, float]:
    """The share of a cluster's pictures that have each colour among their dominant ones, shades of grey as one."""
    texts = _known_colours(labels, images, cluster)
    found = Counter(
        word for text in texts for word in {_plain(colour_word(colour)) for colour in text.split()}
    )
    return {word: count / len(texts) for word, count in found.items()}


def _known_colours(labels: NDArray[np.integer], images: pd.DataFrame, cluster: int) -> list[str]:
    """The dominant colours of up to `SEEN` pictures of a cluster, of those where they are known."""
    rows = sample_members(labels, cluster, SEEN)
    return [text for text in images["dominant_colours"].iloc[rows] if isinstance(text, str) and text]


def _main_colour(colours: str) -> str:
    """The word that most of a picture's dominant colours have, each counting less than the one before; '' for none."""
    weight: dict[str, float] = {}
    for rank, colour in enumerate(colours.split(), 1):
        word = colour_word(colour)
        weight[word] = weight.get(word, 0) + (BACKDROP if word == "white" else 1) / rank
    return max(weight, key=lambda word: weight[word]) if weight else ""


def _is_colourful(members: pd.DataFrame) -> bool:
    """Whether most of these pictures have strong colours of several kinds."""
    return "colourfulness" in members and bool(members["colourfulness"].median() >= COLOURFUL)


def _plain(word: str) -> str:
    """The colour word without its shade of grey."""
    return "grey" if word.endswith("grey") else word


def tone(members: pd.DataFrame, colour: str) -> str:
    """What pictures look like, such as "dark blue, low contrast"; the colour alone where nothing is measured.

    White, grey or black is often no more than the ground that things of many colours are on.
    """
    shade = ""
    if colour in ("white", "black") or colour.endswith("grey"):
        shade = "colourful with " if _is_colourful(members) else ""
    elif "brightness" in members and colour:
        lightness = members["brightness"].median()
        shade = "dark " if lightness < DARK else "light " if lightness > LIGHT else ""
    words = [shade + colour] if colour else []
    if "contrast" in members:
        contrast = members["contrast"].median()
        words += ["low contrast"] * bool(contrast < FLAT) + ["high contrast"] * bool(contrast > STARK)
    return ", ".join(words)


def colour_word(colour: str) -> str:
    """A plain word for a colour such as #3366cc."""
    red, green, blue = (int(colour.lstrip("#")[i : i + 2], 16) / 255 for i in (0, 2, 4))
    hue, light, _ = colorsys.rgb_to_hls(red, green, blue)
    chroma, degrees = max(red, green, blue) - min(red, green, blue), hue * 360
    if light < (0.12 if chroma < 0.1 else 0.06):
        return "black"
    if chroma < 0.1:
        return next(word for least, word in GREYS if light > least)
    if 15 <= degrees < 50 and light < 0.45:
        return "brown"
    if 15 <= degrees < 60 and light > 0.7:
        return "beige"
    return next(word for limit, word in HUES if degrees < limit)
