"""A picture laid on its canvas, and the view of it that a frame shows."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from clustering_assets.video.colour import Planes, from_rgb, smooth_planes
from clustering_assets.video.framing import Framing, View
from clustering_assets.video.resampling import edged, sampled
from clustering_assets.video.strips import LUMA, Strips

MUCH = 3.0
"""Enlargement from which on a picture shows its pixels: slanting edges become stairs."""

ENLARGED, SHARPENED = 1.15, 0.3
"""Enlargement from which on a picture is interpolated by Lanczos' filter and its edges are raised by this much of what
a blur by a pixel takes from them. Photos halved and doubled again come 0.5 dB nearer to what they were than by the
bicubic filter, at 1.6 times 1 dB."""

SOFTNESS = 0.3
"""Blur of a picture enlarged that much, in pixels of the picture: the stairs go, and little else."""


@dataclass(frozen=True)
class Canvas:
    """A picture ready to be drawn, and how the view moves over it.

    Attributes:
        luma: Its luma at canvas size, with the margins that `sampling.sampled` needs.
        chroma: Its chroma, (h / 2, w / 2, 2), with margins.
        framing: How the view moves.
        strips: The views it moves through, drawn already, where they are all of one size; None otherwise.
    """

    luma: NDArray[np.uint8]
    chroma: NDArray[np.uint8]
    framing: Framing
    strips: Strips | None = None

    @classmethod
    def of(cls, planes: Planes, framing: Framing, frame: tuple[int, int] | None = None) -> "Canvas":
        """The canvas with these planes, which have no margins yet.

        Args:
            planes: The picture as it lies on the canvas.
            framing: How the view moves.
            frame: Width and height of the frames, where many are to be drawn.
        """
        luma = edged(planes.y)
        chroma = edged(np.asarray(cv2.merge([planes.u, planes.v]), np.uint8))
        strips = Strips.along(luma, chroma, framing, frame) if frame else None
        return cls(luma, chroma, framing, strips)

    def view(self, share: float) -> View:
        """The view when `share` (0 to 1) of the time that the slide is seen has gone."""
        return self.framing.start.towards(self.framing.end, share)

    def draw(self, view: View, into: Planes, frame_width: int, offset: float = 0.0) -> None:
        """Draw a view, or a stretch of its columns.

        Sampling is by the positions of pixel centres at fractions of a pixel, so a slow move has no steps. The
        canvas is never much finer than the output, so nothing needs smoothing first. Where most frames come from
        strips, the others are sampled the way these were, or a picture would turn soft when a push begins.

        Args:
            view: What the frame shows of the canvas.
            into: Planes to draw into: all columns of the frame, or some.
            frame_width: Width of the whole frame in pixels.
            offset: Column of the frame, fractions allowed, that is the first of `into`.
        """
        if self.strips is not None and self.strips.draw(view, into, offset):
            return
        scale = view.width / frame_width
        left = view.left + offset * scale
        centre = 0.5 * scale - 0.5
        width, height = into.size
        method = cv2.INTER_LINEAR if self.strips is None else LUMA
        into.y[:] = sampled(self.luma, scale, left + centre, view.top + centre, (width, height), method)
        half = (width // 2, height // 2)
        cv2.split(
            sampled(self.chroma, scale, left / 2 + centre, view.top / 2 + centre, half), [into.u, into.v]
        )


def lay(rgb: NDArray[np.uint8], framing: Framing, frame: tuple[int, int] | None = None) -> Canvas:
    """Put a picture (h, w, 3) on its canvas: scaled once, on a blurred copy of itself where it leaves room.

    `frame` is the size of the frames, where many are to be drawn (see `Canvas.of`).
    """
    left, top, width, height = framing.place
    if not framing.backed:
        return Canvas.of(from_rgb(scaled(rgb, (width, height))), framing, frame)
    planes = blurred(rgb, framing.canvas, shaded=framing.place)
    # chroma is shared by two pixels, so the picture begins and ends at even ones
    left, top = left // 2 * 2, top // 2 * 2
    width, height = (width + 1) // 2 * 2, (height + 1) // 2 * 2
    picture = from_rgb(scaled(rgb, (width, height)))
    planes.y[top : top + height, left : left + width] = picture.y
    half = slice(top // 2, (top + height) // 2), slice(left // 2, (left + width) // 2)
    planes.u[half], planes.v[half] = picture.u, picture.v
    return Canvas.of(planes, framing, frame)


def blurred(
    rgb: NDArray[np.uint8],
    size: tuple[int, int],
    *,
    light: float = 0.55,
    shaded: tuple[int, int, int, int] | None = None,
) -> Planes:
    """A dim, strongly blurred copy of a picture that fills a frame.

    Args:
        rgb: The picture (h, w, 3).
        size: Width and height of the result, even.
        light: Factor on the brightness.
        shaded: Left, top, width and height of something that throws a soft shadow on it.

    Returns:
        Its planes, the luma dithered by half a level against bands.
    """
    width, height = size
    small = _covering(rgb, (max(8, round(64 * width / max(size))), max(8, round(64 * height / max(size)))))
    soft = cv2.GaussianBlur(small.astype(np.float32) * light, (0, 0), 3, borderType=cv2.BORDER_REFLECT)
    middle = cv2.resize(soft, (width // 8 + 1, height // 8 + 1), interpolation=cv2.INTER_CUBIC)
    if shaded is not None:
        middle *= _shade(middle.shape[:2], shaded)[:, :, None]
    y, u, v = smooth_planes(np.clip(middle, 0, 255).astype(np.float32))
    noise = np.tile(_NOISE, (height // 64 + 1, width // 64 + 1))[:height, :width]
    half = (width // 2, height // 2)
    return Planes(_enlarged(y, size, noise), _enlarged(u, half), _enlarged(v, half))


def _enlarged(
    plane: NDArray[np.float32], size: tuple[int, int], noise: NDArray[np.float32] | None = None
) -> NDArray[np.uint8]:
    """A plane scaled up to (width, height), with noise added, rounded to bytes."""
    large = np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR), np.float32)
    if noise is not None:
        large += noise
    return np.asarray(cv2.convertScaleAbs(large), np.uint8)


def scaled(rgb: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """A picture scaled to (width, height): averaged where it shrinks much, bicubic otherwise, sharpened where it grows.

    Averaging over whole pixels is nearly free, and so is interpolation; averaging over fractions of pixels costs
    several times as much. So what lies between is enlarged to twice the size and halved.
    """
    while size[0] <= rgb.shape[1] // 2 and size[1] <= rgb.shape[0] // 2:
        rgb = _resized(rgb, (rgb.shape[1] // 2, rgb.shape[0] // 2), cv2.INTER_AREA)
    height, width = rgb.shape[:2]
    if (width, height) == size:
        return rgb
    shares = size[0] / width, size[1] / height
    if min(shares) >= 0.7:
        grows = ENLARGED <= min(shares) <= MUCH
        large = _resized(rgb, size, cv2.INTER_LANCZOS4 if grows else cv2.INTER_CUBIC)
        if grows:
            soft = cv2.GaussianBlur(large, (0, 0), 1.0, borderType=cv2.BORDER_REPLICATE)
            cv2.addWeighted(large, 1 + SHARPENED, soft, -SHARPENED, 0, dst=large)
        if min(shares) > MUCH:
            cv2.GaussianBlur(
                large, (0, 0), SOFTNESS * min(shares), dst=large, borderType=cv2.BORDER_REPLICATE
            )
        return large
    if min(shares) < 0.5 or max(shares) > 1:
        return _resized(rgb, size, cv2.INTER_AREA)
    return _resized(_resized(rgb, (2 * size[0], 2 * size[1]), cv2.INTER_LINEAR), size, cv2.INTER_AREA)


def _resized(rgb: NDArray[np.uint8], size: tuple[int, int], method: int) -> NDArray[np.uint8]:
    """OpenCV's `resize`."""
    return np.asarray(cv2.resize(rgb, size, interpolation=method), np.uint8)


_NOISE = np.random.default_rng(0).random((64, 64), np.float32) - np.float32(0.5)


def _covering(rgb: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """The middle of a picture, of the shape of `size` and scaled to it."""
    height, width = rgb.shape[:2]
    share = min(width / size[0], height / size[1])
    across, down = max(1, round(size[0] * share)), max(1, round(size[1] * share))
    left, top = (width - across) // 2, (height - down) // 2
    return scaled(rgb[top : top + down, left : left + across], size)


def _shade(shape: tuple[int, ...], place: tuple[int, int, int, int]) -> NDArray[np.float32]:
    """What is left of the light around a picture's place, on a grid of every eighth pixel."""
    left, top, across, down = place
    mask = np.zeros(shape[:2], np.float32)
    drop = 0.05 * shape[0]
    rows = slice(max(0, round(top / 8 + 0.1 * drop)), max(0, round((top + down) / 8 + 0.1 * drop)))
    mask[rows, max(0, round(left / 8)) : max(0, round((left + across) / 8))] = 1
    mask = cv2.GaussianBlur(mask, (0, 0), max(1.0, 0.02 * shape[0]))
    return (1 - 0.45 * mask).astype(np.float32)
