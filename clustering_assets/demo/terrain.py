"""Landscapes of heights, seen in perspective: every pixel gets the place on the ground that it shows."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Field = NDArray[Any]
"""A float32 array (n, n) of one value for each cell, or (h, w) of one for each pixel."""


@dataclass(frozen=True)
class View:
    """A camera over a height field of n x n cells, looking along the rows towards higher row numbers.

    Attributes:
        x: Column that the camera stands on.
        y: Row that it stands on.
        altitude: Its height, in cells.
        horizon: Row of the horizon in the picture, as a share of the picture's height.
        focal: Focal length as a share of the picture's longer side.
        far: Depth of view, in cells.
    """

    x: float
    y: float
    altitude: float
    horizon: float
    focal: float
    far: float


@dataclass(frozen=True)
class Seen:
    """What the camera sees, each float32 (h, w).

    Attributes:
        ground: 1 where there is ground, 0 for the sky.
        depth: Distance, in cells.
        columns: Column of the height field that the pixel shows.
        rows: Row of the height field that it shows.
    """

    ground: Field
    depth: Field
    columns: Field
    rows: Field


def look(heights: Field, view: View, height: int, width: int) -> Seen:
    """Cast a ray for every pixel of a picture of `height` x `width`.

    The field is cut into slices of growing depth. For each column of the picture the highest row that is covered
    up to each slice is a running maximum; the slice that covers a pixel first is what the pixel shows.
    """
    slices = 600
    depth = np.geomspace(6, view.far, slices).astype(np.float32)
    focal = view.focal * max(height, width)
    across = (np.arange(width, dtype=np.float32) - np.float32(width / 2)) / np.float32(focal)
    columns = np.float32(view.x) + depth[:, None] * across[None, :]
    rows = np.broadcast_to(np.float32(view.y) + depth[:, None], columns.shape)
    ground = cv2.remap(
        heights, columns, np.ascontiguousarray(rows), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    tops = (ground - np.float32(view.altitude)) * np.float32(focal) / depth[:, None]
    covered = np.maximum.accumulate(tops, axis=0)
    steps = np.arange(slices, dtype=np.float32)
    wanted = (np.float32(view.horizon * height) - np.arange(height, dtype=np.float32))[::-1]  # ascending
    index = np.empty((height, width), np.float32)
    rising = covered + np.linspace(0, 1e-3, slices, dtype=np.float32)[:, None]  # strictly, so that it inverts
    for column in range(width):
        index[::-1, column] = np.interp(wanted, rising[:, column], steps, right=slices)
    seen = index < slices - 0.5
    at = np.minimum(index, slices - 1)
    distance = np.float32(6) * np.exp(at * np.float32(np.log(view.far / 6) / (slices - 1)))
    return Seen(
        seen.astype(np.float32),
        distance,
        np.float32(view.x) + distance * across[None, :],
        np.float32(view.y) + distance,
    )


def sampled(field: Field, seen: Seen) -> Field:
    """The values of a field (n, n) or (n, n, 3) at the place that every pixel shows."""
    return cv2.remap(field, seen.columns, seen.rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)


def lit(heights: Field, east: float, rise: float, *, steepness: float = 1.0) -> Field:
    """How much sun each cell gets, 0 to 1, by its slope (Lambert).

    Args:
        heights: The field, in cells.
        east: -1 for a sun from the left, 1 from the right, 0 from behind the camera.
        rise: Height of the sun as its tangent.
        steepness: Factor on the slopes.
    """
    slope_x = cv2.Sobel(heights, cv2.CV_32F, 1, 0, ksize=3, scale=steepness / 8)
    slope_y = cv2.Sobel(heights, cv2.CV_32F, 0, 1, ksize=3, scale=steepness / 8)
    length = np.sqrt(slope_x**2 + slope_y**2 + 1)
    toward = np.array([east, -np.sqrt(max(0.05, 1 - east * east)) * 0.5, rise])
    toward /= np.linalg.norm(toward)
    return np.clip((-slope_x * toward[0] - slope_y * toward[1] + toward[2]) / length, 0, 1).astype(np.float32)


def shadows(heights: Field, rise: float, *, from_left: bool, softness: float) -> Field:
    """Cast shadows of a sun from one side: 1 is in the sun, 0 in shadow.

    A cell is in shadow as far as it lies below the running maximum of the light's edge along its row.
    """
    field = heights if from_left else heights[:, ::-1]
    fall = np.arange(field.shape[1], dtype=np.float32) * np.float32(rise)
    edge = np.maximum.accumulate(field + fall, axis=1) - fall
    sun = 1 - np.clip((edge - field) / np.float32(softness), 0, 1)
    return np.ascontiguousarray(sun if from_left else sun[:, ::-1])
