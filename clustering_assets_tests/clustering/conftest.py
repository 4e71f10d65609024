import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="session")
def blobs():
    """Makes non-negative vectors in clear groups of the given sizes, shuffled, and the group of each."""

    def make(sizes, dimensions=64, spread=0.35, seed=0):
        random = np.random.default_rng(seed)
        centres = random.gamma(1.0, 1.0, (len(sizes), dimensions))
        groups = np.repeat(np.arange(len(sizes)), sizes)
        vectors = centres[groups] * random.lognormal(0, spread, (len(groups), dimensions))
        order = random.permutation(len(groups))
        return vectors[order].astype(np.float32), groups[order]

    return make


@pytest.fixture(scope="session")
def frame():
    """Makes rows of pictures with names and content hashes."""

    def make(n, start=0):
        return pd.DataFrame(
            {
                "path": [f"folder/{i:04d}.jpg" for i in range(start, start + n)],
                "content_hash": [f"hash{i:05d}" for i in range(start, start + n)],
            }
        )

    return make


@pytest.fixture(scope="session")
def four_groups(blobs):
    return blobs((40, 30, 20, 10))
