"""Vectors, and the picture that each belongs to."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class EmbeddingPair(NamedTuple):
    """What the asset `embeddings` hands on.

    Attributes:
        vectors: float32, shape (n, d); may be mapped from disk.
        paths: n paths relative to the folder of the pictures; row i belongs to path i.
    """

    vectors: NDArray[np.float32]
    paths: list[str]
