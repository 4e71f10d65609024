"""Pictures are loaded without a trace in the process that asks for them."""

import re
import subprocess
import sys
import warnings

import pytest
from PIL import Image

from clustering_assets.images.formats.pillow_settings import while_decoding

STATE = """
import logging, os, pkgutil, signal, sys, warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from PIL import AvifImagePlugin, Image, ImageFile, PngImagePlugin

def state():
    import pillow_heif.options
    return {
        "largest picture": Image.MAX_IMAGE_PIXELS,
        "texts": (PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY),
        "strictness": (ImageFile.LOAD_TRUNCATED_IMAGES, ImageFile.MAXBLOCK),
        "threads": (AvifImagePlugin.DEFAULT_MAX_THREADS, pillow_heif.options.DECODE_THREADS),
        "formats": {name for name in Image.OPEN if not Image.OPEN[name][0].__module__.startswith("PIL.")},
        "warnings": (list(warnings.filters), warnings.showwarning),
        "logging": (logging.root.level, list(logging.root.handlers), logging.root.manager.disable),
        "environment": dict(os.environ),
        "signals": [signal.getsignal(number) for number in sorted(signal.valid_signals())],
        "streams": (sys.stdout, sys.stderr, sys.excepthook),
    }

libraries, room, folder = sys.argv[1:]
for library in filter(None, libraries.split()):  # some of them change warnings and the environment themselves
    with suppress(Exception):
        import_module(library)
before = state()
package = import_module(room)
for module in pkgutil.walk_packages(getattr(package, "__path__", []), f"{room}."):
    import_module(module.name)
"""

LOADED = """
from clustering_assets.images.errors import ImageError
from clustering_assets.images.load import read_picture

def refused(path):
    try:
        read_picture(path)
    except ImageError:
        return path.name

with ThreadPoolExecutor(8) as pool:
    paths = sorted(Path(folder).iterdir())
    assert set(pool.map(refused, paths * 4)) == {None, "broken.png"}
"""

COMPARED = """
changed = {name: (before[name], now) for name, now in state().items() if now != before[name]}
if libraries:
    assert not changed, changed
else:
    print(*(name for name in sys.modules if not name.startswith("clustering_assets")))
"""


def check(code: str, room: str, folder: str = "") -> None:
    """Run code twice, the second time with all libraries that it needs imported beforehand."""
    libraries = ""
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", STATE + code + COMPARED, libraries, room, folder],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        libraries = libraries or done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("room", ["images", "embedding", "clustering", "music", "audio", "video", "sources"])
def test_importing_a_room_changes_nothing(room):
    check("", f"clustering_assets.{room}")


def test_loading_pictures_of_every_format_changes_nothing(tmp_path, photo, encoded):
    for format in ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "AVIF", "HEIF"):
        (tmp_path / format).write_bytes(encoded(photo(), format))
    (tmp_path / "broken.png").write_bytes(encoded(photo(), "PNG")[:9000])
    odd = encoded(photo(), "JPEG")
    odd = odd[:2] + b"\xff\xe2\0\x1aMPF\0MM\0*\0\0\0\x08\0\1\xb0\1\xff\xff\xff\xff\xff\xff" + odd[2:]
    with pytest.warns(UserWarning, match="malformed MPO"):
        (tmp_path / "odd.jpg").write_bytes(odd)
        Image.open(tmp_path / "odd.jpg").load()
    check(LOADED, "clustering_assets.images", str(tmp_path))


def test_what_is_set_while_pictures_are_decoded_stays(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with while_decoding():
        with while_decoding():
            assert Image.MAX_IMAGE_PIXELS > 1000
        assert Image.MAX_IMAGE_PIXELS > 1000
        Image.MAX_IMAGE_PIXELS = 2000
    assert Image.MAX_IMAGE_PIXELS == 2000


@pytest.mark.parametrize("first", ["decoding", "catching"])
def test_filters_of_warnings_are_as_before_whoever_leaves_first(first):
    ours = ("ignore", None, UserWarning, re.compile(r"PIL\."), 0)
    before = list(warnings.filters)
    assert ours not in before
    decoding, catching = while_decoding(), warnings.catch_warnings()
    decoding.__enter__()
    catching.__enter__()
    assert ours in warnings.filters
    for one in (decoding, catching) if first == "decoding" else (catching, decoding):
        one.__exit__(None, None, None)
    assert list(warnings.filters) == before
