"""Hot-air balloons over hills on a fine morning."""

import numpy as np
from numpy.typing import NDArray

from clustering_assets.demo.canvas import Canvas, Values, colour, gradient, mixed, one_of, smooth

_FABRICS = (
    ("#e4322b", "#ffd23c", "#2a6fd6", "#ffffff"),
    ("#f26b1d", "#ffe14d", "#d81e5b"),
    ("#7b2fbf", "#ff4fa3", "#ffd84d", "#3ac1d9"),
    ("#0f9d58", "#f4f1de", "#e63946"),
    ("#e63946", "#ffffff"),
    ("#1d4ed8", "#fbbf24"),
    ("#ef476f", "#ffd166", "#06d6a0", "#118ab2"),
)
_SKIES = (("#2e86de", "#bfe3fb"), ("#3f9be8", "#fdf0d5"), ("#4aa3df", "#ffe3cf"), ("#1f78c8", "#a9d8f5"))
_BASKET = ((0.45, 0.9), (0.55, 0.9), (0.54, 0.965), (0.46, 0.965))
_ROPES = ((0.455, 0.46), (0.485, 0.487), (0.515, 0.513), (0.545, 0.54))  # columns at the mouth and the basket

_SPRITE = 400  # pixels that a balloon is painted in


def paint(rng: np.random.Generator, width: int, height: int) -> NDArray[np.uint8]:
    """Balloons in the morning sky, uint8 (height, width, 3)."""
    top, low = one_of(rng, _SKIES)
    canvas = Canvas(rng, gradient(height, width, (0, top), (0.8, low), (1, low)))
    canvas.glow(colour("#fff3c9") * 0.6, width * rng.random(), height * 0.75, width * 0.35)
    density, light = canvas.clouds(cover=rng.uniform(0.15, 0.4), size=width * 0.22, flat=2.4)
    canvas.lay(mixed(mixed(low, 1, 0.25), 1, light[..., None]), density * 0.85)
    ground = height * rng.uniform(0.78, 0.95)
    _hills(canvas.rows(int(max(0, ground - height * 0.16))), ground - height, height, low)
    sprites = [_balloon(Canvas(rng, np.zeros((_SPRITE, _SPRITE, 3), np.float32))) for _ in range(3)]
    for x, y, scale in _positions(canvas, ground):
        sprite = sprites[rng.integers(len(sprites))].copy()
        haze = np.clip(0.55 - 2 * scale / canvas.size, 0, 0.5)
        sprite[..., :3] = mixed(sprite[..., :3], low * sprite[..., 3:], haze)
        canvas.place(sprite, x, y, scale / _SPRITE, float(rng.normal(0, 1.2)))
    return canvas.finish(bloom=0.08, vignette=0.08, contrast=0.22)


def _positions(canvas: Canvas, ground: float) -> list[tuple[float, float, float]]:
    """Places and sizes of balloons that do not cover each other, from the smallest to the largest."""
    rng, found = canvas.rng, []
    wanted = int(rng.integers(3, 10))
    for _ in range(400):
        scale = canvas.size * (rng.uniform(0.07, 0.3) if found else rng.uniform(0.34, 0.6))
        x = canvas.width * rng.uniform(0.08, 0.92)
        y = rng.uniform(scale * 0.45, max(scale * 0.46, ground - scale * 0.35))
        free = all(np.hypot(x - ox, y - oy) > 0.5 * (scale + other) for ox, oy, other in found)
        if free and len(found) < wanted:
            found.append((x, y, scale))
    return sorted(found, key=lambda balloon: balloon[2])


def _balloon(canvas: Canvas) -> Values:
    """One balloon with its basket, float32 (size, size, 4) with premultiplied colours."""
    rng, size = canvas.rng, canvas.size
    x, y = (canvas.x + 0.5) * 2 / size - 1, (canvas.y + 0.5) / size
    t = np.clip((y - 0.03) / 0.74, 0, 1)  # 0 at the crown, 1 at the mouth
    upper, lower = np.clip((0.42 - t) / 0.42, 0, 1), np.clip((t - 0.42) / 0.58, 0, 1)
    half = 0.68 * np.sqrt(1 - upper**2) * (np.cos(lower * np.pi / 2 * 0.93) ** 0.8 * 0.985 + 0.015)
    inside = np.clip((half - np.abs(x)) * size / 2 + 0.5, 0, 1) * (y > 0.03) * (y < 0.77)
    longitude = np.arcsin(np.clip(x / np.maximum(half, 1e-3), -1, 1)) / np.pi + 0.5
    gores = int(rng.choice([12, 16, 20]))
    fabric = _fabric(rng, longitude * gores / 2, t)
    nx, ny = np.clip(x / 0.68, -1, 1), np.clip((t - 0.42) / 0.6, -1, 1)
    nz = np.sqrt(np.clip(1 - nx**2 - ny**2 * 0.8, 0.02, 1))
    light = np.clip(-0.5 * nx - 0.45 * ny + 0.72 * nz, 0, 1)
    seam = np.abs((longitude * gores) % 1 - 0.5) * 2
    shade = (0.42 + 0.68 * light) * (0.9 + 0.1 * smooth(0, 0.25, 1 - seam))
    glint = np.exp(-(((nx + 0.4) / 0.2) ** 2 + ((ny + 0.45) / 0.3) ** 2)) * 0.22
    body = np.clip(fabric * shade[..., None] + glint[..., None], 0, 1)
    ropes = canvas.shapes((np.array([(top, 0.77), (low, 0.905)]) * size for top, low in _ROPES), line=1.2)
    weave = (0.5 + 0.5 * canvas.noise(8, octaves=2))[..., None]
    canvas.lay(body, inside)
    canvas.lay(colour("#4a3a2a") * weave, ropes)
    basket = canvas.shapes([np.array(_BASKET) * size])
    canvas.lay(colour("#8a5a2c") * weave, basket)
    return np.dstack([canvas.pixels, np.maximum.reduce([inside, ropes, basket])]).astype(np.float32)


def _fabric(rng: np.random.Generator, around: Values, t: Values) -> Values:
    """Colours of the envelope (h, w, 3): stripes, zigzag bands, a spiral, or one colour with a band of stripes.

    Args:
        rng: Dice.
        around: Number of the stripe that every pixel is in.
        t: How far down it is: 0 at the crown, 1 at the mouth.
    """
    palette = np.array(one_of(rng, _FABRICS))
    stripes = around + rng.random()
    patterns = (
        stripes,
        (t + np.abs(around % 1 - 0.5) * 0.16) * 9,
        around + t * 6,
        np.where((t > 0.34) & (t < 0.56), stripes + 1, 0),
    )
    return palette[np.floor(patterns[rng.integers(len(patterns))]).astype(int) % len(palette)]


def _hills(canvas: Canvas, ground: float, full: int, low: Values) -> None:
    """Rows of hills from blue to green, with fields on the nearest; `ground` counts from the lower edge."""
    green = colour("#5f9440" if canvas.rng.random() < 0.7 else "#b5974a")
    haze = mixed(low, colour("#5d86a8"), 0.5)
    for near in np.linspace(0, 1, 4):
        rise = (near - 0.6) * 0.07 + canvas.profile(canvas.width * 0.35, octaves=4) * 0.025
        fields = canvas.noise(canvas.width * 0.06, octaves=3, stretch=5)
        tone = mixed(haze, green, 0.15 + 0.8 * near) * (1 + 0.36 * (fields - 0.5) * near)[..., None]
        canvas.lay(tone, canvas.below(canvas.height + ground + rise * full))
