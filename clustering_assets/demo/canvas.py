"""The painter's tools: noise, gradients, masks and light on pictures of float32 (h, w, 3), RGB from 0 to 1."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Values = NDArray[Any]
"""Floating point numbers of any shape; OpenCV's types do not say more."""
Picture = Values
"""float32 (h, w, 3), RGB as shown, 0 to 1."""
Mask = Values
"""float32 (h, w), 0 is nothing and 1 all."""


def colour(code: str) -> Values:
    """The colour of a hexadecimal code such as "#ffcc00", float32 (3,)."""
    return np.array([int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)], np.float32)


def mixed(one: Values, other: Values, share: float) -> Values:
    """The colour that is `share` of the way from `one` to `other`."""
    return (one + (other - one) * np.float32(share)).astype(np.float32)


def varied(rng: np.random.Generator, base: Values, amount: float) -> Values:
    """A colour near `base`: brightness and every channel change by up to `amount`."""
    changed = base * (1 + rng.uniform(-amount, amount)) + rng.uniform(-amount, amount, 3) * 0.4
    return np.clip(changed, 0, 1).astype(np.float32)


def smooth(low: float, high: float, value: Values) -> Values:
    """0 below `low`, 1 above `high`, and a smooth step between (Hermite); `low` may be above `high`."""
    share = np.clip((value - np.float32(low)) * np.float32(1 / (high - low)), 0, 1)
    return share * share * (3 - 2 * share)


def noise(
    rng: np.random.Generator,
    height: int,
    width: int,
    cell: float,
    *,
    octaves: int = 5,
    gain: float = 0.5,
    stretch: float = 1.0,
) -> Mask:
    """Fractal noise from 0 to 1, its mean near 0.5: value noise with cubic interpolation, summed over octaves.

    Args:
        rng: Dice.
        height: Rows.
        width: Columns.
        cell: Size of the largest features, in pixels.
        octaves: How many times finer detail is added.
        gain: Strength of each octave in terms of the one before.
        stretch: How many times longer than high the features are.
    """
    coarse = 4 if cell >= 64 else 1  # the broad octaves are made small and enlarged at the end
    small = np.zeros((-(-height // coarse), -(-width // coarse)), np.float32)
    fine = np.zeros((height, width), np.float32)
    strength = total = 1.0
    used = False
    for octave in range(octaves):
        size = cell / 2**octave
        if size < 1:
            break
        target = small if size >= 16 * coarse or coarse == 1 else fine
        used |= target is fine
        rows, columns = int(height / size) + 4, int(width / (size * stretch)) + 4
        grid = rng.random((rows, columns), np.float32) - np.float32(0.5)
        scale = target.shape[0] / height
        move = np.array([[1 / (size * stretch * scale), 0, 1.5], [0, 1 / (size * scale), 1.5]], np.float32)
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        layer = cv2.warpAffine(grid, move, target.shape[::-1], flags=flags, borderMode=cv2.BORDER_REFLECT)
        target += layer * np.float32(strength)
        total += strength**2 if octave else 0.0
        strength *= gain
    field = small if coarse == 1 else cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    if used:
        field = field + fine
    return np.clip(field * np.float32(0.95 / np.sqrt(total)) + np.float32(0.5), 0, 1)


def profile(rng: np.random.Generator, width: int, cell: float, octaves: int = 5, gain: float = 0.5) -> Mask:
    """Fractal noise along a line, float32 (width,), from about -1 to 1."""
    line = np.zeros(width, np.float32)
    strength = 1.0
    for octave in range(octaves):
        size = cell / 2**octave
        if size < 1.5:
            break
        points = rng.uniform(-1, 1, int(width / size) + 4)
        at = np.arange(width) / size + rng.random()
        left = at.astype(int)
        share = at - left
        share = share * share * (3 - 2 * share)
        line += np.float32(strength) * (points[left] * (1 - share) + points[left + 1] * share).astype(
            np.float32
        )
        strength *= gain
    return line


def gradient(height: int, width: int, stops: Sequence[tuple[float, Values]]) -> Picture:
    """A vertical gradient through colour stops (position from 0 at the top to 1, colour)."""
    at = np.linspace(0, 1, height)
    places = [place for place, _ in stops]
    column = np.stack([np.interp(at, places, [tone[c] for _, tone in stops]) for c in range(3)], axis=1)
    soft = max(3, height // 12) | 1
    column = cv2.blur(
        column.astype(np.float32).reshape(height, 1, 3), (1, soft), borderType=cv2.BORDER_REPLICATE
    )
    return np.repeat(column.reshape(height, 1, 3), width, axis=1)


def lay(picture: Picture, over: Values, mask: Mask) -> None:
    """Lay a colour (3,) or a picture over `picture` where `mask` is, in place."""
    mask = np.ascontiguousarray(mask, np.float32)
    full = np.empty(picture.shape, np.float32)
    full[:] = over
    picture[:] = cv2.blendLinear(full, np.ascontiguousarray(picture, np.float32), mask, 1 - mask)


def shine(picture: Picture, light: Values, mask: Mask) -> None:
    """Add light of a colour where `mask` is, in place, without ever going above white (screen)."""
    picture += (1 - np.minimum(picture, 1)) * (mask[..., None] * light)


def distance(height: int, width: int, x: float, y: float) -> Mask:
    """Pixels from every pixel to (x, y)."""
    across = (np.arange(width, dtype=np.float32) - np.float32(x)) ** 2
    down = (np.arange(height, dtype=np.float32) - np.float32(y)) ** 2
    return np.sqrt(down[:, None] + across[None, :])


def below(line: Values, height: int) -> Mask:
    """The mask (height, w) of everything below a line of rows (w,), antialiased."""
    rows = np.arange(height, dtype=np.float32)[:, None]
    return np.clip(rows - line[None, :] + np.float32(0.5), 0, 1)


def polygons(height: int, width: int, shapes: Sequence[Values]) -> Mask:
    """The mask of polygons, each float (k, 2) of x and y in pixels, antialiased."""
    canvas = np.zeros((height, width), np.uint8)
    for shape in shapes:
        points = np.round(np.asarray(shape, np.float64) * 16).astype(np.int32)
        cv2.fillPoly(canvas, [points], 255, lineType=cv2.LINE_AA, shift=4)
    return canvas.astype(np.float32) * np.float32(1 / 255)


def strokes(height: int, width: int, lines: Sequence[Values], thickness: float) -> Mask:
    """The mask of open lines, each float (k, 2), `thickness` pixels wide, antialiased."""
    canvas = np.zeros((height * 2, width * 2), np.uint8)
    for line in lines:
        points = np.round(np.asarray(line, np.float64) * 2 * 16).astype(np.int32)
        cv2.polylines(canvas, [points], False, 255, max(1, round(thickness * 2)), cv2.LINE_AA, shift=4)
    return cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def blurred(values: Values, sigma: float) -> Values:
    """A Gaussian blur of `sigma` pixels; a broad one is done on a smaller copy, which looks the same."""
    if sigma < 0.3:
        return values
    factor = int(np.clip(sigma / 3, 1, 16))
    if factor == 1:
        return cv2.GaussianBlur(values, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
    height, width = values.shape[:2]
    size = (max(2, width // factor), max(2, height // factor))
    small = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / factor, borderType=cv2.BORDER_REFLECT)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def place(
    picture: Picture,
    sprite: Values,
    x: float,
    y: float,
    scale: float,
    turn: float = 0.0,
    *,
    squeeze: float = 1.0,
    blur: float = 0.0,
    fade: float = 1.0,
    light: bool = False,
) -> None:
    """Place a sprite with its centre at (x, y), in place.

    Args:
        picture: What to draw on.
        sprite: float32 (s, s, 4), colours premultiplied by the alpha in the last channel.
        x: Column of the centre.
        y: Row of the centre.
        scale: Enlargement.
        turn: Degrees, anticlockwise.
        squeeze: Height in terms of its own, which tilts it away.
        blur: Sigma in pixels, for what is out of focus.
        fade: Opacity.
        light: Add it as light instead of covering what is behind.
    """
    size = sprite.shape[0]
    angle = np.deg2rad(turn)
    turning = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    matrix = np.diag([1, squeeze]) @ turning * scale
    reach = size * scale * 0.72 + 3 * blur + 2
    left, top = int(max(0, x - reach)), int(max(0, y - reach))
    right, bottom = int(min(picture.shape[1], x + reach)), int(min(picture.shape[0], y + reach))
    if right - left < 2 or bottom - top < 2:
        return
    shift = np.array([x - left, y - top]) - matrix @ np.array([size / 2, size / 2])
    small = sprite
    while scale < 0.5:  # halve first: warping alone would skip pixels
        small = cv2.resize(small, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        scale, matrix = scale * 2, matrix * 2
    move = np.hstack([matrix, shift[:, None]]).astype(np.float32)
    drawn = cv2.warpAffine(small, move, (right - left, bottom - top), flags=cv2.INTER_LINEAR)
    if blur > 0.3:
        drawn = blurred(drawn, blur)
    drawn = drawn * np.float32(fade)
    part = picture[top:bottom, left:right]
    if light:
        part += (1 - np.minimum(part, 1)) * drawn[..., :3]
    else:
        part *= 1 - drawn[..., 3:]
        part += drawn[..., :3]


def clouds(
    rng: np.random.Generator, height: int, width: int, *, cover: float, size: float, flat: float = 2.2
) -> tuple[Mask, Mask]:
    """Clouds as (density, light): the density from 0 to 1, and how lit each part is from above.

    Args:
        rng: Dice.
        height: Rows.
        width: Columns.
        cover: Share of the sky that they cover, 0 to 1.
        size: Size of the largest, in pixels.
        flat: How many times longer than high.
    """
    field = noise(rng, height, width, size, octaves=7, gain=0.55, stretch=flat)
    field = (field - field.mean()) / (field.std() + np.float32(1e-6))
    edge = float(np.quantile(field[::8, ::8], 1 - cover))
    density = smooth(edge, edge + 1.1, field)
    lift = int(np.clip(size * 0.16, 1, height - 1))
    above = np.vstack([np.repeat(field[:1], lift, axis=0), field[:-lift]])
    lit = smooth(-0.9, 0.9, blurred(field - above, size * 0.02))
    return density, lit


def finish(
    rng: np.random.Generator,
    picture: Picture,
    *,
    bloom: float = 0.15,
    vignette: float = 0.18,
    grain: float = 0.012,
    contrast: float = 0.15,
) -> NDArray[np.uint8]:
    """The last steps of a photograph: light that spills, a tone curve, darker corners, grain.

    Args:
        rng: Dice.
        picture: What was painted.
        bloom: Strength of the glow around what is bright.
        vignette: How much darker the corners are.
        grain: Standard deviation of the film grain, which also hides steps in gradients.
        contrast: Strength of the S-shaped tone curve.

    Returns:
        uint8 (h, w, 3).
    """
    height, width = picture.shape[:2]
    picture = np.clip(picture, 0, 1.4)
    if bloom:
        bright = np.maximum(picture - np.float32(0.62), 0)
        spill = blurred(bright, max(height, width) / 90) + blurred(bright, max(height, width) / 28)
        picture = picture + (1 - np.minimum(picture, 1)) * spill * np.float32(bloom * 2)
    picture = np.clip(picture, 0, 1)
    curve = picture * picture * (3 - 2 * picture)
    picture += (curve - picture) * np.float32(contrast)
    if vignette:
        far = distance(height, width, width / 2, height / 2) * np.float32(2 / np.hypot(width, height))
        picture *= (1 - np.float32(vignette) * smooth(0.45, 1.1, far))[..., None]
    specks = cv2.GaussianBlur(rng.standard_normal((height, width), np.float32), (3, 3), 0.6)
    tone = np.float32(grain * 2) * (np.float32(1.1) - picture.mean(axis=2))
    picture += (specks * tone)[..., None]
    return np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8)
