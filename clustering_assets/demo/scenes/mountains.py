"""Snowy mountains in clear air."""

import cv2
import numpy as np
from numpy.typing import NDArray

from clustering_assets.demo.canvas import (
    Picture,
    Values,
    below,
    blurred,
    clouds,
    colour,
    finish,
    gradient,
    lay,
    mixed,
    noise,
    polygons,
    profile,
    smooth,
)
from clustering_assets.demo.terrain import Seen, View, lit, look, sampled, shadows
from clustering_assets.demo.trees import conifer

_HOURS = (
    # sky at the top, sky at the horizon, sunlit snow, snow in shade
    ("#2f74c4", "#d3e6f5", "#fffaf2", "#8fb2dc"),
    ("#4a8fd6", "#e6f0f7", "#ffffff", "#9dbce0"),
    ("#6c97cf", "#f7dcd2", "#ffe6d8", "#93a5d6"),
    ("#86a9cf", "#edf1f4", "#fbfbfb", "#b3c3d8"),
)


def paint(rng: np.random.Generator, width: int, height: int) -> NDArray[np.uint8]:
    """A range of snowy peaks, uint8 (height, width, 3)."""
    top, low, sunny, shady = map(colour, _HOURS[rng.integers(len(_HOURS))])
    size = 512
    heights = _range(rng, size)
    view = View(
        x=size / 2 + rng.uniform(-120, 120),
        y=10,
        altitude=float(heights[10:60].mean() + rng.uniform(26, 60)),
        horizon=float(rng.uniform(0.42, 0.58)),
        focal=float(rng.uniform(0.75, 1.25)),
        far=500,
    )
    from_left = bool(rng.random() < 0.5)
    rise = float(rng.uniform(0.28, 0.5))
    sun = lit(heights, -0.9 if from_left else 0.9, rise, steepness=1.5)
    sun = smooth(0.2, 0.66, sun) * (0.15 + 0.85 * shadows(heights, rise, from_left=from_left, softness=5))
    steep = _steepness(heights)
    rock = smooth(1.05, 1.5, steep + 0.7 * (noise(rng, size, size, 12, octaves=4) - 0.5))

    factor = 1.15
    h, w = round(height * factor), round(width * factor)
    seen = look(heights, view, h, w)
    picture = _sky(rng, h, w, view.horizon, top, low)
    light = sampled(sun, seen)
    ground = shady + (sunny - shady) * light[..., None]
    bare = mixed(colour("#59606e"), low, 0.1)
    grit = noise(rng, h, w, 22, octaves=5, gain=0.65)
    crag = sampled(rock, seen)
    crag = smooth(0.32, 0.62, crag + (grit - np.float32(0.5)) * smooth(0, 0.25, crag))
    stone = bare * ((0.3 + 0.75 * light) * (0.6 + 0.8 * grit))[..., None]
    ground += (stone - ground) * (crag * np.float32(0.9))[..., None]
    ground *= (np.float32(0.96) + np.float32(0.08) * grit)[..., None]
    _forest(rng, ground, heights, seen, light)
    haze = 1 - np.exp(-seen.depth / np.float32(view.far * rng.uniform(0.9, 1.7)))
    lay(ground, mixed(low, top, 0.2), haze * 0.75)
    lay(picture, ground, seen.ground)
    if rng.random() < 0.35:
        _cloud_sea(rng, picture, seen, low)
    picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.7:
        _foreground(rng, picture, low, shady)
    return finish(rng, picture, bloom=0.06, vignette=0.1, contrast=0.25)


def _range(rng: np.random.Generator, size: int) -> Values:
    """Heights in cells: ridged noise, higher towards the back, with valleys smoothed."""
    warp = 26.0
    at = np.arange(size, dtype=np.float32)
    shift_x = (noise(rng, size, size, 110, octaves=4) - 0.5) * warp
    shift_y = (noise(rng, size, size, 110, octaves=4) - 0.5) * warp
    total = np.zeros((size, size), np.float32)
    weight = np.ones((size, size), np.float32)
    strength = 1.0
    for octave in range(6):
        field = noise(rng, size, size, 210 / 2**octave, octaves=1) * 2 - 1
        ridge = (1 - np.abs(field) * 1.25) ** 2
        total += np.float32(strength) * ridge * weight
        weight = np.clip(ridge * 1.25, 0, 1)
        strength *= 0.47
    total = cv2.remap(
        total,
        at[None, :] + shift_x,
        at[:, None] + shift_y,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    back = np.interp(at, [0, 60, 250, size], [0.1, 0.26, 1.0, 1.2]).astype(np.float32)
    return (total / 2.0) ** 1.12 * back[:, None] * np.float32(rng.uniform(105, 140))


def _steepness(heights: Values) -> Values:
    """The slope of each cell, rise over run."""
    slope_x = cv2.Sobel(heights, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8)
    slope_y = cv2.Sobel(heights, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8)
    return np.sqrt(slope_x**2 + slope_y**2)


def _sky(
    rng: np.random.Generator,
    h: int,
    w: int,
    horizon: float,
    top: Values,
    low: Values,
) -> Picture:
    """The sky, clear or with some fair-weather clouds."""
    picture = gradient(h, w, [(0, top), (horizon, low), (1, low)])
    if rng.random() < 0.75:
        density, light = clouds(rng, h, w, cover=rng.uniform(0.1, 0.4), size=w * rng.uniform(0.15, 0.35))
        shade = mixed(mixed(top, low, 0.6), colour("#ffffff"), 0.35)
        body = shade + (colour("#ffffff") - shade) * light[..., None]
        lay(picture, body, density * np.float32(0.85))
    return picture


def _forest(
    rng: np.random.Generator,
    ground: Picture,
    heights: Values,
    seen: Seen,
    light: Values,
) -> None:
    """Dark conifers on the low, gentle slopes, powdered with snow."""
    size = heights.shape[0]
    stands = noise(rng, size, size, 60, octaves=4)
    line = float(np.quantile(heights[:300], rng.uniform(0.1, 0.4)))
    low = smooth(line + 8, line - 4, heights) * smooth(0.45, 0.6, stands)
    trees = sampled(
        (low * smooth(0.4, 0.62, noise(rng, size, size, 2.4, octaves=2))).astype(np.float32), seen
    )
    green = mixed(colour("#1c2e36"), colour("#3c5a5e"), 0.3)
    lay(ground, green * (0.6 + 0.6 * light[..., None]), blurred(trees, 0.6) * np.float32(0.8))


def _cloud_sea(rng: np.random.Generator, picture: Picture, seen: Seen, low: Values) -> None:
    """Mist that lies in the valleys of the middle distance."""
    h, w = seen.depth.shape
    veil = noise(rng, h, w, w * 0.25, octaves=5, stretch=3)
    rows = np.linspace(0, 1, h, dtype=np.float32)[:, None]
    band = np.exp(-(((rows - np.float32(rng.uniform(0.58, 0.72))) / 0.07) ** 2))
    lay(picture, mixed(low, colour("#ffffff"), 0.6), band * smooth(0.3, 0.7, veil) * 0.9)


def _foreground(rng: np.random.Generator, picture: Picture, low: Values, shady: Values) -> None:
    """A slope with conifers close by, the rear ones bluer, their branches dusted with snow."""
    height, width = picture.shape[:2]
    side = float(rng.choice([-1.0, 1.0]))
    at = np.linspace(-1, 1, width, dtype=np.float32) * np.float32(side)
    for layer, (depth, tone) in enumerate(((0.0, "#47627a"), (0.5, "#2b4250"), (1.0, "#16262d"))):
        line = height * (0.86 + 0.06 * layer - 0.05 * at) + profile(rng, width, width * 0.4) * height * 0.015
        shapes, x = [], -0.02 * width
        while x < width * 1.02:
            column = int(np.clip(x, 0, width - 1))
            if rng.random() < 0.5 + 0.5 * float(at[column]):
                tall = min(width, height) * rng.uniform(0.09, 0.17) * (0.7 + 0.6 * depth)
                shapes.append(conifer(rng, x, float(line[column]) + 3, tall, detail=12))
            x += min(width, height) * rng.uniform(0.012, 0.045)
        trees = polygons(height, width, shapes)
        snow = smooth(0.5, 0.75, noise(rng, height, width, 5, octaves=2)) * np.float32(0.5)
        dusted = mixed(colour(tone), low, 0.12) + (shady - colour(tone)) * snow[..., None]
        lay(picture, dusted, trees)
        drift = mixed(shady, colour("#ffffff"), 0.35 + 0.15 * layer)
        lay(picture, drift, below(line.astype(np.float32), height))
