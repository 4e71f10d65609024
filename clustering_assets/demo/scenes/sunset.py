"""The sun going down over the sea."""

import numpy as np
from numpy.typing import NDArray

from clustering_assets.demo.canvas import Canvas, Values, colour, gradient, mixed, one_of, ribbon, smooth

_EVENINGS = (
    # zenith, upper sky, lower sky, horizon, sun
    ("#27305e", "#7a4a7c", "#ee7a4c", "#ffcf70", "#fff2c4"),
    ("#3a5a8c", "#b07f98", "#f79a5e", "#ffdf8e", "#fff6d8"),
    ("#4b2a58", "#b33f62", "#f5663f", "#ffb347", "#ffe9a8"),
    ("#1f4a78", "#6f86a8", "#f2a65a", "#ffe29a", "#fffbe8"),
)
_BOAT = (  # hull, mainsail, jib, mast: in terms of its length, from the waterline up
    ((-0.42, -0.08), (0.48, -0.1), (0.34, 0.07), (-0.34, 0.07)),
    ((0.02, -0.14), (0.03, -1.15), (-0.38, -0.2)),
    ((0.07, -0.14), (0.05, -1.05), (0.46, -0.16)),
    ((0.015, -0.08), (0.02, -1.22), (0.04, -1.22), (0.045, -0.08)),
)


def paint(rng: np.random.Generator, width: int, height: int) -> NDArray[np.uint8]:
    """A sunset over the sea, uint8 (height, width, 3)."""
    zenith, upper, lower, low, _ = tones = one_of(rng, _EVENINGS)
    horizon = int(height * rng.uniform(0.5, 0.66))
    x, y = width * rng.uniform(0.25, 0.75), horizon - height * rng.uniform(-0.005, 0.12)
    radius = max(width, height) * rng.uniform(0.022, 0.042)
    picture = np.empty((height, width, 3), np.float32)
    picture[:horizon] = gradient(horizon, width, (0, zenith), (0.45, upper), (0.8, lower), (1, low))
    canvas = Canvas(rng, picture)
    sky = canvas.rows(0, horizon)
    _paint_sky(sky, x, y, radius, tones)
    dark = mixed(zenith, colour("#0a0812"), 0.75)
    for paint_it, chance in ((_headlands, 0.55), (_boat, 0.5), (_birds, 0.5)):
        if rng.random() < chance:
            paint_it(sky, dark, low)
    _paint_sea(canvas.rows(horizon), sky.pixels, x, radius, tones)
    if rng.random() < 0.3:
        _palms(canvas, dark)
    return canvas.finish(bloom=0.22, vignette=0.16, contrast=0.2)


def _paint_sky(sky: Canvas, x: float, y: float, radius: float, tones: list[Values]) -> None:
    """Sun, its glow, and clouds that it lights from below."""
    zenith, _, lower, low, sun = tones
    sky.glow(low * 0.8, x, y, sky.width * 0.16)
    sky.glow(sun * 0.7, x, y, radius * 1.6)
    sky.lay(mixed(sun, 1, 0.5), sky.disc(x, y, radius))
    near = np.exp(sky.away(x, y) / (sky.width * -0.45))
    for most, size, flat in ((0.55, 0.25, 4.5), (0.3, 0.1, 6.0)):
        cover = most * sky.rng.uniform(0.4, 1)
        density, lit = sky.clouds(cover=cover, size=sky.width * size, flat=flat)
        warm = (np.clip(near * 1.3, 0, 1) * (1.1 - 0.65 * lit))[..., None]
        sky.lay(mixed(mixed(zenith, lower, 0.35), mixed(low, lower, 0.35), warm), density * 0.8)
        sky.shine(sun, density * (1 - density) * near * near * 2)
    sky.lay(low, np.exp((sky.y - sky.height) / (sky.height * 0.02)) * 0.4)


def _paint_sea(sea: Canvas, sky: Values, x: float, radius: float, tones: list[Values]) -> None:
    """The sea as a mirror of the sky, broken by waves, with the path of the sun."""
    zenith, upper, *_, sun = tones
    waves, down = sea.waves(), (sea.y + 1) / sea.height
    sea.mirror(sky, waves, 0.9)
    sea.lay(mixed(zenith, colour("#06121f"), 0.45), np.clip(0.3 + 0.4 * down - 0.45 * waves, 0, 0.9))
    path = np.exp(-(((sea.x - x) / (radius * (0.8 + 3.2 * down))) ** 2))
    sea.shine(sun, smooth(0.02, 0.5, waves + 0.32 * path - 0.16) * path * 0.95)
    sea.shine(upper, np.clip(waves, 0, 1) * 0.25)


def _headlands(sky: Canvas, dark: Values, low: Values) -> None:
    """Hills that run out into the sea from the sides, in two depths of haze."""
    rng, width = sky.rng, sky.width
    for haze in (0.55, 0.25):
        shape = np.clip(1 - np.arange(width) / (rng.uniform(0.25, 0.6) * width), 0, 1) ** 0.8
        hills = shape[:: rng.choice([-1, 1])] * (1 + 0.35 * sky.profile(width / 7))
        sky.lay(mixed(dark, low, haze), sky.below(sky.height * (1 - hills * rng.uniform(0.07, 0.17))) * 0.95)


def _boat(sky: Canvas, dark: Values, low: Values) -> None:
    """A sailing boat."""
    size = sky.size * sky.rng.uniform(0.12, 0.3)
    at = sky.width * sky.rng.uniform(0.15, 0.85), sky.height - size * 0.07
    way = sky.rng.choice([-1, 1])
    sky.lay(dark, sky.shapes(np.array(part) * [way * size, size] + at for part in _BOAT))


def _palms(canvas: Canvas, dark: Values) -> None:
    """Palms that lean in from one side of the foreground."""
    rng, size = canvas.rng, canvas.size
    extent, side = np.array([canvas.width, canvas.height]), rng.choice([-1, 1])
    t = np.linspace(0, 1, 30)[:, None]
    outlines = []
    for _ in range(rng.integers(1, 4)):
        foot = extent * [0.5 + side * rng.uniform(0.38, 0.5), 1.02]
        crown = foot - extent * [side * rng.uniform(0.02, 0.16), rng.uniform(0.57, 0.84)]
        bend = [foot[0] + side * canvas.width * 0.02, (foot[1] + crown[1]) / 2]
        trunk = (1 - t) ** 2 * foot + 2 * t * (1 - t) * bend + t**2 * crown
        outlines.append(ribbon(trunk, size * 0.008 * (1.7 - 0.9 * t[:, 0])))
        for angle in np.linspace(0.1, 2 * np.pi, 11) + rng.uniform(-0.2, 0.2, 11):
            outlines.append(_frond(rng, angle) * size * rng.uniform(0.17, 0.26) + crown)
    canvas.lay(dark, canvas.shapes(outlines))


def _frond(rng: np.random.Generator, angle: float) -> Values:
    """The outline (k, 2) of one leaf of a palm of length 1, with a feathered lower edge that hangs."""
    t = np.linspace(0, 1, 40)
    spine = np.c_[np.cos(angle) * t, np.sin(angle) * -0.55 * t + 0.6 * t**2]
    drop = 0.24 * np.sin(np.pi * np.clip(t * 0.93 + 0.05, 0, 1)) * (np.arange(40) % 2)
    return np.vstack([spine, (spine + np.c_[drop * 0.2, drop * rng.uniform(0.8, 1.1)])[::-1]])


def _birds(sky: Canvas, dark: Values, low: Values) -> None:
    """A few gulls, far away."""
    rng, extent = sky.rng, np.array([sky.width, sky.height])
    middle = extent * rng.uniform([0.2, 0.25], [0.8, 0.7])
    t = np.linspace(-1, 1, 13)
    wings = np.c_[t, 1.5 * t**2 - 1.6 * np.abs(t) ** 0.6]
    lines = []
    for _ in range(rng.integers(3, 9)):
        span = sky.width * rng.uniform(0.006, 0.014)
        lines.append(middle + rng.normal(0, extent * 0.06) + wings * [span, span * rng.uniform(0.25, 0.6)])
    sky.lay(dark, sky.shapes(lines, line=max(1.0, sky.width / 900)))
