"""Names of clusters: the user's own where there are some, otherwise a hint from words and colours."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import PurePosixPath

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clustering_assets.clustering.class_words import APART, class_words
from clustering_assets.clustering.colour_words import colours_seen, main_colours, tone
from clustering_assets.clustering.imagenet_kinds import ClassScores, narrower
from clustering_assets.clustering.keys import UNCLUSTERED, UNCLUSTERED_KEY
from clustering_assets.clustering.origins import origins

MIXED = "mixed colours"
"""The name of a cluster of which nothing can be said but that no colour prevails."""

ACCENT = 0.5
"""Least share of a cluster's pictures in which a second colour must be seen for the cluster to be told apart by it."""

DIFFERENCES = (
    ("brightness", 8.0, "darker", "lighter"),
    ("colourfulness", 12.0, "paler", "stronger colours"),
    ("contrast", 0.05, "softer", "starker"),
)
"""What tells clusters of one name apart: a column of the manifest, the least difference of medians that is seen, and
the words for less and more."""


def name_clusters(
    labels: NDArray[np.integer],
    vectors: NDArray[np.floating],
    images: pd.DataFrame,
    *,
    class_scores: ClassScores | None = None,
    before: Mapping[int, str] | None = None,
) -> dict[int, str]:
    """A hint for every cluster, all different.

    It is the kind of thing that most class scores speak for and the class word that the network finds more in this
    cluster than in the others (two words where no kind stands out). Where the network is not sure of any word, or
    there is none, it is the folder, the word in the names of files or the time that sets the pictures apart, and
    failing that what can be measured: lightness, colour and contrast. Equal hints are told apart by the same, by what
    they look like beside one another, and in the end by a picture.

    A hint of the previous run stays unless the network now sees a kind of thing that it does not name: a cluster
    shall not be called something else because others have changed.

    Args:
        labels: (n,) cluster ids; -1 for none.
        vectors: (n, d) embeddings; may be a memmap.
        images: n rows; `dominant_colours` is used where it is there.
        class_scores: Class scores of features, for the words.
        before: Hints of the previous run by cluster id, of those clusters that are much the same.

    Returns:
        Hint by cluster id, with -1 where there are unclustered pictures.
    """
    clusters = [int(c) for c in np.unique(labels) if c >= 0]
    labels = np.asarray(labels)
    words = class_words(labels, vectors, clusters, class_scores)
    colours, origin = main_colours(labels, images, clusters), origins(labels, images, clusters)
    seen = "dominant_colours" in images and bool((images["dominant_colours"].fillna("") != "").any())
    names: dict[int, str] = {}
    if (labels < 0).any():
        names[UNCLUSTERED] = UNCLUSTERED_KEY
    for c in clusters:
        look = tone(images[labels == c], colours[c]) or (MIXED if seen else f"cluster {c}")
        names[c] = ", ".join(words[c]) or origin[c] or look
    kept = {c: hint for c, hint in (before or {}).items() if c in names and _still_true(hint, words[c])}
    names |= kept
    for group in _alike(names):
        names |= {
            c: f"{name}, {origin[c]}" for c, name in group.items() if origin[c] not in ("", name)
        } | kept
    for group in _alike(names):
        names |= _with_accents(group, colours, labels, images) | kept
    for group in _alike(names):
        names |= _tell_apart(group, labels, images) | kept
    for group in _alike(names):
        names |= _by_picture(group, labels, images) | kept
    return _numbered(names, kept)


def with_given(hints: Mapping[int, str], given: Mapping[int, str]) -> dict[int, str]:
    """The names of clusters: those that the user set, and hints for the others, none of them the same as a user's.

    Args:
        hints: Hint by cluster id.
        given: The user's names by cluster id, also of clusters that there are not.
    """
    names = {c: given.get(c, hint) for c, hint in hints.items()}
    return _numbered(names, given)


def _numbered(names: Mapping[int, str], fixed: Mapping[int, str]) -> dict[int, str]:
    """The names with the cluster's number behind those that several clusters have, unless they are `fixed`."""
    repeated = Counter(names.values())
    return {c: f"{name} #{c}" if repeated[name] > 1 and c not in fixed else name for c, name in names.items()}


def _still_true(hint: str, words: list[str]) -> bool:
    """Whether a hint names the kind of thing that the network sees, or one of that family; so too if it sees none.

    Args:
        hint: A hint as `name_clusters` gives it.
        words: The words that the network has now, the kind first.
    """
    return not words or not narrower(words[0]).isdisjoint(re.split(r", | \(", hint))


def _alike(names: dict[int, str]) -> list[dict[int, str]]:
    """The names that several clusters share, a group for each."""
    groups: dict[str, dict[int, str]] = defaultdict(dict)
    for c, name in names.items():
        groups[name][c] = name
    return [group for group in groups.values() if len(group) > 1]


def _with_accents(
    names: dict[int, str], colours: dict[int, str], labels: NDArray[np.integer], images: pd.DataFrame
) -> dict[int, str]:
    """Names of clusters that share one, with a second colour that most pictures of the one have and few of the others.

    Args:
        names: The names, which are the same.
        colours: The colour words in them.
        labels: (n,) cluster ids.
        images: n rows.
    """
    if not all(colours[c] and colours[c] in name for c, name in names.items()):
        return names
    seen = {c: colours_seen(labels, images, c) for c in names}
    words = sorted({word for shares in seen.values() for word in shares})
    told = dict(names)
    for c, name in names.items():
        others = {word: max(seen[other].get(word, 0) for other in names if other != c) for word in words}
        lead = {
            word: share - others[word]
            for word, share in sorted(seen[c].items())
            if share >= max(ACCENT, APART * others[word]) and word not in name
        }
        if lead:
            before, colour, after = name.rpartition(colours[c])
            link = "and" if " with " in before else "with"
            told[c] = f"{before}{colour} {link} {max(lead, key=lambda word: lead[word])}{after}"
    return told


def _tell_apart(names: dict[int, str], labels: NDArray[np.integer], images: pd.DataFrame) -> dict[int, str]:
    """Names of clusters that share one, with a word each for what they look like beside one another."""
    names, left = dict(names), list(names)
    for column, least, less, more in DIFFERENCES:
        if column not in images or len(left) < 2:
            continue
        middle = images[column].groupby(labels).median()
        order = sorted(left, key=lambda c: middle[c])
        if middle[order[-1]] - middle[order[-2]] >= least:
            names[order[-1]] += f", {more}"
            left.remove(order[-1])
        if middle[order[1]] - middle[order[0]] >= least:
            names[order[0]] += f", {less}"
            left.remove(order[0])
    return names


def _by_picture(names: dict[int, str], labels: NDArray[np.integer], images: pd.DataFrame) -> dict[int, str]:
    """Names of clusters that share one, each with the name of a picture in it."""
    if "path" not in images:
        return names
    paths = {c: images["path"][labels == c].astype(str).min() for c in names}
    return {c: f"{name}, with {PurePosixPath(paths[c]).stem}" for c, name in names.items()}
