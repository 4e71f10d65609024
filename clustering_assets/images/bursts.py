"""Bursts: pictures of one view, taken one after the other or framed anew, of which the best is shown."""

from functools import lru_cache, partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clustering_assets.files.source import FileSource
from clustering_assets.images.errors import ImageError
from clustering_assets.images.load import read_picture
from clustering_assets.images.perceptual_hash import differing_bits
from clustering_assets.images.registration import SIDE, Landmarks, same_view
from clustering_assets.settings import DEFAULT_LIMITS, Limits
from clustering_assets.threads import available_cores, opencv_on_one_thread, side_by_side

BURST_SECONDS = 10.0
"""Pictures taken within this time of one another may be of a burst however blurred one of them is."""

ALIKE, ALIKE_AT_ONCE = 0.65, 0.2
"""How far from the usual cosine (0) to the same picture (1) that of two pictures must be to be looked at, and where
they were taken at once or their hashes agree. Sharp pictures framed anew reach 0.85, strongly blurred ones 0.2."""

SAME_HASH_BITS = 6
NEIGHBOURS = 6
"""Pictures that each one is compared with, at most, for each reason that there is."""

KEPT = 2_000
"""Pictures whose landmarks are kept at a time, 60 kB each."""

_SKETCHED = 128
"""Numbers that stand for an embedding while neighbours are sought: cosines then are right to about 0.04."""


def leaders_of_bursts(
    rows: pd.DataFrame,
    vectors: NDArray[np.float32],
    usual: float,
    source: FileSource,
    limits: Limits = DEFAULT_LIMITS,
) -> NDArray[np.intp]:
    """For each picture the first of its burst, itself where it is alone or the first.

    Only what embeddings, capture times or hashes bring together is opened, and belongs together where both show the
    same view (`registration.same_view`). A burst is everything that shows the view of its first picture, so pictures
    of a slow pan do not all end in one.

    Args:
        rows: n rows of the manifest, the best picture first.
        vectors: Their embeddings, (n, d).
        usual: The usual cosine of two pictures of the folder.
        source: Where the pictures are. One that cannot be read belongs to no burst.
        limits: What is refused before it is decoded.

    Returns:
        (n,) row numbers.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    n = len(rows)
    first = np.arange(n)
    pairs = candidates(rows, vectors, usual)
    if not len(pairs):
        return first
    paths = rows["path"].tolist()
    seen = lru_cache(KEPT)(partial(_landmarks, source=source, limits=limits))

    def alike(pair: tuple[int, int]) -> bool:
        one, other = (seen(paths[number]) for number in pair)
        return one is not None and other is not None and same_view(one, other)

    with opencv_on_one_thread():
        same = side_by_side(alike, list(map(tuple, pairs.tolist())), "Comparing", "pairs", available_cores())
        one, other = pairs[np.array(same, bool)].T
        parts = connected_components(coo_matrix((np.ones(len(one)), (one, other)), (n, n)), directed=False)[1]
        for part in np.flatnonzero(np.bincount(parts) > 1):
            open_ = np.flatnonzero(parts == part).tolist()
            while open_:
                best, *others = open_
                copies = [number for number in others if alike((best, number))]
                first[copies] = best
                open_ = [number for number in others if number not in copies]
    return first


def candidates(rows: pd.DataFrame, vectors: NDArray[np.float32], usual: float) -> NDArray[np.intp]:
    """The pairs of pictures that may be of one burst, (m, 2), the lesser row number first.

    Args:
        rows: n rows of the manifest.
        vectors: Their embeddings, (n, d).
        usual: The usual cosine of two pictures of the folder.
    """
    sketch = _sketch(vectors)
    least = usual + ALIKE * (1 - usual)
    parts = [_neighbours(sketch, least), _at_once(rows), _same_hash(rows)]
    every = np.unique(np.sort(np.concatenate(parts), axis=1), axis=0)
    return every[_cosines(sketch, every) >= usual + ALIKE_AT_ONCE * (1 - usual)]


def _landmarks(path: str, source: FileSource, limits: Limits) -> Landmarks | None:
    try:
        return Landmarks.of(read_picture(source / path, min_side=SIDE, limits=limits).image)
    except ImageError:
        return None


def _sketch(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Unit vectors (n, up to `_SKETCHED`) whose cosines are about those of the embeddings (Johnson-Lindenstrauss)."""
    d = vectors.shape[1]
    to = np.eye(d, dtype=np.float32)
    if d > _SKETCHED:
        to = np.random.default_rng(0).standard_normal((d, _SKETCHED), np.float32)
    parts = [np.asarray(vectors[at : at + 4096], np.float32) @ to for at in range(0, len(vectors), 4096)]
    sketch = np.concatenate([np.empty((0, to.shape[1]), np.float32), *parts])
    return sketch / np.maximum(np.linalg.norm(sketch, axis=1, keepdims=True), 1e-12)


def _neighbours(unit: NDArray[np.float32], least: float) -> NDArray[np.intp]:
    """Pairs of each picture and its nearest ones whose cosine is at least `least`."""
    found = [np.empty((0, 2), np.intp)]
    for begin in range(0, len(unit), 512):
        cosines = unit[begin : begin + 512] @ unit.T
        cosines[np.arange(len(cosines)), np.arange(begin, begin + len(cosines))] = -2
        count = min(NEIGHBOURS, len(unit) - 1)
        nearest = np.argpartition(-cosines, max(count - 1, 0), axis=1)[:, :count]
        row, place = np.nonzero(np.take_along_axis(cosines, nearest, axis=1) >= least)
        found.append(np.column_stack([row + begin, nearest[row, place]]))
    return np.concatenate(found)


def _at_once(rows: pd.DataFrame) -> NDArray[np.intp]:
    """Pairs of pictures taken within `BURST_SECONDS`."""
    taken = pd.to_datetime(rows["taken_at"]) if "taken_at" in rows else pd.Series(pd.NaT, rows.index)
    order = np.argsort(taken.to_numpy(), kind="stable")[: int(taken.notna().sum())]
    times = taken.to_numpy()[order]
    found = [np.empty((0, 2), np.intp)]
    for step in range(1, min(NEIGHBOURS + 1, len(order))):
        near = times[step:] - times[:-step] <= np.timedelta64(round(BURST_SECONDS * 1000), "ms")
        found.append(np.column_stack([order[:-step][near], order[step:][near]]))
    return np.concatenate(found)


def _same_hash(rows: pd.DataFrame) -> NDArray[np.intp]:
    """Pairs of pictures with nearly the same perceptual hash."""
    codes = np.array([int(code or "0", 16) for code in rows["phash"]], np.uint64)
    found = [np.empty((0, 2), np.intp)]
    for number in np.flatnonzero(codes).tolist():
        near = np.flatnonzero(differing_bits(codes[number], codes[number + 1 :]) <= SAME_HASH_BITS)
        near = near[:NEIGHBOURS] + number + 1
        found.append(np.column_stack([np.full(len(near), number), near]))
    return np.concatenate(found)


def _cosines(unit: NDArray[np.float32], pairs: NDArray[np.intp]) -> NDArray[np.float32]:
    """The cosine of each pair of unit vectors."""
    parts = [
        np.einsum("ij,ij->i", unit[part[:, 0]], unit[part[:, 1]])
        for at in range(0, max(len(pairs), 1), 4096)
        for part in (pairs[at : at + 4096],)
    ]
    return np.concatenate(parts)
