import numpy as np
import pandas as pd
import pytest


def blobs(sizes, dimensions=64, spread=0.35, seed=0):
    """Non-negative vectors in clear groups of the given sizes, and the group of each."""
    random = np.random.default_rng(seed)
    centres = random.gamma(1.0, 1.0, (len(sizes), dimensions))
    groups = np.repeat(np.arange(len(sizes)), sizes)
    vectors = centres[groups] * random.lognormal(0, spread, (len(groups), dimensions))
    order = random.permutation(len(groups))
    return vectors[order].astype(np.float32), groups[order]


def frame(n, start=0):
    """Pictures with names and content hashes."""
    return pd.DataFrame(
        {
            "path": [f"folder/{i:04d}.jpg" for i in range(start, start + n)],
            "content_hash": [f"hash{i:05d}" for i in range(start, start + n)],
        }
    )


@pytest.fixture
def four_groups():
    return blobs((40, 30, 20, 10))
