"""A city at night, its windows lit, over still water."""

import cv2
import numpy as np
from numpy.typing import NDArray

from clustering_assets.demo.canvas import (
    Picture,
    Values,
    colour,
    distance,
    finish,
    gradient,
    lay,
    mixed,
    noise,
    shine,
    smooth,
)

_NIGHTS = (
    # sky at the top, sky over the roofs, glow of the streets
    ("#060a1c", "#2a3262", "#d98a4a"),
    ("#04060d", "#182640", "#b8743f"),
    ("#0c0a28", "#57306c", "#f08a55"),
    ("#020d18", "#15445a", "#6fc2b8"),
)
_WARM = tuple(map(colour, ("#ffd58a", "#ffc46b", "#ffe3b0", "#fff0d0", "#ffb259", "#cfe4ff", "#9fd0ff")))


def paint(rng: np.random.Generator, width: int, height: int) -> NDArray[np.uint8]:
    """A skyline at night, uint8 (height, width, 3)."""
    top, low, glow = map(colour, _NIGHTS[rng.integers(len(_NIGHTS))])
    water = int(height * rng.uniform(0.68, 0.82))
    picture = gradient(
        height, width, [(0, top), (0.35, mixed(top, low, 0.35)), (water / height, low), (1, low)]
    )
    _sky(rng, picture, water, low)
    shine(picture, glow, _rising(height, width, water, height * 0.16) * np.float32(0.5))
    layers = 4
    for layer in range(layers):
        near = layer / (layers - 1)
        _buildings(rng, picture, water, near, mixed(low, top, 0.4 + 0.5 * near) * np.float32(1 - 0.45 * near))
        shine(picture, glow, _rising(height, width, water, height * 0.05) * np.float32(0.22 * (1 - near)))
    picture[water:] = _reflection(rng, picture[:water], height - water, top)
    if rng.random() < 0.4:
        _bokeh(rng, picture, water)
    return finish(rng, picture, bloom=0.55, vignette=0.2, grain=0.012, contrast=0.3)


def _rising(height: int, width: int, row: int, reach: float) -> Values:
    """A glow that is 1 at a row and fades upwards over `reach` pixels."""
    above = np.clip(row - np.arange(height, dtype=np.float32), 0, None)
    return np.repeat(np.exp(-above / np.float32(reach))[:, None], width, axis=1).astype(np.float32)


def _sky(rng: np.random.Generator, picture: Picture, water: int, low: Values) -> None:
    """Stars, perhaps a moon, and thin cloud lit by the city."""
    height, width = picture.shape[:2]
    stars = np.zeros((height, width), np.float32)
    count = int(width * water * 0.00025)
    stars[rng.integers(0, int(water * 0.7), count), rng.integers(0, width, count)] = rng.random(count) ** 3
    shine(picture, colour("#dfe8ff"), np.minimum(cv2.GaussianBlur(stars, (3, 3), 0.55) * 2.2, 1))
    if rng.random() < 0.6:
        x, y = width * rng.uniform(0.1, 0.9), water * rng.uniform(0.1, 0.35)
        size = min(width, height) * rng.uniform(0.025, 0.05)
        far = distance(height, width, x, y)
        shine(picture, colour("#b9c8ee"), np.exp(-far / np.float32(size * 2.6)) * np.float32(0.4))
        face = 0.85 + 0.3 * (noise(rng, height, width, size * 0.8, octaves=3) - 0.5)
        lay(picture, colour("#f5f0e0") * face[..., None], smooth(size + 1, size - 1, far))
    veil = noise(rng, height, width, width * 0.4, octaves=5, stretch=3)
    lay(picture, mixed(low, colour("#ffffff"), 0.12), smooth(0.5, 0.85, veil) * np.float32(0.5))


def _buildings(rng: np.random.Generator, picture: Picture, water: int, near: float, body: Values) -> None:
    """One row of houses, drawn from left to right, their windows lit here and there."""
    height, width = picture.shape[:2]
    unit = min(height, width * 0.75)
    x = -rng.uniform(0, 0.05) * width
    skyline = rng.uniform(0.2, 0.8) * width
    while x < width:
        wide = unit * rng.uniform(0.05, 0.13) * (0.7 + 0.7 * near)
        centre = np.exp(-(((x + wide / 2 - skyline) / (width * 0.33)) ** 2))
        tall = unit * (0.12 + 0.5 * centre * (1 - 0.45 * near)) * rng.uniform(0.45, 1.15)
        tall = min(tall, water * 0.92)
        if near == 1:
            tall = unit * rng.uniform(0.04, 0.2)
        _building(rng, picture, round(x), round(x + wide), round(water - tall), water, near, body)
        x += wide * rng.uniform(0.75, 1.25)


def _building(
    rng: np.random.Generator,
    picture: Picture,
    left: int,
    right: int,
    top: int,
    bottom: int,
    near: float,
    body: Values,
) -> None:
    """One house: a body, sometimes stepped or with a mast, and a grid of windows."""
    height, width = picture.shape[:2]
    tone = body * np.float32(rng.uniform(0.75, 1.3))
    blocks = [(left, right, max(2, top))]
    if rng.random() < 0.4:  # a narrower tower on top
        inset = (right - left) * rng.uniform(0.15, 0.3)
        blocks.append((round(left + inset), round(right - inset), max(2, round(top - (bottom - top) * 0.18))))
    if rng.random() < 0.25 and near < 0.9:
        mast = (blocks[-1][0] + blocks[-1][1]) // 2
        if 1 < mast < width - 2:
            tip = max(2, round(blocks[-1][2] - (bottom - top) * rng.uniform(0.12, 0.3)))
            picture[tip : blocks[-1][2], mast : mast + max(1, width // 800)] = tone
            lamp = picture[tip - 2 : tip + 1, mast - 1 : mast + 2]
            shine(lamp, colour("#ff4030"), np.ones(lamp.shape[:2], np.float32))
    pitch = max(4, round(min(height, width) * (0.0075 + 0.004 * near) * rng.uniform(0.85, 1.3)))
    lit = rng.uniform(0.12, 0.55) if near < 0.9 else rng.uniform(0.05, 0.25)
    office = rng.random() < 0.35
    for low, high, roof in blocks:
        first, last = max(0, low), min(width, high)
        if last - first < 3:
            continue
        rows = np.linspace(0, 1, bottom - roof, dtype=np.float32)[:, None, None]
        picture[roof:bottom, first:last] = tone * (1 + 0.35 * rows)
        edge = max(1, (last - first) // 14)
        picture[roof:bottom, first : first + edge] *= 1.25
        _windows(
            rng, picture[roof + pitch : bottom - pitch // 2, first + 2 : last - 2], pitch, lit, office, near
        )


def _windows(
    rng: np.random.Generator, part: Picture, pitch: int, lit: float, office: bool, near: float
) -> None:
    """Light some windows of a front, in place; in an office whole floors are lit together."""
    tall, wide = part.shape[:2]
    rows, columns = tall // pitch, wide // pitch
    if rows < 1 or columns < 1:
        return
    on = rng.random((rows, columns)) < lit
    if office:
        on = (rng.random((rows, 1)) < lit) & (rng.random((rows, columns)) < 0.85)
    level = np.where(on, rng.uniform(0.35, 1.0, (rows, columns)), 0.02).astype(np.float32)
    tones = np.array(_WARM)[rng.integers(0, len(_WARM) if office else len(_WARM) - 2, (rows, columns))]
    pane = np.zeros((pitch, pitch), np.float32)
    margin = max(1, round(pitch * 0.22))
    pane[margin : pitch - margin + (pitch > 5), margin:pitch] = 1
    light = np.kron(level, pane)[..., None] * np.repeat(np.repeat(tones, pitch, 0), pitch, 1)
    target = part[: rows * pitch, : columns * pitch]
    target += light.astype(np.float32) * np.float32(0.55 + 0.45 * near) * (1 - np.minimum(target, 1))


def _reflection(rng: np.random.Generator, city: Picture, rows: int, top: Values) -> Picture:
    """The city upside down in the water: drawn out into long streaks and broken by ripples."""
    height, width = city.shape[:2]
    depth = np.arange(rows, dtype=np.float32)[:, None]
    ripples = noise(rng, rows, width, max(6.0, rows / 16), octaves=4, gain=0.6, stretch=7) - np.float32(0.5)
    shift = ripples * (2 + depth * np.float32(0.16))
    columns = np.arange(width, dtype=np.float32)[None, :] + shift * np.float32(0.5)
    source = np.clip(height - 1 - depth * np.float32(1.15) + shift * np.float32(3), 0, height - 1)
    lamps = np.maximum(city.mean(axis=2, keepdims=True) - np.float32(0.35), 0)
    bright = city * (1 + lamps * np.float32(9))  # long streaks of light, not of walls
    streaks = cv2.blur(bright, (3, max(3, rows // 6)), borderType=cv2.BORDER_REFLECT)
    mirrored = cv2.remap(
        streaks, columns, np.broadcast_to(source, columns.shape).astype(np.float32), cv2.INTER_LINEAR
    )
    dark = np.float32(0.85) - np.float32(0.3) * depth / rows
    mirrored = mirrored * (dark + ripples * np.float32(0.7))[..., None]
    return np.clip(mirrored * np.float32(0.85) + top * np.float32(0.25), 0, 1.2).astype(np.float32)


def _bokeh(rng: np.random.Generator, picture: Picture, water: int) -> None:
    """Lights out of focus, close to the camera."""
    height, width = picture.shape[:2]
    size = min(height, width)
    for _ in range(rng.integers(6, 16)):
        x, y = width * rng.random(), water + (height - water) * rng.uniform(-0.15, 1.0)
        radius = size * rng.uniform(0.015, 0.05)
        left, right = int(max(0, x - radius - 2)), int(min(width, x + radius + 2))
        upper, lower = int(max(0, y - radius - 2)), int(min(height, y + radius + 2))
        if right - left < 2 or lower - upper < 2:
            continue
        far = distance(lower - upper, right - left, x - left, y - upper)
        ring = smooth(radius + 1, radius - 1, far) * (0.55 + 0.45 * smooth(radius * 0.6, radius, far))
        tone = _WARM[rng.integers(len(_WARM))] if rng.random() < 0.7 else colour("#ff5a4a")
        shine(picture[upper:lower, left:right], tone, ring * np.float32(rng.uniform(0.25, 0.6)))
