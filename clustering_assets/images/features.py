"""What a picture looks like, in numbers: brightness, colour, contrast, sharpness and its main colours."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clustering_assets.images.buffers import room

SHARPNESS_SIDE = 192
"""Longer side, in pixels, at which sharpness is measured; a smaller picture is measured as it is."""

COLOUR_SIDE = 128
"""Longer side, in pixels, at which contrast and colourfulness are measured; the means of the others at half of it."""

_LUMA = (0.299, 0.587, 0.114)
_OPPONENTS_AND_LUMA = np.array([[1, -1, 0], [0.5, 0.5, -1], _LUMA], np.float32)
_MOST_COLOURS, _SMALLEST_SHARE = 5, 0.04
_CELL = np.array([64, 8, 1])
_PLACES = np.array([1, 1 << 16, 1 << 32])


@dataclass(frozen=True)
class VisualFeatures:
    """The looks of one picture; without values, of one that could not be looked at.

    Attributes:
        sharpness: Variance of the Laplacian (Pech-Pacheco et al. 2000, ICPR) of the slightly smoothed luma, 0 to
            255, with the longer side at 192 pixels.
        brightness: Mean CIE L*, 0 to 100.
        colourfulness: M3 of Hasler & Suesstrunk 2003 (doi 10.1117/12.477378); 15 is slight, 45 average, 82 high.
        contrast: RMS contrast, the standard deviation of the luma from 0 to 1 (Peli 1990, JOSA A 7:2032).
        chroma: Mean CIE C*ab; unlike saturation it does not rise in noisy shadows.
        saturation: Mean HSV saturation, 0 to 1.
        warmth: Share of the chroma at hues from 0 to 90 degrees, red to yellow, 0 to 1; 0 for grey pictures.
        dominant_colours: Up to five main colours such as "#aabbcc #ddeeff", most common first.
    """

    sharpness: float = np.nan
    brightness: float = np.nan
    colourfulness: float = np.nan
    contrast: float = np.nan
    chroma: float = np.nan
    saturation: float = np.nan
    warmth: float = np.nan
    dominant_colours: str = ""


@dataclass(frozen=True)
class Reduced:
    """A picture made small, which is all that the measures look at.

    Attributes:
        grey: Luma with the longer side at `SHARPNESS_SIDE` at most, (height, width), uint8.
        rgb: Colours with the longer side at `COLOUR_SIDE` at most, (height, width, 3), uint8, sRGB.
    """

    grey: NDArray[np.uint8]
    rgb: NDArray[np.uint8]


def reduce(pixels: NDArray[np.uint8]) -> Reduced:
    """Make a picture small; once for all that is measured.

    Args:
        pixels: Array (height, width, 3 or 4), uint8, sRGB; a fourth value is not looked at.
    """
    import cv2

    four = pixels.shape[2] == 4
    middle = _halved(pixels, SHARPNESS_SIDE)
    grey = cv2.cvtColor(
        middle, cv2.COLOR_RGBA2GRAY if four else cv2.COLOR_RGB2GRAY, dst=room("grey", middle.shape[:2])
    )
    small = _scaled(_halved(middle, COLOUR_SIDE), COLOUR_SIDE)
    rgb = cv2.cvtColor(small, cv2.COLOR_RGBA2RGB) if four else small.copy()
    return Reduced(_scaled(grey, SHARPNESS_SIDE).copy(), rgb)  # type: ignore[arg-type]


def measure(rgb: NDArray[np.uint8]) -> VisualFeatures:
    """The looks of a picture.

    Everything but sharpness is measured on a copy with the longer side at 128 pixels (means of lightness, chroma,
    saturation and warmth at 64), so that it hardly changes when a picture is scaled, compressed or turned.

    Args:
        rgb: Array (height, width, 3), uint8, sRGB.
    """
    return measure_reduced(reduce(rgb))


def measure_reduced(reduced: Reduced) -> VisualFeatures:
    """The looks of a picture that `reduce` made small; the same as `measure` of the picture."""
    import cv2

    small = reduced.rgb
    opponents = cv2.transform(small.astype(np.float32), _OPPONENTS_AND_LUMA)
    means, deviations = cv2.meanStdDev(opponents)
    (rg, yb, _), (rg_deviation, yb_deviation, luma_deviation) = means.ravel(), deviations.ravel()
    colourfulness = np.hypot(rg_deviation, yb_deviation) + 0.3 * np.hypot(rg, yb)
    smallest = _halved(small, COLOUR_SIDE // 2)
    lab = cv2.cvtColor(smallest, cv2.COLOR_RGB2LAB)
    _, a, b = cv2.split(lab)
    # In numpy: OpenCV's roots and sums of floats differ in their last bits with the place of the numbers in memory.
    across, along = (np.subtract(channel, 128, dtype=np.float32) for channel in (a, b))
    chroma = np.sqrt(across * across + along * along)
    _, warm = cv2.threshold(cv2.min(a, b), 127, 1, cv2.THRESH_BINARY)
    total_chroma = float(chroma.sum(dtype=np.float64))
    warm_chroma = float(np.multiply(chroma, warm, dtype=np.float32).sum(dtype=np.float64))
    return VisualFeatures(
        sharpness=_sharpness(reduced.grey),
        brightness=cv2.mean(lab)[0] * 100 / 255,
        colourfulness=float(colourfulness),
        contrast=float(luma_deviation) / 255,
        chroma=total_chroma / chroma.size,
        saturation=cv2.mean(cv2.cvtColor(smallest, cv2.COLOR_RGB2HSV))[1] / 255,
        warmth=warm_chroma / max(total_chroma, chroma.size),
        dominant_colours=_dominant_colours(small),
    )


def fit(rgb: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """`rgb` with its longer side at `side` pixels at most, averaged down; never enlarged.

    Args:
        rgb: Array (height, width) or (height, width, 3), uint8.
        side: The longer side of the result, in pixels.
    """
    return _scaled(_halved(rgb, side), side).copy()


def _halved(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """`pixels` averaged to half the size until the longer side is less than twice `side`; may lie in a `room`.

    Exact halves take OpenCV's fast path; any other factor is ten times slower.
    """
    import cv2

    while max(pixels.shape[:2]) >= 2 * side and min(pixels.shape[:2]) >= 2:
        height, width = pixels.shape[0] // 2, pixels.shape[1] // 2
        target = room(f"{max(height, width).bit_length()}", (height, width, *pixels.shape[2:]))
        pixels = cv2.resize(  # type: ignore[assignment]
            pixels[: 2 * height, : 2 * width], (width, height), dst=target, interpolation=cv2.INTER_AREA
        )
    return pixels


def _scaled(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """`pixels` with the longer side at `side` at most; may lie in a `room`."""
    import cv2

    height, width = pixels.shape[:2]
    if (longer := max(height, width)) <= side:
        return pixels
    size = max(1, round(width * side / longer)), max(1, round(height * side / longer))
    method = cv2.INTER_LINEAR if longer < 2 * side else cv2.INTER_AREA
    target = room("scaled", (size[1], size[0], *pixels.shape[2:]))
    return cv2.resize(pixels, size, dst=target, interpolation=method)  # type: ignore[return-value]


def _sharpness(grey: NDArray[np.uint8]) -> float:
    """Variance of the Laplacian of Gaussian, whose mean is 0 but for the edges of the picture.

    The small Gaussian takes away what scaling and compression add; without it, a picture at half the size would
    count as sharper by an eighth.
    """
    import cv2

    smooth = cv2.GaussianBlur(grey, (3, 3), 0)
    laplacian = cv2.Laplacian(smooth, cv2.CV_16S)
    return cv2.norm(laplacian) ** 2 / laplacian.size


def _dominant_colours(rgb: NDArray[np.uint8]) -> str:
    """The fullest of 8 x 8 x 8 colour cells, each with the mean of what is in it; close ones count as one."""
    step = math.ceil(max(rgb.shape[:2]) / 26)
    levels = rgb[::step, ::step].reshape(-1, 3).astype(np.int64)
    cells = (levels >> 5) @ _CELL
    # The three places within a cell in one number, so that one sum does for all of them.
    places = (levels & 31) @ _PLACES
    counts = np.bincount(cells, minlength=512)
    full = np.flatnonzero(counts >= min(_SMALLEST_SHARE * len(cells), counts.max()))
    sums = np.bincount(cells, places, 512)[full].astype(np.int64).tolist()
    kept: list[tuple[int, int, int]] = []
    for count, cell, total in sorted(zip((-counts[full]).tolist(), full.tolist(), sums, strict=True)):
        red = (cell >> 6 << 5) + round((total & 65535) / -count)
        green = ((cell >> 3 & 7) << 5) + round((total >> 16 & 65535) / -count)
        blue = ((cell & 7) << 5) + round((total >> 32) / -count)
        if not any(abs(red - r) < 32 and abs(green - g) < 32 and abs(blue - b) < 32 for r, g, b in kept):
            kept.append((red, green, blue))
            if len(kept) == _MOST_COLOURS:
                break
    return " ".join("#{:02x}{:02x}{:02x}".format(*colour) for colour in kept)
