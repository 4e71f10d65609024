"""Desert dunes in low sun."""

import cv2
import numpy as np
from numpy.typing import NDArray

from clustering_assets.demo.canvas import Values, clouds, colour, finish, gradient, lay, mixed, noise, smooth
from clustering_assets.demo.terrain import View, lit, look, sampled, shadows

_LIGHTS = (
    # sky at the top, at the horizon, sand in the sun, sand in shade
    ("#3f7fc0", "#f1d9b8", "#f0a95c", "#7c3f2a"),
    ("#5b8fc4", "#f7e3c6", "#f4bd74", "#8d5134"),
    ("#2f5f9e", "#f3c08d", "#e8894a", "#5c2c26"),
    ("#7ba7cf", "#f8ecd8", "#f2cd93", "#9b6a48"),
)


def paint(rng: np.random.Generator, width: int, height: int) -> NDArray[np.uint8]:
    """Dunes with sharp crests and long shadows, uint8 (height, width, 3)."""
    top, low, sunny, shady = map(colour, _LIGHTS[rng.integers(len(_LIGHTS))])
    size = 640
    heights = _sea_of_sand(rng, size)
    view = View(
        x=size / 2 + rng.uniform(-100, 100),
        y=4,
        altitude=float(heights[4:60].max() + rng.uniform(5, 26)),
        horizon=float(rng.uniform(0.28, 0.42)),
        focal=float(rng.uniform(0.7, 1.1)),
        far=620,
    )
    from_left = bool(rng.random() < 0.5)
    rise = float(rng.uniform(0.16, 0.32))
    sun = lit(heights, -0.95 if from_left else 0.95, rise + 0.15, steepness=1.6)
    sun = smooth(0.08, 0.62, sun) * shadows(heights, rise, from_left=from_left, softness=1.2)
    sun = cv2.GaussianBlur(sun, (0, 0), 0.7)

    factor = 1.4
    h, w = round(height * factor), round(width * factor)
    seen = look(heights, view, h, w)
    picture = gradient(h, w, [(0, top), (view.horizon, low), (1, low)])
    if rng.random() < 0.5:
        density, light = clouds(rng, h, w, cover=rng.uniform(0.08, 0.3), size=w * 0.3, flat=5)
        lay(picture, mixed(low, colour("#ffffff"), 0.6), density * light * np.float32(0.6))
    light = sampled(sun, seen)
    ripples = _ripples(rng, seen.columns, seen.rows, seen.depth)
    light = np.clip(light + ripples * (0.25 + light) * np.float32(0.5), 0, 1)
    ground = shady + (sunny - shady) * light[..., None]
    glow = np.clip(light - np.float32(0.8), 0, 1)
    ground += (colour("#fff0d0") - ground) * glow[..., None]
    haze = 1 - np.exp(-seen.depth / np.float32(view.far * rng.uniform(0.7, 1.3)))
    lay(ground, mixed(low, sunny, 0.25), haze * np.float32(0.7))
    lay(picture, ground, seen.ground)
    picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return finish(rng, picture, bloom=0.08, vignette=0.14, contrast=0.25)


def _sea_of_sand(rng: np.random.Generator, size: int) -> Values:
    """Heights of crescent dunes: ridges of warped noise, steep in the lee of the wind, over gentle swells."""
    at = np.arange(size, dtype=np.float32)
    shift_x = (noise(rng, size, size, 190, octaves=3, gain=0.4) - 0.5) * 120
    shift_y = (noise(rng, size, size, 190, octaves=3, gain=0.4) - 0.5) * 120
    turn = rng.uniform(-0.6, 0.6)
    phase = ((at[None, :] + shift_x) * np.cos(turn) + (at[:, None] + shift_y) * np.sin(turn)) / np.float32(
        rng.uniform(95, 150)
    )
    saw = phase - np.floor(phase)
    lee = np.float32(rng.uniform(0.68, 0.78))
    dune = np.where(saw < lee, (saw / lee) ** 1.5, ((1 - saw) / (1 - lee)) ** 1.15)
    patch = noise(rng, size, size, 170, octaves=3)
    swell = noise(rng, size, size, 300, octaves=2)
    heights = dune * (0.25 + 0.95 * patch) * 26 + swell * 40
    return cv2.GaussianBlur(heights.astype(np.float32), (0, 0), 1.4)


def _ripples(
    rng: np.random.Generator,
    columns: Values,
    rows: Values,
    depth: Values,
) -> Values:
    """The small ripples of the wind, seen only nearby, from -1 to 1."""
    field = noise(rng, 640, 640, 40, octaves=4) * 9
    bend = cv2.remap(field, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    wave = np.sin((rows * np.float32(0.9) + columns * np.float32(0.35) + bend) * np.float32(3.2))
    return wave * np.exp(-depth / np.float32(26)) * np.float32(0.28)
