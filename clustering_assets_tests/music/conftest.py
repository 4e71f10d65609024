"""Sounds as files."""

import pytest

from clustering_assets_tests.sounds import Writer, write_sound


@pytest.fixture
def write() -> Writer:
    return write_sound
