"""Which pictures of a cluster a video shows, and in what order."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clustering_assets.clustering.choices import COVER, MUST, chosen
from clustering_assets.video.strength import meet_the_music

MOST_CANDIDATES = 3000
"""Above this many pictures the choice is made among an even sample of them (memory grows with the square)."""

DRAWN = 0.6
"""How far apart pictures count as being that could share a slide, in parts of what they are."""

MOST_PASSES = 30
"""Most times that the whole path is gone through for something to shorten."""


@dataclass(frozen=True)
class Choice:
    """The chosen pictures in the order shown.

    Attributes:
        rows: Positions in the given table, in order.
        order: `visual`, `time` or `path`: what the order follows.
        mean_step: Mean cosine distance between neighbours in the video; None without vectors.
        file_order_step: The same for these pictures in the order of their paths.
    """

    rows: tuple[int, ...]
    order: str
    mean_step: float | None = None
    file_order_step: float | None = None


def choose(
    images: pd.DataFrame,
    vectors: NDArray[np.floating] | None,
    *,
    most: int,
    order: str = "visual",
    strength: NDArray[np.floating] | None = None,
    loudness: Callable[[int], NDArray[np.floating] | None] | None = None,
    sociable: NDArray[np.bool_] | None = None,
) -> Choice:
    """At most `most` pictures of one cluster, representative and varied, in the order they are shown.

    Near-duplicates (`duplicate_of` not '') stay out. The choice is the greedy one for facility location,
    which picks the medoid first and then whatever represents best what is not represented yet
    (Nemhauser, Wolsey & Fisher 1978: within 1 - 1/e of the best). The order is a short path through
    the embedding space from the strongest picture (the medoid where that is not known) to the second strongest,
    on which strong pictures are moved to where the music is loud; or the time taken where that is wanted and known of
    at least two thirds of them. The order of the rows makes no difference. Where the user has chosen pictures, those
    that must be shown are, beyond `most` if need be, and the cover comes first.

    Args:
        images: Rows with `path`; `duplicate_of`, `taken_at`, `typicality`, `choice` where known.
        vectors: Embeddings (n, d), row i for row i of `images`; None: typicality decides.
        most: Most pictures chosen.
        order: `visual` or `time`.
        strength: How strong each picture is (n,).
        loudness: Loudness of the music at each place of a video of so many pictures; None where it is not known.
        sociable: Which pictures could share a slide with one another (n,); they rather come one after the other.
    """
    rows = np.arange(len(images))
    if "duplicate_of" in images:
        alone = np.asarray(images["duplicate_of"].fillna("").astype(str) == "")
        rows = rows[alone]
    paths = images["path"].astype(str).to_numpy()
    rows = rows[np.argsort(paths[rows], kind="stable")]
    if not len(rows):
        return Choice((), order)
    similar = None
    wanted = chosen(images, MUST, COVER)
    if vectors is not None:
        rows = _sampled(rows, wanted[rows])
        unit = np.asarray(vectors, np.float32)[rows]
        unit = unit / np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)  # zeros stay
        similar = np.clip(unit @ unit.T, -1, 1)
        picked = _represent(similar, most, np.flatnonzero(wanted[rows]))
        rows, similar = rows[picked], similar[np.ix_(picked, picked)]
    else:
        rows = _most_typical(images, rows, most, wanted[rows])
    covers = np.flatnonzero(chosen(images.iloc[rows], COVER))
    by_path = np.argsort(paths[rows], kind="stable")
    steps = None if similar is None else _mean_step(similar, by_path)
    if order == "time" and (found := _by_time(images, rows)) is not None:
        path, followed = found, "time"
    elif similar is not None:
        apart = 1 - similar
        if sociable is not None:
            apart = np.where(np.outer(sociable[rows], sociable[rows]), DRAWN * apart, apart)
        opening = _opening(similar, covers, bool(wanted.any()))
        if strength is None:
            path, followed = short_path(apart, opening), "visual"
        else:
            path = _path(apart, strength[rows], opening if len(covers) else None, loudness)
            followed = "visual"
    else:
        path, followed = by_path, "path"
    if len(covers):
        path = np.concatenate([covers[:1], path[path != covers[0]]])
    return Choice(
        rows=tuple(int(row) for row in rows[path]),
        order=followed,
        mean_step=None if similar is None else _mean_step(similar, path),
        file_order_step=steps,
    )


def _path(
    distances: NDArray[np.floating],
    strength: NDArray[np.floating],
    cover: int | None,
    loudness: Callable[[int], NDArray[np.floating] | None] | None,
) -> NDArray[np.intp]:
    """A short path that meets the music, from the cover or the strongest point to the strongest of the others."""
    by_strength = np.argsort(-strength, kind="stable").tolist()
    first = by_strength[0] if cover is None else cover
    others = [point for point in by_strength if point != first]
    if not others:
        return np.array([first], np.intp)
    path = short_path(distances, first, others[0])
    loud = loudness(len(path)) if loudness else None
    return path if loud is None else meet_the_music(path, distances, strength, loud)


def short_path(distances: NDArray[np.floating], start: int = 0, end: int | None = None) -> NDArray[np.intp]:
    """A short open path (n,) through all points of a distance matrix (n, n), from `start`, and to `end` where given.

    Nearest neighbour first, then 2-opt and moves of single points until nothing gets shorter.
    """
    between: list[list[float]] = np.asarray(distances, float).tolist()
    path = [start]
    left = set(range(len(between))) - {start, end}
    while left:
        here = between[path[-1]]
        path.append(min(left, key=lambda point: (here[point], point)))
        left.remove(path[-1])
    path += [] if end is None else [end]
    loose = len(path) if end is None else len(path) - 1
    for _ in range(MOST_PASSES):
        turned = _two_opt(path, between, loose)
        moved = _move_points(path, between, loose)
        if not (turned or moved):
            break
    return np.asarray(path, np.intp)


def _two_opt(path: list[int], between: list[list[float]], loose: int) -> bool:
    """Reverse stretches of the path where that makes it shorter; whether any was.

    The first point stays, and those from place `loose` on.
    """
    better = False
    count = len(path)
    for i in range(1, loose - 1):
        for j in range(i + 1, loose):
            before, first, last = path[i - 1], path[i], path[j]
            change = between[before][last] - between[before][first]
            if j + 1 < count:
                change += between[first][path[j + 1]] - between[last][path[j + 1]]
            if change < -1e-7:
                path[i : j + 1] = path[i : j + 1][::-1]
                better = True
    return better


def _move_points(path: list[int], between: list[list[float]], loose: int) -> bool:
    """Move single points to where they lengthen the path least; whether any was moved. The same ones stay."""
    better = False
    for i in range(1, loose):
        point = path[i]
        rest = path[:i] + path[i + 1 :]
        costs = [_detour(point, rest[j - 1], rest[j], between) for j in range(1, len(rest))]
        if loose == len(path):
            costs.append(between[rest[-1]][point])
        place = int(np.argmin(costs))
        if costs[place] < costs[i - 1] - 1e-7:
            path[:] = [*rest[: place + 1], point, *rest[place + 1 :]]
            better = True
    return better


def _detour(point: int, before: int, after: int, between: list[list[float]]) -> float:
    """How much longer the way between two points gets if it leads through a third."""
    return between[before][point] + between[point][after] - between[before][after]


def _sampled(rows: NDArray[np.intp], wanted: NDArray[np.bool_]) -> NDArray[np.intp]:
    """An even sample of at most `MOST_CANDIDATES` rows, and all that are wanted."""
    kept = wanted.copy()
    kept[even_sample(len(rows), MOST_CANDIDATES)] = True
    return rows[kept]


def _opening(similar: NDArray[np.float32], covers: NDArray[np.intp], given: bool) -> int:
    """Position of the picture that opens the video: the cover, else the medoid, which is first where none is given."""
    return int(covers[0]) if len(covers) else int(similar.sum(axis=0).argmax()) if given else 0


def _represent(similar: NDArray[np.float32], most: int, given: NDArray[np.intp]) -> NDArray[np.intp]:
    """Greedy facility location: positions of at most `most` points, the given ones and then the rest, the medoid first.

    Evaluated lazily: what a point would add never grows, so an old figure is an upper bound (Minoux 1978).
    """
    worth = (similar + 1) / 2
    best = worth[given].max(axis=0, initial=0)
    bounds = [(-float(gain), point) for point, gain in enumerate(worth.sum(axis=0)) if point not in given]
    heapq.heapify(bounds)
    picked = given.tolist()
    while bounds and len(picked) < most:
        _, point = heapq.heappop(bounds)
        gain = (-float(np.maximum(worth[point] - best, 0).sum()), point)
        if bounds and gain > bounds[0]:
            heapq.heappush(bounds, gain)
            continue
        picked.append(point)
        best = np.maximum(best, worth[point])
    return np.asarray(picked, np.intp)


def _most_typical(
    images: pd.DataFrame, rows: NDArray[np.intp], most: int, wanted: NDArray[np.bool_]
) -> NDArray[np.intp]:
    """The rows that are wanted, then the most typical (by path where nothing is known), the most typical first."""
    given, rows = rows[wanted], rows[~wanted]
    most = max(most - len(given), 0)
    if "typicality" not in images:
        return np.concatenate([given, rows[even_sample(len(rows), most)]])
    typicality = images["typicality"].to_numpy(float)[rows]
    return np.concatenate([given, rows[np.argsort(-np.nan_to_num(typicality), kind="stable")[:most]]])


def _by_time(images: pd.DataFrame, rows: NDArray[np.intp]) -> NDArray[np.intp] | None:
    """Positions in the order of the time taken, unknown times last; None where a third of them is unknown."""
    if "taken_at" not in images:
        return None
    times = pd.to_datetime(images["taken_at"].iloc[rows])
    known = times.notna().to_numpy()
    if known.sum() * 3 < 2 * len(rows):
        return None
    paths = images["path"].astype(str).to_numpy()[rows]
    return np.lexsort((paths, times.to_numpy(), ~known))


def _mean_step(similar: NDArray[np.float32], path: NDArray[np.intp]) -> float:
    """Mean cosine distance between neighbours on a path; 0 for a single point."""
    return float(np.mean(1 - similar[path[:-1], path[1:]])) if len(path) > 1 else 0.0


def even_sample(count: int, most: int) -> NDArray[np.intp]:
    """At most `most` of the positions 0 to `count` - 1, evenly spread, the first and the last among them."""
    if count <= most:
        return np.arange(count)
    return np.unique(np.linspace(0, count - 1, most).round().astype(np.intp))
