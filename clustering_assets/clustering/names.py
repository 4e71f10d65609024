"""Names of clusters: the user's own where there are some, otherwise a hint from words and colours."""

import csv
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from upath import UPath

from clustering_assets.clustering.feature_space import even_sample
from clustering_assets.clustering.identity import (
    UNCLUSTERED,
    UNCLUSTERED_KEY,
    IdentityError,
    cluster_of,
    partition_key,
)
from clustering_assets.clustering.imagenet_kinds import CLASSES, ClassScores, families, membership, softmax
from clustering_assets.errors import ClusteringError

WORDS = 2
"""Words in a name."""

ASKED = 64
"""Pictures of each cluster that the network's head is asked about. Their class shares are averaged, not their
features: what is the mean of a lake and a dog looks like neither."""

SEEN = 400
"""Pictures of each cluster whose colours are looked at."""

OF_A_KIND = 0.25
"""Share of a cluster's class scores in one kind of thing, beyond what chance gives it, at which the cluster may be
named for that kind."""

SURE = 0.7
"""Share that a kind needs of all its family's: where cats and dogs are both likely, "animals" is not wrong."""

OF_A_FAMILY = 0.2
"""Share in one family of kinds, beyond what chance gives it, at which the cluster may be named for the family."""

MOST_OF_THEM = 0.5
"""Share of a cluster's pictures, beyond chance, that a kind must be the likeliest of more than, or a word that no kind
bears out: a third of fish does not make the rest fish."""

OF_A_PICTURE = 0.1
"""Share of one picture's class scores in a kind of thing, beyond chance, at which the picture speaks for the kind."""

OF_A_CLASS = 0.2
"""Share in one class at which its word may stand beside its kind; with no kind to bear it out, half as much again."""

APART = 1.5
"""Times the mean share of all clusters that a word needs, so that it says what is special about this one."""

PREVAILS = 1 / 3
"""Least share of a cluster's pictures that a colour must mark for the cluster to be called by it."""

BACKDROP = 0.6
"""How much white counts beside other colours: it is most often the ground that a thing stands on."""

MIXED = "mixed colours"
"""The name of a cluster of which nothing can be said but that no colour prevails."""

COLOURFUL = 45
"""Median colourfulness from which pictures without a common colour are called colourful: "quite colourful" in the
words of Hasler and Suesstrunk, 2003, doi 10.1117/12.477378."""

ACCENT = 0.5
"""Least share of a cluster's pictures in which a second colour must be seen for the cluster to be told apart by it."""

DARK, LIGHT = 35, 70
"""L* (0 to 100) below which a colour is called dark, and above which light."""

FLAT, STARK = 0.12, 0.28
"""RMS contrast (0 to 1) below which it is called low, and above which high."""


DIFFERENCES = (
    ("brightness", 8.0, "darker", "lighter"),
    ("colourfulness", 12.0, "paler", "stronger colours"),
    ("contrast", 0.05, "softer", "starker"),
)
"""What tells clusters of one name apart: a column of the manifest, the least difference of medians that is seen, and
the words for less and more."""


class NamesError(ClusteringError):
    """A file of cluster names that cannot be understood."""


def read_names(path: str | Path | UPath | None) -> dict[int, str]:
    """The user's names for clusters; empty where there is no file.

    The file has a line `cluster,name` for each cluster, where `cluster` is its number or its partition key
    (`3`, `cluster_3`, `unclustered`). A heading, blank lines and lines that begin with # are skipped. Since
    cluster numbers are never reused, the names survive every later run.

    Raises:
        NamesError: A line cannot be read; the message gives file and line.
    """
    if path is None or not str(path):
        return {}
    file = path if isinstance(path, Path) else UPath(path)
    if not file.exists():
        return {}
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (UnicodeDecodeError, OSError) as error:
        raise NamesError(f"{path}: cannot be read as text ({error})") from error
    names: dict[int, str] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        cells = [cell.strip() for cell in next(csv.reader([line], skipinitialspace=True))]
        if number == 1 and cells[0].lower() in ("cluster", "key", "id"):
            continue
        if len(cells) != 2 or not cells[1]:
            raise NamesError(f"{path}, line {number}: expected cluster,name such as 0,Holidays; got {line!r}")
        names[_cluster(cells[0], f"{path}, line {number}")] = cells[1]
    return names


def _cluster(text: str, where: str) -> int:
    try:
        return cluster_of(partition_key(int(text)) if text.lstrip("-").isdigit() else text)
    except IdentityError as error:
        raise NamesError(f"{where}: {error}") from error


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
    cluster than in the others (two words where no kind stands out), then the dominant colour. Where the network is
    not sure of any word, or there is none, the hint says what can be measured: lightness, colour and contrast.

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
    words = _words(labels, vectors, clusters, class_scores)
    colours = _colours(labels, images, clusters)
    seen = "dominant_colours" in images and bool((images["dominant_colours"].fillna("") != "").any())
    labels = np.asarray(labels)
    names: dict[int, str] = {}
    if (labels < 0).any():
        names[UNCLUSTERED] = UNCLUSTERED_KEY
    for c in clusters:
        hint = ", ".join(words[c])
        if hint:
            hint = f"{hint} ({colours[c]})" if colours[c] else hint
        else:
            hint = _tone(images[labels == c], colours[c]) or (MIXED if seen else f"cluster {c}")
        names[c] = hint
    kept = {c: hint for c, hint in (before or {}).items() if c in names and _still_true(hint, words[c])}
    names |= kept
    for group in _alike(names):
        names |= _with_accents(group, colours, labels, images) | kept
    for group in _alike(names):
        names |= _tell_apart(group, labels, images) | kept
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
    if not words:
        return True
    names, of_family = families()
    seen = [words[0]]
    if words[0] in names:
        kinds, _ = membership(further=True)
        seen += [kinds[row] for row in np.flatnonzero(of_family[:, names.index(words[0])])]
    return not set(seen).isdisjoint(re.split(r", | \(", hint))


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
    if not all(colours[c] for c in names):
        return names
    known = images["dominant_colours"].to_numpy(dtype=object)
    seen = {c: _seen(_sampled(known, labels, c)) for c in names}
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


def _seen(texts: list[str]) -> dict[str, float]:
    """The share of the pictures that have each colour among their dominant ones, shades of grey as one."""
    found = Counter(
        word for text in texts for word in {_plain(colour_word(colour)) for colour in text.split()}
    )
    return {word: count / len(texts) for word, count in found.items()}


def _plain(word: str) -> str:
    """The colour word without its shade of grey."""
    return "grey" if word.endswith("grey") else word


def _sampled(colours: NDArray[np.object_], labels: NDArray[np.integer], cluster: int) -> list[str]:
    """The dominant colours of up to `SEEN` pictures of a cluster, of those where they are known."""
    rows = np.flatnonzero(labels == cluster)
    return [
        text
        for text in colours[rows[even_sample(len(rows), SEEN, cluster)]]
        if isinstance(text, str) and text
    ]


def _tell_apart(names: dict[int, str], labels: NDArray[np.integer], images: pd.DataFrame) -> dict[int, str]:
    """Names of clusters that share one, with a word each for what they look like beside one another."""
    names, left = dict(names), list(names)
    for column, least, less, more in DIFFERENCES:
        if column not in images or len(left) < 2:
            continue
        middle = images[column].groupby(np.asarray(labels)).median()
        order = sorted(left, key=lambda c: middle[c])
        if middle[order[-1]] - middle[order[-2]] >= least:
            names[order[-1]] += f", {more}"
            left.remove(order[-1])
        if middle[order[1]] - middle[order[0]] >= least:
            names[order[0]] += f", {less}"
            left.remove(order[0])
    return names


def _words(
    labels: NDArray[np.integer],
    vectors: NDArray[np.floating],
    clusters: list[int],
    class_scores: ClassScores | None,
) -> dict[int, list[str]]:
    """For each cluster the class words that set it apart."""
    none: dict[int, list[str]] = {c: [] for c in clusters}
    if class_scores is None or not clusters:
        return none
    chosen = [even_sample(int((labels == c).sum()), ASKED, c) for c in clusters]
    rows = [np.flatnonzero(labels == c)[picked] for c, picked in zip(clusters, chosen, strict=True)]
    scored = class_scores(np.asarray(vectors[np.concatenate(rows)], dtype=np.float32))
    if scored is None:
        return none
    each = softmax(np.asarray(scored[0]))
    ends = np.cumsum([len(r) for r in rows])[:-1]
    share = np.stack([part.mean(axis=0) for part in np.split(each, ends)])
    top = np.stack([_likeliest(part).mean(axis=0) for part in np.split(each, ends)])
    kinds, member = _kinds(share.shape[1])
    by_kind = _beyond_chance(share @ member, member.mean(axis=0))
    votes = np.stack([part.mean(axis=0) for part in np.split(_bears_out(each, member), ends)])
    borne = _beyond_chance(votes, member.mean(axis=0))
    contrast, special = _contrast(share), _special(share)
    kind_of = [_kind(own, row, by_kind, borne[row] > MOST_OF_THEM) for row, own in enumerate(by_kind)]
    found = {}
    for row, c in enumerate(clusters):
        kind = kind_of[row]
        sure = special[row] & (share[row] >= (1.5 if kind is None else 1) * OF_A_CLASS)
        sure &= top[row] > (MOST_OF_THEM if kind is None else PREVAILS)
        if kind is not None:
            sure &= (member[:, kind] > 0) & (member[:, kind].sum() > 1)  # one word for both is enough
        best = [j for j in np.argsort(-contrast[row], kind="stable") if sure[j]]
        best = [scored[1][j].split(",")[0].strip() for j in best[: WORDS if kind is None else WORDS - 1]]
        found[c] = best if kind is None else [kinds[kind], *best]
    return found


def _kinds(classes: int) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """The kinds and after them their families, and a (classes, kinds) table; none for a head of other classes."""
    if classes != CLASSES:
        return (), np.zeros((classes, 0))
    kinds, member = membership(further=True)
    names, of_family = families()
    return (*kinds, *names), np.hstack([member, member @ of_family])


def _likeliest(share: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which entry of each row is its largest."""
    return np.arange(share.shape[1]) == share.argmax(axis=1)[:, None]


def _bears_out(share: NDArray[np.float64], member: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which kind each picture is most likely of, if any is clearly likelier than chance, and the family of that kind.

    Args:
        share: (pictures, classes) shares.
        member: (classes, kinds and families) table of `_kinds`.
    """
    if not member.shape[1]:
        return np.zeros((len(share), 0), dtype=bool)
    _, of_family = families()
    beyond = _beyond_chance(share @ member[:, : len(of_family)], member[:, : len(of_family)].mean(axis=0))
    kind = _likeliest(beyond) & (beyond >= OF_A_PICTURE)
    return np.hstack([kind, kind @ of_family > 0])


def _beyond_chance(share: NDArray[np.float64], chance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares less what a network that knows nothing would give, as parts of what is left (0 to 1).

    Two in five of the classes of ImageNet-1k are animals, so scores spread evenly speak for no animal.
    """
    return np.maximum(share - chance, 0) / (1 - chance)


def _kind(
    own: NDArray[np.float64], row: int, by_kind: NDArray[np.float64], borne: NDArray[np.bool_]
) -> int | None:
    """The kind, or else the family, that a cluster may be named for; None where nothing is sure enough.

    Args:
        own: The cluster's shares of kinds and families, beyond chance.
        row: Its row in `by_kind`.
        by_kind: (clusters, kinds and families) shares, beyond chance.
        borne: The kinds and families that most of the cluster's pictures are likeliest of.
    """
    if not len(own):
        return None
    _, of_family = families()
    whole = own[-of_family.shape[1] :]
    kinds, special = len(own) - len(whole), _special(by_kind)[row] & borne
    of_all = np.where(of_family.any(axis=1), of_family @ whole, own[:kinds])
    fits = special[:kinds] & (own[:kinds] >= OF_A_KIND) & (own[:kinds] >= SURE * of_all)
    if fits.any():
        return int(np.where(fits, _contrast(by_kind)[row, :kinds], -np.inf).argmax())
    if whole.max() >= OF_A_FAMILY and special[kinds + int(whole.argmax())]:
        return kinds + int(whole.argmax())
    return None


def _special(share: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where a row has clearly more than the rows together; everywhere when there is one row."""
    return share >= (APART * share.mean(axis=0) if len(share) > 1 else 0)


def _contrast(share: NDArray[np.float64]) -> NDArray[np.float64]:
    """What each row has more of than the rows together: its terms of the Kullback-Leibler divergence."""
    if len(share) < 2:
        return share
    return share * np.log((share + 1e-6) / (share.mean(axis=0) + 1e-6))


def _colours(labels: NDArray[np.integer], images: pd.DataFrame, clusters: list[int]) -> dict[int, str]:
    """For each cluster the colour word that sets it apart, of those that many of its pictures have.

    Without one it is "colourful", or '' where even that would not be true or nothing is known.
    """
    if "dominant_colours" not in images:
        return dict.fromkeys(clusters, "")
    colours = images["dominant_colours"].to_numpy(dtype=object)
    here = {}
    for c in clusters:
        here[c] = _shares(Counter(_main_colour(text) for text in _sampled(colours, labels, c)))
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
            result[c] = "colourful" if _is_colourful(images[np.asarray(labels) == c]) else ""
    return result


def _is_colourful(members: pd.DataFrame) -> bool:
    """Whether most of these pictures have strong colours of several kinds."""
    return "colourfulness" in members and bool(members["colourfulness"].median() >= COLOURFUL)


def _shares(counts: Counter[str]) -> dict[str, float]:
    """Counts as shares of their sum."""
    return {word: count / counts.total() for word, count in counts.items()}


def _main_colour(colours: str) -> str:
    """The word that most of a picture's dominant colours have, each counting less than the one before; '' for none."""
    weight: dict[str, float] = {}
    for rank, colour in enumerate(colours.split(), 1):
        word = colour_word(colour)
        weight[word] = weight.get(word, 0) + (BACKDROP if word == "white" else 1) / rank
    return max(weight, key=lambda word: weight[word]) if weight else ""


def _tone(members: pd.DataFrame, colour: str) -> str:
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
    import colorsys

    red, green, blue = (int(colour.lstrip("#")[i : i + 2], 16) / 255 for i in (0, 2, 4))
    hue, light, _ = colorsys.rgb_to_hls(red, green, blue)
    chroma = max(red, green, blue) - min(red, green, blue)
    if light < (0.12 if chroma < 0.1 else 0.06):
        return "black"
    if chroma < 0.1:
        return (
            "white"
            if light > 0.85
            else "light grey"
            if light > 0.6
            else "grey"
            if light > 0.3
            else "dark grey"
        )
    degrees = hue * 360
    if 15 <= degrees < 50 and light < 0.45:
        return "brown"
    if 15 <= degrees < 60 and light > 0.7:
        return "beige"
    for limit, name in (
        (15, "red"),
        (42, "orange"),
        (68, "yellow"),
        (165, "green"),
        (200, "cyan"),
        (255, "blue"),
        (290, "purple"),
        (340, "pink"),
        (361, "red"),
    ):
        if degrees < limit:
            return name
    return "red"
