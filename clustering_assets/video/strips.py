"""Views that move without changing their size, drawn ahead: each frame is then a blend of two of them.

A view that only travels shows, from frame to frame, the same pixels a little further. So what it passes over is
sampled once, at the frame's own scale, at a few places within a pixel; a frame in between two of these is their
weighted mean. That costs a quarter of sampling anew, and as the places lie close together, a mean is about as sharp
as what it is made of.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from clustering_assets.video.colour import Planes
from clustering_assets.video.framing import Framing, View
from clustering_assets.video.resampling import sampled

PLACES = 4
"""Places within a pixel. The mean of two neighbours keeps at least 0.92 of the contrast of the finest texture."""

LUMA = cv2.INTER_CUBIC
"""How luma is sampled: a mean of two places is a little softer than each, which this makes up for."""

_NEAR = 1e-6


@dataclass(frozen=True)
class Strips:
    """What a view passes over.

    Attributes:
        first: The view furthest to the left and top; all have its size.
        frame_width: Width of the frames in pixels.
        down: Whether it travels from top to bottom; otherwise from left to right.
        luma: The luma at `PLACES` places within a pixel, in pixels of the frame; one where it stands still.
        u: The same of the first chroma plane, in pixels of that plane.
        v: The same of the second.
    """

    first: View
    frame_width: int
    down: bool
    luma: tuple[NDArray[np.uint8], ...]
    u: tuple[NDArray[np.uint8], ...]
    v: tuple[NDArray[np.uint8], ...]

    @classmethod
    def along(
        cls, luma: NDArray[np.uint8], chroma: NDArray[np.uint8], framing: Framing, frame: tuple[int, int]
    ) -> "Strips | None":
        """The strips of a framing on planes with margins; None where the view changes its size or goes askew."""
        start, end = framing.start, framing.end
        across, down = abs(end.left - start.left), abs(end.top - start.top)
        if start.width != end.width or min(across, down) > 0:
            return None
        first = View(min(start.left, end.left), min(start.top, end.top), start.width)
        scale = first.width / frame[0]
        planes = [
            _places(
                source,
                scale,
                (first.left / part, first.top / part),
                (frame[0] // part, frame[1] // part),
                max(across, down) / scale / part,
                down > 0,
                method,
            )
            for source, part, method in ((luma, 1, LUMA), (chroma, 2, cv2.INTER_LINEAR))
        ]
        u, v = zip(*(cv2.split(place) for place in planes[1]), strict=True)
        return cls(first, frame[0], down > 0, tuple(planes[0]), u, v)

    def draw(self, view: View, into: Planes, offset: float = 0.0) -> bool:
        """Draw a view, or a stretch of its columns, as `Canvas.draw` does; False where it was not drawn ahead."""
        scale = self.first.width / self.frame_width
        along = (view.left - self.first.left) / scale + offset, (view.top - self.first.top) / scale
        travelled, beside = (along[1], along[0]) if self.down else along
        if view.width != self.first.width or abs(beside / 2 - round(beside / 2)) > _NEAR:
            return False
        pieces = (self.luma, into.y, 1), (self.u, into.u, 2), (self.v, into.v, 2)
        cuts = [
            self._cut(places, travelled / part, round(beside / 2) * 2 // part, target.shape)
            for places, target, part in pieces
        ]
        if any(cut is None for cut in cuts):
            return False
        for (_, target, _), cut in zip(pieces, cuts, strict=True):
            assert cut is not None
            nearer, further, share = cut
            if share > 0:
                cv2.addWeighted(nearer, 1 - share, further, share, 0, dst=target)
            else:
                target[:] = nearer
        return True

    def _cut(
        self, places: tuple[NDArray[np.uint8], ...], travelled: float, beside: int, shape: tuple[int, ...]
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8], float] | None:
        """The two pieces of a plane that lie on both sides of a view, and how near it is to the second (0 to 1)."""
        count = len(places)
        step = travelled * count
        whole = math.floor(step + _NEAR)
        share = max(0.0, step - whole)
        ends = whole, whole + (1 if share > _NEAR else 0)
        pieces = []
        for number in ends:
            plane, start = places[number % count], number // count
            row, column = (start, beside) if self.down else (beside, start)
            piece = plane[row : row + shape[0], column : column + shape[1]]
            if min(row, column) < 0 or piece.shape != shape:
                return None
            pieces.append(piece)
        return pieces[0], pieces[1], share if ends[0] != ends[1] else 0.0


def _places(
    source: NDArray[np.uint8],
    scale: float,
    corner: tuple[float, float],
    size: tuple[int, int],
    travel: float,
    down: bool,
    method: int,
) -> list[NDArray[np.uint8]]:
    """What lies from a corner (left, top; pixels of the source) on, `travel` pixels further than `size`.

    Sampled at each of the places within a pixel.
    """
    further = math.ceil(travel) + 1 if travel > 0 else 0
    size = (size[0], size[1] + further) if down else (size[0] + further, size[1])
    count = PLACES if travel > 0 else 1
    centre = 0.5 * scale - 0.5
    left, top = corner[0] + centre, corner[1] + centre
    steps = [scale * place / count for place in range(count)]
    return [
        np.ascontiguousarray(
            sampled(source, scale, left + (not down) * step, top + down * step, size, method)
        )
        for step in steps
    ]
