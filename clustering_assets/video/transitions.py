"""The ways from one slide to the next, and which of them a video uses.

A new one is a function below, with `transition` over it; then `RECIPE_VERSION` goes up.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from clustering_assets.video.canvas import Canvas
from clustering_assets.video.colour import Planes, empty, pairs
from clustering_assets.video.framing import View
from clustering_assets.video.timeline import ease

SOFTNESS = 0.35
"""Width of the soft edge of a wipe, as a part of the frame's width."""

NEARER = 1.12
"""How much nearer a zoom-through comes."""

Shot = tuple[Canvas, View]
"""What is seen of a slide in one frame."""

Draw = Callable[[float, Shot, Shot, tuple[int, int]], NDArray[np.uint8]]
"""Draws the I420 frame of a size that is a share (0 to 1, eased) of the way from one shot to another."""


KINDS: dict[str, Draw] = {}
"""What draws each kind of transition, by its name. Which of them a video shows depends on their number and order."""

LIVELY: set[str] = set()
"""The kinds that are kept for energetic music."""

USUAL = "crossfade"
"""The kind of most transitions."""


def transition(*, lively: bool = False) -> Callable[[Draw], Draw]:
    """Enter a function that draws a kind of transition into `KINDS`, and into `LIVELY` where it is one of those."""

    def enter(draw: Draw) -> Draw:
        KINDS[draw.__name__] = draw
        LIVELY.update([draw.__name__] if lively else [])
        return draw

    return enter


def choose_kinds(count: int, energy: float | None, rng: np.random.Generator) -> list[str]:
    """The kinds of `count` transitions.

    Most are plain crossfades: nine in ten with calm music, still six in ten with the most energetic. The
    others never follow one another.

    Args:
        count: Number of transitions.
        energy: Arousal of the music, 0 to 1; None without music.
        rng: Random numbers of this video.
    """
    lively = 0.0 if energy is None else float(np.clip((energy - 0.3) / 0.5, 0, 1))
    share = 0.1 + 0.3 * lively
    others = [kind for kind in KINDS if kind != USUAL and (lively > 0.5 or kind not in LIVELY)]
    kinds: list[str] = []
    for _ in range(count):
        special = rng.random() < 1.6 * share and bool(kinds) and kinds[-1] == USUAL
        other = others[int(rng.integers(len(others)))]
        kinds.append(other if special else USUAL)
    return kinds


def tempo(energy: float | None) -> float:
    """Factor on the length of transitions: up to a quarter longer with calm music, shorter with energetic."""
    return 1.0 if energy is None else float(np.clip(1.25 - 0.5 * energy, 0.75, 1.25))


def draw_transition(
    kind: str, progress: float, first: Shot, second: Shot, size: tuple[int, int]
) -> NDArray[np.uint8]:
    """The I420 frame that leads from one shot to another, `progress` (0 to 1) of the way."""
    return KINDS[kind](ease(progress), first, second, size)


def draw_shot(shot: Shot, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The I420 frame of a single shot."""
    canvas, view = shot
    frame, planes = empty(*size)
    canvas.draw(view, planes, size[0])
    return frame


@transition()
def crossfade(share: float, first: Shot, second: Shot, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Both pictures, weighted."""
    frame = draw_shot(first, size)
    other = draw_shot(second, size)
    cv2.addWeighted(frame, 1 - share, other, share, 0, dst=frame)
    return frame


@transition()
def wipe(share: float, first: Shot, second: Shot, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A soft edge that travels from left to right; each picture is drawn only where it is seen."""
    width = size[0]
    frame, planes = empty(*size)
    edge = share * (1 + SOFTNESS)
    start = min(max(2 * int((edge - SOFTNESS) * width / 2), 0), width)
    stop = min(max(2 * int(np.ceil(edge * width / 2)), start), width)
    if start > 0:
        second[0].draw(second[1], _columns(planes, 0, start), width)
    if start < width:
        first[0].draw(first[1], _columns(planes, start, width), width, offset=start)
    if start < stop:
        _, over = empty(stop - start, size[1])
        second[0].draw(second[1], over, width, offset=start)
        for below, above in pairs(_columns(planes, start, stop), over):
            grain = (stop - start) / below.shape[1]
            columns = (start + (np.arange(below.shape[1], dtype=np.float32) + 0.5) * grain) / width
            ramp = np.clip((edge - columns) / SOFTNESS, 0, 1)
            weight = np.tile((ramp * ramp * (3 - 2 * ramp)).astype(np.float32), (len(below), 1))
            below[:] = cv2.blendLinear(below, above, 1 - weight, weight)
    return frame


@transition()
def zoom(share: float, first: Shot, second: Shot, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Through the first picture into the second, which arrives from a little too near."""
    aspect = size[0] / size[1]
    out = first[0], first[1].zoomed(1 + (NEARER - 1) * share * share, aspect)
    into = second[0], second[1].zoomed(1 + (NEARER - 1) * (1 - share) ** 2, aspect)
    return crossfade(ease(share), out, into, size)


@transition(lively=True)
def push(share: float, first: Shot, second: Shot, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The second picture pushes the first out to the left."""
    width = size[0]
    frame, planes = empty(*size)
    shift = share * width
    edge = 2 * round((width - shift) / 2)
    if edge > 0:
        first[0].draw(first[1], _columns(planes, 0, edge), width, offset=shift)
    if edge < width:
        second[0].draw(second[1], _columns(planes, edge, width), width, offset=edge - (width - shift))
    return frame


def _columns(planes: Planes, start: int, stop: int) -> Planes:
    """Some columns of a frame, from even to even."""
    half = slice(start // 2, stop // 2)
    return Planes(planes.y[:, start:stop], planes.u[:, half], planes.v[:, half])
