"""Words for what pictures show: the kinds and classes that a network finds in each cluster."""

import numpy as np
from numpy.typing import NDArray

from clustering_assets.clustering.colour_words import PREVAILS
from clustering_assets.clustering.feature_space import sample_members
from clustering_assets.clustering.imagenet_kinds import CLASSES, ClassScores, families, membership, softmax

WORDS = 2
"""Words in a name."""

ASKED = 64
"""Pictures of each cluster that the network's head is asked about. Their class shares are averaged, not their
features: what is the mean of a lake and a dog looks like neither."""

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
    none: dict[int, list[str]] = {c: [] for c in clusters}
    if class_scores is None or not clusters:
        return none
    rows = [sample_members(labels, c, ASKED) for c in clusters]
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
