"""Vectors, and the picture that each belongs to."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Network(NamedTuple):
    """What made vectors.

    Attributes:
        backbone: Its name; never `auto`.
        weights_id: Beginning of the SHA-256 of its weights file.
    """

    backbone: str
    weights_id: str


class EmbeddingPair(NamedTuple):
    """What the asset `embeddings` hands on.

    Attributes:
        vectors: float32, shape (n, d); may be mapped from disk.
        paths: n paths relative to the folder of the pictures; row i belongs to path i.
        network: What made the vectors; None where that is not known.
    """

    vectors: NDArray[np.float32]
    paths: list[str]
    network: Network | None = None
