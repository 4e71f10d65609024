"""Copies of one picture: a perceptual hash finds them, also turned and mirrored ones, embeddings verify them.

Of the pictures of a burst, which are no copies, the best one is shown, too.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clustering_assets.files.source import FileSource
from clustering_assets.images.bursts import leaders_of_bursts
from clustering_assets.images.perceptual_hash import differing_bits
from clustering_assets.progress import track
from clustering_assets.settings import DEFAULT_LIMITS, Limits

MOST_BITS = 14
"""Largest number of differing bits, of 63, between the hashes of two copies."""

_CERTAIN_BITS = 2
_FINE, _LIGHT, _COLOURLESS = 0.6, 75, 3
"""What makes a page of text or a drawing: edges, for the contrast there is (0.9 for dense text, below 0.55 for 99 of
100 photos), or lightness without colour. The hash sees the grey that lines make together, the same on every page."""
_FLAT = 0.005
_WELL_LIT, _WELL_LIT_WITHIN = 55, 15
_COLOUR_TOLERANCE = {"brightness": 0.5, "chroma": 0.5, "colourfulness": 1.5, "contrast": 0.005}
_LEAST_IF_COLOURS_DIFFER, _LEAST_IF_MANY_BITS_DIFFER = 0.65, 0.85
_ODD_COLUMNS = 0x55555555_55555555
_ODD_ROWS = 0x00FF00FF_00FF00FF


def near_duplicates(
    manifest_rows: pd.DataFrame,
    vectors: NDArray[np.float32],
    source: FileSource | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> NDArray[np.str_]:
    """For each picture the better copy of it that should be shown instead, if there is one.

    Two pictures are copies if their pixels are the same, or if their perceptual hashes agree in all but
    `MOST_BITS` bits, one of them turned or mirrored as need be, and their embeddings are clearly closer than
    those of two pictures of this folder usually are. Pictures without any structure are only compared by pixels. Of
    pages of text and drawings in black on white the hashes must agree in all but two bits.

    In each group the sharpest picture stays; among about equally sharp ones the best exposed, then the largest. Every
    other member is a copy of that one, or all but identical to such a copy, so a chain of small changes does not end
    in one group. Then pictures of a burst join those that show the same view, also where they are blurred, shaken or
    framed anew (`bursts.leaders_of_bursts`); pages of text do not.

    Args:
        manifest_rows: Rows of the manifest, one for each row of `vectors`.
        vectors: Embeddings, (n, d); may be a memory map.
        source: Where the pictures are; None: bursts are not looked for.
        limits: What is refused before it is decoded.

    Returns:
        Array of n paths; empty strings for pictures that are alone or the best of their group.
    """
    count = len(manifest_rows)
    if count != len(vectors):
        raise ValueError(f"{count} rows of the manifest, but {len(vectors)} vectors")
    paths = manifest_rows["path"].tolist()
    contents = manifest_rows["content_hash"].tolist()
    best: dict[str | int, int] = {}
    for index in _best_first(manifest_rows):
        best.setdefault(contents[index] or index, index)
    order = np.array(list(best.values()), np.intp)
    pictures = _Pictures(manifest_rows, vectors, order)
    leaders = _leaders(pictures, order)
    if source is not None:
        photos = ~_pages(manifest_rows)
        alone = pictures.order[
            [leaders[index] == index and photos[index] for index in pictures.order.tolist()]
        ]
        first = leaders_of_bursts(manifest_rows.iloc[alone], vectors[alone], pictures.usual, source, limits)
        of_burst = dict(zip(alone.tolist(), alone[first].tolist(), strict=True))
        leaders = {index: of_burst.get(leader, leader) for index, leader in leaders.items()}
    shown = [leaders[best[contents[index] or index]] for index in range(count)]
    return np.array(["" if leader == index else paths[leader] for index, leader in enumerate(shown)], str)


def positions(codes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The hashes of the same pictures in all eight positions: turned by quarters, mirrored or not.

    Args:
        codes: Perceptual hashes as numbers, (n,).

    Returns:
        Array (8, n); the first row is `codes`.
    """
    bits = np.unpackbits(codes.astype(">u8").view(np.uint8).reshape(-1, 8), axis=1).reshape(-1, 8, 8)
    turned = np.packbits(bits.transpose(0, 2, 1).reshape(-1, 64), axis=1).view(">u8").ravel()
    masks = np.array([0, _ODD_COLUMNS, _ODD_ROWS, _ODD_COLUMNS ^ _ODD_ROWS], np.uint64)[:, None]
    return np.concatenate([codes ^ masks, turned.astype(np.uint64) ^ masks])


def _leaders(pictures: "_Pictures", order: NDArray[np.intp]) -> dict[int, int]:
    """For each row number of `order`, which begins with the best picture, the one that stands for its group."""
    leaders = {int(index): int(index) for index in order}
    open_ = np.ones(len(pictures.order), bool)
    for first in track(range(len(pictures.order)), "Comparing", len(pictures.order), "pictures"):
        if not open_[first]:
            continue
        open_[first] = False
        waiting = [first]
        while waiting:
            at = waiting.pop()
            for copy in pictures.copies(at, first + 1, open_, certain=at != first):
                open_[copy] = False
                leaders[int(pictures.order[copy])] = int(pictures.order[first])
                waiting.append(copy)
    return leaders


class _Pictures:
    """Pictures with structure, from the best to the worst, and which of them are copies of each other."""

    def __init__(self, rows: pd.DataFrame, vectors: NDArray[np.float32], order: NDArray[np.intp]) -> None:
        known = (rows["phash"] != "").to_numpy() & (rows["contrast"] > _FLAT).to_numpy()
        self.order = order[known[order]]
        self._vectors = vectors
        hashes = rows["phash"].to_numpy(object)[self.order]
        self._positions = positions(np.array([int(code, 16) for code in hashes], np.uint64))
        self._colours = rows[list(_COLOUR_TOLERANCE)].to_numpy(float)[self.order]
        self._most = np.where(_pages(rows), _CERTAIN_BITS, MOST_BITS).astype(np.uint8)[self.order]
        self.usual = self._usual_cosine()

    def copies(self, at: int, begin: int, open_: NDArray[np.bool_], certain: bool) -> list[int]:
        """Which open pictures from `begin` on are copies of picture `at`; only all but identical ones if `certain`."""
        rest = self._positions[0, begin:]
        bits = np.full(len(rest), 64, np.uint8)
        for code in self._positions[:, at]:
            np.minimum(bits, differing_bits(code, rest), out=bits)
        most = _CERTAIN_BITS if certain else np.minimum(self._most[begin:], self._most[at])
        near = np.flatnonzero(bits <= most)
        bits, near = bits[near], near + begin
        bits, near = bits[open_[near]], near[open_[near]]
        if not len(near):
            return []
        same = (np.abs(self._colours[near] - self._colours[at]) <= list(_COLOUR_TOLERANCE.values())).all(
            axis=1
        )
        enough = self._cosines(np.full(len(near), at), near) >= self._needed(bits, same)
        return near[enough & same if certain else enough].tolist()

    def _needed(self, bits: NDArray[np.uint8], same_colours: NDArray[np.bool_]) -> NDArray[np.floating]:
        """The cosine that copies must reach.

        It lies between the usual one and 1: the more bits of the hashes differ, the closer to 1. Networks see a
        turned picture as another one, so pairs with just the same colours may be further apart.
        """
        least = np.where(same_colours, 0.0, _LEAST_IF_COLOURS_DIFFER)
        return self.usual + (1 - self.usual) * np.clip(0.1 * bits, least, _LEAST_IF_MANY_BITS_DIFFER)

    def _usual_cosine(self) -> float:
        """The median cosine of 2,000 pairs of pictures taken at random; 0 if there are too few to tell."""
        if len(self.order) < 10:
            return 0.0
        pairs = np.random.default_rng(0).integers(0, len(self.order), (2000, 2))
        one, other = pairs[pairs[:, 0] != pairs[:, 1]].T
        return float(np.median(self._cosines(one, other)))

    def _cosines(self, ones: NDArray[np.intp], others: NDArray[np.intp]) -> NDArray[np.float32]:
        """Cosine similarity of the embeddings of each pair."""
        result = np.empty(len(ones), np.float32)
        for begin in range(0, len(ones), 2048):
            part = slice(begin, begin + 2048)
            one, other = (np.asarray(self._vectors[self.order[side[part]]]) for side in (ones, others))
            lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
            result[part] = np.einsum("ij,ij->i", one, other) / np.maximum(lengths, 1e-12)
        return result


def _pages(rows: pd.DataFrame) -> NDArray[np.bool_]:
    """Which pictures are all lines, such as pages of text."""
    fine = rows["sharpness"] > _FINE * (255 * rows["contrast"]) ** 2
    return (fine | ((rows["brightness"] > _LIGHT) & (rows["chroma"] < _COLOURLESS))).to_numpy(bool)


def _best_first(rows: pd.DataFrame) -> list[int]:
    """Row numbers from the best picture to the worst.

    Sharpness decides, for the contrast there is, so that a brightened copy does not count as sharper. Where it is
    about the same (a tenth), exposure decides and the number of pixels, then of bytes.
    """
    pixels = rows["width"].to_numpy(float) * rows["height"].to_numpy(float)
    score = np.log(np.maximum(rows["sharpness"].to_numpy(float), 1e-3))
    score -= 2 * np.log(np.maximum(rows["contrast"].to_numpy(float), 1e-3))
    score -= 0.06 * np.maximum(np.abs(rows["brightness"].to_numpy(float) - _WELL_LIT) - _WELL_LIT_WITHIN, 0)
    score += 0.1 * np.log(pixels) + 0.02 * np.log(rows["bytes"].to_numpy(float))
    return np.lexsort((rows["path"].to_numpy(str), -score)).tolist()
