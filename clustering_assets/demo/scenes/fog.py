"""Forest in fog: ridges of conifers that fade into grey."""

import numpy as np
from numpy.typing import NDArray

from clustering_assets.demo.canvas import Canvas, Values, colour, gradient, mixed, one_of, smooth

_MORNINGS = (
    # sky, fog, the nearest trees
    ("#d9dcdd", "#c6cbcd", "#23292b"),
    ("#cfd3d2", "#b9c1c0", "#1f2725"),
    ("#e0dedb", "#cdcbc8", "#2b2a2a"),
    ("#c3cad0", "#aeb8bf", "#1d252b"),
)


def paint(rng: np.random.Generator, width: int, height: int) -> NDArray[np.uint8]:
    """Layers of conifers in fog, uint8 (height, width, 3)."""
    sky, fog, near = one_of(rng, _MORNINGS)
    canvas = Canvas(rng, gradient(height, width, (0, mixed(sky, fog, 0.5)), (0.5, sky), (1, fog)))
    size = canvas.size
    if rng.random() < 0.4:
        sun = width * rng.uniform(0.2, 0.8), height * rng.uniform(0.1, 0.3)
        canvas.glow(colour("#fffdf6") * 0.5, *sun, size * 0.22)
        canvas.lay(colour("#ffffff"), canvas.disc(*sun, size * 0.042) * 0.5)
    start, end = rng.uniform(0.22, 0.38), rng.uniform(0.84, 1.0)
    for depth in np.linspace(0, 1, int(rng.integers(5, 8))):
        base = height * (start + (end - start) * depth**1.15)
        hill = base + canvas.profile(width * (0.7 - 0.3 * depth), octaves=4) * height * 0.07
        trees = _trees(canvas, hill, size * (0.035 + 0.3 * depth**1.8), depth)
        canvas.lay(mixed(fog, near, 0.12 + 0.84 * depth**1.4), np.maximum(canvas.below(hill), trees))
        rise = smooth(0, height * 0.22, canvas.y - hill - height * 0.01)
        wisps = smooth(0.25, 0.75, canvas.noise(width * 0.3, stretch=3.5))
        strength = 0.95 - 0.62 * depth if depth < 1 else 0.15
        canvas.lay(fog, rise * (0.45 + 0.55 * wisps) * strength)
    return canvas.finish(bloom=0.05, vignette=0.15, grain=0.014, contrast=0.05)


def _trees(canvas: Canvas, hill: Values, size: float, depth: float) -> Values:
    """The mask of the conifers that stand on a hill, in groups with gaps between."""
    rng, gap = canvas.rng, size * (0.2 if depth < 0.6 else 0.3)
    dense = canvas.profile(canvas.width / 5, octaves=3)
    trees, steps = [], gap * rng.uniform(0.4, 1.6, int(2 + (canvas.width + size) / gap))
    for x in np.cumsum(steps) - size * 0.3:
        column = int(np.clip(x, 0, canvas.width - 1))
        if dense[column] > -0.35 - 0.3 * (1 - depth):
            tall = size * rng.uniform(0.45, 1.15) * (0.8 + 0.3 * dense[column])
            trees.append(_conifer(rng, 6 if size < 60 else 15) * tall + [x, hill[column] + size * 0.1])
    return canvas.shapes(trees, blur=(1 - depth) * 0.8)


def _conifer(rng: np.random.Generator, tiers: int) -> Values:
    """The outline (k, 2) of a spruce of height 1 that stands on (0, 0): tiers of branches that hang a little."""
    at = np.arange(1, tiers + 1) / tiers
    lean = rng.normal(0, 0.01) * (1 - at)
    reach = rng.uniform(0.17, 0.25) * at**0.85 * rng.uniform(0.72, 1.15, (2, tiers))
    right, left = (
        np.c_[side + lean, at - 1 + 0.3 / tiers, side * 0.45 + lean, at - 1 - 0.1 / tiers].reshape(-1, 2)
        for side in (reach[0], -reach[1])
    )
    return np.vstack(
        [[[lean[0], -1]], right, [[0.02, 0], [0.02, 0.12], [-0.02, 0.12], [-0.02, 0]], left[::-1]]
    )
