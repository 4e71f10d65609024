"""Words for what pictures show: the kinds and classes that a network finds in each cluster."""

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clustering_assets.clustering.colour_words import PREVAILS
from clustering_assets.clustering.feature_space import sample_members
from clustering_assets.clustering.imagenet_kinds import (
    CATCH_ALLS,
    CLASSES,
    ClassScores,
    families,
    membership,
    softmax,
)

WORDS = 2
"""Words in a name."""

ASKED = 200
"""Pictures of each cluster that the network's head is asked about. Their class shares are averaged, not their
features: what is the mean of a lake and a dog looks like neither."""

OF_A_KIND = 0.25
"""Share of a cluster's class scores in one kind of thing, beyond what chance gives it, at which the cluster may be
named for that kind."""

SURE = 0.75
"""Share that a kind needs of all its family's: where cats and dogs are both likely, "animals" is not wrong."""

OF_A_FAMILY = 0.2
"""Share in one family of kinds, beyond what chance gives it, at which the cluster may be named for the family."""

MOST_OF_THEM = 0.5
"""Share of a cluster's pictures, beyond chance, that a kind must be the likeliest of more than, or a word where
classes are of no kinds: a third of fish does not make the rest fish."""

STRONGER, ERRORS = 0.85, 2.0
"""How much more the classes of a kind score in a cluster than in the others, in the mean less so many standard errors,
for it to be named for that kind although few pictures are likeliest of it. On the sets that this was set on, kinds that
are there have 0.98 and more in photos; in drawings, emoji and figures of games those that are not have 0.69 at most."""

MOST_OF_A_CLASS = 4.0
"""Standard deviations of all classes up to which a single class counts in that mean: one makes no kind."""

WITHIN = 0.65
"""The same for a kind of the family that most pictures are of."""

OUTRIGHT, BORNE_OUT = 0.42, 0.5
"""Share in a kind or family, beyond chance, that is said outright; with less its classes must also score so much more
in the cluster than in the others. A network finds something in every picture: tools in tiles of rock, rooms in stairs
and arcades that are drawn."""

OUTVOTED = 1 / 3
"""Share of pictures, beyond chance, in another kind at which a cluster is not named for what its classes score."""

FEW = 4
"""Pictures from which on a cluster is named for what they show: three blurred ones look alike by chance."""

RIVALS = 0.6
"""Kinds that so large a part as many pictures speak for most are named together, by the family of them all: where as
many are aircraft as cars there are vehicles."""

OF_A_PICTURE = 0.1
"""Share of one picture's class scores in a kind of thing, beyond chance, at which the picture speaks for the kind."""

OF_A_CLASS = 0.2
"""Share in one class at which its word may stand beside its kind; where classes are of no kinds, half as much again."""

APART = 1.5
"""Times the mean share of all clusters that a word needs, so that it says what is special about this one."""


def class_words(
    labels: NDArray[np.integer],
    vectors: NDArray[np.floating],
    clusters: list[int],
    class_scores: ClassScores | None,
) -> dict[int, list[str]]:
    """For each cluster the words that set it apart: its kind of thing, if one stands out, and classes.

    Args:
        labels: (n,) cluster ids.
        vectors: (n, d) embeddings; may be a memmap.
        clusters: The ids to find words for.
        class_scores: Class scores of features; None: there are no words.
    """
    found: dict[int, list[str]] = {c: [] for c in clusters}
    clusters = [c for c in clusters if (labels == c).sum() >= FEW]
    if class_scores is None or not clusters:
        return found
    rows = [sample_members(labels, c, ASKED) for c in clusters]
    scored = class_scores(np.asarray(vectors[np.concatenate(rows)], dtype=np.float32))
    if scored is None:
        return found
    each = softmax(np.asarray(scored[0]))
    ends = np.cumsum([len(r) for r in rows])[:-1]
    share = np.stack([part.mean(axis=0) for part in np.split(each, ends)])
    top = np.stack([_likeliest(part).mean(axis=0) for part in np.split(each, ends)])
    kinds, member = _kinds(share.shape[1])
    by_kind = _beyond_chance(share @ member, member.mean(axis=0))
    votes = np.stack([part.mean(axis=0) for part in np.split(_bears_out(each, member), ends)])
    borne = _beyond_chance(votes, member.mean(axis=0))
    contrast, special = _contrast(share), _special(share)
    rises = [
        _rise(part, others, member)
        for part, others in _with_others(np.split(np.asarray(scored[0], dtype=np.float64), ends))
    ]
    loud = borne > MOST_OF_THEM
    loud &= by_kind >= np.where(
        np.arange(len(kinds)) < len(kinds) - len(families()[0]), OF_A_KIND, OF_A_FAMILY
    )
    loud &= (by_kind >= OUTRIGHT) | (np.stack([rise.stronger for rise in rises]) >= BORNE_OUT)
    fits = loud & _sure(by_kind)
    kind_of = [
        _narrowed(_kind(own, contrast), rise, votes)
        for own, contrast, rise, votes in zip(fits, _contrast(by_kind), rises, borne, strict=True)
    ]
    for row, c in enumerate(clusters):
        kind = kind_of[row]
        if two := _two(kind, rises[row], borne[row]):
            found[c] = [" and ".join(kinds[one] for one in two)]
            continue
        if kind is None and kinds:
            continue  # rings are no maze, though no class is nearly as likely
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


def _kind(fits: NDArray[np.bool_], contrast: NDArray[np.float64]) -> int | None:
    """The kind that says most of what is special about a cluster, or else the narrowest family; None for neither.

    Args:
        fits: The kinds and families that the cluster may be named for.
        contrast: What it has more of than the others.
    """
    kinds = len(fits) - len(families()[0])
    if not fits.any():
        return None
    return int(
        np.where(fits[:kinds], contrast[:kinds], -np.inf).argmax() if fits[:kinds].any() else fits.argmax()
    )


def _sure(by_kind: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where a kind or family has most of what the families around it have, and no less than in the mean of clusters."""
    if not by_kind.shape[1]:
        return by_kind > 0
    whole = np.where(_within(), by_kind[:, None], 0).max(axis=2)
    return (by_kind >= SURE * whole) & (by_kind >= by_kind.mean(axis=0))


class _Rise(NamedTuple):
    """How the classes of each kind score in one cluster; of kinds that networks take anything for nothing is said."""

    stronger: NDArray[np.float64]
    """(kinds and families,) more than in the other clusters, less `ERRORS` standard errors; -inf: nothing is said."""
    leading: NDArray[np.float64]
    """(kinds,) share of pictures in which a kind rises more over the other clusters than the other kinds do."""
    strongest: int
    """The kind whose classes score most of all in the cluster itself."""


def _with_others(
    scores: list[NDArray[np.float64]],
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64] | None]]:
    """Of each cluster the (pictures, classes) scores before softmax, and the mean of the others if there are any.

    Both less the mean of all classes in a picture.
    """
    scores = [part - part.mean(axis=1, keepdims=True) for part in scores]
    means = np.stack([part.mean(axis=0) for part in scores])
    for part, own in zip(scores, means, strict=True):
        yield part, (means.sum(axis=0) - own) / (len(means) - 1) if len(means) > 1 else None


def _rise(
    part: NDArray[np.float64], others: NDArray[np.float64] | None, member: NDArray[np.float64]
) -> _Rise:
    """How much more the classes of each kind score in a cluster than in the others, and in how many pictures most.

    What a network makes of small or blurred pictures is spread over many classes, most of them wrong, but the scores of
    the right ones rise together.

    Args:
        part: (pictures, classes) of `_with_others`.
        others: (classes,) of `_with_others`.
        member: (classes, kinds and families) table of `_kinds`.
    """
    kinds = len(families()[1]) if member.shape[1] else 0
    if others is None or not kinds:
        return _Rise(np.full(member.shape[1], -np.inf), np.zeros(kinds), 0)
    size, trusted = member.sum(axis=0), _trusted()
    each = part - others
    rise, spread = each.mean(axis=0), each.mean(axis=0).std()
    of_kinds = each @ member / size
    errors = np.hypot(spread / np.sqrt(size), of_kinds.std(axis=0) / np.sqrt(len(part)))
    bound = MOST_OF_A_CLASS * spread
    stronger = rise.clip(-bound, bound) @ member / size - ERRORS * errors
    certain = of_kinds[:, :kinds] - each.std(axis=1, keepdims=True) / np.sqrt(size[:kinds])
    return _Rise(
        np.where(trusted & (size > 2), stronger, -np.inf),  # two classes are no kind: reefs in painted trees
        _likeliest(np.where(trusted[:kinds], certain, -np.inf)).mean(axis=0),
        int(np.where(trusted[:kinds], (part.mean(axis=0) @ member / size)[:kinds], -np.inf).argmax()),
    )


@cache
def _trusted() -> NDArray[np.bool_]:
    """Of which kinds and families the rise tells: not of single classes, nor of what networks take anything for."""
    names, member = membership(further=True)
    trusted = ~np.isin(names, CATCH_ALLS) & (member.sum(axis=0) > 1)
    return np.append(trusted, (families()[1] * trusted[:, None]).any(axis=0))


def _narrowed(kind: int | None, rise: _Rise, votes: NDArray[np.float64]) -> int | None:
    """What a cluster is named for: what most pictures are of, or the kind of that family that sets it apart.

    Args:
        kind: The kind or family that most pictures are of; None for none.
        rise: How the classes of each kind score in the cluster.
        votes: (kinds and families,) shares of pictures that are likeliest of each, beyond chance.
    """
    leading = rise.leading
    if not leading.any():
        return kind
    stronger = rise.stronger[: len(leading)]
    if kind is not None:
        inside = _within()[: len(leading), kind]
        # where most are dogs, the rest makes no foxes
        named = inside & (votes > MOST_OF_THEM)[: len(leading)]
        leading = np.where(named if named.any() else inside, leading, 0)
    first = leading >= RIVALS * leading.max()
    if not leading.any() or stronger[first].max() < (STRONGER if kind is None else WITHIN):
        return kind
    if kind is None and not first[rise.strongest]:
        return None
    around = _within()[np.flatnonzero(first)].all(axis=0)
    if kind is None:
        outside = _trusted()[: len(leading)] & (votes[: len(leading)] >= OUTVOTED)
        around &= (rise.stronger >= BORNE_OUT) & ~(outside & ~_within()[: len(leading)].T).any(axis=1)
    return int(around.argmax()) if around.any() else kind  # narrow ones come first


def _two(kind: int | None, rise: _Rise, votes: NDArray[np.float64]) -> list[int]:
    """The two kinds that a cluster holds side by side, the one that leads in more pictures first; none where it is one.

    They are of two families within one that most pictures are of, and both score more than in the other clusters: where
    there are only cats, canines rise, too, but far less. Where no kind leads in its family, it is the family.

    Args:
        kind: What `_narrowed` says.
        rise: How the classes of each kind score in the cluster.
        votes: (kinds and families,) shares of pictures that are likeliest of each, beyond chance.
    """
    kinds = len(rise.leading)
    if kind is None or not kinds:
        return []
    within, trusted = _within(), _trusted()
    families, of_family = within[kinds:, kinds:], within[:kinds, kinds:]
    narrow = (families.sum(axis=0) == 1) & ~(of_family & ~trusted[:kinds, None]).any(axis=0)
    around = within[kind, kinds:] & ~narrow & (votes[kinds:] > MOST_OF_THEM)
    inside = np.flatnonzero(narrow & (rise.stronger[kinds:] >= WITHIN) & families[:, around.argmax()])
    if not around.any() or len(inside) != 2 or np.divide(*sorted(rise.stronger[kinds + inside])) < RIVALS:
        return []
    said = rise.leading + votes[:kinds]
    two = []
    for family in inside:
        second, first = np.argsort(np.where(of_family[:, family], said, -1), kind="stable")[-2:]
        two.append((said[first], int(first if said[second] < RIVALS * said[first] else kinds + family)))
    return [one for _, one in sorted(two, reverse=True)]


@cache
def _within() -> NDArray[np.bool_]:
    """A square table over kinds and families: whether the first is of the second, or is the second."""
    _, of_family = families()
    leaves = np.hstack([np.eye(len(of_family)), of_family])
    return leaves.T @ (1 - leaves) == 0


def _special(share: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where a row has clearly more than the rows together; everywhere when there is one row."""
    return share >= (APART * share.mean(axis=0) if len(share) > 1 else 0)


def _contrast(share: NDArray[np.float64]) -> NDArray[np.float64]:
    """What each row has more of than the rows together: its terms of the Kullback-Leibler divergence."""
    if len(share) < 2:
        return share
    return share * np.log((share + 1e-6) / (share.mean(axis=0) + 1e-6))
