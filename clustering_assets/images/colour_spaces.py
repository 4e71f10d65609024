"""What the numbers of a picture mean where it has no ICC profile: code points, gamma, the mark of Adobe RGB.

HEIC, AVIF and PNG files name their colour space by code points of ITU-T H.273 instead of a profile, older PNG files by
gamma and primaries, cameras by a mark in their notes (DCF 2.0). Each comes down to primaries and a curve here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Chromaticities = tuple[float, float, float, float, float, float, float, float]
"""CIE x and y of red, green, blue and white."""

_D65, _C, _E = (0.3127, 0.3290), (0.310, 0.316), (1 / 3, 1 / 3)
SRGB_PRIMARIES: Chromaticities = (0.640, 0.330, 0.300, 0.600, 0.150, 0.060, *_D65)
_PRIMARIES: dict[int, Chromaticities] = {
    1: SRGB_PRIMARIES,
    4: (0.67, 0.33, 0.21, 0.71, 0.14, 0.08, *_C),
    5: (0.64, 0.33, 0.29, 0.60, 0.15, 0.06, *_D65),
    6: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *_D65),
    7: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *_D65),
    8: (0.681, 0.319, 0.243, 0.692, 0.145, 0.049, *_C),
    9: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *_D65),
    10: (1.0, 0.0, 0.0, 1.0, 0.0, 0.0, *_E),
    11: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.314, 0.351),
    12: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *_D65),
    22: (0.630, 0.340, 0.295, 0.605, 0.155, 0.077, *_D65),
}
"""ITU-T H.273, table 2. The two of standard-definition video (5, 6) are converted like the others."""

UNSPECIFIED = 2
_LINEAR, _PQ, _HLG = 8, 16, 18
_AS_SRGB = (1, UNSPECIFIED, 6, 7, 11, 12, 13, 14, 15)
_GAMMAS = {4: 2.2, 5: 2.8, _LINEAR: 1.0}
_REFERENCE_WHITE, _PEAK = 203.0, 1000.0  # cd/m2: ITU-R BT.2408, 3.2, and the usual mastering display
_STRIP = 1 << 20


class UnknownCodingError(ValueError):
    """A colour space that is named but not known."""


@dataclass(frozen=True)
class Coding:
    """The colour space of a picture's numbers.

    Attributes:
        primaries: Of red, green, blue and white.
        transfer: Curve between numbers and light, as ITU-T H.273 counts; 13 is that of sRGB.
        gamma: Exponent to light in place of `transfer`; 0 for none.
    """

    primaries: Chromaticities = SRGB_PRIMARIES
    transfer: int = 13
    gamma: float = 0.0


SRGB = Coding()
ADOBE_RGB = Coding((0.64, 0.33, 0.21, 0.71, 0.15, 0.06, *_D65), gamma=563 / 256)


def from_code_points(primaries: int, transfer: int) -> Coding:
    """The colour space behind code points of ITU-T H.273.

    Curves of television cameras (BT.601, BT.709, BT.2020) count as that of sRGB, since still pictures that carry
    them were made for the same screens; so does what is not specified.

    Raises:
        UnknownCodingError: A code point that is reserved, or a logarithmic curve.
    """
    known = SRGB_PRIMARIES if primaries == UNSPECIFIED else _PRIMARIES.get(primaries)
    if known is None:
        raise UnknownCodingError(f"colour primaries with the unknown code {primaries}")
    if transfer in _AS_SRGB:
        return Coding(known)
    if transfer in _GAMMAS:
        return Coding(known, transfer, _GAMMAS[transfer])
    if transfer in (_PQ, _HLG):
        return Coding(known, transfer)
    raise UnknownCodingError(f"a transfer curve with the unknown code {transfer}")


def convert(rgb: NDArray[np.uint8], coding: Coding) -> NDArray[np.uint8]:
    """The sRGB numbers of the same colours; colours outside sRGB are clipped, as a matrix profile would.

    High dynamic range (PQ, HLG) is brought down to what a screen can show: diffuse white lies at 203 cd/m2
    (ITU-R BT.2408), and the brightest channel of each pixel is compressed by Reinhard et al. 2002
    (doi 10.1145/566654.566575), equation 4, with 1,000 cd/m2 as the brightest.

    Args:
        rgb: Array (height, width, 3), uint8.
        coding: What its numbers mean.
    """
    import cv2

    curve, encode = _light(coding), _encoding()
    matrix = _matrix(coding.primaries)
    result = np.empty_like(rgb)
    rows = max(1, _STRIP // rgb.shape[1])
    for top in range(0, len(rgb), rows):
        light = curve[rgb[top : top + rows]]
        if coding.transfer == _HLG:
            light = _on_a_display(light, coding.primaries)
        light = np.asarray(cv2.transform(light, matrix), np.float32)
        if coding.transfer in (_PQ, _HLG):
            light = _compressed(light)
        levels = (light.clip(0, 1) * np.float32(65535) + np.float32(0.5)).astype(np.uint16)
        result[top : top + rows] = encode[levels]
    return result


@lru_cache(maxsize=16)
def changes_nothing(coding: Coding) -> bool:
    """Whether the numbers are those of sRGB already."""
    return moves_nothing(lambda rgb: convert(rgb, coding))


def moves_nothing(conversion: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]) -> bool:
    """Whether no colour of a 9 x 9 x 9 grid moves by more than one level when pixels (h, w, 3) are converted."""
    levels = np.linspace(0, 255, 9).round().astype(np.uint8)
    grid = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(27, 27, 3)
    return int(np.abs(conversion(grid).astype(int) - grid).max()) <= 1


@lru_cache(maxsize=16)
def _light(coding: Coding) -> NDArray[np.float32]:
    """Light for each of the 256 levels; 1 is white, or diffuse white for PQ."""
    level = np.arange(256) / 255
    if coding.gamma:
        light = level**coding.gamma
    elif coding.transfer == _PQ:  # SMPTE ST 2084
        root = level ** (32 / 2523)
        light = (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (16384 / 2610)
        light *= 10000 / _REFERENCE_WHITE
    elif coding.transfer == _HLG:  # ITU-R BT.2100, table 5
        light = np.where(
            level <= 0.5, level**2 / 3, (np.exp((level - 0.55991073) / 0.17883277) + 0.28466892) / 12
        )
    else:  # IEC 61966-2-1
        light = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    return light.astype(np.float32)


@lru_cache(maxsize=1)
def _encoding() -> NDArray[np.uint8]:
    """The sRGB level for each of 65,536 steps of light (IEC 61966-2-1)."""
    light = np.arange(65536) / 65535
    level = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return (level * 255).round().astype(np.uint8)


@lru_cache(maxsize=16)
def _matrix(primaries: Chromaticities) -> NDArray[np.float32]:
    """From light of `primaries` to that of sRGB, white on white (Bradford, as in ICC.1:2022, annex E)."""
    bradford = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    source, target = _to_xyz(primaries), _to_xyz(SRGB_PRIMARIES)
    gains = (bradford @ target.sum(axis=1)) / (bradford @ source.sum(axis=1))
    adapted = np.linalg.solve(bradford, gains[:, None] * (bradford @ source))
    return np.linalg.solve(target, adapted).astype(np.float32)


def _to_xyz(primaries: Chromaticities) -> NDArray[np.float64]:
    """CIE XYZ of the three primaries as columns; their sum is white with Y = 1."""
    x, y = np.array(primaries).reshape(4, 2).T
    columns = np.array([x, y, 1 - x - y])
    columns[:, 3] /= y[3]
    return columns[:, :3] * np.linalg.solve(columns[:, :3], columns[:, 3])


def _on_a_display(light: NDArray[np.float32], primaries: Chromaticities) -> NDArray[np.float32]:
    """Light of a scene (HLG) on a display of 1,000 cd/m2 (ITU-R BT.2100, table 5), diffuse white at 1."""
    weights = _to_xyz(primaries)[1].astype(np.float32)
    luminance = np.maximum(light @ weights, np.float32(1e-6))
    return light * (luminance ** np.float32(0.2) * np.float32(_PEAK / _REFERENCE_WHITE))[..., None]


def _compressed(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """Light whose diffuse white is 1 with its highlights brought into 0 to 1."""
    brightest = np.maximum(light.max(axis=-1, keepdims=True), np.float32(1e-6))
    most = np.float32(_PEAK / _REFERENCE_WHITE)
    held = np.minimum(brightest, most)
    return light * ((1 + held / most**2) / (1 + held) * held / brightest)
