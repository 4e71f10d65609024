"""Modern architecture in black and white: hard light, strong lines."""

import cv2
import numpy as np
from numpy.typing import NDArray

from clustering_assets.demo.canvas import Canvas, Values, mixed, smooth


def paint(rng: np.random.Generator, width: int, height: int) -> NDArray[np.uint8]:
    """A study of a building, uint8 (height, width, 3), without colour."""
    large = Canvas(rng, np.zeros((round(height * 1.5), round(width * 1.5), 3), np.float32))
    grey = (_towers, _fins, _stairs, _colonnade)[rng.integers(4)](large)
    grey = cv2.resize(np.clip(grey, 0, 1).astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    picture = Canvas(rng, np.repeat(grey[..., None], 3, axis=2))
    return picture.finish(bloom=0.04, vignette=0.22, grain=0.02, contrast=0.55)


def _towers(canvas: Canvas) -> Values:
    """Tall fronts seen from the street, their edges run together above; a sky through a red filter, or an empty one."""
    rng, width, height = canvas.rng, canvas.width, canvas.height
    down = canvas.y / height + 0 * canvas.x
    if rng.random() < 0.6:
        picture = (
            0.03 + 0.22 * down + 0.6 * smooth(0.5, 0.95, canvas.noise(width * 0.3, octaves=6, stretch=4))
        )
    else:
        picture = 0.85 + 0.13 * down
    vanish = np.array([width * rng.uniform(0.3, 0.7), -height * rng.uniform(0.1, 0.8)])
    first, last = np.sort(rng.uniform(-0.15, 1.15, 2))
    feet = [(-0.4, min(first, 0.45)), (max(last, 0.55), 1.4), (0.4, 0.62)]
    for left, right in feet[: rng.integers(2, 4)]:
        low = np.array([[left * width, height * 1.05], [right * width, height * 1.05]])
        high = low + (vanish - low) * rng.uniform(0.45, 0.85)
        corners = np.array([*high, *low[::-1]], np.float32)
        front = _front(rng)
        tall, wide = front.shape
        source = np.array([[0, 0], [wide, 0], [wide, tall], [0, tall]], np.float32)
        warp = cv2.getPerspectiveTransform(source, corners)
        drawn = cv2.warpPerspective(front, warp, (width, height), flags=cv2.INTER_AREA)
        picture = mixed(picture, drawn, canvas.shapes([corners]))
    return picture


def _front(rng: np.random.Generator) -> Values:
    """A front as its architect draws it (h, w): windows, ribbons or shafts of glass that mirror the sky."""
    columns, rows, cell = int(rng.integers(5, 12)), int(rng.integers(14, 30)), 28
    tile = np.zeros((cell, cell), bool)
    tile[((slice(4, -3), slice(4, -4)), (slice(8, -3),), (slice(None), slice(9, -3)))[rng.integers(3)]] = True
    panes = np.kron(rng.random((rows, columns)), np.ones((cell, cell)))
    mirror = Canvas(rng, np.empty((*panes.shape, 3), np.float32)).noise(160, octaves=4)
    glass = rng.uniform(0.02, 0.12) + 0.3 * smooth(0.55, 0.9, mirror) + 0.5 * (panes > 0.95)
    front = np.where(np.tile(tile, (rows, columns)), glass, rng.uniform(0.65, 0.98))
    light = np.linspace(1.05, 0.72, len(front))[:, None] * rng.uniform(0.55, 1.0)
    return (front * light).astype(np.float32)


def _fins(canvas: Canvas) -> Values:
    """A front of curved fins whose shading makes waves."""
    rng = canvas.rng
    x, y = canvas.x / canvas.width, canvas.y / canvas.height
    if rng.random() < 0.4:
        x, y = y, x
    waves = rng.uniform([2, -5, 0], [7, 5, 6], (3, 3)).tolist()
    wave = sum(np.sin(x * a * k + y * b + c) / k for k, (a, b, c) in enumerate(waves, 1))
    inside = ((y + rng.uniform(0.05, 0.12) * wave) * rng.uniform(18, 44)) % 1
    wide = 0.5 + 0.28 * np.sin(wave * 1.7 + x * 3)
    light = 0.35 + 0.65 * np.clip(inside / np.maximum(wide, 0.05), 0, 1) ** 1.4
    tone = (0.55 + 0.45 * np.sin(wave * 1.3 + 1)) * light
    return mixed(0.14 - 0.1 * inside, tone, _band(inside, wide))


def _band(inside: Values, width: Values | float, edge: Values | float = 0.06) -> Values:
    """1 where a phase from 0 to 1 is below `width`, with edges as soft as `edge`."""
    return np.clip(inside / edge, 0, 1) * np.clip((width - inside) / edge, 0, 1)


def _stairs(canvas: Canvas) -> Values:
    """A spiral staircase seen from below."""
    rng = canvas.rng
    x, y = canvas.width * rng.uniform(0.4, 0.6), canvas.height * rng.uniform(0.4, 0.6)
    radius = canvas.away(x, y) * 2 / float(np.hypot(canvas.width, canvas.height))
    angle = np.arctan2((canvas.y - y) * rng.uniform(0.85, 1.15), canvas.x - x) * int(rng.choice([-1, 1]))
    around = angle / (2 * np.pi)
    floor = (around + np.log(np.maximum(radius, 1e-3)) * rng.uniform(2.2, 3.7)) % 1
    tread = (around * int(rng.integers(20, 30))) % 1
    stair = (0.25 + 0.6 * tread + 0.1 * np.sin(angle + 1)) * (
        0.5 + 0.7 * np.clip((floor - 0.13) / 0.53, 0, 1)
    )
    wall = 0.05 + 0.16 * np.clip((floor - 0.66) / 0.34, 0, 1)
    light = 0.62 + 0.38 * np.cos(angle - rng.uniform(0, 6.28))
    grey = np.where((floor > 0.13) & (floor < 0.66), stair, wall) * light
    grey = mixed(grey, 0.5 + 0.42 * light, _band(floor, 0.13))
    return grey * smooth(0.02, 0.25, radius) * 1.05 + smooth(0.09, 0.075, radius)


def _colonnade(canvas: Canvas) -> Values:
    """A passage of columns in hard sun: bars of light and shadow run to the vanishing point of a square tunnel."""
    rng = canvas.rng
    across = (canvas.x - canvas.width * rng.uniform(0.35, 0.65)) / (max(canvas.width, canvas.height) * 0.5)
    down = canvas.y * 2 / canvas.height - rng.uniform(0.84, 1.1)
    up, side = np.abs(down), np.abs(across)
    depth = 1 / np.maximum(np.maximum(up * rng.uniform(1.0, 1.3), side), 0.03)
    level = up * 1.15 > side
    floor, ceiling = level & (down > 0), level & (down <= 0)
    slant = np.where(floor, across * depth, 0) * rng.uniform(0.3, 0.9)
    phase = (depth + slant) * rng.uniform(0.8, 1.4)
    slope = np.abs(np.gradient(phase, axis=0)) + np.abs(np.gradient(phase, axis=1))
    column = _band(phase % 1, 0.42, np.clip(slope, 1e-4, 0.3) * 2)
    wall = np.where(across * rng.choice([-1, 1]) > 0, 0.1 + 0.85 * column, 0.1 + 0.34 * column)
    roof = 0.03 + 0.22 * column
    picture = np.where(floor, 0.12 + 0.8 * column, np.where(ceiling, roof, wall))
    return mixed(picture, 1, np.exp(np.maximum(up, side) * -9))
