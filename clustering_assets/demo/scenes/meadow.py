"""Flowers in a meadow, close by and in the sun."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from clustering_assets.demo.canvas import (
    Picture,
    Values,
    blurred,
    colour,
    distance,
    finish,
    gradient,
    lay,
    mixed,
    noise,
    place,
    polygons,
    shine,
    smooth,
    varied,
)


@dataclass(frozen=True)
class _Flower:
    """A species: number of petals, how wide they are, their colours from inside to outside, its centre."""

    petals: int
    width: float
    roundness: float
    inner: str
    outer: str
    heart: str
    heart_size: float
    rows: int = 1


_SPECIES = (
    _Flower(21, 0.62, 0.5, "#f4f1ea", "#ffffff", "#f2b71f", 0.24),  # daisy
    _Flower(5, 1.35, 0.9, "#7a0d0d", "#ee2f1c", "#1c1512", 0.17),  # poppy
    _Flower(8, 1.0, 0.75, "#d94f96", "#f7a8cf", "#f0c23c", 0.16),  # cosmos
    _Flower(13, 0.8, 0.5, "#f28a10", "#ffd21f", "#5a3418", 0.34),  # black-eyed Susan
    _Flower(12, 0.7, 0.4, "#3a36b8", "#6f7cf2", "#2c1f7a", 0.17, 2),  # cornflower
    _Flower(24, 0.75, 0.6, "#e0570c", "#ffa01f", "#a8480c", 0.2, 3),  # marigold
    _Flower(6, 1.1, 0.7, "#8a3fb0", "#c98af0", "#f5e06a", 0.15),  # anemone
)


_SPRITE = 300  # pixels that a flower is painted in


def paint(rng: np.random.Generator, width: int, height: int) -> NDArray[np.uint8]:
    """A bed of flowers with a soft background, uint8 (height, width, 3)."""
    picture = _background(rng, width, height)
    kinds = [_SPECIES[i] for i in rng.choice(len(_SPECIES), size=rng.integers(1, 4), replace=False)]
    sprites = [_sprite(rng, kind, _SPRITE) for kind in kinds for _ in range(4 // len(kinds))]
    size = min(width, height)
    focus = rng.uniform(0.62, 0.85)
    count = int(rng.integers(30, 50) * (width * height) ** 0.5 / 1000)
    for depth in np.sort(rng.random(count)):
        off = abs(depth - focus)
        blur = max(0.0, off - 0.14) ** 1.1 * size * 0.028
        scale = size * (0.045 + 0.27 * depth**2) / _SPRITE * rng.uniform(0.8, 1.25)
        x = width * rng.uniform(-0.03, 1.03)
        y = height * (0.3 + 0.62 * depth + rng.normal(0, 0.1))
        _stem(rng, picture, x, y, scale * _SPRITE, blur)
        sprite = sprites[rng.integers(len(sprites))]
        place(
            picture,
            sprite,
            x,
            y,
            scale,
            rng.uniform(0, 360),
            squeeze=float(rng.uniform(0.5, 1.0)),
            blur=blur,
        )
    _sunlight(rng, picture)
    return finish(rng, picture, bloom=0.16, vignette=0.12, contrast=0.2)


def _background(rng: np.random.Generator, width: int, height: int) -> Picture:
    """Grass far out of focus, with discs of light."""
    sky = rng.random() < 0.5
    fresh, deep = varied(rng, colour("#9cc65a"), 0.12), varied(rng, colour("#2f6b2a"), 0.12)
    far = varied(rng, colour("#cfe8f7") if sky else colour("#dfe7a0"), 0.06)
    picture = gradient(height, width, [(0, far), (0.32, mixed(far, fresh, 0.7)), (0.6, fresh), (1, deep)])
    patches = blurred(noise(rng, height, width, width * 0.12, octaves=4), 6)
    picture += ((patches - np.float32(0.5)) * np.float32(0.35))[..., None] * colour("#ffffd0")
    size = min(width, height)
    for _ in range(rng.integers(14, 30)):
        x, y, radius = width * rng.random(), height * rng.random() * 0.6, size * rng.uniform(0.015, 0.06)
        left, upper = int(max(0, x - radius - 2)), int(max(0, y - radius - 2))
        part = picture[upper : int(y + radius + 2), left : int(x + radius + 2)]
        if min(part.shape[:2]) < 2:
            continue
        away = distance(part.shape[0], part.shape[1], x - left, y - upper)
        disc = smooth(radius + 1.5, radius - 1.5, away) * (0.6 + 0.4 * smooth(0.5 * radius, radius, away))
        tone = mixed(colour("#fff6b8"), colour("#ffffff"), float(rng.random()))
        shine(part, tone, disc * np.float32(rng.uniform(0.08, 0.3)))
    _grass(rng, picture)
    return np.clip(picture, 0, 1)


def _grass(rng: np.random.Generator, picture: Picture) -> None:
    """Blades of grass in three depths, the nearest the darkest."""
    height, width = picture.shape[:2]
    for depth in (0.2, 0.6, 1.0):
        blades = []
        for _ in range(int(width / 9)):
            x, foot = rng.uniform(-0.05, 1.05) * width, height * 1.05
            tall = height * rng.uniform(0.16, 0.34) * (1.45 - 0.3 * depth)
            bend, thick = rng.normal(0, 0.22) * tall, 0.9 + 2.2 * depth * height / 900
            t = np.linspace(0, 1, 8)
            spine = np.c_[x + bend * t**2, foot - tall * t]
            half = np.c_[thick * (1 - t), np.zeros(8)]
            blades.append(np.vstack([spine - half, (spine + half)[::-1]]))
        mask = blurred(polygons(height, width, blades), 2.6 * (1 - depth) + 0.3)
        tone = mixed(colour("#a9cf62"), colour("#2c5f24"), depth)
        lay(picture, varied(rng, tone, 0.08), mask * np.float32(0.75))


def _stem(rng: np.random.Generator, picture: Picture, x: float, y: float, size: float, blur: float) -> None:
    """A stem from a flower to the bottom of the picture."""
    height, width = picture.shape[:2]
    t = np.linspace(0, 1, 14)
    bend = rng.normal(0, 0.25) * size
    thick = max(0.8, size * 0.018)
    spine = np.c_[x + bend * np.sin(t * 1.6), y + (height * 1.02 - y) * t]
    reach = int(abs(bend) + thick + 4 * blur + 3)
    left, right = int(max(0, x - reach)), int(min(width, x + reach))
    top = int(max(0, y - 3 * blur))
    if right - left < 3 or height - top < 3:
        return
    half = np.c_[np.full(14, thick), np.zeros(14)]
    outline = np.vstack([spine - half, (spine + half)[::-1]]) - [left, top]
    mask = blurred(polygons(height - top, right - left, [outline]), blur)
    lay(picture[top:height, left:right], varied(rng, colour("#4f8a35"), 0.1), mask * np.float32(0.9))


def _sprite(rng: np.random.Generator, kind: _Flower, size: int) -> Values:
    """One flower seen from above, float32 (size, size, 4) with premultiplied colours."""
    at = (np.arange(size, dtype=np.float32) - size / 2 + 0.5) / np.float32(size / 2)
    x, y = np.meshgrid(at, at)
    radius, angle = np.sqrt(x * x + y * y), np.arctan2(y, x)
    sprite = np.zeros((size, size, 4), np.float32)
    fibre = cv2.resize(rng.random((1, 200), np.float32), (1440, 1), interpolation=cv2.INTER_CUBIC)[0]
    inner, outer = varied(rng, colour(kind.inner), 0.08), varied(rng, colour(kind.outer), 0.08)
    for row in range(kind.rows):
        length = 0.95 - 0.22 * row
        start = rng.uniform(0, 2 * np.pi)
        order = rng.permutation(kind.petals)
        for petal in order:
            middle = start + 2 * np.pi * petal / kind.petals + rng.normal(0, 0.03)
            own = length * rng.uniform(0.9, 1.0)
            wide = np.float32(np.pi / kind.petals * kind.width * 1.25)
            off = (angle - np.float32(middle) + np.float32(np.pi)) % np.float32(2 * np.pi) - np.float32(np.pi)
            near = np.nonzero((np.abs(off) < wide) & (radius < own))
            off, share = off[near], radius[near] / np.float32(own)
            bulge = np.sin(np.pi * share**kind.roundness * 0.97 + 0.02) ** 0.55
            across = np.abs(off) / (wide * np.maximum(bulge, 1e-3))
            inside = (smooth(1.0, 0.94, across) * smooth(1.0, 0.988, share))[:, None]
            veins = fibre[((off / wide + 2) * 240).astype(int) % 1440]
            shade = (0.82 + 0.18 * np.sqrt(np.clip(1 - across**2, 0, 1))) * (0.9 + 0.16 * (veins - 0.5))
            shade *= (0.7 + 0.3 * smooth(0.05, 0.5, share)) * rng.uniform(0.9, 1.05)
            tone = inner + (outer - inner) * smooth(0.12, 0.75, share)[:, None]
            body = np.hstack([tone * shade[:, None], np.ones_like(inside)])
            sprite[near] += (body - sprite[near]) * inside
    heart = smooth(kind.heart_size, kind.heart_size - 0.02, radius + 0.02 * np.sin(angle * 23))
    dots = noise(rng, size, size, 9, octaves=2)
    dome = 0.55 + 0.6 * np.sqrt(np.clip(1 - (radius / kind.heart_size) ** 2, 0, 1)) * (0.55 + 0.9 * dots)
    sprite[..., :3] *= 1 - heart[..., None] * np.float32(1)
    sprite[..., 3] *= 1 - heart
    sprite[..., :3] += colour(kind.heart) * (np.clip(dome, 0, 1.25) * heart)[..., None]
    sprite[..., 3] += heart
    return np.clip(sprite, 0, 1)


def _sunlight(rng: np.random.Generator, picture: Picture) -> None:
    """Warm light that falls in from one upper corner."""
    height, width = picture.shape[:2]
    far = distance(height, width, width * rng.choice([0.0, 1.0]), -0.1 * height)
    shine(
        picture, colour("#ffe9a8"), np.exp(-far / np.float32(width * 0.4)) * np.float32(rng.uniform(0.2, 0.5))
    )
