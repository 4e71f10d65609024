"""A slideshow as a small moving picture, for pages and messages that show no video."""

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from upath import UPath

from clustering_assets.storage import atomic_path

if TYPE_CHECKING:
    from clustering_assets.video.slideshow import Slideshow

MOST_SLIDES = 12
"""Slides that are shown, spread over the whole video."""

HOLD, FADE, STEPS = 900, 60, 4
"""Milliseconds that a slide stands and that each picture of a fade does, and how many of those there are."""


def write_preview(slideshow: "Slideshow", path: Path | UPath, width: int = 480) -> None:
    """Write some of the slides as an endless moving picture, without sound.

    Args:
        slideshow: What to show.
        path: Where to write; its ending is `.gif` or `.webp`.
        width: Pixels across.

    Raises:
        PictureLost: A picture has vanished since the slideshow was made.
    """
    count = len(slideshow.timeline.slides)
    chosen = np.unique(np.linspace(0, count - 1, min(count, MOST_SLIDES)).round().astype(int))
    slides = [slideshow.glance(int(slide), width) for slide in chosen]
    frames, holds = [slides[0]], [HOLD]
    for first, second in pairwise([*slides, *slides[: len(slides) > 1]]):
        frames += [_blend(first, second, step / (STEPS + 1)) for step in range(1, STEPS + 1)] + [second]
        holds += [FADE] * STEPS + [HOLD]
    pictures = [Image.fromarray(frame) for frame in frames[: -1 if len(slides) > 1 else None]]
    with atomic_path(path) as partial, partial.open("wb") as file:
        pictures[0].save(
            file,
            format=path.suffix.removeprefix(".").upper(),
            save_all=True,
            append_images=pictures[1:],
            duration=holds[: len(pictures)],
            loop=0,
            quality=80,
            method=4,
        )


def _blend(first: NDArray[np.uint8], second: NDArray[np.uint8], share: float) -> NDArray[np.uint8]:
    """A picture between two of the same size."""
    return (first * (1 - share) + second * share).round().astype(np.uint8)
