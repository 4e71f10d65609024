"""The pixels alone of what the loader reads, as arrays to compare."""

import numpy as np

from clustering_assets.images.load import decode_picture, read_picture


def load_image(path, **options) -> np.ndarray:
    """The pixels of a picture file, (height, width, 3), uint8; arguments as those of `read_picture`."""
    return np.array(read_picture(path, **options).image)


def decode_image(data, name, **options) -> np.ndarray:
    """The pixels of a picture in memory, (height, width, 3), uint8; arguments as those of `decode_picture`."""
    return np.array(decode_picture(data, name, **options).image)
