"""Small pictures whose right pixels are known, and ways to write them."""

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pillow_heif
import pytest
from PIL import Image

QUADRANTS = np.array([[[200, 40, 40], [40, 170, 60]], [[40, 60, 190], [220, 200, 70]]], np.uint8)


@pytest.fixture
def quadrants() -> np.ndarray:
    """Red and green above blue and yellow, 96 x 64 pixels."""
    return np.repeat(np.repeat(QUADRANTS, 32, axis=0), 48, axis=1)


@pytest.fixture
def photo() -> Callable[..., np.ndarray]:
    """A picture with structure at every scale, another one for each seed."""

    def make(seed: int = 0, width: int = 320, height: int = 240) -> np.ndarray:
        random = np.random.default_rng(seed)
        layers = np.zeros((height, width, 3), np.float32)
        for cells in (2, 4, 8, 16, 32, 64, 128):
            noise = random.normal(0, 1, (cells, cells, 3)).astype(np.float32)
            for channel in range(3):
                layer = Image.fromarray(noise[..., channel]).resize((width, height), Image.Resampling.BICUBIC)
                layers[..., channel] += np.asarray(layer) / cells**0.6
        layers = (layers - layers.mean()) / layers.std() * 45 + 125
        return layers.clip(0, 255).astype(np.uint8)

    return make


@pytest.fixture
def encoded() -> Callable[..., bytes]:
    """A picture as the bytes of a file."""

    def encode(pixels: np.ndarray | Image.Image, format: str, **options) -> bytes:
        image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
        target = io.BytesIO()
        if format == "HEIF":  # without teaching Pillow the format, which the loader must not depend on
            pillow_heif.from_pillow(image).save(target, **options)
        else:
            image.save(target, format, **options)
        return target.getvalue()

    return encode


@pytest.fixture
def oriented() -> Callable[[int], bytes]:
    """Notes (EXIF) that say which way is up."""

    def notes(orientation: int) -> bytes:
        exif = Image.Exif()
        exif[274] = orientation
        return exif.tobytes()

    return notes


@pytest.fixture
def centres() -> Callable[[np.ndarray], np.ndarray]:
    """The mean colours in the middle of the four quadrants of a picture, (2, 2, 3)."""

    def measure(rgb: np.ndarray) -> np.ndarray:
        height, width = rgb.shape[0] // 4, rgb.shape[1] // 4
        return np.array(
            [
                [
                    rgb[y - height // 2 : y + height // 2, x - width // 2 : x + width // 2].mean(axis=(0, 1))
                    for x in (width, 3 * width)
                ]
                for y in (height, 3 * height)
            ]
        )

    return measure


@pytest.fixture
def raw_png() -> Callable[..., bytes]:
    """A PNG of given bit depth and colour type from rows of raw bytes, with any chunks before the pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    def write(width: int, height: int, depth: int, colour: int, rows: bytes, **chunks: bytes) -> bytes:
        step = len(rows) // height
        raw = b"".join(b"\0" + rows[at : at + step] for at in range(0, len(rows), step)) if step else b"\0"
        return b"".join(
            (
                b"\x89PNG\r\n\x1a\n",
                chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)),
                *(chunk(name.encode(), data) for name, data in chunks.items()),
                chunk(b"IDAT", zlib.compress(raw)),
                chunk(b"IEND", b""),
            )
        )

    return write


@pytest.fixture
def rgb_profile() -> Callable[..., bytes]:
    """An ICC profile (ICC.1:2001, matrix and gamma) of an RGB space with D65 white, from its primaries."""

    def number(value: float) -> bytes:
        return struct.pack(">i", round(value * 65536))

    def profile(primaries: np.ndarray, gamma: float) -> bytes:
        """`primaries`: XYZ of red, green and blue as columns, adapted to D50."""
        tags = {
            b"wtpt": b"XYZ \0\0\0\0" + number(0.9642) + number(1.0) + number(0.8249),
            b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(78),
            b"cprt": b"text\0\0\0\0none\0",
        }
        for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries.T, strict=True):
            tags[name] = b"XYZ \0\0\0\0" + b"".join(number(value) for value in column)
        for name in (b"rTRC", b"gTRC", b"bTRC"):
            tags[name] = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))
        table, body, at = b"", b"", 132 + 12 * len(tags)
        for name, data in tags.items():
            padded = data + bytes(-len(data) % 4)
            table += name + struct.pack(">II", at + len(body), len(data))
            body += padded
        size = at + len(body)
        header = struct.pack(">I4sI4s4s4s", size, b"\0\0\0\0", 0x02100000, b"mntr", b"RGB ", b"XYZ ")
        header += bytes(12) + b"acsp" + bytes(28) + number(0.9642) + number(1.0) + number(0.8249) + bytes(48)
        return header + struct.pack(">I", len(tags)) + table + body

    return profile
