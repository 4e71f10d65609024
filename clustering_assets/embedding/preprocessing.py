"""What a network expects of its input pictures: size, interpolation, and the normalisation of colour."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

VERSION = 2
"""Raised whenever the same picture would come out with other pixels; part of the key of every embedding."""

_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


@dataclass(frozen=True)
class Preprocessing:
    """Input size, interpolation and normalisation that a network's weights were trained with.

    Attributes:
        side: Side of the square that the network takes, in pixels.
        interpolation: `nearest`, `bilinear`, `bicubic` or `lanczos`, with antialiasing.
        mean: Mean of each channel (red, green, blue) on the scale 0 to 1, subtracted from the pixels.
        std: Spread of each channel on the scale 0 to 1, by which they are divided.
    """

    side: int
    interpolation: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @property
    def view_bytes(self) -> int:
        """Size of what `prepare` returns."""
        return 3 * self.side**2

    @property
    def min_side(self) -> int:
        """How far a picture may be scaled down while it is decoded: the shorter side, in pixels.

        Twice what is needed: with just what is needed, vectors of large pictures turned by more than bfloat16
        turns them (cosine 0.993 on average, instead of 0.999).
        """
        return 2 * self.side

    def prepare(self, picture: Image.Image) -> NDArray[np.uint8]:
        """The network's view of a picture, before normalisation.

        All of a square picture, not the centre by which networks are scored: what stands at the edges tells
        pictures apart too. A longer one is half cut and half squeezed: of a picture 2 : 1 the middle 1.4 : 1.

        Args:
            picture: An upright RGB picture of any size.

        Returns:
            Pixels, shape (side, side, 3), RGB.
        """
        width, height = picture.size
        left, top = _cut(width, height), _cut(height, width)
        view = picture.resize(
            (self.side, self.side),
            _FILTERS[self.interpolation],
            box=(left, top, width - left, height - top),
        )
        return np.asarray(view)

    def as_dict(self) -> dict[str, Any]:
        """The facts as plain values, with the version of this code: what identifies the preprocessing."""
        return {**asdict(self), "mean": list(self.mean), "std": list(self.std), "version": VERSION}

    @classmethod
    def from_dict(cls, facts: dict[str, Any]) -> "Preprocessing":
        """The inverse of `as_dict`."""
        return cls(
            side=facts["side"],
            interpolation=facts["interpolation"],
            mean=tuple(facts["mean"]),
            std=tuple(facts["std"]),
        )


def _cut(length: int, across: int) -> float:
    """How much is cut from each end of a side: what is over the geometric mean of both sides."""
    return max(0.0, (length - math.sqrt(length * across)) / 2)
