"""Small pictures to serve, and archives of them."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def picture():
    """Makes a small JPEG, a different one for each number."""

    def make(number: int = 0) -> bytes:
        pixels = np.random.default_rng(number).integers(0, 256, (24, 32, 3), dtype=np.uint8)
        data = io.BytesIO()
        Image.fromarray(pixels).save(data, "JPEG", quality=80)
        return data.getvalue()

    return make


@pytest.fixture(scope="session")
def zipped():
    """Makes a zip archive of names and contents, names as they are."""

    def make(contents: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w", compression) as archive:
            for name, body in contents.items():
                info = zipfile.ZipInfo("x")
                info.filename, info.compress_type = name, compression
                archive.writestr(info, body)
        return data.getvalue()

    return make
