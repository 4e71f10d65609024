"""A picture laid on its canvas, and the view of it that a frame shows."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from clustering_assets.video.colour import Planes, from_rgb
from clustering_assets.video.framing import Framing, View

_LINEAR = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


@dataclass(frozen=True)
class Canvas:
    """A picture ready to be drawn: its planes at canvas size and how the view moves over them."""

    planes: Planes
    framing: Framing

    def view(self, share: float) -> View:
        """The view when `share` (0 to 1) of the time that the slide is seen has gone."""
        return self.framing.start.towards(self.framing.end, share)

    def draw(self, view: View, into: Planes, frame_width: int, offset: float = 0.0) -> None:
        """Draw a view, or a stretch of its columns.

        Sampling is bilinear at fractions of a pixel, by the positions of pixel centres, so a slow move has no
        steps. The canvas is never much finer than the output, so nothing needs smoothing first.

        Args:
            view: What the frame shows of the canvas.
            into: Planes to draw into: all columns of the frame, or some.
            frame_width: Width of the whole frame in pixels.
            offset: Column of the frame, fractions allowed, that is the first of `into`.
        """
        scale = view.width / frame_width
        left = view.left + offset * scale
        for source, target, part in (
            (self.planes.y, into.y, 1.0),
            (self.planes.u, into.u, 0.5),
            (self.planes.v, into.v, 0.5),
        ):
            centre = 0.5 * scale - 0.5
            matrix = np.array([[scale, 0, left * part + centre], [0, scale, view.top * part + centre]])
            height, width = target.shape
            drawn = cv2.warpAffine(
                source, matrix, (width, height), dst=target, flags=_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
            if drawn is not target:
                target[:] = drawn


def lay(rgb: NDArray[np.uint8], framing: Framing) -> Canvas:
    """Put a picture (h, w, 3) on its canvas: scaled once, on a blurred copy of itself where it leaves room."""
    left, top, width, height = framing.place
    scaled = _scaled(rgb, (width, height))
    if framing.backed:
        ground = blurred(rgb, framing.canvas)
        _shade(ground, framing.place)
        ground[top : top + height, left : left + width] = scaled
        scaled = ground
    return Canvas(from_rgb(scaled), framing)


def blurred(rgb: NDArray[np.uint8], size: tuple[int, int], light: float = 0.55) -> NDArray[np.uint8]:
    """A dim, strongly blurred copy of a picture that fills `size` (width, height); dithered against bands."""
    width, height = size
    small = _covering(rgb, (max(8, round(64 * width / max(size))), max(8, round(64 * height / max(size)))))
    soft = cv2.GaussianBlur(small.astype(np.float32) * light, (0, 0), 3, borderType=cv2.BORDER_REFLECT)
    large = cv2.resize(soft, size, interpolation=cv2.INTER_CUBIC)
    noise = np.random.default_rng(0).random((64, 64, 1), np.float32) - 0.5
    tiled = np.tile(noise, (height // 64 + 1, width // 64 + 1, 1))[:height, :width]
    return np.clip(np.rint(large + tiled), 0, 255).astype(np.uint8)


def _covering(rgb: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """The middle of a picture, of the shape of `size` and scaled to it."""
    height, width = rgb.shape[:2]
    share = min(width / size[0], height / size[1])
    across, down = max(1, round(size[0] * share)), max(1, round(size[1] * share))
    left, top = (width - across) // 2, (height - down) // 2
    return _scaled(rgb[top : top + down, left : left + across], size)


def _scaled(rgb: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """A picture scaled to (width, height): averaged when it shrinks, bicubic when it grows."""
    height, width = rgb.shape[:2]
    if (width, height) == size:
        return rgb
    shrinks = size[0] < width or size[1] < height
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(rgb, size, interpolation=method), np.uint8)


def _shade(ground: NDArray[np.uint8], place: tuple[int, int, int, int]) -> None:
    """Darken the ground softly around a picture's place, in place."""
    height, width = ground.shape[:2]
    left, top, across, down = place
    step = 8
    mask = np.zeros((height // step + 1, width // step + 1), np.float32)
    drop = round(0.006 * height)
    rows = slice(max(0, (top + drop) // step), max(0, -(-(top + drop + down) // step)))
    mask[rows, max(0, left // step) : max(0, -(-(left + across) // step))] = 1
    mask = cv2.GaussianBlur(mask, (0, 0), max(1.0, 0.02 * height / step))
    shade = 1 - 0.45 * cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR)
    np.multiply(ground, shade[:, :, None], out=ground, casting="unsafe")
