"""Looks at all files: processes find what threads find, and files that must not be opened are not."""

import subprocess
import sys
import textwrap

import pandas as pd
import pytest

from clustering_assets.files.source import FoundFile
from clustering_assets.images.errors import lost_in_decoding
from clustering_assets.images.inspectors import look_at_all
from clustering_assets.images.manifest import scan
from clustering_assets.settings import DEFAULT_LIMITS
from clustering_assets.work.engine import Lost
from clustering_assets.work.processes import Processes
from clustering_assets.work.threads import Threads


def test_processes_find_what_threads_find(photo, encoded, save, tmp_path):
    for seed in range(40):
        save(f"{seed}.jpg", encoded(photo(seed, 80 + seed, 60), "JPEG"))
    for format in ("PNG", "GIF", "TIFF", "WEBP", "AVIF", "BMP"):
        save(format, encoded(photo(7, 90, 70), format))
    save("half.png", encoded(photo(1), "PNG")[:5000])
    save("page.jpg", b"<html>404</html>")
    (tmp_path / "link.jpg").symlink_to("/etc/hostname")
    together, apart = scan(tmp_path, engine=Threads(2)), scan(tmp_path, engine=Processes(2))
    pd.testing.assert_frame_equal(together, apart, check_exact=True)
    assert len(apart) == 49 and set(apart["outcome"]) >= {"used", "rejected"}


def test_heic_is_known_to_processes(quadrants, encoded, save, tmp_path):
    save("a.heic", encoded(quadrants, "HEIF"))
    assert scan(tmp_path)["format"].tolist() == ["HEIF"]


def test_a_file_that_must_not_be_opened_is_not_looked_at(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(
        sys, "executable", "/nowhere/python"
    )  # a worker could not be started, which would be said
    files = [FoundFile("pipe.jpg", 0, 0, "special file")]
    [seen] = look_at_all(tmp_path, files, DEFAULT_LIMITS, Processes())
    assert (seen.stage, seen.reason) == ("find", "special file")
    assert not caplog.text


@pytest.mark.parametrize(
    ("lost", "stage", "reason"),
    [
        (Lost("crash", "crashed on it (SIGSEGV)"), "decode", "the decoder crashed on it (SIGSEGV)"),
        (Lost("time", "did not end within 61 seconds"), "decode", "decoding did not end within 61 seconds"),
        (Lost("killed", "was stopped"), "limits", "decoding was stopped"),
    ],
)
def test_a_picture_that_ends_its_worker_is_refused_with_the_reason(lost, stage, reason):
    error = lost_in_decoding("a.png", lost)
    assert (error.path, error.stage, error.reason) == ("a.png", stage, reason)


def test_a_worker_imports_nothing_that_is_slow_and_not_needed(photo, encoded, save):
    path = save("a.png", encoded(photo(), "PNG"))
    code = """
        import sys
        from pathlib import Path
        import clustering_assets.work.worker
        from clustering_assets.files.local import LocalFolder
        from clustering_assets.images.budget import memory
        from types import SimpleNamespace
        from clustering_assets.images.inspection import begin, look
        begin(memory)
        limits = SimpleNamespace(max_megapixels=1, max_file_megabytes=1)
        assert look(LocalFolder(Path(sys.argv[1])), ["a.png"], limits)[0].content_hash
        print(*sys.modules)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), path.parent]
    loaded = set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    slow = {
        "torch",
        "dagster",
        "pandas",
        "scipy",
        "matplotlib",
        "openvino",
        "moviepy",
        "pydantic",
        "fsspec",
        "upath",
        "av",
    }
    assert {"PIL.Image", "cv2"} <= loaded and not slow & loaded
