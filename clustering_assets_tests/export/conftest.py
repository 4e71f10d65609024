"""The small pictures and settings of the tests of the videos."""

from clustering_assets_tests.video.conftest import chord, pictures, small

__all__ = ["chord", "pictures", "small"]
