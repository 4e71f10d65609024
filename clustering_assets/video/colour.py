"""Conversion between RGB and the planes of a video frame: BT.709, limited range, 4:2:0.

Matrices after Recommendation ITU-R BT.709-6, items 3.2 to 3.4, with the 8-bit quantisation of item 4.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_KR, _KG, _KB = 0.2126, 0.7152, 0.0722
_Y = 219 / 255
_CB = 224 / 255 / (2 * (1 - _KB))
_CR = 224 / 255 / (2 * (1 - _KR))

_TO_Y = np.array([[_KR * _Y, _KG * _Y, _KB * _Y, 16]])
_TO_CHROMA = np.array(
    [
        [-_KR * _CB, -_KG * _CB, (1 - _KB) * _CB, 128],
        [(1 - _KR) * _CR, -_KG * _CR, -_KB * _CR, 128],
    ]
)
_FORWARD = np.vstack([_TO_Y, _TO_CHROMA])
_BACK = np.linalg.inv(_FORWARD[:, :3])
_TO_RGB = np.hstack([_BACK, -_BACK @ _FORWARD[:, 3:]])

BLACK = 16
"""Luma of black."""

GREY = 128
"""Chroma of everything without colour."""


@dataclass(frozen=True)
class Planes:
    """Luma and the two chroma planes of a picture, uint8; chroma has half the width and half the height."""

    y: NDArray[np.uint8]
    u: NDArray[np.uint8]
    v: NDArray[np.uint8]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in luma pixels."""
        height, width = self.y.shape
        return width, height


def empty(width: int, height: int) -> tuple[NDArray[np.uint8], Planes]:
    """A frame to be drawn: the I420 array (height * 3 / 2, width) and its planes, which share its memory."""
    buffer = np.empty(width * height * 3 // 2, np.uint8)
    return buffer.reshape(height * 3 // 2, width), split(buffer.reshape(height * 3 // 2, width))


def split(i420: NDArray[np.uint8]) -> Planes:
    """The planes of an I420 array (height * 3 / 2, width), without copying."""
    width = i420.shape[1]
    height = i420.shape[0] * 2 // 3
    flat = i420.reshape(-1)
    luma, chroma = width * height, width * height // 4
    half = (height // 2, width // 2)
    return Planes(
        flat[:luma].reshape(height, width),
        flat[luma : luma + chroma].reshape(half),
        flat[luma + chroma :].reshape(half),
    )


def pairs(first: Planes, second: Planes) -> list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """The planes of two frames side by side."""
    return [(first.y, second.y), (first.u, second.u), (first.v, second.v)]


def from_rgb(rgb: NDArray[np.uint8]) -> Planes:
    """The planes of an RGB picture (h, w, 3) whose sides are even; chroma is averaged over 2x2 pixels."""
    height, width = rgb.shape[:2]
    y = np.asarray(cv2.transform(rgb, _TO_Y), np.uint8).reshape(height, width)
    small = cv2.resize(rgb, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    u, v = cv2.split(cv2.transform(small, _TO_CHROMA))
    return Planes(y, np.asarray(u, np.uint8), np.asarray(v, np.uint8))


def smooth_planes(rgb: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
    """Y, U and V of a picture (h, w, 3) of values 0 to 255, each (h, w), not rounded."""
    planes = cv2.split(cv2.transform(rgb, _FORWARD))
    return tuple(np.asarray(plane, np.float32) for plane in planes)


def to_rgb(planes: Planes) -> NDArray[np.uint8]:
    """The RGB picture (h, w, 3) that a player shows for these planes."""
    size = planes.size
    u = cv2.resize(planes.u, size, interpolation=cv2.INTER_LINEAR)
    v = cv2.resize(planes.v, size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.transform(cv2.merge([planes.y, u, v]), _TO_RGB), np.uint8)


def dim(i420: NDArray[np.uint8], light: float) -> None:
    """Scale the light of a frame in place: 1 leaves it, 0 makes it black."""
    planes = split(i420)
    cv2.convertScaleAbs(planes.y, dst=planes.y, alpha=light, beta=BLACK * (1 - light))
    chroma = i420.reshape(-1)[planes.y.size :]
    cv2.convertScaleAbs(chroma, dst=chroma, alpha=light, beta=GREY * (1 - light))
