"""Errors of pictures."""

import pickle

from clustering_assets.images.errors import ImageError


def test_an_error_survives_the_way_between_processes():
    error = pickle.loads(pickle.dumps(ImageError("a.jpg", "decode", "damaged JPEG")))
    assert (error.path, error.stage, error.reason) == ("a.jpg", "decode", "damaged JPEG")
    assert str(error) == "a.jpg: damaged JPEG"
