"""Forest in fog: ridges of conifers that fade into grey."""

import numpy as np
from numpy.typing import NDArray

from clustering_assets.demo.canvas import (
    Values,
    below,
    blurred,
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
)
from clustering_assets.demo.trees import conifer

_MORNINGS = (
    # sky, fog, the nearest trees
    ("#d9dcdd", "#c6cbcd", "#23292b"),
    ("#cfd3d2", "#b9c1c0", "#1f2725"),
    ("#e0dedb", "#cdcbc8", "#2b2a2a"),
    ("#c3cad0", "#aeb8bf", "#1d252b"),
)


def paint(rng: np.random.Generator, width: int, height: int) -> NDArray[np.uint8]:
    """Layers of conifers in fog, uint8 (height, width, 3)."""
    sky, fog, near = map(colour, _MORNINGS[rng.integers(len(_MORNINGS))])
    picture = gradient(height, width, [(0, mixed(sky, fog, 0.5)), (0.5, sky), (1, fog)])
    if rng.random() < 0.4:
        far = distance(height, width, width * rng.uniform(0.2, 0.8), height * rng.uniform(0.1, 0.3))
        size = min(width, height)
        shine(picture, colour("#fffdf6"), np.exp(-far / np.float32(size * 0.22)) * np.float32(0.5))
        shine(picture, colour("#ffffff"), smooth(size * 0.05, size * 0.035, far) * np.float32(0.5))
    layers = int(rng.integers(5, 8))
    start, end = rng.uniform(0.22, 0.38), rng.uniform(0.84, 1.0)
    for layer in range(layers):
        depth = layer / (layers - 1)
        base = height * (start + (end - start) * depth**1.15)
        hill = base + profile(rng, width, width * (0.7 - 0.3 * depth), octaves=4) * height * 0.07
        tree = min(width, height) * (0.035 + 0.3 * depth**1.8)
        mask = np.maximum(below(hill, height), _trees(rng, hill, width, height, tree, depth))
        tone = mixed(fog, near, 0.12 + 0.84 * depth**1.4)
        if depth < 0.9:
            mask = blurred(mask, (1 - depth) * 0.8)
        lay(picture, tone, mask)
        _drift(rng, picture, hill, fog, depth)
    return finish(rng, picture, bloom=0.05, vignette=0.15, grain=0.014, contrast=0.05)


def _trees(
    rng: np.random.Generator,
    hill: Values,
    width: int,
    height: int,
    size: float,
    depth: float,
) -> Values:
    """The mask of the conifers that stand on a hill, in groups with gaps between."""
    gap = size * (0.2 if depth < 0.6 else 0.3)
    dense = profile(rng, width, width / 5, octaves=3)
    shapes = []
    x = -size * 0.3
    while x < width + size * 0.3:
        column = int(np.clip(x, 0, width - 1))
        if dense[column] > -0.35 - 0.3 * (1 - depth):
            tall = size * rng.uniform(0.45, 1.15) * (0.8 + 0.3 * dense[column])
            shapes.append(conifer(rng, x, hill[column] + size * 0.1, tall, detail=6 if size < 60 else 15))
        x += gap * rng.uniform(0.4, 1.6)
    return polygons(height, width, shapes)


def _drift(
    rng: np.random.Generator,
    picture: Values,
    hill: Values,
    fog: Values,
    depth: float,
) -> None:
    """Fog that rises from the valley in front of a layer."""
    height, width = picture.shape[:2]
    rows = np.arange(height, dtype=np.float32)[:, None]
    rise = smooth(0, height * 0.22, rows - hill[None, :] - np.float32(height * 0.01))
    wisps = smooth(0.25, 0.75, noise(rng, height, width, width * 0.3, octaves=5, stretch=3.5))
    strength = np.float32((0.95 - 0.62 * depth) if depth < 0.99 else 0.15)
    lay(picture, fog, rise * (0.45 + 0.55 * wisps) * strength)
