"""A city at night, its windows lit, over still water."""

import cv2
import numpy as np
from numpy.typing import NDArray

from clustering_assets.demo.canvas import Canvas, Values, colour, gradient, mixed, one_of

_NIGHTS = (
    # sky at the top, sky over the roofs, glow of the streets
    ("#060a1c", "#2a3262", "#d98a4a"),
    ("#04060d", "#182640", "#b8743f"),
    ("#0c0a28", "#57306c", "#f08a55"),
    ("#020d18", "#15445a", "#6fc2b8"),
)
_LAMPS = np.array(
    [colour(code) for code in ("#ffd58a", "#ffc46b", "#ffe3b0", "#fff0d0", "#ffb259", "#cfe4ff", "#9fd0ff")]
)
_RED = colour("#ff4030")


def paint(rng: np.random.Generator, width: int, height: int) -> NDArray[np.uint8]:
    """A skyline at night, uint8 (height, width, 3)."""
    top, low, glow = one_of(rng, _NIGHTS)
    shore = int(height * rng.uniform(0.68, 0.82))
    canvas = Canvas(rng, gradient(height, width, (0, top), (0.35, mixed(top, low, 0.35)), (0.75, low)))
    land, water = canvas.rows(0, shore), canvas.rows(shore)
    _paint_sky(land, low)
    above = shore - land.y
    land.shine(glow, np.exp(above / (height * -0.16)) * 0.5)
    for near in np.linspace(0, 1, 4):
        _build(land, near, mixed(low, top, 0.4 + 0.5 * near) * (1 - 0.45 * near))
        land.shine(glow, np.exp(above / (height * -0.05)) * 0.22 * (1 - near))
    _paint_water(water, land.pixels, top)
    if rng.random() < 0.4:
        tones = rng.choice([*_LAMPS, _RED, _RED], rng.integers(6, 16))
        radii = canvas.size * rng.uniform(0.015, 0.05, len(tones))
        canvas.lights(tones, (shore - water.height * 0.15, height), radii, 0.6)
    return canvas.finish(bloom=0.55, vignette=0.2, contrast=0.3)


def _paint_sky(land: Canvas, low: Values) -> None:
    """Stars, perhaps a moon, and thin cloud lit by the city."""
    rng, height, width = land.rng, land.height, land.width
    stars = rng.random((height, width), np.float32)
    stars = np.clip(stars - 0.99975, 0, 1) * 4000 * (land.y < height * 0.7)
    land.shine(colour("#dfe8ff"), np.minimum(cv2.GaussianBlur(stars**3, (3, 3), 0.55) * 2.2, 1))
    if rng.random() < 0.6:
        moon = width * rng.uniform(0.1, 0.9), height * rng.uniform(0.1, 0.35)
        radius = land.size * rng.uniform(0.03, 0.06)
        land.glow(colour("#b9c8ee") * 0.4, *moon, radius * 2.6)
        face = 0.7 + 0.3 * land.noise(radius * 0.8, octaves=3)
        land.lay(colour("#f5f0e0") * face[..., None], land.disc(*moon, radius))
    density, _ = land.clouds(cover=0.5, size=width * 0.4, flat=3)
    land.lay(mixed(low, 1, 0.12), density * 0.4)


def _build(land: Canvas, near: float, body: Values) -> None:
    """One row of houses from left to right, the tallest about the middle of the town; the nearest row is low."""
    rng, width = land.rng, land.width
    unit = min(land.height * 1.33, width * 0.75)
    x, middle = -rng.uniform(0, 0.05) * width, rng.uniform(0.2, 0.8) * width
    while x < width:
        wide = unit * rng.uniform(0.05, 0.13) * (0.7 + 0.7 * near)
        centre = np.exp(-(((x + wide / 2 - middle) / (width * 0.33)) ** 2))
        tall = (0.12 + 0.5 * centre * (1 - 0.45 * near)) * rng.uniform(0.45, 1.15)
        tall = unit * (tall if near < 1 else rng.uniform(0.04, 0.2))
        _house(land, x, wide, min(tall, land.height * 0.8), near, body * rng.uniform(0.75, 1.3))
        x += wide * rng.uniform(0.75, 1.25)


def _house(land: Canvas, x: float, wide: float, tall: float, near: float, tone: Values) -> None:
    """One house with a grid of windows, sometimes with a narrower tower on top or a mast with a lamp."""
    rng, unit = land.rng, land.size * 1.2
    storey = max(4, round(unit * (0.0075 + 0.004 * near) * rng.uniform(0.85, 1.3)))
    lit, office = rng.uniform(0.12, 0.55) * (1 if near < 1 else 0.45), rng.random() < 0.35
    blocks = [(x, wide, tall)]
    if rng.random() < 0.4:
        inset = wide * rng.uniform(0.15, 0.3)
        blocks.append((x + inset, wide - 2 * inset, tall * 1.18))
    if rng.random() < 0.25 and near < 1:
        x, tall = blocks[-1][0] + blocks[-1][1] / 2, blocks[-1][2] + tall * rng.uniform(0.12, 0.3)
        left, tip = max(0, round(x)), max(0, round(land.height - tall))
        land.pixels[tip:, left : left + max(1, land.width // 800)] = tone
        land.pixels[max(0, tip - 2) : tip + 1, max(0, left - 1) : left + 2] = _RED
    for left, across, high in blocks:
        roof = max(2, round(land.height - high))
        front = land.pixels[roof:, max(0, round(left)) : max(0, round(left + across))]
        if front.shape[1] >= 3:
            front[:] = tone * np.linspace(1, 1.35, len(front), dtype=np.float32)[:, None, None]
            front[:, : max(1, front.shape[1] // 14)] *= 1.25
            _light(rng, front[storey : -storey // 2, 2:-2], storey, lit * (0.7 + 0.3 * near), office)


def _light(rng: np.random.Generator, front: Values, storey: int, lit: float, office: bool) -> None:
    """Light some windows of a front, in place; in an office whole floors are lit together."""
    rows, columns = front.shape[0] // storey, front.shape[1] // storey
    on = rng.random((rows, columns)) < (0.85 if office else lit)
    if office:
        on &= rng.random((rows, 1)) < lit
    level = np.where(on, rng.uniform(0.35, 1.0, (rows, columns)), 0.02)
    lamps = _LAMPS[rng.integers(0, len(_LAMPS) if office else len(_LAMPS) - 2, (rows, columns))]
    pane = np.zeros((storey, storey, 1), np.float32)
    margin = max(1, round(storey * 0.22))
    pane[margin : storey - margin + (storey > 5), margin:] = 1
    front = front[: rows * storey, : columns * storey]
    front += np.kron(level[..., None] * lamps, pane) * (1 - np.minimum(front, 1))


def _paint_water(water: Canvas, city: Values, top: Values) -> None:
    """The city upside down in the water: drawn out into long streaks of light and broken by ripples."""
    ripples = water.noise(max(6.0, water.height / 16), octaves=4, gain=0.6, stretch=7) - 0.5
    lamps = np.maximum(city.mean(axis=2, keepdims=True) - 0.35, 0)
    streaks = cv2.blur(city * (1 + lamps * 9), (3, max(3, water.height // 6)), borderType=cv2.BORDER_REFLECT)
    water.mirror(streaks, ripples, 0.6)
    shade = (0.72 - 0.25 * water.y / water.height + 0.6 * ripples)[..., None]
    water.pixels[:] = np.clip(water.pixels * shade + top * 0.25, 0, 1.2)
