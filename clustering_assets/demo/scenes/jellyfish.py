"""Jellyfish in deep water."""

import numpy as np
from numpy.typing import NDArray

from clustering_assets.demo.canvas import Canvas, Values, colour, gradient, mixed, one_of, ribbon, smooth

_DEPTHS = (("#1d7fc4", "#03102e"), ("#2a5fc9", "#070a33"), ("#1596a8", "#02182a"), ("#4a3fb0", "#0b0626"))
_BODIES = ("#ff9a5c", "#ff6fa8", "#ffc2dc", "#9fe8ff", "#c9a2ff", "#ffd8a0")

_SPRITE = 460  # pixels that a jellyfish is painted in
_RIM, _HALF = 0.38, 0.46  # of its sprite: where the bell ends, and half its width


def paint(rng: np.random.Generator, width: int, height: int) -> NDArray[np.uint8]:
    """Jellyfish that glow in the deep, uint8 (height, width, 3)."""
    surface, deep = one_of(rng, _DEPTHS)
    canvas = Canvas(rng, gradient(height, width, (0, surface), (0.5, mixed(surface, deep, 0.65)), (1, deep)))
    _paint_rays(canvas, mixed(surface, 1, 0.5))
    tones = rng.choice(_BODIES, 2, replace=False)
    sprites = [_jellyfish(rng, colour(tones[i % 2])) for i in range(3)]
    heading, count = rng.normal(0, 25), int(rng.integers(1, 8))
    for scale in [*np.sort(rng.uniform(0.2, 0.6, count)), rng.uniform(0.85, 1.35)]:
        low, high = ((0.3, 0.4), (0.7, 0.58)) if scale > 0.6 else ((0.05, 0.08), (0.95, 0.85))
        x, y = rng.uniform(low, high) * [width, height]
        far, turn = 1 - scale / 1.3, heading + rng.normal(0, 14)
        blur, fade = max(0.0, far - 0.45) * canvas.size * 0.006, float(np.clip(1.05 - far * 0.75, 0.25, 1))
        sprite, scale = sprites[rng.integers(len(sprites))], scale * canvas.size / _SPRITE
        canvas.place(sprite, x, y, scale, turn, blur=blur, fade=fade, light=True)
    plankton = [colour("#d8f0ff")] * int(rng.integers(60, 140))
    radii = canvas.size * 0.003 * (1 + rng.exponential(1.6, len(plankton)))
    canvas.lights(plankton, (0, height), radii, 0.5, focus=True)
    return canvas.finish(bloom=0.4, vignette=0.3, contrast=0.25)


def _paint_rays(canvas: Canvas, light: Values) -> None:
    """Shafts of light that fan out from above the surface."""
    rng, height = canvas.rng, canvas.height
    x, y = canvas.width * rng.uniform(0.2, 0.8), -height * rng.uniform(0.25, 0.6)
    angle = np.arctan2(canvas.x - x, canvas.y - y) / np.pi + 0.5
    beams = Canvas(rng, np.empty((1, 720, 3))).profile(46, octaves=4)
    shaft = np.interp(angle, np.linspace(0, 1, 720), np.clip(beams * 0.8, 0, 1)).astype(np.float32)
    fall = np.exp(canvas.y / (height * -rng.uniform(0.3, 0.5)))
    canvas.shine(light, shaft * fall * rng.uniform(0.5, 0.85))


def _jellyfish(rng: np.random.Generator, tone: Values) -> Values:
    """One jellyfish, upright, as light: float32 (_SPRITE, _SPRITE, 4)."""
    canvas = Canvas(rng, np.zeros((_SPRITE, _SPRITE, 3), np.float32))
    x, y = (canvas.x + 0.5) * 2 / _SPRITE - 1, (canvas.y + 0.5) / _SPRITE
    tall = 0.26 * rng.uniform(0.8, 1.25)
    up = np.clip((_RIM - y) / tall, -1, 1)  # 1 at the top of the bell, 0 at its rim
    edge = _HALF * np.sqrt(1 - np.clip(up, 0, 1) ** 2.2)
    lobes = 0.022 * np.abs(np.sin(np.arcsin(np.clip(x / _HALF, -1, 1)) * rng.integers(7, 12)))
    inside = smooth(0.012, -0.012, np.abs(x) - edge) * smooth(_RIM + 0.04, _RIM + 0.02, y - lobes)
    inside *= (up > -0.25) * smooth(_RIM - tall - 0.004, _RIM - tall + 0.004, y)
    across = np.clip(x / np.maximum(edge, 1e-3), -1, 1)
    rim = np.abs(across) ** 5 * 0.75 + np.clip(1 - np.abs(up) * 3.2, 0, 1) * 0.5
    ribs = (0.5 + 0.5 * np.cos(np.arcsin(across) * rng.integers(14, 24))) ** 3
    ribs *= 0.1 + 0.25 * np.clip(1 - up, 0, 1)
    dome = np.clip(up, 0, 1) ** 3 * 0.5
    below = y - _RIM + tall * 0.42
    ring = np.exp(-(((np.hypot(x / 0.27, below / 0.075) - 1) / 0.28) ** 2))
    organs = ring * (0.35 + 0.2 * np.cos(4 * np.arctan2(below, x)))
    bell = inside * ((0.16 + rim + ribs + dome) * (0.6 + 0.4 * canvas.noise(26, octaves=4)) + organs)
    halo = np.exp(-(x**2 / 0.22 + (y - _RIM + 0.06) ** 2 / 0.05)) * 0.13
    halo *= smooth(1.0, 0.7, np.maximum(np.abs(x), np.abs(y * 2 - 1)))
    light = (bell + halo)[..., None] * tone + (inside * (rim * 0.35 + organs * 0.3))[..., None]
    light += (_arms(canvas) * 0.55 * smooth(_RIM + 0.45, _RIM + 0.05, y))[..., None] * mixed(tone, 1, 0.3)
    light += (_tentacles(canvas) * 0.5 * smooth(0.98, _RIM, y))[..., None] * mixed(tone, 1, 0.2)
    return np.dstack([np.clip(light, 0, 1), inside]).astype(np.float32)


def _arms(canvas: Canvas) -> Values:
    """The frilled arms under the bell: ribbons that wave and thin out."""
    rng, t = canvas.rng, np.linspace(0, 1, 60)
    total = np.zeros((_SPRITE, _SPRITE), np.float32)
    for _ in range(5):
        wave = np.cumsum(rng.normal(0, 0.0045, 60)) + 0.02 * np.sin(t * rng.uniform(5, 9) + rng.uniform(0, 6))
        frill = (0.027 + 0.006 * np.sin(t * rng.uniform(60, 90))) * (1 - t) ** 0.8
        spine = np.c_[0.5 + rng.normal(0, 0.035) + wave * t, _RIM - 0.03 + t * rng.uniform(0.22, 0.42)]
        total += canvas.shapes([ribbon(spine, frill) * _SPRITE], blur=1.2) * 0.32
    return np.clip(total, 0, 1)


def _tentacles(canvas: Canvas) -> Values:
    """Thin threads that trail from the rim."""
    rng, t = canvas.rng, np.linspace(0, 1, 50)
    sway, pull = rng.uniform(0.01, 0.03), rng.normal(0, 0.05)
    lines = []
    for root in np.linspace(-0.92, 0.92, int(rng.integers(12, 22))):
        wave = sway * np.sin(t * 7 + rng.uniform(0, 2) + root * 2) * t
        x = 0.5 + root * _HALF / 2 * (1 - 0.25 * t) + wave + pull * t**2
        lines.append(np.c_[x, _RIM + 0.015 + t * rng.uniform(0.38, 0.58)] * _SPRITE)
    return canvas.shapes(lines, line=1)
