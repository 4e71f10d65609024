"""The sun going down over the sea."""

import cv2
import numpy as np
from numpy.typing import NDArray

from clustering_assets.demo.canvas import (
    Picture,
    Values,
    blurred,
    clouds,
    colour,
    distance,
    finish,
    gradient,
    lay,
    mixed,
    noise,
    polygons,
    profile,
    shine,
    smooth,
    strokes,
)

_EVENINGS = (
    # zenith, upper sky, lower sky, horizon, sun
    ("#27305e", "#7a4a7c", "#ee7a4c", "#ffcf70", "#fff2c4"),
    ("#3a5a8c", "#b07f98", "#f79a5e", "#ffdf8e", "#fff6d8"),
    ("#4b2a58", "#b33f62", "#f5663f", "#ffb347", "#ffe9a8"),
    ("#1f4a78", "#6f86a8", "#f2a65a", "#ffe29a", "#fffbe8"),
)


def paint(rng: np.random.Generator, width: int, height: int) -> NDArray[np.uint8]:
    """A sunset over the sea, uint8 (height, width, 3)."""
    zenith, upper, lower, low, sun = map(colour, _EVENINGS[rng.integers(len(_EVENINGS))])
    horizon = int(height * rng.uniform(0.5, 0.66))
    sun_x = width * rng.uniform(0.25, 0.75)
    sun_y = horizon - height * rng.uniform(-0.005, 0.12)
    radius = max(width, height) * rng.uniform(0.022, 0.042)
    picture = gradient(height, width, [(0, zenith), (0.45, upper), (0.8, lower), (1, low)])
    sky = cv2.resize(picture, (width, horizon), interpolation=cv2.INTER_LINEAR)
    _paint_sky(rng, sky, sun_x, sun_y, radius, (zenith, lower, low, sun))
    picture[:horizon] = sky
    _paint_sea(rng, picture, horizon, sun_x, radius, (zenith, upper, sun))
    near_horizon = np.abs(np.arange(height, dtype=np.float32) - horizon)[:, None]
    lay(picture, low, np.repeat(np.exp(-near_horizon / (height * 0.012)) * np.float32(0.35), width, axis=1))
    dark = mixed(zenith, colour("#0a0812"), 0.75)
    for paint_it in (_headland, _boat, _palms):
        if rng.random() < (0.55, 0.5, 0.3)[(_headland, _boat, _palms).index(paint_it)]:
            paint_it(rng, picture, horizon, dark, low)
    if rng.random() < 0.5:
        _birds(rng, picture, horizon, dark)
    return finish(rng, picture, bloom=0.22, vignette=0.16, contrast=0.2)


def _paint_sky(
    rng: np.random.Generator,
    sky: Picture,
    x: float,
    y: float,
    radius: float,
    tones: tuple[Values, ...],
) -> None:
    """Sun, its glow, and clouds that it lights from below."""
    h, w = sky.shape[:2]
    zenith, lower, low, sun = tones
    far = distance(h, w, x, y)
    shine(sky, low, np.exp(-far / np.float32(w * 0.16)) * np.float32(0.8))
    shine(sky, sun, np.exp(-far / np.float32(radius * 1.6)) * np.float32(0.7))
    lay(sky, mixed(sun, colour("#ffffff"), 0.5), smooth(radius + 1, radius - 1, far))
    for cover, size, flat in ((rng.uniform(0.25, 0.55), 0.5, 4.5), (rng.uniform(0.1, 0.3), 0.2, 6.0)):
        density, lit = clouds(rng, h, w, cover=cover, size=w * size * 0.5, flat=flat)
        near = np.exp(-far / np.float32(w * 0.45))
        body = (
            mixed(zenith, lower, 0.35)
            + (mixed(low, lower, 0.35) - mixed(zenith, lower, 0.35))
            * (np.clip(near * 1.3, 0, 1) * (1.1 - 0.65 * lit))[..., None]
        )
        lay(sky, body, density * np.float32(0.8))
        edge = density * (1 - density) * 4
        shine(sky, sun, edge * near * near * np.float32(0.5))


def _paint_sea(
    rng: np.random.Generator,
    picture: Picture,
    horizon: int,
    sun_x: float,
    radius: float,
    tones: tuple[Values, ...],
) -> None:
    """The sea as a mirror of the sky, broken by waves that get larger towards the viewer."""
    h, w = picture.shape[:2]
    zenith, upper, sun = tones
    rows = np.arange(h - horizon, dtype=np.float32) + 1
    depth = np.float32(h * 0.9) / (rows + h * 0.012)
    texture = noise(rng, 512, 512, 40, octaves=5, gain=0.62, stretch=2.4) - 0.5
    across = (np.arange(w, dtype=np.float32) - w / 2)[None, :] * depth[:, None] * np.float32(380 / w / 2)
    across += np.float32(
        rng.uniform(210, 300)
    )  # the texture turns round at 0 and 511, far from the nearest waves
    along = np.repeat((depth * np.float32(95) + rng.uniform(0, 500))[:, None], w, axis=1)
    waves = cv2.remap(texture, _folded(across, 511), _folded(along, 511), cv2.INTER_LINEAR)
    waves = waves * np.float32(4) / (1 + depth[:, None] * np.float32(0.045))
    source = picture[:horizon][::-1]
    reach = np.clip(
        rows[:, None] * np.float32(0.95) + waves * rows[:, None] * np.float32(0.9), 0, horizon - 1
    )
    columns = np.repeat(np.arange(w, dtype=np.float32)[None, :], h - horizon, axis=0)
    sea = cv2.remap(np.ascontiguousarray(source), columns, reach.astype(np.float32), cv2.INTER_LINEAR)
    deep = mixed(zenith, colour("#06121f"), 0.45)
    share = np.clip(0.3 + 0.4 * rows[:, None] / (h - horizon) - 0.45 * waves, 0, 0.9)
    sea += (deep - sea) * share[..., None].astype(np.float32)
    spread = radius * (0.8 + 3.2 * rows / (h - horizon))[:, None]
    path = np.exp(-(((columns - np.float32(sun_x)) / spread) ** 2))
    glint = smooth(0.02, 0.5, waves + 0.32 * path - 0.16) * path
    shine(sea, sun, glint * np.float32(0.95))
    shine(sea, upper, np.clip(waves, 0, 1) * np.float32(0.25))
    picture[horizon:] = sea


def _folded(at: Values, size: int) -> Values:
    """Coordinates that run to and fro over a texture, so that it repeats without a seam."""
    return (np.float32(size) - np.abs(at % np.float32(2 * size) - np.float32(size))).astype(np.float32)


def _headland(
    rng: np.random.Generator,
    picture: Picture,
    horizon: int,
    dark: Values,
    low: Values,
) -> None:
    """Hills that run out into the sea on one side, in two depths of haze."""
    h, w = picture.shape[:2]
    for haze in (0.55, 0.25):
        length = rng.uniform(0.25, 0.6) * w
        at = np.arange(w, dtype=np.float32)
        at = at if rng.random() < 0.5 else at[::-1]
        shape = np.clip(1 - at / length, 0, 1) ** 0.8
        hills = shape * (1 + 0.35 * profile(rng, w, w / 7)) * h * rng.uniform(0.04, 0.1)
        mask = np.zeros((h, w), np.float32)
        rows = np.arange(h, dtype=np.float32)[:, None]
        mask = np.clip(rows - (horizon - hills)[None, :] + 0.5, 0, 1) * np.clip(horizon + 1 - rows, 0, 1)
        lay(picture, mixed(dark, low, haze), mask.astype(np.float32) * np.float32(0.95))


def _boat(
    rng: np.random.Generator,
    picture: Picture,
    horizon: int,
    dark: Values,
    low: Values,
) -> None:
    """A sailing boat and its reflection."""
    h, w = picture.shape[:2]
    size = min(h, w) * rng.uniform(0.06, 0.16)
    x, y = w * rng.uniform(0.15, 0.85), horizon + size * rng.uniform(0.1, 0.6)
    way = rng.choice([-1, 1])
    hull = np.array([(-0.42, -0.08), (0.48, -0.1), (0.34, 0.07), (-0.34, 0.07)])
    main = np.array([(0.02, -0.14), (0.03, -1.15), (-0.38, -0.2)])
    jib = np.array([(0.07, -0.14), (0.05, -1.05), (0.46, -0.16)])
    mast = np.array([(0.015, -0.08), (0.02, -1.22), (0.04, -1.22), (0.045, -0.08)])
    shapes = [part * [way * size, size] + [x, y] for part in (hull, main, jib, mast)]
    lay(picture, dark, polygons(h, w, shapes))
    flipped = [np.stack([s[:, 0], 2 * (y + size * 0.07) - s[:, 1]], axis=1) for s in shapes]
    ripple = (noise(rng, h, w, size * 0.2, octaves=3, stretch=3) - 0.5) * np.float32(size * 0.25)
    mirrored = polygons(h, w, flipped)
    columns = np.arange(w, dtype=np.float32)[None, :] + ripple
    rows = np.repeat(np.arange(h, dtype=np.float32)[:, None], w, axis=1)
    lay(picture, dark, blurred(cv2.remap(mirrored, columns, rows, cv2.INTER_LINEAR), 1) * np.float32(0.5))


def _palms(
    rng: np.random.Generator,
    picture: Picture,
    horizon: int,
    dark: Values,
    low: Values,
) -> None:
    """Palms that lean in from one side of the foreground."""
    h, w = picture.shape[:2]
    side = rng.choice([-1, 1])
    lines, leaves = [], []
    for _ in range(rng.integers(1, 4)):
        foot = np.array([w / 2 + side * w * rng.uniform(0.38, 0.5), h * 1.02])
        crown = np.array([foot[0] - side * w * rng.uniform(0.02, 0.16), h * rng.uniform(0.18, 0.45)])
        bend = np.array([foot[0] + side * w * 0.02, (foot[1] + crown[1]) / 2])
        t = np.linspace(0, 1, 30)[:, None]
        trunk = (1 - t) ** 2 * foot + 2 * t * (1 - t) * bend + t**2 * crown
        thick = min(h, w) * 0.008 * (1.7 - 0.9 * t[:, 0])
        lines.append(np.vstack([trunk + np.c_[thick, thick * 0], (trunk - np.c_[thick, thick * 0])[::-1]]))
        for angle in np.linspace(0.1, 2 * np.pi, 11) + rng.uniform(-0.2, 0.2, 11):
            leaves.append(_frond(rng, crown, angle, min(h, w) * rng.uniform(0.17, 0.26)))
    lay(picture, dark, polygons(h, w, lines + leaves))


def _frond(rng: np.random.Generator, crown: NDArray, angle: float, length: float) -> Values:
    """One leaf of a palm, with a feathered lower edge that hangs."""
    t = np.linspace(0, 1, 40)
    x = crown[0] + np.cos(angle) * length * t
    y = crown[1] - np.sin(angle) * length * 0.55 * t + length * 0.6 * t**2
    drop = length * 0.24 * np.sin(np.pi * np.clip(t * 0.93 + 0.05, 0, 1)) * (np.arange(40) % 2)
    return np.vstack([np.c_[x, y], np.c_[x + drop * 0.2, y + drop * rng.uniform(0.8, 1.1)][::-1]])


def _birds(rng: np.random.Generator, picture: Picture, horizon: int, dark: Values) -> None:
    """A few gulls, far away."""
    h, w = picture.shape[:2]
    cx, cy = w * rng.uniform(0.2, 0.8), horizon * rng.uniform(0.25, 0.7)
    lines = []
    for _ in range(rng.integers(3, 9)):
        x, y = cx + rng.normal(0, w * 0.06), cy + rng.normal(0, h * 0.03)
        span, lift = w * rng.uniform(0.006, 0.014), rng.uniform(0.25, 0.6)
        t = np.linspace(-1, 1, 13)
        lines.append(np.c_[x + t * span, y - span * lift * (1.6 * np.abs(t) ** 0.6 - 1.5 * t**2)])
    lay(picture, dark, strokes(h, w, lines, max(1.0, w / 900)))
