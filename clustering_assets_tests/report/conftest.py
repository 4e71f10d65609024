"""The pictures of the tests of images serve the reports on them, too."""

from clustering_assets_tests.images.conftest import encoded, photo

__all__ = ["encoded", "photo"]
