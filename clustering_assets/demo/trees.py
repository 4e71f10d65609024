"""Trees as outlines, for the scenes that have a forest."""

import numpy as np

from clustering_assets.demo.canvas import Values


def conifer(rng: np.random.Generator, x: float, foot: float, tall: float, *, detail: int) -> Values:
    """The outline of one spruce: tiers of branches that hang a little and differ from side to side.

    Args:
        rng: Dice.
        x: Column of the trunk.
        foot: Row of the ground.
        tall: Height in pixels.
        detail: Number of tiers.

    Returns:
        Float (k, 2): x and y of the corners, in pixels.
    """
    spread = tall * rng.uniform(0.17, 0.25)
    lean = rng.normal(0, 0.01) * tall
    tiers = np.arange(1, detail + 1) / detail
    sides = []
    for side in (-1, 1):
        out = spread * tiers**0.85 * rng.uniform(0.72, 1.15, detail)
        tip = np.c_[x + side * out + lean * (1 - tiers), foot - tall * (1 - tiers) + tall * 0.3 / detail]
        inner = np.c_[
            x + side * out * 0.45 + lean * (1 - tiers), foot - tall * (1 - tiers) - tall * 0.1 / detail
        ]
        sides.append(np.stack([tip, inner], axis=1).reshape(-1, 2))
    trunk = np.array([[x + tall * 0.02, foot], [x + tall * 0.02, foot + tall * 0.12]])
    left = trunk * [1, 1] - [tall * 0.04, 0]
    top = np.array([[x + lean, foot - tall]])
    return np.vstack([top, sides[1], trunk, left[::-1], sides[0][::-1]])
