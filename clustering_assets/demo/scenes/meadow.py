"""Flowers in a meadow, close by and in the sun."""

import cv2
import numpy as np
from numpy.typing import NDArray

from clustering_assets.demo.canvas import Canvas, Values, colour, gradient, mixed, ribbon, smooth, varied

_SPECIES = (
    # petals, their width, their roundness, their colours from inside to outside, heart, its size, rows of petals
    (21, 0.62, 0.5, "#f4f1ea", "#ffffff", "#f2b71f", 0.24, 1),  # daisy
    (5, 1.35, 0.9, "#7a0d0d", "#ee2f1c", "#1c1512", 0.17, 1),  # poppy
    (8, 1.0, 0.75, "#d94f96", "#f7a8cf", "#f0c23c", 0.16, 1),  # cosmos
    (13, 0.8, 0.5, "#f28a10", "#ffd21f", "#5a3418", 0.34, 1),  # black-eyed Susan
    (12, 0.7, 0.4, "#3a36b8", "#6f7cf2", "#2c1f7a", 0.17, 2),  # cornflower
    (24, 0.75, 0.6, "#e0570c", "#ffa01f", "#a8480c", 0.2, 3),  # marigold
    (6, 1.1, 0.7, "#8a3fb0", "#c98af0", "#f5e06a", 0.15, 1),  # anemone
)

_SPRITE = 300  # pixels that a flower is painted in


def paint(rng: np.random.Generator, width: int, height: int) -> NDArray[np.uint8]:
    """A bed of flowers with a soft background, uint8 (height, width, 3)."""
    canvas = _background(rng, width, height)
    kinds = rng.choice(len(_SPECIES), size=rng.integers(1, 4), replace=False)
    sprites = [_sprite(rng, _SPECIES[kind]) for kind in kinds for _ in range(4 // len(kinds))]
    focus, count = rng.uniform(0.62, 0.85), int(rng.integers(30, 50) * (width * height) ** 0.5 / 1000)
    for depth in np.sort(rng.random(count)):
        blur = max(0.0, abs(depth - focus) - 0.14) ** 1.1 * canvas.size * 0.028
        wide = canvas.size * (0.045 + 0.27 * depth**2) * rng.uniform(0.8, 1.25)
        x, y = width * rng.uniform(-0.03, 1.03), height * (0.3 + 0.62 * depth + rng.normal(0, 0.1))
        _stem(canvas, x, y, wide, blur)
        sprite, turn, squeeze = sprites[rng.integers(len(sprites))], rng.uniform(0, 360), rng.uniform(0.5, 1)
        canvas.place(sprite, x, y, wide / _SPRITE, turn, squeeze=squeeze, blur=blur)
    sunlight = colour("#ffe9a8") * rng.uniform(0.2, 0.5)
    canvas.glow(sunlight, width * int(rng.integers(2)), -0.1 * height, width * 0.4)
    return canvas.finish(bloom=0.16, vignette=0.12, contrast=0.2)


def _background(rng: np.random.Generator, width: int, height: int) -> Canvas:
    """Grass far out of focus with discs of light, and blades in three depths, the nearest the darkest."""
    fresh, deep = varied(rng, colour("#9cc65a"), 0.12), varied(rng, colour("#2f6b2a"), 0.12)
    far = varied(rng, colour(rng.choice(["#cfe8f7", "#dfe7a0"])), 0.06)
    middle = mixed(far, fresh, 0.7)
    canvas = Canvas(rng, gradient(height, width, (0, far), (0.32, middle), (0.6, fresh), (1, deep)))
    patches = canvas.noise(width * 0.12, octaves=3) - 0.5
    canvas.pixels += patches[..., None] * colour("#ffffd0") * 0.35
    radii = canvas.size * rng.uniform(0.015, 0.06, rng.integers(14, 30))
    canvas.lights([mixed(colour("#fff6b8"), 1, rng.random()) for _ in radii], (0, height * 0.6), radii, 0.3)
    t = np.linspace(0, 1, 8)
    for depth in (0.2, 0.6, 1.0):
        blades, thick = [], 0.9 + 2.2 * depth * height / 900
        for x in rng.uniform(-0.05, 1.05, int(width / 9)) * width:
            tall = height * rng.uniform(0.16, 0.34) * (1.45 - 0.3 * depth)
            spine = np.c_[x + rng.normal(0, 0.22) * tall * t**2, height * 1.05 - tall * t]
            blades.append(ribbon(spine, thick * (1 - t)))
        tone = varied(rng, mixed(colour("#a9cf62"), colour("#2c5f24"), depth), 0.08)
        canvas.lay(tone, canvas.shapes(blades, blur=2.6 * (1 - depth) + 0.3) * 0.75)
    canvas.pixels.clip(0, 1, out=canvas.pixels)
    return canvas


def _stem(canvas: Canvas, x: float, y: float, wide: float, blur: float) -> None:
    """A stem from a flower to the bottom of the picture."""
    bend, thick = canvas.rng.normal(0, 0.25) * wide, max(0.8, wide * 0.018)
    t = np.linspace(0, 1, 14)
    spine = np.c_[x + bend * np.sin(t * 1.6), y + (canvas.height * 1.02 - y) * t]
    reach = abs(bend) + thick + 4 * blur + 3
    left, right = int(max(0, x - reach)), int(max(0, x + reach))
    top = int(np.clip(y - 3 * blur, 0, canvas.height))
    part = Canvas(canvas.rng, canvas.pixels[top:, left:right])
    if part.size >= 3:
        mask = part.shapes([ribbon(spine, thick) - [left, top]], blur=blur)
        part.lay(varied(canvas.rng, colour("#4f8a35"), 0.1), mask * 0.9)


def _sprite(rng: np.random.Generator, species: tuple[int, float, float, str, str, str, float, int]) -> Values:
    """One flower seen from above, float32 (_SPRITE, _SPRITE, 4) with premultiplied colours."""
    petals, width, roundness, inner, outer, heart, heart_size, rows = species
    canvas = Canvas(rng, np.zeros((_SPRITE, _SPRITE, 4), np.float32))
    x, y = (canvas.x + 0.5) * 2 / _SPRITE - 1, (canvas.y + 0.5) * 2 / _SPRITE - 1
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    fibre = cv2.resize(rng.random((1, 200), np.float32), (1440, 1), interpolation=cv2.INTER_CUBIC)[0]
    inside, outside = (varied(rng, colour(code), 0.08) for code in (inner, outer))
    wide = np.pi / petals * width * 1.25
    for row in range(rows):
        start = rng.uniform(0, 2 * np.pi)
        for petal in rng.permutation(petals).tolist():
            middle = start + 2 * np.pi * petal / petals + rng.normal(0, 0.03)
            length = (0.95 - 0.22 * row) * rng.uniform(0.9, 1.0)
            rim = np.outer((0, 1), length * np.exp(1j * np.linspace(middle - wide, middle + wide, 9)))
            left, right, top, bottom = (
                int(np.clip((end + 1) * _SPRITE / 2 + way * 2, 0, _SPRITE))
                for side in (rim.real, rim.imag)
                for end, way in ((side.min(), -1), (side.max(), 1))
            )
            box = np.s_[top:bottom, left:right]  # that the petal lies in
            off, part = (angle[box] - middle + np.pi) % (2 * np.pi) - np.pi, canvas.pixels[box]
            near = np.nonzero((np.abs(off) < wide) & (radius[box] < length))
            off, share = off[near], radius[box][near] / length
            bulge = np.sin(np.pi * share**roundness * 0.97 + 0.02) ** 0.55
            across = np.abs(off) / (wide * np.maximum(bulge, 1e-3))
            covered = (smooth(1, 0.94, across) * smooth(1, 0.988, share))[:, None]
            veins = fibre[((off / wide + 2) * 240).astype(int) % 1440]
            shade = (0.82 + 0.18 * np.sqrt(np.clip(1 - across**2, 0, 1))) * (0.82 + 0.16 * veins)
            shade *= (0.7 + 0.3 * smooth(0.05, 0.5, share)) * rng.uniform(0.9, 1.05)
            tone = mixed(inside, outside, smooth(0.12, 0.75, share)[:, None]) * shade[:, None]
            body = np.hstack([tone, np.ones_like(covered)])
            part[near] = mixed(part[near], body, covered)
    core = smooth(heart_size, heart_size - 0.02, radius + 0.02 * np.sin(angle * 23))
    dome = np.sqrt(np.clip(1 - (radius / heart_size) ** 2, 0, 1))
    dome = 0.55 + 0.6 * dome * (0.55 + 0.9 * canvas.noise(9, octaves=2))
    seeds = np.dstack([np.clip(dome, 0, 1.25)[..., None] * colour(heart), np.ones_like(dome)])
    return np.clip(mixed(canvas.pixels, seeds, core[..., None]), 0, 1).astype(np.float32)
