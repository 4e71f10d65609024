"""The perceptual hash of a picture, which hardly changes when the picture is scaled, compressed or turned."""

import numpy as np
from numpy.typing import NDArray

from clustering_assets.images.features import COLOUR_SIDE, fit

_GRID, _KEPT = 32, 8
_DCT = np.cos(np.pi / _GRID * np.outer(np.arange(_KEPT), np.arange(_GRID) + 0.5)).astype(np.float32)


def perceptual_hash(rgb: NDArray[np.uint8]) -> str:
    """The signs of the 63 lowest frequencies of a picture, as 16 hex digits.

    The picture is averaged down to 32 x 32 pixels of luma and transformed (DCT-II, as in Zauner 2010). A bit is
    set where a coefficient is positive. Signs, unlike comparisons with a median, change in a known way when a
    picture is mirrored (odd frequencies flip) or turned (rows and columns change places).

    Args:
        rgb: Array (height, width, 3), uint8, sRGB.
    """
    import cv2

    grey = cv2.cvtColor(fit(rgb, COLOUR_SIDE), cv2.COLOR_RGB2GRAY)
    grid = cv2.resize(grey, (_GRID, _GRID), interpolation=cv2.INTER_AREA).astype(np.float32)
    positive = (_DCT @ (grid - 128) @ _DCT.T) > 1e-3
    positive[0, 0] = False
    return np.packbits(positive).tobytes().hex()


def differing_bits(code: np.uint64, others: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """How many bits of a hash, as a number, each of the others does not share, (n,)."""
    codes = others ^ code
    if hasattr(np, "bitwise_count"):
        return np.bitwise_count(codes)
    return np.unpackbits(codes.view(np.uint8).reshape(-1, 8), axis=1).sum(axis=1, dtype=np.uint8)
