"""Modern architecture in black and white: hard light, strong lines."""

import cv2
import numpy as np
from numpy.typing import NDArray

from clustering_assets.demo.canvas import (
    Values,
    distance,
    finish,
    gradient,
    noise,
    polygons,
    smooth,
)


def paint(rng: np.random.Generator, width: int, height: int) -> NDArray[np.uint8]:
    """A study of a building, uint8 (height, width, 3), without colour."""
    motif = (_towers, _fins, _stairs, _colonnade)[rng.integers(4)]
    factor = 1.5
    grey = motif(rng, round(width * factor), round(height * factor))
    grey = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
    picture = np.repeat(np.clip(grey, 0, 1)[..., None], 3, axis=2)
    return finish(rng, picture, bloom=0.04, vignette=0.22, grain=0.02, contrast=0.55)


def _sky(rng: np.random.Generator, w: int, h: int) -> Values:
    """A sky through a red filter: nearly black, or white and empty, with streaks of cloud."""
    dark = rng.random() < 0.6
    top, low = (0.03, 0.25) if dark else (0.85, 0.98)
    sky = gradient(h, w, [(0, np.full(3, top, np.float32)), (1, np.full(3, low, np.float32))])[..., 0].copy()
    if dark:
        streaks = noise(rng, h, w, w * 0.3, octaves=6, gain=0.55, stretch=4)
        sky += smooth(0.5, 0.95, streaks) * np.float32(0.6)
    return sky


def _towers(rng: np.random.Generator, w: int, h: int) -> Values:
    """Tall fronts seen from the street: their edges run together above."""
    picture = _sky(rng, w, h)
    vanish = np.array([w * rng.uniform(0.3, 0.7), -h * rng.uniform(0.1, 0.8)])
    edges = np.sort(rng.uniform(-0.15, 1.15, 2)) * w
    corners = [(-0.4 * w, min(edges[0], w * 0.45)), (max(edges[1], w * 0.55), 1.4 * w)]
    if rng.random() < 0.5:
        corners.append((w * 0.4, w * 0.62))
    for left, right in corners:
        tall = rng.uniform(0.45, 0.85)
        _front(rng, picture, left, right, vanish, tall)
    return picture


def _front(
    rng: np.random.Generator,
    picture: Values,
    left: float,
    right: float,
    vanish: Values,
    tall: float,
) -> None:
    """Lay one front over the picture: a grid of windows, warped so that it rises to the vanishing point."""
    h, w = picture.shape
    columns, rows = int(rng.integers(5, 12)), int(rng.integers(14, 30))
    cell = 28
    tile = np.full((cell, cell), 0.0, np.float32)
    style = rng.integers(3)
    if style == 0:
        tile[4:-3, 4:-4] = 1
    elif style == 1:
        tile[8:-3, :] = 1
    else:
        tile[:, 9:-3] = 1
    mullion, glass = float(rng.uniform(0.65, 0.98)), float(rng.uniform(0.02, 0.12))
    panes = np.kron(rng.random((rows, columns)).astype(np.float32), np.ones((cell, cell), np.float32))
    mirror = noise(rng, rows * cell, columns * cell, 160, octaves=4)
    window = glass + 0.3 * smooth(0.55, 0.9, mirror) + 0.5 * (panes > 0.95)
    front = np.where(np.tile(tile, (rows, columns)) > 0.5, window, mullion).astype(np.float32)
    front *= np.linspace(0.72, 1.05, front.shape[0], dtype=np.float32)[::-1, None] * rng.uniform(0.55, 1.0)
    feet = np.array([[left, h * 1.05], [right, h * 1.05]])
    tops = feet + (vanish - feet) * tall
    source = np.array(
        [[0, 0], [front.shape[1], 0], [front.shape[1], front.shape[0]], [0, front.shape[0]]], np.float32
    )
    target = np.array([tops[0], tops[1], feet[1], feet[0]], np.float32)
    warp = cv2.getPerspectiveTransform(source, target)
    drawn = cv2.warpPerspective(front, warp, (w, h), flags=cv2.INTER_AREA)
    mask = polygons(h, w, [target])
    picture += (drawn - picture) * mask


def _fins(rng: np.random.Generator, w: int, h: int) -> Values:
    """A front of curved fins whose shading makes waves."""
    at_x = np.arange(w, dtype=np.float32)[None, :] / w
    at_y = np.arange(h, dtype=np.float32)[:, None] / h
    if rng.random() < 0.4:
        at_x, at_y = np.broadcast_to(at_y, (h, w)), np.broadcast_to(at_x, (h, w))
    wave = sum(
        np.sin(at_x * rng.uniform(2, 7) * k + at_y * rng.uniform(-5, 5) + rng.uniform(0, 6)) / k
        for k in (1, 2, 3)
    )
    count = rng.uniform(18, 44)
    phase = (at_y + np.float32(rng.uniform(0.05, 0.12)) * wave) * np.float32(count)
    inside = phase - np.floor(phase)
    width_of = np.float32(0.5) + np.float32(0.28) * np.sin(wave * 1.7 + at_x * 3)
    fin = _band(inside, width_of)
    light = 0.35 + 0.65 * np.clip(inside / np.maximum(width_of, 0.05), 0, 1) ** 1.4
    tone = (0.55 + 0.45 * np.sin(wave * 1.3 + 1)) * light
    depth = 0.04 + 0.1 * np.clip(1 - inside, 0, 1)
    return (depth + (tone - depth) * fin).astype(np.float32)


def _band(inside: Values, width: Values | float, edge: Values | float = 0.06) -> Values:
    """1 where a phase from 0 to 1 is below `width`, with edges as soft as `edge`."""
    return np.clip(inside / edge, 0, 1) * np.clip((width - inside) / edge, 0, 1)


def _stairs(rng: np.random.Generator, w: int, h: int) -> Values:
    """A spiral staircase seen from below."""
    x0, y0 = w * rng.uniform(0.4, 0.6), h * rng.uniform(0.4, 0.6)
    radius = distance(h, w, x0, y0) / np.float32(np.hypot(w, h) / 2)
    across = np.arange(w, dtype=np.float32)[None, :] - np.float32(x0)
    down = np.arange(h, dtype=np.float32)[:, None] - np.float32(y0)
    squash = np.float32(rng.uniform(0.85, 1.15))
    angle = np.arctan2(down * squash, across) * np.float32(rng.choice([-1, 1]))
    turns = np.float32(rng.uniform(1.0, 1.7))
    winding = np.log(np.maximum(radius, 1e-3)) * turns * 2.2
    spiral = angle / np.float32(2 * np.pi) + winding
    floor = spiral - np.floor(spiral)
    steps = np.float32(rng.integers(20, 30))
    tread = (angle / np.float32(2 * np.pi) * steps) % 1
    rail = _band(floor, 0.13)
    under = (floor > 0.13) & (floor < 0.66)
    stair = 0.25 + 0.6 * tread + 0.1 * np.sin(angle + 1)
    stair = stair * (0.5 + 0.7 * np.clip((floor - 0.13) / 0.53, 0, 1))
    wall = 0.05 + 0.16 * np.clip((floor - 0.66) / 0.34, 0, 1)
    grey = np.where(under, stair, wall)
    light = 0.62 + 0.38 * np.cos(angle - rng.uniform(0, 6.28))
    grey = grey * light + rail * (0.92 * (0.55 + 0.45 * light) - grey * light)
    skylight = smooth(0.09, 0.075, radius)
    return np.clip(grey * smooth(0.02, 0.25, radius) * 1.05 + skylight, 0, 1).astype(np.float32)


def _colonnade(rng: np.random.Generator, w: int, h: int) -> Values:
    """A passage of columns in hard sun: bars of light and shadow run to the vanishing point."""
    x0, y0 = w * rng.uniform(0.35, 0.65), h * rng.uniform(0.42, 0.55)
    rows = np.arange(h, dtype=np.float32)[:, None] - np.float32(y0)
    columns = np.arange(w, dtype=np.float32)[None, :] - np.float32(x0)
    span = np.float32(max(w, h) * 0.5)
    up = np.abs(rows) / (h * 0.5)
    side = np.abs(columns) / span
    depth = 1 / np.maximum(np.maximum(up * rng.uniform(1.0, 1.3), side), 0.03)  # a square tunnel
    floor = (up * 1.15 > side) & (rows > 0)
    ceiling = (up * 1.15 > side) & (rows <= 0)
    sunny = columns > 0 if rng.random() < 0.5 else columns < 0
    slant = np.float32(rng.uniform(0.3, 0.9)) * np.where(floor, columns / span * depth, 0)
    beat = np.float32(rng.uniform(0.8, 1.4))
    phase = ((depth + slant) * beat).astype(np.float32)
    edge = np.clip(np.abs(np.gradient(phase, axis=0)) + np.abs(np.gradient(phase, axis=1)), 1e-4, 0.3) * 2
    phase %= 1
    column = _band(phase, 0.42, edge)
    wall = np.where(sunny, 0.95 - 0.85 * (1 - column), 0.1 + 0.34 * column)
    ground = 0.12 + 0.8 * column
    roof = 0.03 + 0.22 * column * (phase < 0.4)
    picture = np.where(floor, ground, np.where(ceiling, roof, wall)).astype(np.float32)
    end = np.exp(-np.maximum(up, side) * 9)
    picture += (1 - picture) * end.astype(np.float32)
    return picture
