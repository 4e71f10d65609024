"""How a picture is put into the frame, and how the view moves over it: geometry without pixels.

Every picture is laid on a canvas a little larger than the frame, once; a frame of the video is a view, a
rectangle of the frame's shape on that canvas, whose place and size change in fractions of a pixel.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from clustering_assets.video.faces import Box
from clustering_assets.video.saliency import anchor, best_start, kept, with_heads

MAX_MISMATCH = 1.35
"""Up to this ratio of the shapes of picture and frame the picture fills the frame and loses its edges."""

SLIGHT_MISMATCH = 1.2
"""Up to this ratio the loss is taken whatever lies at the edges (3:2 in 16:9 is 1.19)."""

MIN_KEPT = 0.7
"""Least saliency that a greater loss may keep; below it the picture is shown whole."""

PANORAMA = 2.2
"""From this aspect ratio on (or its inverse) the view travels along the picture."""

MAX_ENLARGEMENT = 2.0
"""Output pixels for each pixel of the picture, at most, where it fills the frame (960x540 does at 1080p)."""

MAX_CARD_ENLARGEMENT = 2.0
"""The same where it lies on its own blurred copy."""

LEAST_CARD = 0.4
"""A thumbnail is enlarged further until its longer side is this part of the frame's shorter one."""

CARD = 0.92
"""Part of the frame's width or height that a picture shown whole takes at most."""

ZOOM_A_SECOND = 0.015
MAX_ZOOM = 0.09
MAX_CARD_ZOOM = 0.05
PAN_A_SECOND = 0.045
MAX_PAN = 0.28

HEAD_ROOM = 0.08
"""What is kept free around a head on each side, in parts of its own width and height."""

LEAST_ZOOM = 1.015
"""Least change of size of a view whose zoom is limited by heads; where even that is too much for them, the picture
is shown whole."""

LONGEST_CARD = 3.0
"""Up to this many times the frame's own aspect ratio a panorama is shown whole where its travel would miss a head."""

FINER = 1.2
"""Canvas pixels for each output pixel of the nearest view.

Bilinear sampling softens a texture more or less with the fraction of a pixel that it has moved, so fine texture
shimmers: from frame to frame two to four times as much at 1.0 as at 1.2, while finer still gains next to
nothing (benchmarks/video.py measures it).
"""

ENOUGH = 0.97
"""Pixels of the picture, at least, for each output pixel of the nearest view, where it need not be decoded whole."""

MOVES = ("in", "out", "left", "right")
"""The ways a view moves; two slides in a row never move the same way."""


@dataclass(frozen=True)
class View:
    """A rectangle of the frame's shape on a canvas: left and top edge and width, in canvas pixels."""

    left: float
    top: float
    width: float

    def towards(self, other: "View", share: float) -> "View":
        """The view `share` (0 to 1) of the way to another."""
        return View(
            self.left + (other.left - self.left) * share,
            self.top + (other.top - self.top) * share,
            self.width + (other.width - self.width) * share,
        )

    def zoomed(self, factor: float, aspect: float) -> "View":
        """The view `factor` times nearer, about its own middle; `aspect` is width / height."""
        width = self.width / factor
        return View(self.left + (self.width - width) / 2, self.top + (self.width - width) / 2 / aspect, width)


@dataclass(frozen=True)
class Framing:
    """Where a picture lies on its canvas and how the view moves.

    Attributes:
        kind: `cover` (fills the frame), `card` (whole, on a blurred copy of itself) or `pan` (panorama).
        canvas: Width and height of the canvas, even.
        place: Left, top, width and height of the whole picture on the canvas; it may reach beyond it.
        start: The view when the slide begins to be seen.
        end: The view when it is seen last.
        kept: Share of the picture's saliency that is inside the view all the time, or on the way in a pan, 0 to 1.
        kept_head: The same of the head that is cut off most; None where there are no heads.
    """

    kind: str
    canvas: tuple[int, int]
    place: tuple[int, int, int, int]
    start: View
    end: View
    kept: float
    kept_head: float | None = None

    @property
    def backed(self) -> bool:
        """Whether some of the canvas is not covered by the picture."""
        left, top, width, height = self.place
        return left > 0 or top > 0 or left + width < self.canvas[0] or top + height < self.canvas[1]


def shrunk(framing: Framing, share: float) -> Framing:
    """The same framing on a canvas whose sides are `share` as long (0 to 1)."""
    canvas = (_even_up(framing.canvas[0] * share), _even_up(framing.canvas[1] * share))
    left, top, width, height = (round(length * share) for length in framing.place)
    width = max(1, min(width, canvas[0] - left)) if framing.backed else canvas[0]
    height = max(1, min(height, canvas[1] - top)) if framing.backed else canvas[1]
    start, end = (
        View(view.left * share, view.top * share, view.width * share) for view in (framing.start, framing.end)
    )
    return replace(framing, canvas=canvas, place=(left, top, width, height), start=start, end=end)


def likely_kind(source: tuple[int, int], frame: tuple[int, int]) -> str:
    """`cover`, `card` or `pan`, from the sizes (width, height) of picture and frame alone."""
    aspect = source[0] / source[1]
    ratio = aspect / (frame[0] / frame[1])
    mismatch = max(ratio, 1 / ratio)
    if mismatch <= MAX_MISMATCH:
        enlargement = max(frame[0] / source[0], frame[1] / source[1])
        return "cover" if enlargement <= MAX_ENLARGEMENT else "card"
    if max(aspect, 1 / aspect) >= PANORAMA and (aspect > 1) == (ratio > 1):
        return "pan"
    return "card"


def needed_side(source: tuple[int, int], frame: tuple[int, int], seconds: float) -> int:
    """Length of the shorter side, in pixels, that a picture must be decoded to for this frame.

    About a pixel for each output pixel of the nearest view: more would not be seen, and decoders that can halve a
    picture are three times as fast where they may.
    """
    near = 1 + zoom(seconds)
    if likely_kind(source, frame) == "card":
        output = _card_enlargement(source, frame) * (1 + min(near - 1, MAX_CARD_ZOOM))
    else:
        output = max(frame[0] / source[0], frame[1] / source[1]) * near
    return max(1, int(np.ceil(min(source) * min(output * ENOUGH, 1.0))))


def zoom(seconds: float) -> float:
    """How much nearer a view comes in this time: 0.05 is five per cent."""
    return min(ZOOM_A_SECOND * seconds, MAX_ZOOM)


def frame_picture(
    source: tuple[int, int],
    frame: tuple[int, int],
    saliency_map: NDArray[np.floating],
    *,
    seconds: float,
    move: str,
    motion: bool = True,
    heads: Sequence[Box] = (),
) -> Framing:
    """The framing of one picture.

    Every head is inside the view all the time, with a little room around it, or on the way where the view travels
    along a panorama. A picture that cannot fill the frame without cutting one off is shown whole.

    Args:
        source: Width and height of the picture as stored on disk, upright.
        frame: Width and height of the video.
        saliency_map: Saliency of the picture, of sum 1.
        seconds: How long it is seen, both transitions included.
        move: One of `MOVES`.
        motion: False: the view stands still.
        heads: The heads of people in it, from `heads.find_heads`.
    """
    if heads:
        saliency_map = with_heads(saliency_map, heads)
    kind = likely_kind(source, frame)
    near = 1 + (zoom(seconds) if motion else 0.0)
    if kind == "pan":
        panned = _pan(source, frame, saliency_map, seconds if motion else 0.0, move, heads)
        if panned is not None:
            return panned
        kind = "card"
    if kind == "cover":
        covered = _cover(source, frame, saliency_map, near, move if motion else "still", heads)
        if covered is not None:
            return covered
    card = _card(source, frame, near, move if motion else "still")
    return replace(card, kept_head=1.0) if heads else card


def _cover(
    source: tuple[int, int],
    frame: tuple[int, int],
    saliency_map: NDArray[np.floating],
    near: float,
    move: str,
    heads: Sequence[Box],
) -> Framing | None:
    """The picture fills the frame; what is cut off is where the least of it is. None where that is too much."""
    outer_width, outer_height = frame[0] * FINER * near, frame[1] * FINER * near
    scale = max(outer_width / source[0], outer_height / source[1])
    size = (_even_up(source[0] * scale), _even_up(source[1] * scale))
    share_x, share_y = outer_width / size[0], outer_height / size[1]
    held = _around(heads) if heads else None
    if held is not None:
        room = min(share_x / (held[2] - held[0]), share_y / (held[3] - held[1]))
        if room < min(LEAST_ZOOM, near):
            return None
    outer = View(
        best_start(saliency_map.sum(0), share_x, held and (held[0], held[2])) * size[0],
        best_start(saliency_map.sum(1), share_y, held and (held[1], held[3]), down=True) * size[1],
        outer_width,
    )
    if (
        min(share_x, share_y) < 1 / SLIGHT_MISMATCH
        and kept(saliency_map, _seen(outer, size, frame)) < MIN_KEPT
    ):
        return None
    start, end = _moved(outer, frame, near, move, anchor(saliency_map), size, held)
    boxes = [_seen(view, size, frame) for view in (start, end)]
    seen = min(kept(saliency_map, box) for box in boxes)
    whole = min((_overlap(head, box) for head in heads for box in boxes), default=None)
    return Framing("cover", size, (0, 0, *size), start, end, seen, whole)


def _moved(
    outer: View,
    frame: tuple[int, int],
    near: float,
    move: str,
    point: tuple[float, float],
    size: tuple[int, int],
    held: Box | None,
) -> tuple[View, View]:
    """First and last view of a move; a zoom goes on inside `outer`.

    It keeps `point` (0 to 1 of a canvas of `size`) where it is on the screen, unless what is `held` would be cut off.
    """
    if move == "still":
        return outer, outer
    aspect = frame[0] / frame[1]
    least = 0.0
    if held is not None:
        held = (held[0] * size[0], held[1] * size[1], held[2] * size[0], held[3] * size[1])
        least = max(held[2] - held[0], (held[3] - held[1]) * aspect)
    if move in ("left", "right"):
        first, last = _travelled(outer, frame, near, size, least)
        ends = _shifted(first, held, aspect), _shifted(last, held, aspect)
        if _distance(*ends) >= 0.5 * _distance(first, last):
            return (ends[1], ends[0]) if move == "left" else ends
        move = "in" if move == "right" else "out"
    width = max(frame[0] * FINER, least)
    near = outer.width / width
    x = min(max(point[0] * size[0], outer.left), outer.left + outer.width)
    y = min(max(point[1] * size[1], outer.top), outer.top + outer.width / aspect)
    inner = View(x - (x - outer.left) / near, y - (y - outer.top) / near, width)
    inner = _shifted(inner, held, aspect)
    return (outer, inner) if move == "in" else (inner, outer)


def _travelled(
    outer: View, frame: tuple[int, int], near: float, size: tuple[int, int], least: float
) -> tuple[View, View]:
    """First and last view, at least `least` wide, of a move along what of a picture lies beside or below `outer`."""
    aspect = frame[0] / frame[1]
    width, height = frame[0] * FINER, frame[1] * FINER
    inside = max(width * (1 + 0.25 * (near - 1)), least)
    slack_x, slack_y = outer.width - inside, (outer.width - inside) / aspect
    below = size[1] - outer.top - outer.width / aspect
    beside = size[0] - outer.left - outer.width
    if outer.top + below > 0.04 * height:
        reach = min(0.3 * (near - 1) * height, 0.5 * outer.top, 0.5 * below)
        x = outer.left + slack_x / 2
        return View(x, outer.top - reach, inside), View(x, outer.top + slack_y + reach, inside)
    reach = min(0.3 * (near - 1) * width, 0.5 * outer.left, 0.5 * beside)
    y = outer.top + slack_y / 2
    return View(outer.left - reach, y, inside), View(outer.left + slack_x + reach, y, inside)


def _shifted(view: View, held: Box | None, aspect: float) -> View:
    """The view moved as little as it takes to show all of `held`, which is no larger, in canvas pixels."""
    if held is None:
        return view
    height = view.width / aspect
    left = max(min(view.left, held[0]), held[2] - view.width)
    top = max(min(view.top, held[1]), held[3] - height)
    return View(left, top, view.width)


def _distance(first: View, last: View) -> float:
    """How far a view travels, in canvas pixels."""
    return float(np.hypot(last.left - first.left, last.top - first.top))


def _around(heads: Sequence[Box]) -> Box:
    """The box around some heads and the room that is kept free around each."""
    left, top, right, bottom = zip(*map(_roomy, heads), strict=True)
    return min(left), min(top), max(right), max(bottom)


def _roomy(head: Box) -> Box:
    """A head and the room around it, as far as the picture has any."""
    across, down = HEAD_ROOM * (head[2] - head[0]), HEAD_ROOM * (head[3] - head[1])
    return (
        max(0.0, head[0] - across),
        max(0.0, head[1] - down),
        min(1.0, head[2] + across),
        min(1.0, head[3] + down),
    )


def _overlap(head: Box, box: Box) -> float:
    """Share of a head that is inside a box."""
    across = min(head[2], box[2]) - max(head[0], box[0])
    down = min(head[3], box[3]) - max(head[1], box[1])
    area = (head[2] - head[0]) * (head[3] - head[1])
    return min(1.0, max(0.0, across) * max(0.0, down) / area)


def _card(source: tuple[int, int], frame: tuple[int, int], near: float, move: str) -> Framing:
    """The whole picture in the middle of a canvas, for a blurred copy of itself to lie behind it."""
    near = 1 + min(near - 1, MAX_CARD_ZOOM)
    canvas = (_even_up(frame[0] * FINER * near), _even_up(frame[1] * FINER * near))
    fit = _card_enlargement(source, frame) * FINER * near
    size = (max(1, round(source[0] * fit)), max(1, round(source[1] * fit)))
    place = ((canvas[0] - size[0]) // 2, (canvas[1] - size[1]) // 2, *size)
    aspect = frame[0] / frame[1]
    outer = View(0.0, 0.0, frame[0] * FINER * near)
    inner = outer.zoomed(near, aspect)
    half = outer.zoomed((1 + near) / 2, aspect)
    right, left = (View(half.left + side * half.left, half.top, half.width) for side in (0.9, -0.9))
    ends = {
        "still": (outer, outer),
        "in": (outer, inner),
        "out": (inner, outer),
        "left": (right, left),
        "right": (left, right),
    }
    return Framing("card", canvas, place, *ends[move], kept=1.0)


def _card_enlargement(source: tuple[int, int], frame: tuple[int, int]) -> float:
    """Output pixels for each pixel of a picture that is shown whole, where the view is furthest away."""
    enlargement = max(MAX_CARD_ENLARGEMENT, LEAST_CARD * min(frame) / max(source))
    return min(CARD * frame[0] / source[0], CARD * frame[1] / source[1], enlargement)


def _pan(
    source: tuple[int, int],
    frame: tuple[int, int],
    saliency_map: NDArray[np.floating],
    seconds: float,
    move: str,
    heads: Sequence[Box],
) -> Framing | None:
    """The view travels along a panorama; None where it stands still, would enlarge the picture too much or miss heads.

    The picture fills the frame if most of it is then seen on the way; otherwise it becomes a band on a
    blurred copy of itself, of which nine tenths are seen.
    """
    wide = source[0] * frame[1] > source[1] * frame[0]
    long, short = (0, 1) if wide else (1, 0)
    travel = 1 + min(PAN_A_SECOND * seconds, MAX_PAN)
    ratio = source[long] / source[short] / (frame[long] / frame[short])
    if seconds <= 0 and ratio > 1 / 0.65:
        return None
    length = ratio if travel / ratio >= 0.65 else min(travel / 0.9, ratio)
    scale = length * frame[long] / source[long]
    if scale > MAX_ENLARGEMENT:
        return None
    fine = (frame[0] * FINER, frame[1] * FINER)
    size = [0, 0]
    size[long] = _even_up(source[long] * scale * FINER)
    size[short] = max(1, round(source[short] * scale * FINER))
    canvas = [0, 0]
    canvas[long] = size[long]
    canvas[short] = _even_up(fine[short])
    if size[short] >= canvas[short] - 1:
        size[short] = canvas[short]
    profile = saliency_map.sum(0) if wide else saliency_map.sum(1)
    share = min(travel * fine[long] / canvas[long], 1.0)
    held = None
    if heads:
        held = _on_the_way(heads, long, share, fine[long] / canvas[long])
        if held is None:
            if ratio <= LONGEST_CARD:
                return None
            held = _on_the_way(heads[:1], long, share, fine[long] / canvas[long])
    first = min(best_start(profile, share, held) * canvas[long], canvas[long] * (1 - share))
    last = max(first + share * canvas[long] - fine[long], first)
    across = (canvas[short] - fine[short]) / 2
    ends = [View(at, across, fine[0]) if wide else View(across, at, fine[0]) for at in (first, last)]
    if move in ("out", "left"):
        ends.reverse()
    place = [0, 0, size[0], size[1]]
    place[short] = (canvas[short] - size[short]) // 2
    low, high = first / canvas[long], (last + fine[long]) / canvas[long]
    swept = (low, 0.0, high, 1.0) if wide else (0.0, low, 1.0, high)
    return Framing(
        "pan",
        (canvas[0], canvas[1]),
        (place[0], place[1], place[2], place[3]),
        ends[0],
        ends[1],
        kept(saliency_map, swept),
        min((_overlap(head, swept) for head in heads), default=None),
    )


def _on_the_way(heads: Sequence[Box], axis: int, travelled: float, seen: float) -> tuple[float, float] | None:
    """From where to where on an axis (0 across, 1 down) the heads reach; None where a pan cannot show them all whole.

    Args:
        heads: Boxes, each 0 to 1 of the picture.
        axis: The axis that the view travels along.
        travelled: What it passes over, 0 to 1 of the picture.
        seen: What it shows at a time, 0 to 1 of the picture.
    """
    boxes = [_roomy(head) for head in heads]
    low, high = min(box[axis] for box in boxes), max(box[axis + 2] for box in boxes)
    largest = max(box[axis + 2] - box[axis] for box in boxes)
    return (low, high) if high - low <= travelled and largest <= seen else None


def _seen(view: View, size: tuple[int, int], frame: tuple[int, int]) -> Box:
    """What a view shows of a picture of `size` canvas pixels, each side 0 to 1 of the picture."""
    height = view.width * frame[1] / frame[0]
    return (
        view.left / size[0],
        view.top / size[1],
        (view.left + view.width) / size[0],
        (view.top + height) / size[1],
    )


def _even_up(length: float) -> int:
    """The smallest even number of pixels that is not below a length."""
    return max(2, 2 * int(np.ceil(length / 2 - 1e-6)))
