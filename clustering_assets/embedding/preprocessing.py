"""What a network expects of its input pictures: size, crop, interpolation, and the normalisation of colour."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

VERSION = 1
"""Raised whenever the same picture would come out with other pixels; part of the key of every embedding."""

_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


@dataclass(frozen=True)
class Preprocessing:
    """Resize, centre crop and normalisation that a network's weights were trained with.

    Attributes:
        resize: Length of the shorter side after resizing, in pixels.
        crop: Side of the square cut from the centre, in pixels; the network's input size.
        interpolation: `nearest`, `bilinear`, `bicubic` or `lanczos`, with antialiasing.
        mean: Mean of each channel (red, green, blue) on the scale 0 to 1, subtracted from the pixels.
        std: Spread of each channel on the scale 0 to 1, by which they are divided.
    """

    resize: int
    crop: int
    interpolation: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @property
    def view_bytes(self) -> int:
        """Size of what `prepare` returns."""
        return 3 * self.crop**2

    @property
    def min_side(self) -> int:
        """How far a picture may be scaled down while it is decoded: the shorter side, in pixels.

        Twice what is needed: with just what is needed, vectors of large pictures turned by more than bfloat16
        turns them (cosine 0.993 on average, instead of 0.999).
        """
        return 2 * self.resize

    def prepare(self, picture: Image.Image) -> NDArray[np.uint8]:
        """The network's view of a picture, before normalisation.

        Resizing and cropping happen in one step, so that only the pixels that stay are computed. They are
        the ones that `torchvision.transforms` makes (`Resize` to the shorter side, then `CenterCrop`).

        Args:
            picture: An upright RGB picture of any size.

        Returns:
            Pixels, shape (crop, crop, 3), RGB.
        """
        shorter = min(picture.size)
        resized = tuple(self.resize * side // shorter for side in picture.size)
        box: list[float] = []
        for before, after in zip(picture.size, resized, strict=True):
            first = round((after - self.crop) / 2)
            box += [first * before / after, (first + self.crop) * before / after]
        left, right, top, bottom = box
        view = picture.resize(
            (self.crop, self.crop), _FILTERS[self.interpolation], box=(left, top, right, bottom)
        )
        return np.asarray(view)

    def as_dict(self) -> dict[str, Any]:
        """The facts as plain values, with the version of this code: what identifies the preprocessing."""
        return {**asdict(self), "mean": list(self.mean), "std": list(self.std), "version": VERSION}

    @classmethod
    def from_dict(cls, facts: dict[str, Any]) -> "Preprocessing":
        """The inverse of `as_dict`."""
        return cls(
            resize=facts["resize"],
            crop=facts["crop"],
            interpolation=facts["interpolation"],
            mean=tuple(facts["mean"]),
            std=tuple(facts["std"]),
        )
