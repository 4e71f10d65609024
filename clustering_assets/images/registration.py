"""Whether two pictures show the same view: points of one found again in the other, and pixels that agree there."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clustering_assets.images.features import fit

SIDE = 192
"""Longer side, in pixels, at which pictures are compared: what a hand shakes is hardly seen there any more."""

MOST_POINTS = 200
LEAST_POINTS = 8
"""Points that must be found again in their places. Of 2,000 pairs of the most alike of unlike pictures none has as many
whose pixels agree."""

LEAST_AGREEMENT = 0.75
"""Correlation of the smoothed pixels where both pictures show something; what has moved in between lowers it."""

LEAST_SHARED = 0.6
"""Share of the larger view that both must show."""

_CLEARLY = 0.85
"""A point counts where the next best is so much less like it (Lowe, 2004, doi 10.1023/B:VISI.0000029664.99615.94)."""

MOST_GROUND = 0.3
"""Share of a picture that may be of one grey. More have drawings, symbols and things cut out, of which a part may be
the same (the faces of clocks) though they show something else. Black does not count: at night it is everywhere."""

_REACH, _SMOOTH, _BLACK = 3.0, 2.0, 8


@dataclass(frozen=True, eq=False)
class Landmarks:
    """What of a picture is found again in others.

    Attributes:
        grey: The picture, small, (height, width), uint8.
        places: Where its points are, (n, 2), in pixels.
        signs: How it looks around them, (n, 128), uint8.
    """

    grey: NDArray[np.uint8]
    places: NDArray[np.float32]
    signs: NDArray[np.uint8]

    @classmethod
    def of(cls, image: Image.Image) -> "Landmarks":
        """The landmarks of a picture: SIFT points and their roots (Arandjelovic and Zisserman, 2012, CVPR).

        One that lies on a plain ground has none.
        """
        import cv2

        grey = fit(np.asarray(image.convert("L"), np.uint8), SIDE)
        counts = np.bincount(grey.ravel(), minlength=256)
        if (counts[:-1] + counts[1:])[_BLACK:].max() > MOST_GROUND * grey.size:
            return cls(grey, np.zeros((0, 2), np.float32), np.zeros((0, 128), np.uint8))
        low, high = np.percentile(grey, (1, 99))
        even = np.clip((grey - low) * (255 / max(high - low, 16.0)), 0, 255).astype(np.uint8)
        finder = cv2.SIFT.create(nfeatures=MOST_POINTS, contrastThreshold=0.002)
        points, signs = finder.detectAndCompute(even, np.full_like(even, 255))
        if signs is None or not len(points):
            return cls(grey, np.zeros((0, 2), np.float32), np.zeros((0, 128), np.uint8))
        roots = np.sqrt(signs / np.maximum(signs.sum(axis=1, keepdims=True), 1e-9)) * 255
        return cls(grey, np.array([point.pt for point in points], np.float32), roots.astype(np.uint8))


def same_view(one: Landmarks, other: Landmarks) -> bool:
    """Whether one picture is the other: moved, turned and scaled a little, softer or darker perhaps."""
    import cv2

    if min(len(one.places), len(other.places)) < LEAST_POINTS:
        return False
    pairs = cv2.BFMatcher(cv2.NORM_L2).knnMatch(one.signs, other.signs, k=2)
    found = [best for best, next_ in pairs if best.distance < _CLEARLY * next_.distance]
    if len(found) < LEAST_POINTS:
        return False
    here, there = (
        one.places[[pair.queryIdx for pair in found]],
        other.places[[pair.trainIdx for pair in found]],
    )
    move, agreed = cv2.estimateAffinePartial2D(here, there, ransacReprojThreshold=_REACH, maxIters=500)
    if move is None or agreed.sum() < LEAST_POINTS:
        return False
    size = other.grey.shape[::-1]
    shared = cv2.warpAffine(np.full(one.grey.shape, 255, np.uint8), move, size) > 250
    larger = max(other.grey.size, one.grey.size * abs(float(np.linalg.det(move[:, :2]))))
    if shared.sum() < LEAST_SHARED * larger:
        return False
    moved = np.asarray(cv2.warpAffine(one.grey, move, size), np.uint8)
    return _correlation(moved, other.grey, shared) >= LEAST_AGREEMENT


def _correlation(one: NDArray[np.uint8], other: NDArray[np.uint8], where: NDArray[np.bool_]) -> float:
    """Correlation of two pictures of a size where both are seen, smoothed so that neither is the sharper one."""
    import cv2

    smooth = [cv2.GaussianBlur(grey.astype(np.float32), (0, 0), _SMOOTH)[where] for grey in (one, other)]
    a, b = (values - values.mean() for values in smooth)
    return float((a * b).sum() / max(np.sqrt((a * a).sum() * (b * b).sum()), 1e-9))
