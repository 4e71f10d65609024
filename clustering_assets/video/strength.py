"""How strong a picture is, whether the strong ones open and end a video, and whether they meet the loud music."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clustering_assets.video.faces import Box

SHARPNESS, EXPOSURE, TYPICALITY, SIZE = 0.35, 0.3, 0.25, 0.1
"""What each counts; a picture that is best in all of them has strength 1."""

WELL_LIT, WITHIN, LOST_IN = 55.0, 15.0, 35.0
"""Mean lightness (CIE L*) of a well exposed picture, how far from it none is weaker, and in how much more it loses all
it had from its exposure."""

FULL_CONTRAST = 0.15
"""RMS contrast from which on a picture is not flat."""

WHOLE_FACE, CUT_FACE = 0.2, -0.3
"""What a face of some size adds to the strength of an opening, and one that the edge of the picture cuts."""

LARGE_FACE = 0.12
"""Height of a face of some size, as a part of the picture's."""

EDGE = 0.005

SWING = 0.35
"""What strong pictures at loud moments are worth against short steps between pictures: the way through a cluster may
become this much longer for a perfect fit."""

LONGEST_TURNED = 12
"""Pictures at most of a stretch that is turned round."""

MOST_PASSES = 30
"""Most times that the whole path is gone through for pictures to exchange."""

LEAST_SPREAD = 2.0
"""LU between the loud and the quiet parts of the music below which there is nothing to meet."""

FITS = (
    (0.5, "strong pictures come where the music is loud"),
    (0.2, "strong pictures come more often where the music is loud"),
    (-0.2, "strong pictures come where the music is loud and where it is quiet"),
    (-1.0, "strong pictures come where the music is quiet"),
)
"""Least correlation of strength and loudness, and what it comes to in words."""


def strengths(images: pd.DataFrame, vectors: NDArray[np.floating] | None = None) -> NDArray[np.float64]:
    """How strong each picture is among the others, (n,), 0 to 1.

    Sharpness and size by their rank, exposure by lightness and contrast, typicality by the
    cosine to the mean of the embeddings. What is not known of a picture counts half.

    Args:
        images: n rows with `sharpness`, `contrast`, `brightness`, `width` and `height` where known.
        vectors: Embeddings, (n, d).
    """
    contrast, bright = _column(images, "contrast"), _column(images, "brightness")
    detail = _column(images, "sharpness")
    dark = np.clip((np.abs(bright - WELL_LIT) - WITHIN) / LOST_IN, 0, 1)
    exposure = np.nan_to_num((1 - dark) * np.clip(contrast / FULL_CONTRAST, 0, 1), nan=0.5)
    typical = np.full(len(images), 0.5)
    if vectors is not None and len(images):
        given = np.asarray(vectors, np.float32)
        lengths = np.maximum(np.linalg.norm(given, axis=1, keepdims=True), 1e-12)
        typical = _rank((given @ (given / lengths).mean(axis=0)) / lengths[:, 0])
    size = _rank(np.sqrt(_column(images, "width") * _column(images, "height")))
    return SHARPNESS * _rank(detail) + EXPOSURE * exposure + TYPICALITY * typical + SIZE * size


def face_bonus(heads: tuple[Box, ...] | None) -> float:
    """What the faces in a picture add to its strength as an opening; 0 where there are none or none are looked for."""
    if not heads:
        return 0.0
    largest = heads[0]
    if min(largest[:2]) <= EDGE or max(largest[2:]) >= 1 - EDGE:
        return CUT_FACE
    return WHOLE_FACE if largest[3] - largest[1] >= LARGE_FACE else 0.0


def meet_the_music(
    path: NDArray[np.intp],
    distances: NDArray[np.floating],
    strength: NDArray[np.floating],
    loudness: NDArray[np.floating],
) -> NDArray[np.intp]:
    """The path with pictures exchanged so that the strong ones are shown where it is loud; first and last stay.

    Two pictures change places, or a short stretch is turned round, where that is worth what it lengthens the path.

    Args:
        path: (n,) points in the order shown.
        distances: (n, n) between the points.
        strength: (n,) of each point.
        loudness: (n,) of the music at each place of the path, LUFS.
    """
    if len(path) < 4 or np.ptp(loudness) < LEAST_SPREAD:
        return path
    between, way = np.asarray(distances, float).tolist(), path.tolist()
    whole = max(float(distances[path[:-1], path[1:]].sum()), 1e-9)
    worth = (np.asarray(strength, float) / max(float(np.std(strength)), 1e-9)).tolist()
    loud = (np.asarray(loudness, float) / (float(np.std(loudness)) * len(way))).tolist()
    for _ in range(MOST_PASSES):
        better = False
        for one in range(1, len(way) - 2):
            for other in range(one + 1, len(way) - 1):
                # of the correlation only the products of what changes places change
                met = (worth[way[one]] - worth[way[other]]) * (loud[other] - loud[one])
                if met > 0 and _longer(way, one, other, between) / whole < SWING * met - 1e-9:
                    way[one], way[other] = way[other], way[one]
                    better = True
                if other - one < LONGEST_TURNED:
                    part, heard = way[one : other + 1], loud[one : other + 1]
                    met = sum(
                        worth[point] * (then - now)
                        for point, now, then in zip(part, heard, heard[::-1], strict=True)
                    )
                    ends = between[way[one - 1]][part[-1]] - between[way[one - 1]][part[0]]
                    ends += between[way[other + 1]][part[0]] - between[way[other + 1]][part[-1]]
                    if ends / whole < SWING * met - 1e-9:
                        way[one : other + 1] = part[::-1]
                        better = True
        if not better:
            break
    return np.asarray(way, np.intp)


def correlation(strength: NDArray[np.floating], loudness: NDArray[np.floating]) -> float:
    """Correlation (-1 to 1) of strength and loudness; 0 where either does not change."""
    if len(strength) < 2 or not np.ptp(strength) or not np.ptp(loudness):
        return 0.0
    return float(np.corrcoef(strength, loudness)[0, 1])


def in_words(fit: float | None) -> str:
    """How well the strong pictures meet the loud music; '' where that says nothing."""
    if fit is None:
        return ""
    return next(words for least, words in FITS if fit >= least)


def loudness_at(
    curve: NDArray[np.floating], track_time: Callable[[float], float], times: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Loudness of a track, in LUFS, at moments of a video.

    Args:
        curve: Loudness of each second of the track.
        track_time: Second of the track that is heard at a second of the video.
        times: Seconds of the video, (n,).
    """
    heard = np.array([track_time(float(time)) for time in times])
    return np.interp(heard, np.arange(len(curve)) + 0.5, np.maximum(curve, -60.0))


def _longer(way: list[int], one: int, other: int, between: list[list[float]]) -> float:
    """How much longer a way gets when the points at two places, the first before the other, change places."""
    here, there = way[one], way[other]
    before, after = between[way[one - 1]], between[way[other + 1]]
    ends = before[there] - before[here] + after[here] - after[there]
    if other == one + 1:
        return ends
    next_, last = between[way[one + 1]], between[way[other - 1]]
    return ends + next_[there] - next_[here] + last[here] - last[there]


def _rank(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """The share of the other values that each one exceeds, equals counting half; a half where it is not known."""
    known = np.isfinite(values)
    ranks = np.full(len(values), 0.5)
    if known.sum() > 1:
        ordered = np.sort(values[known])
        below = (
            np.searchsorted(ordered, values[known])
            + np.searchsorted(ordered, values[known], side="right")
            - 1
        )
        ranks[known] = below / (2 * (len(ordered) - 1))
    return ranks


def _column(images: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """A column of numbers; nan where it is not known."""
    if name not in images:
        return np.full(len(images), np.nan)
    return pd.to_numeric(images[name], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
