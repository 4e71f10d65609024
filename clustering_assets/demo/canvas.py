"""The painter's tools: gradients, noise, clouds, water, silhouettes and light on float32 pictures, RGB 0 to 1."""

from collections.abc import Iterable, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ImageColor

Values = NDArray[Any]
"""float32 of any shape, 0 to 1: pictures (h, w, 3), masks (h, w) or what broadcasts to it, colours (3,)."""


def colour(code: str) -> Values:
    """The colour of a code such as "#ffcc00", (3,)."""
    return np.array(ImageColor.getrgb(code), np.float32) / 255


def one_of(rng: np.random.Generator, palettes: Sequence[Sequence[str]]) -> list[Values]:
    """The colours of one palette, chosen by chance."""
    return [colour(code) for code in palettes[int(rng.integers(len(palettes)))]]


def mixed(one: Values, other: Values | float, share: Values | float) -> Values:
    """What is `share` of the way from `one` to `other` (1 is white); a mask (h, w, 1) mixes colours into a picture."""
    return one + (other - one) * share


def varied(rng: np.random.Generator, base: Values, amount: float) -> Values:
    """A colour near `base`: brightness and every channel change by up to `amount`."""
    changed = base * (1 + rng.uniform(-amount, amount)) + rng.uniform(-amount, amount, 3) * 0.4
    return np.clip(changed, 0, 1).astype(np.float32)


def smooth(low: float, high: float, value: Values) -> Values:
    """0 at `low`, 1 at `high` and beyond, and a smooth step between (Hermite); `low` may be above `high`."""
    share = np.clip((value - low) * (1 / (high - low)), 0, 1)
    return share * share * (3 - 2 * share)


def gradient(height: int, width: int, *stops: tuple[float, Values]) -> Values:
    """A vertical gradient (h, w, 3) through colour stops (position from 0 at the top to 1, colour)."""
    places, tones = zip(*stops, strict=True)
    at = np.linspace(0, 1, height)
    column = np.stack([np.interp(at, places, channel) for channel in np.transpose(tones)], axis=1)
    soft = (1, max(3, height // 12) | 1)
    column = cv2.blur(column.astype(np.float32)[:, None], soft, borderType=cv2.BORDER_REPLICATE)
    return np.repeat(column.reshape(height, 1, 3), width, axis=1)


def blurred(values: Values, sigma: float) -> Values:
    """A blur like a Gaussian of `sigma` pixels, as fast for a broad one as for a narrow one."""
    size = 2 * round(2.45 * sigma) + 1
    return cv2.stackBlur(values, (size, size)) if size > 1 else values


def ribbon(spine: Values, half: Values | float) -> Values:
    """The outline of a band along a line: `spine` (k, 2), `half` its width to either side, in pixels."""
    side = np.stack(np.broadcast_arrays(half, 0.0 * spine[:, 0])) * [[1], [0]]
    return np.vstack([spine - side.T, (spine + side.T)[::-1]])


class Canvas:
    """A picture being painted, and the dice of everything random in it.

    Attributes:
        rng: Dice.
        pixels: float32 (h, w, 3); painting changes it in place.
        height: Rows.
        width: Columns.
        size: The shorter side.
        y: Numbers of the rows, float32 (h, 1).
        x: Numbers of the columns, float32 (1, w).
    """

    def __init__(self, rng: np.random.Generator, pixels: Values) -> None:
        self.rng = rng
        self.pixels = pixels
        self.height, self.width = pixels.shape[:2]
        self.size = min(self.height, self.width)
        self.y, self.x = np.ogrid[: self.height, : self.width]
        self.y, self.x = self.y.astype(np.float32), self.x.astype(np.float32)

    def rows(self, first: int, last: int | None = None) -> "Canvas":
        """The canvas of some of the rows; what is painted there is painted here."""
        return Canvas(self.rng, self.pixels[first:last])

    def lay(self, over: Values, mask: Values) -> None:
        """Lay a colour or a picture over what is there, where `mask` is."""
        full, mask = np.empty_like(self.pixels), np.broadcast_to(mask, self.pixels.shape[:2])
        full[:] = (
            np.tile(over, (self.width, 1)) if over.ndim == 1 else over
        )  # row by row, not three numbers at a time
        mask = np.ascontiguousarray(mask, np.float32)
        self.pixels[:] = cv2.blendLinear(full, np.ascontiguousarray(self.pixels), mask, 1 - mask)

    def shine(self, light: Values, mask: Values) -> None:
        """Add light of a colour where `mask` is, without ever going above white (screen)."""
        room = np.minimum(self.pixels, 1)
        np.subtract(1, room, out=room)
        room *= mask[..., None] * light
        self.pixels += room

    def away(self, x: float, y: float) -> Values:
        """Pixels from every pixel to (x, y), (h, w)."""
        return np.sqrt((self.x - x) ** 2 + (self.y - y) ** 2)

    def glow(self, light: Values, x: float, y: float, reach: float) -> None:
        """Light around (x, y) that falls to a third within `reach` pixels."""
        self.shine(light, np.exp(self.away(x, y) / -reach))

    def disc(self, x: float, y: float, radius: float) -> Values:
        """The mask of a disc, its edge a little soft."""
        return smooth(radius + 1, radius - 1, self.away(x, y))

    def noise(self, cell: float, *, octaves: int = 5, gain: float = 0.5, stretch: float = 1.0) -> Values:
        """Fractal noise (h, w) from 0 to 1, its mean near 0.5: each octave enlarges the last and adds finer cells.

        The largest features are `cell` pixels high and `stretch` times longer; finer detail is added `octaves` - 1
        times, down to single pixels, each `gain` times as strong as the one before.
        """
        field = np.zeros((1, 1), np.float32)
        strengths = gain ** np.arange(max(1, min(octaves, 1 + int(np.log2(max(cell, 1))))))
        for octave, strength in enumerate(strengths):
            size = cell / 2**octave
            columns, rows = round(self.width / (size * stretch)) + 1, round(self.height / size) + 1
            field = cv2.resize(field, (columns, rows), interpolation=cv2.INTER_CUBIC)
            field += (self.rng.random((rows, columns), np.float32) - 0.5) * float(strength)
        field = cv2.resize(field, (self.width, self.height), interpolation=cv2.INTER_CUBIC)
        return np.clip(field * float(0.95 / np.sqrt((strengths**2).sum())) + 0.5, 0, 1)

    def profile(self, cell: float, octaves: int = 5) -> Values:
        """Fractal noise along the columns, (w,), from about -1 to 1."""
        line = Canvas(self.rng, self.pixels[:1]).noise(cell, octaves=octaves)[0]
        return (line - 0.5) * 2.6

    def clouds(self, *, cover: float, size: float, flat: float) -> tuple[Values, Values]:
        """Clouds as two masks: their density, and how lit each part is from above.

        They `cover` a share of the sky, the largest is `size` pixels high, and they are `flat` times longer than high.
        """
        field = self.noise(size, octaves=7, gain=0.55, stretch=flat)
        field = (field - field.mean()) / (field.std() + 1e-6)
        edge = float(np.quantile(field[::8, ::8], 1 - cover))
        lift = int(np.clip(size * 0.16, 1, self.height - 1))
        above = np.vstack([np.repeat(field[:1], lift, axis=0), field[:-lift]])
        return smooth(edge, edge + 1.1, field), smooth(-0.9, 0.9, blurred(field - above, size * 0.02))

    def below(self, line: Values) -> Values:
        """The mask of everything below a line of rows (w,), antialiased."""
        return np.clip(self.y - line + 0.5, 0, 1)

    def shapes(self, outlines: Iterable[Values], *, line: float = 0, blur: float = 0) -> Values:
        """The mask of polygons, each (k, 2) of x and y in pixels, or of open lines `line` pixels wide; antialiased."""
        fine = 2 if line else 1
        drawn = np.zeros((self.height * fine, self.width * fine), np.uint8)
        for outline in outlines:
            points = np.round(np.asarray(outline) * fine * 16).astype(np.int32)
            if line:
                cv2.polylines(drawn, [points], False, 255, max(1, round(line * 2)), cv2.LINE_AA, shift=4)
            else:
                cv2.fillPoly(drawn, [points], 255, cv2.LINE_AA, shift=4)
        drawn = cv2.resize(drawn, (self.width, self.height), interpolation=cv2.INTER_AREA)
        return blurred(drawn.astype(np.float32) / 255, blur)

    def place(
        self,
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
        """Place a sprite (s, s, 4), colours premultiplied by the alpha in the last channel, its centre at (x, y).

        It is enlarged by `scale`, turned anticlockwise by `turn` degrees, then `squeeze` times as high, which tilts it
        away, blurred by `blur` pixels and covers what is behind by the share `fade`; `light` is added instead.
        """
        full = sprite.shape[0]
        reach = full * scale * 0.72 + 3 * blur + 2
        left, top = int(max(0, x - reach)), int(max(0, y - reach))
        part = self.pixels[top : max(0, int(y + reach)), left : max(0, int(x + reach))]
        if min(part.shape[:2]) < 2:
            return
        size = int(np.clip(2 * full * scale, 2, full))  # made smaller first: warping alone would skip pixels
        sprite = cv2.resize(sprite, (size, size), interpolation=cv2.INTER_AREA)
        move = cv2.getRotationMatrix2D((size / 2, size / 2), turn, scale * full / size)
        move[:, 2] -= size / 2
        move[1] *= squeeze
        move[:, 2] += x - left, y - top
        drawn = blurred(cv2.warpAffine(sprite, move, part.shape[1::-1]), blur) * fade
        part *= 1 - (np.minimum(drawn[..., :3], 1) if light else drawn[..., 3:])
        part += drawn[..., :3]

    def lights(
        self,
        tones: Iterable[Values],
        rows: tuple[float, float],
        radii: Values,
        strength: float,
        focus: bool = False,
    ) -> None:
        """Small lights anywhere between two rows: discs with a brighter rim, or in `focus`, sharp specks.

        Each has its tone and its radius in pixels; the brightest shines with `strength`, the weakest a quarter of it.
        """
        at = np.linspace(-1.1, 1.1, 64, dtype=np.float32)
        far = np.hypot(at, at[:, None])
        disc = smooth(1, 0.95, far) * (0.55 + 0.45 * smooth(0.5, 1, far))
        spot = np.exp(-((far * 2.5) ** 2)) if focus else disc
        for tone, radius in zip(tones, radii, strict=True):
            sprite = spot[..., None] * np.append(tone, 1).astype(np.float32)
            x, y = self.width * self.rng.random(), self.rng.uniform(*rows)
            self.place(sprite, x, y, radius / 29, fade=strength * self.rng.uniform(0.25, 1), light=True)

    def waves(self) -> Values:
        """Waves on water from the horizon, the first row, to the viewer, the last: (h, w), about -1 to 1.

        They are noise on a plane in perspective, folded so that it repeats without a seam.
        """
        plane = Canvas(self.rng, np.zeros((512, 512, 3))).noise(40, gain=0.62, stretch=2.4) - 0.5
        depth = self.height * 2.25 / (self.y + 1 + self.height * 0.03)
        across = (self.x / self.width - 0.5) * depth * 190 + self.rng.uniform(210, 300)
        along = np.broadcast_to(depth * 95 + self.rng.uniform(0, 500), across.shape)
        across, along = (511 - np.abs(at % 1022 - 511) for at in (across, along))
        waves = cv2.remap(plane, across.astype(np.float32), along.astype(np.float32), cv2.INTER_LINEAR)
        return waves * 4 / (1 + depth * 0.045)

    def mirror(self, above: Values, waves: Values, sway: float) -> None:
        """Fill the canvas with what is above it upside down, moved most up and down by `sway` times its waves."""
        moved = waves * sway * (self.y + 1)
        down = np.clip((self.y + 1) * 0.95 + moved, 0, above.shape[0] - 1)
        upside_down = np.ascontiguousarray(above[::-1])
        self.pixels[:] = cv2.remap(
            upside_down, self.x + moved / 6, down, cv2.INTER_LINEAR, None, cv2.BORDER_REFLECT
        )

    def finish(
        self, *, bloom: float = 0.15, vignette: float = 0.18, grain: float = 0.012, contrast: float = 0.15
    ) -> NDArray[np.uint8]:
        """The last steps of a photograph, as uint8 (h, w, 3).

        Light spills around what is bright (`bloom`), the corners are darker (`vignette`), the tone curve is S-shaped
        (`contrast`), and there is film grain of this standard deviation, which also hides steps in gradients.
        """
        picture, longest = np.clip(self.pixels, 0, 1.4), max(self.height, self.width)
        small = cv2.resize(
            picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA
        )  # enough for what is blurred
        bright = np.maximum(small - 0.62, 0)
        spill = cv2.resize(
            blurred(bright, longest / 180) + blurred(bright, longest / 56), (self.width, self.height)
        )
        room = np.minimum(picture, 1)
        np.subtract(1, room, out=room)
        room *= spill
        room *= bloom * 2
        picture += room
        np.clip(picture, 0, 1, out=picture)
        curve = 3 - 2 * picture
        curve *= picture * picture
        curve -= picture
        curve *= contrast
        picture += curve
        far = self.away(self.width / 2, self.height / 2) * float(2 / np.hypot(self.width, self.height))
        picture *= (1 - vignette * smooth(0.45, 1.1, far))[..., None]
        specks = self.rng.standard_normal((self.height, self.width), np.float32)
        specks = cv2.GaussianBlur(specks, (3, 3), 0.6) * (grain * 2)
        red, green, blue = cv2.split(picture)
        picture += (specks * (1.1 - (red + green + blue) / 3))[..., None]
        np.clip(picture, 0, 1, out=picture)
        picture *= 255
        return np.round(picture, out=picture).astype(np.uint8)
