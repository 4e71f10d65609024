"""Hot-air balloons over hills on a fine morning."""

import numpy as np
from numpy.typing import NDArray

from clustering_assets.demo.canvas import (
    Picture,
    Values,
    below,
    clouds,
    colour,
    distance,
    finish,
    gradient,
    lay,
    mixed,
    noise,
    place,
    polygons,
    profile,
    shine,
    smooth,
    strokes,
)

_PALETTES = (
    ("#e4322b", "#ffd23c", "#2a6fd6", "#ffffff"),
    ("#f26b1d", "#ffe14d", "#d81e5b"),
    ("#7b2fbf", "#ff4fa3", "#ffd84d", "#3ac1d9"),
    ("#0f9d58", "#f4f1de", "#e63946"),
    ("#e63946", "#ffffff"),
    ("#1d4ed8", "#fbbf24"),
    ("#ef476f", "#ffd166", "#06d6a0", "#118ab2"),
)
_SKIES = (("#2e86de", "#bfe3fb"), ("#3f9be8", "#fdf0d5"), ("#4aa3df", "#ffe3cf"), ("#1f78c8", "#a9d8f5"))


_SPRITE = 400  # pixels that a balloon is painted in


def paint(rng: np.random.Generator, width: int, height: int) -> NDArray[np.uint8]:
    """Balloons in the morning sky, uint8 (height, width, 3)."""
    top, low = map(colour, _SKIES[rng.integers(len(_SKIES))])
    picture = gradient(height, width, [(0, top), (0.8, low), (1, low)])
    sun_x = width * rng.uniform(0, 1)
    glow = np.exp(-distance(height, width, sun_x, height * 0.75) / np.float32(width * 0.35))
    shine(picture, colour("#fff3c9"), glow * np.float32(0.6))
    density, light = clouds(rng, height, width, cover=rng.uniform(0.15, 0.4), size=width * 0.22, flat=2.4)
    shade = mixed(low, colour("#ffffff"), 0.25)
    lay(picture, shade + (1 - shade) * light[..., None], density * np.float32(0.85))
    ground = height * rng.uniform(0.78, 0.95)
    _hills(rng, picture, ground, low)
    sprites = [_balloon(rng, _SPRITE) for _ in range(3)]
    size = min(width, height)
    for x, y, scale in _positions(rng, width, height, ground, size):
        away = 1 - scale / (size * 0.5)
        sprite = _hazy(sprites[rng.integers(len(sprites))], low, float(np.clip(away - 0.45, 0, 0.5)))
        place(picture, sprite, x, y, scale / _SPRITE, float(rng.normal(0, 1.2)))
    return finish(rng, picture, bloom=0.08, vignette=0.08, contrast=0.22)


def _positions(
    rng: np.random.Generator, width: int, height: int, ground: float, size: float
) -> list[tuple[float, float, float]]:
    """Places and sizes of balloons that do not cover each other, from the smallest to the largest."""
    found: list[tuple[float, float, float]] = []
    wanted = int(rng.integers(3, 10))
    for _ in range(400):
        if len(found) == wanted:
            break
        scale = size * (rng.uniform(0.34, 0.6) if len(found) < 1 else rng.uniform(0.07, 0.3))
        x = width * rng.uniform(0.08, 0.92)
        y = rng.uniform(scale * 0.45, max(scale * 0.46, ground - scale * 0.35))
        if all(np.hypot(x - ox, y - oy) > 0.5 * (scale + other) for ox, oy, other in found):
            found.append((float(x), float(y), float(scale)))
    return sorted(found, key=lambda one: one[2])


def _balloon(rng: np.random.Generator, size: int) -> Values:
    """One balloon with its basket, float32 (size, size, 4) with premultiplied colours."""
    palette = [colour(code) for code in _PALETTES[rng.integers(len(_PALETTES))]]
    at = (np.arange(size, dtype=np.float32) + 0.5) / size
    x, y = np.meshgrid(at * 2 - 1, at)
    t = np.clip((y - 0.03) / 0.74, 0, 1)  # 0 at the crown, 1 at the mouth
    half = np.where(t < 0.42, np.sqrt(np.clip(1 - ((t - 0.42) / 0.42) ** 2, 0, 1)), 0.0)
    lower = np.clip((t - 0.42) / 0.58, 0, 1)
    half = np.where(t >= 0.42, np.cos(lower * np.pi / 2 * 0.93) ** 0.8 * 0.985 + 0.015, half) * 0.68
    inside = np.clip((half - np.abs(x)) * size / 2 + 0.5, 0, 1) * (y > 0.03) * (y < 0.77)
    longitude = np.arcsin(np.clip(x / np.maximum(half, 1e-3), -1, 1)) / np.pi + 0.5
    gores = int(rng.choice([12, 16, 20]))
    gore = np.floor(longitude * gores / 2 + rng.random()).astype(int)
    pattern = rng.integers(4)
    if pattern == 0:  # stripes
        index = gore
    elif pattern == 1:  # zigzag bands
        zigzag = np.abs((longitude * gores / 2) % 1 - 0.5) * 0.16
        index = np.floor((t + zigzag) * 9).astype(int)
    elif pattern == 2:  # spiral
        index = np.floor(longitude * gores / 2 + t * 6).astype(int)
    else:  # one colour with a broad band of stripes
        index = np.where((t > 0.34) & (t < 0.56), gore * 1 + 1, 0 * gore)
    tones = np.array(palette)[index % len(palette)]
    seam = np.abs((longitude * gores) % 1 - 0.5) * 2
    nx, ny = np.clip(x / 0.68, -1, 1), np.clip((t - 0.42) / 0.6, -1, 1)
    nz = np.sqrt(np.clip(1 - nx**2 - ny**2 * 0.8, 0.02, 1))
    light = np.clip(-0.5 * nx - 0.45 * ny + 0.72 * nz, 0, 1)
    shade = (0.42 + 0.68 * light) * (0.9 + 0.1 * smooth(0.0, 0.25, 1 - seam.astype(np.float32)))
    glint = np.exp(-(((nx + 0.4) / 0.2) ** 2 + ((ny + 0.45) / 0.3) ** 2)) * 0.22
    body = np.clip(tones * shade[..., None] + glint[..., None], 0, 1) * inside[..., None]
    sprite = np.dstack([body, inside]).astype(np.float32)
    ropes = strokes(size, size, _ropes(size), 1.2)
    basket = polygons(size, size, [np.array([(0.45, 0.9), (0.55, 0.9), (0.54, 0.965), (0.46, 0.965)]) * size])
    weave = 0.75 + 0.5 * (noise(rng, size, size, 8, octaves=2) - 0.5)
    for tone, mask in (
        (colour("#4a3a2a") * weave[..., None], ropes),
        (colour("#8a5a2c") * weave[..., None], basket),
    ):
        sprite *= 1 - mask[..., None]
        sprite += np.dstack([tone * mask[..., None], mask]).astype(np.float32)
    return sprite


def _ropes(size: int) -> list[Values]:
    """The lines from the mouth to the basket."""
    pairs = ((0.455, 0.46), (0.485, 0.487), (0.515, 0.513), (0.545, 0.54))
    return [np.array([(top, 0.77), (bottom, 0.905)]) * size for top, bottom in pairs]


def _hazy(sprite: Values, air: Values, share: float) -> Values:
    """The sprite as it looks through `share` of air."""
    hazy = sprite.copy()
    hazy[..., :3] += (air * sprite[..., 3:] - sprite[..., :3]) * np.float32(share)
    return hazy


def _hills(rng: np.random.Generator, picture: Picture, ground: float, low: Values) -> None:
    """Rows of hills from blue to green, with fields on the nearest."""
    first = int(max(0, ground - picture.shape[0] * 0.16))
    part = picture[first:]
    height, width = part.shape[:2]
    full, ground = picture.shape[0], ground - first
    green = colour("#5f9440") if rng.random() < 0.7 else colour("#b5974a")
    for layer in range(4):
        near = layer / 3
        rise = (near - 0.6) * 0.07 + profile(rng, width, width * 0.35, octaves=4) * 0.025
        line = ground + rise * full
        mask = below(line.astype(np.float32), height)
        fields = noise(rng, height, width, width * 0.06, octaves=3, stretch=5)
        tone = mixed(mixed(low, colour("#5d86a8"), 0.5), green, 0.15 + 0.8 * near)
        lay(part, tone * (0.82 + 0.36 * fields * near + 0.18 * (1 - near))[..., None], mask)
