"""Jellyfish in deep water."""

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
    mixed,
    noise,
    place,
    polygons,
    profile,
    shine,
    smooth,
    strokes,
)

_DEPTHS = (
    # at the surface, below
    ("#1d7fc4", "#03102e"),
    ("#2a5fc9", "#070a33"),
    ("#1596a8", "#02182a"),
    ("#4a3fb0", "#0b0626"),
)
_BODIES = ("#ff9a5c", "#ff6fa8", "#ffc2dc", "#9fe8ff", "#c9a2ff", "#ffd8a0")


_SPRITE = 460  # pixels that a jellyfish is painted in


def paint(rng: np.random.Generator, width: int, height: int) -> NDArray[np.uint8]:
    """Jellyfish that glow in the deep, uint8 (height, width, 3)."""
    surface, deep = map(colour, _DEPTHS[rng.integers(len(_DEPTHS))])
    picture = gradient(height, width, [(0, surface), (0.5, mixed(surface, deep, 0.65)), (1, deep)])
    _rays(rng, picture, mixed(surface, colour("#ffffff"), 0.5))
    tones = [colour(_BODIES[i]) for i in rng.choice(len(_BODIES), 2, replace=False)]
    sprites = [_jellyfish(rng, tones[i % 2], _SPRITE) for i in range(3)]
    size = min(width, height)
    count = int(rng.integers(2, 9))
    scales = np.sort(size * np.r_[rng.uniform(0.85, 1.35, 1), rng.uniform(0.2, 0.6, count - 1)])
    heading = float(rng.normal(0, 25))
    for index, scale in enumerate(scales):
        main = index == count - 1
        x = width * (rng.uniform(0.3, 0.7) if main else rng.uniform(0.05, 0.95))
        y = height * (rng.uniform(0.4, 0.58) if main else rng.uniform(0.08, 0.85))
        far = 1 - scale / (size * 1.3)
        turn = heading + float(rng.normal(0, 14))
        fade = float(np.clip(1.05 - far * 0.75, 0.25, 1))
        sprite = sprites[rng.integers(len(sprites))]
        place(
            picture,
            sprite,
            x,
            y,
            scale / _SPRITE,
            turn,
            blur=max(0.0, far - 0.45) * size * 0.006,
            fade=fade,
            light=True,
        )
    _drifting(rng, picture)
    return finish(rng, picture, bloom=0.4, vignette=0.3, grain=0.012, contrast=0.25)


def _rays(rng: np.random.Generator, picture: Picture, light: Values) -> None:
    """Shafts of light that fan out from above the surface."""
    height, width = picture.shape[:2]
    x0, y0 = width * rng.uniform(0.2, 0.8), -height * rng.uniform(0.25, 0.6)
    rows = np.arange(height, dtype=np.float32)[:, None] - np.float32(y0)
    angle = np.arctan2(np.arange(width, dtype=np.float32)[None, :] - np.float32(x0), rows)
    beams = np.clip(profile(rng, 720, 46, octaves=4) * 0.8, 0, 1)
    index = np.clip((angle / np.pi + 0.5) * 719, 0, 719)
    left = index.astype(int)
    share = index - left
    shaft = beams[left] * (1 - share) + beams[np.minimum(left + 1, 719)] * share
    fall = np.exp(-np.arange(height, dtype=np.float32) / np.float32(height * rng.uniform(0.3, 0.5)))[:, None]
    shine(picture, light, (shaft * fall).astype(np.float32) * np.float32(rng.uniform(0.4, 0.75)))


def _jellyfish(rng: np.random.Generator, tone: Values, size: int) -> Values:
    """One jellyfish, upright, as light: float32 (size, size, 4)."""
    at = (np.arange(size, dtype=np.float32) + 0.5) / size
    x, y = np.meshgrid(at * 2 - 1, at)
    flat = rng.uniform(0.8, 1.25)
    rim, bell_height, half = 0.38, 0.26 * flat, 0.46
    up = np.clip((rim - y) / bell_height, -1, 1)
    edge = half * np.sqrt(np.clip(1 - np.clip(up, 0, 1) ** 2.2, 0, 1))
    lobes = 0.022 * np.abs(np.sin(np.arcsin(np.clip(x / half, -1, 1)) * rng.integers(7, 12)))
    inside = smooth(0.012, -0.012, np.abs(x) - edge) * smooth(rim + 0.03 + 0.01, rim + 0.02, y - lobes)
    inside *= (up > -0.25) * smooth(rim - bell_height - 0.004, rim - bell_height + 0.004, y)
    across = np.clip(x / np.maximum(edge, 1e-3), -1, 1)
    longitude = np.arcsin(across)
    rimlight = np.abs(across) ** 5 * 0.75 + np.clip(1 - np.abs(up) * 3.2, 0, 1) * 0.5
    ribs = (
        (0.5 + 0.5 * np.cos(longitude * rng.integers(14, 24))) ** 3
        * (0.2 + 0.5 * np.clip(1 - up, 0, 1))
        * 0.5
    )
    dome = np.clip(up, 0, 1) ** 3 * 0.5
    mottled = 0.75 + 0.5 * (noise(rng, size, size, 26, octaves=4))
    ring = np.sqrt((x / 0.27) ** 2 + ((y - rim + bell_height * 0.42) / 0.075) ** 2)
    organs = np.exp(-(((ring - 1) / 0.28) ** 2)) * (
        0.35 + 0.2 * np.cos(4 * np.arctan2(y - rim + bell_height * 0.42, x))
    )
    bell = inside * (0.16 + rimlight + ribs + dome) * mottled * 0.8
    bell += inside * organs
    light = bell[..., None] * tone + (inside * (rimlight * 0.35 + organs * 0.3))[..., None]
    light += (_arms(rng, size, rim) * 0.55)[..., None] * mixed(tone, colour("#ffffff"), 0.3)
    light += (_tentacles(rng, size, rim, half) * 0.5)[..., None] * mixed(tone, colour("#ffffff"), 0.2)
    halo = np.exp(-(x**2 / 0.22 + (y - rim + 0.06) ** 2 / 0.05)) * 0.16
    light += (0.8 * halo * smooth(1.0, 0.7, np.maximum(np.abs(x), np.abs(y * 2 - 1))))[..., None] * tone
    return np.dstack([np.clip(light, 0, 1), inside]).astype(np.float32)


def _arms(rng: np.random.Generator, size: int, rim: float) -> Values:
    """The frilled arms under the bell: ribbons that wave and thin out."""
    t = np.linspace(0, 1, 60)
    total = np.zeros((size, size), np.float32)
    for _ in range(5):
        start, reach = 0.5 + rng.normal(0, 0.035), rng.uniform(0.22, 0.42)
        wave = np.cumsum(rng.normal(0, 0.0045, 60)) + 0.02 * np.sin(t * rng.uniform(5, 9) + rng.uniform(0, 6))
        centre = start + wave * t
        frill = (0.03 + 0.006 * np.sin(t * rng.uniform(60, 90))) * (1 - t) ** 0.8
        y = rim - 0.03 + t * reach
        outline = np.vstack([np.c_[centre - frill, y], np.c_[centre + frill * 0.8, y][::-1]]) * size
        total += blurred(polygons(size, size, [outline]), 1.2) * np.float32(0.32)
    rows = np.linspace(0, 1, size, dtype=np.float32)[:, None]
    return np.clip(total, 0, 1) * smooth(rim + 0.45, rim + 0.05, np.repeat(rows, size, axis=1))


def _tentacles(rng: np.random.Generator, size: int, rim: float, half: float) -> Values:
    """Thin threads from the rim that trail and fade."""
    t = np.linspace(0, 1, 50)
    lines = []
    sway, pull = rng.uniform(0.01, 0.03), rng.normal(0, 0.05)
    for place_at in np.linspace(-0.92, 0.92, int(rng.integers(12, 22))):
        phase = rng.uniform(0, 2) + place_at * 2
        x = 0.5 + place_at * half / 2 * (1 - 0.25 * t) + sway * np.sin(t * 7 + phase) * t + pull * t**2
        lines.append(np.c_[x, rim + 0.015 + t * rng.uniform(0.38, 0.58)] * size)
    rows = np.repeat(np.linspace(0, 1, size, dtype=np.float32)[:, None], size, axis=1)
    return strokes(size, size, lines, 1.0) * smooth(0.98, rim, rows)


def _drifting(rng: np.random.Generator, picture: Picture) -> None:
    """Plankton, most of it out of focus."""
    height, width = picture.shape[:2]
    for _ in range(int(rng.integers(60, 140))):
        x, y = width * rng.random(), height * rng.random()
        radius = min(width, height) * 0.0012 * (1 + rng.exponential(1.6))
        left, upper = int(max(0, x - radius * 3)), int(max(0, y - radius * 3))
        part = picture[upper : int(y + radius * 3) + 1, left : int(x + radius * 3) + 1]
        if min(part.shape[:2]) < 1:
            continue
        away = distance(part.shape[0], part.shape[1], x - left, y - upper)
        shine(part, colour("#d8f0ff"), np.exp(-((away / radius) ** 2)) * np.float32(rng.uniform(0.1, 0.5)))
