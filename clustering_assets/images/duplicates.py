"""Copies of one picture: a perceptual hash finds them, also turned and mirrored ones, embeddings verify them."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clustering_assets.images.features import COLOUR_SIDE, fit
from clustering_assets.progress import track

_GRID, _KEPT = 32, 8
_DCT = np.cos(np.pi / _GRID * np.outer(np.arange(_KEPT), np.arange(_GRID) + 0.5)).astype(np.float32)


def perceptual_hash(rgb: NDArray[np.uint8]) -> str:
    """The signs of the 63 lowest frequencies of a picture, as 16 hex digits.

    The picture is averaged down to 32 x 32 pixels of luma and transformed (DCT-II, as in Zauner 2010). A bit is
    set where a coefficient is positive. Signs, unlike comparisons with a median, change in a known way when a
    picture is mirrored (odd frequencies flip) or turned (rows and columns change places).

    Args:
        rgb: Array (height, width, 3), uint8, sRGB.
    """
    import cv2

    grey = cv2.cvtColor(fit(rgb, COLOUR_SIDE), cv2.COLOR_RGB2GRAY)
    grid = cv2.resize(grey, (_GRID, _GRID), interpolation=cv2.INTER_AREA).astype(np.float32)
    positive = (_DCT @ (grid - 128) @ _DCT.T) > 1e-3
    positive[0, 0] = False
    return np.packbits(positive).tobytes().hex()


MOST_BITS = 12
"""Largest number of differing bits, of 63, between the hashes of two copies."""

_FLAT = 0.02
_ODD_COLUMNS = 0x55555555_55555555
_ODD_ROWS = 0x00FF00FF_00FF00FF


def near_duplicates(manifest_rows: pd.DataFrame, vectors: NDArray[np.float32]) -> NDArray[np.str_]:
    """For each picture the better copy of it that should be shown instead, if there is one.

    Two pictures are copies if their pixels are the same, or if their perceptual hashes agree in all but
    `MOST_BITS` bits, one of them turned or mirrored as need be, and their embeddings are clearly closer than
    those of two pictures of this folder usually are. Pictures without any structure are only compared by pixels.

    In each group the sharpest picture stays; among equally sharp ones the largest. Every other member was compared
    with that one directly, so a chain of small changes does not end in one big group.

    Args:
        manifest_rows: Rows of the manifest, one for each row of `vectors`.
        vectors: Embeddings, (n, d).

    Returns:
        Array of n paths; empty strings for pictures that are alone or the best of their group.
    """
    count = len(manifest_rows)
    if count != len(vectors):
        raise ValueError(f"{count} rows of the manifest, but {len(vectors)} vectors")
    paths = manifest_rows["path"].to_numpy(dtype=object)
    pairs = np.concatenate([_same_pixels(manifest_rows), _similar(manifest_rows, vectors)])
    neighbours: dict[int, list[int]] = {}
    for one, other in pairs.tolist():
        neighbours.setdefault(one, []).append(other)
        neighbours.setdefault(other, []).append(one)
    result = np.full(count, "", dtype=object)
    settled = np.zeros(count, bool)
    for leader in (index for index in _best_first(manifest_rows) if index in neighbours):
        if not settled[leader]:
            settled[leader] = True
            for member in neighbours[leader]:
                if not settled[member]:
                    settled[member] = True
                    result[member] = paths[leader]
    return result.astype(str)


def _same_pixels(rows: pd.DataFrame) -> NDArray[np.intp]:
    """Pairs (k, 2) of pictures with the same content hash: each group completely."""
    groups = rows.groupby("content_hash", sort=False).indices
    pairs = [
        (one, other)
        for name, members in groups.items()
        if name
        for at, one in enumerate(members)
        for other in members[at + 1 :]
    ]
    return np.array(pairs, np.intp).reshape(-1, 2)


def _similar(rows: pd.DataFrame, vectors: NDArray[np.float32]) -> NDArray[np.intp]:
    """Pairs (k, 2) that hash and embedding both call copies."""
    known = np.flatnonzero((rows["phash"] != "").to_numpy() & (rows["contrast"] > _FLAT).to_numpy())
    codes = np.array([int(code, 16) for code in rows["phash"].iloc[known]], np.uint64)
    pairs, bits = _close_codes(codes)
    pairs = known[pairs]
    return pairs[_cosines(vectors, pairs) >= _needed(vectors, bits)]


def _close_codes(codes: NDArray[np.uint64]) -> tuple[NDArray[np.intp], NDArray[np.uint8]]:
    """Pairs (k, 2) of codes that differ in few bits in one of the eight positions, and in how many."""
    found, distances = [np.empty((0, 2), np.intp)], [np.empty(0, np.uint8)]
    variants = _positions(codes)
    for index in track(range(len(codes) - 1), "Comparing", len(codes) - 1, "pictures"):
        rest = codes[index + 1 :]
        bits = np.min([_ones(rest ^ variant[index]) for variant in variants], axis=0)
        close = np.flatnonzero(bits <= MOST_BITS)
        if len(close):
            found.append(np.column_stack([np.full(len(close), index), close + index + 1]))
            distances.append(bits[close])
    return np.concatenate(found), np.concatenate(distances)


def _positions(codes: NDArray[np.uint64]) -> list[NDArray[np.uint64]]:
    """The codes of the same pictures in all eight positions: turned by quarters, mirrored or not."""
    bits = np.unpackbits(codes.astype(">u8").view(np.uint8).reshape(-1, 8), axis=1).reshape(-1, 8, 8)
    turned = (
        np.packbits(bits.transpose(0, 2, 1).reshape(-1, 64), axis=1).view(">u8").ravel().astype(np.uint64)
    )
    masks = [np.uint64(mask) for mask in (0, _ODD_COLUMNS, _ODD_ROWS, _ODD_COLUMNS ^ _ODD_ROWS)]
    return [code ^ mask for code in (codes, turned) for mask in masks]


def _ones(codes: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Number of bits that are set in each code."""
    if hasattr(np, "bitwise_count"):
        return np.bitwise_count(codes)
    return np.unpackbits(codes.view(np.uint8).reshape(-1, 8), axis=1).sum(axis=1, dtype=np.uint8)


def _cosines(vectors: NDArray[np.float32], pairs: NDArray[np.intp]) -> NDArray[np.float32]:
    """Cosine similarity of each pair of rows."""
    result = np.empty(len(pairs), np.float32)
    for begin in range(0, len(pairs), 4096):
        one, other = (np.asarray(vectors[side]) for side in pairs[begin : begin + 4096].T)
        lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
        result[begin : begin + 4096] = np.einsum("ij,ij->i", one, other) / np.maximum(lengths, 1e-12)
    return result


def _needed(vectors: NDArray[np.float32], bits: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The cosine that copies must reach, by the number of bits in which their hashes differ.

    It lies between the cosine of two pictures of this folder taken at random (the median of up to 2,000 pairs)
    and 1, the higher the more bits differ.
    """
    if len(vectors) < 2 or not len(bits):
        return np.empty(len(bits), np.float32)
    random = np.random.default_rng(0).integers(0, len(vectors), (2000, 2))
    usual = float(np.median(_cosines(vectors, random[random[:, 0] != random[:, 1]])))
    return (usual + (1 - usual) * (0.3 + 0.04 * bits)).astype(np.float32)


def _best_first(rows: pd.DataFrame) -> list[int]:
    """Row numbers from the best picture to the worst: sharpness in steps of a tenth, then size, then path."""
    steps = np.round(np.log(np.maximum(rows["sharpness"].to_numpy(), 1e-3)) / np.log(1.1))
    pixels = rows["width"].to_numpy(np.int64) * rows["height"].to_numpy(np.int64)
    order = pd.DataFrame(
        {
            "steps": -steps,
            "pixels": -pixels,
            "bytes": -rows["bytes"].to_numpy(),
            "path": rows["path"].to_numpy(),
        }
    )
    return order.sort_values(["steps", "pixels", "bytes", "path"], kind="stable").index.tolist()
