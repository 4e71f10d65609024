"""Workers: all files in order, the same as on threads, and a file that ends its worker costs only itself."""

import inspect
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest

from clustering_assets.files.local import LocalFolder
from clustering_assets.files.source import FoundFile
from clustering_assets.images import inspectors
from clustering_assets.images.inspection import look
from clustering_assets.images.inspectors import look_at_all, portions, workers_for
from clustering_assets.images.manifest import scan
from clustering_assets.settings import DEFAULT_LIMITS

HOSTILE = """
import ctypes, os, signal, sys, time
from clustering_assets.images.inspection import look as honest
from clustering_assets.images.budget import memory_for

looked = 0

def look(folder, paths, limits):
    global looked
    for path in paths:
        if "hang" in path:
            time.sleep(600)
        if "stuck" in path:
            ctypes.PyDLL(None).sleep(600)
        if "crash" in path:
            ctypes.string_at(0)
        if "kill" in path:
            os.kill(os.getpid(), signal.SIGKILL)
        if "late" in path and looked:
            os.abort()
        if "print" in path:
            os.write(1, b"noise" * 1000)
            print("more noise", flush=True)
        if "fault" in path:
            raise LookupError("a fault of the program")
        if "large" in path:
            with memory_for(50_000_000):
                time.sleep(1.1)
        looked += 1
    return honest(folder, paths, limits)
"""


@pytest.fixture
def hostile(tmp_path, monkeypatch):
    """A look that is ended by files of certain names."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "hostile_look.py").write_text(HOSTILE)
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))
    import hostile_look  # type: ignore[import-not-found]

    yield hostile_look.look
    del sys.modules["hostile_look"]


@pytest.fixture
def folder(photo, encoded, tmp_path):
    """A folder with a picture under each of the names given."""
    place = tmp_path / "pictures"
    place.mkdir()

    def fill(*names: str) -> Path:
        for seed, name in enumerate(names):
            (place / name).write_bytes(encoded(photo(seed, 64, 48), "PNG"))
        return place

    return fill


def looks_at(place: Path, **options) -> dict[str, tuple[str, str]]:
    """Stage and reason of each file."""
    files = LocalFolder(place).files()
    looked = list(look_at_all(place, files, DEFAULT_LIMITS, **{"workers": 2, **options}))
    return {file.path: (seen.stage, seen.reason) for file, seen in zip(files, looked, strict=True)}


def test_processes_find_what_threads_find(photo, encoded, save, tmp_path):
    for seed in range(40):
        save(f"{seed}.jpg", encoded(photo(seed, 80 + seed, 60), "JPEG"))
    for format in ("PNG", "GIF", "TIFF", "WEBP", "AVIF", "BMP"):
        save(format, encoded(photo(7, 90, 70), format))
    save("half.png", encoded(photo(1), "PNG")[:5000])
    save("page.jpg", b"<html>404</html>")
    (tmp_path / "link.jpg").symlink_to("/etc/hostname")
    together, apart = scan(tmp_path, isolated=False), scan(tmp_path, workers=2)
    pd.testing.assert_frame_equal(together, apart, check_exact=True)
    assert len(apart) == 49 and set(apart["outcome"]) >= {"used", "rejected"}


def test_heic_is_known_to_processes(quadrants, encoded, save, tmp_path):
    save("a.heic", encoded(quadrants, "HEIF"))
    assert scan(tmp_path)["format"].tolist() == ["HEIF"]


@pytest.mark.parametrize(
    ("name", "stage", "reason"),
    [
        ("crash.png", "decode", "the decoder crashed on it (SIGSEGV)"),
        ("kill.png", "limits", "decoding was stopped by the system, which may be short of memory"),
        pytest.param("hang.png", "decode", "decoding did not end within 1 seconds", marks=pytest.mark.slow),
        ("stuck.png", "decode", "decoding did not end within 1 seconds"),
    ],
)
def test_a_file_that_ends_its_worker_costs_only_itself(name, stage, reason, folder, hostile):
    place = folder(*(f"{number:02}.png" for number in range(20)), name)
    seen = looks_at(place, function=hostile, patience=1.0)
    assert seen.pop(name) == (stage, reason)
    assert len(seen) == 20 and set(seen.values()) == {("", "")}


def test_a_file_is_not_to_blame_for_what_another_left_behind(folder, hostile):
    seen = looks_at(folder("a.png", "b.png", "late.png", "z.png"), function=hostile, workers=1)
    assert set(seen.values()) == {("", "")}


def test_what_a_decoder_prints_does_not_get_among_the_answers(folder, hostile, capfd):
    assert looks_at(folder("a.png", "print.png"), function=hostile) == {
        "a.png": ("", ""),
        "print.png": ("", ""),
    }
    assert capfd.readouterr() == ("", "")


def test_a_fault_of_the_program_is_no_fault_of_a_file(folder, hostile):
    with pytest.raises(RuntimeError, match=r"(?s)fault\.png failed.*LookupError: a fault of the program"):
        looks_at(folder("a.png", "fault.png"), function=hostile)


def test_large_pictures_wait_for_each_other_without_running_out_of_time(folder, hostile, monkeypatch):
    monkeypatch.setattr(inspectors.memory, "_whole", 60_000_000)
    monkeypatch.setattr(inspectors.memory, "_left", 60_000_000)
    monkeypatch.setattr(inspectors, "_FILES_FOR_ONE", 1)
    begin = time.monotonic()
    seen = looks_at(folder("large1.png", "large2.png"), function=hostile, patience=1.0)
    assert set(seen.values()) == {("", "")}
    assert time.monotonic() - begin >= 2.2, "one after the other"
    assert inspectors.memory._left == 60_000_000


def test_order_is_kept(folder):
    place = folder(*(f"{number:03}.png" for number in range(60)))
    files = LocalFolder(place).files()[::-1]
    by_threads = list(look_at_all(place, files, DEFAULT_LIMITS, 1, isolated=False))
    assert [seen.content_hash for seen in look_at_all(place, files, DEFAULT_LIMITS, 3)] == [
        seen.content_hash for seen in by_threads
    ]
    assert len({seen.content_hash for seen in by_threads}) == 60


def test_without_an_interpreter_to_start_threads_do_the_work_and_it_is_said(folder, monkeypatch, caplog):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert looks_at(folder("a.png")) == {"a.png": ("", "")}
    assert "No process can be started" in caplog.text and "end the whole run" in caplog.text


def test_workers_that_cannot_begin_are_replaced_by_threads(folder, monkeypatch, caplog):
    monkeypatch.setattr(inspectors, "_BEGIN", "raise SystemExit(3)")
    assert looks_at(folder("a.png")) == {"a.png": ("", "")}
    assert "ended at its start with status 3" in caplog.text


def test_files_that_must_not_be_opened_need_no_worker(tmp_path, monkeypatch):
    monkeypatch.setattr(inspectors, "_process", lambda: pytest.fail("a worker was started"))
    files = [FoundFile("pipe.jpg", 0, 0, "special file")]
    [seen] = look_at_all(tmp_path, files, DEFAULT_LIMITS, 2)
    assert (seen.stage, seen.reason) == ("find", "special file")


def test_there_are_as_many_workers_as_there_is_work():
    small = [FoundFile(f"{number}.jpg", 40_000, 0) for number in range(1000)]
    assert workers_for(small[:1], 16) == workers_for(small[:50], 16) == 1
    assert workers_for(small, 4) == 4
    assert workers_for(small, 64) == 5
    assert workers_for([FoundFile("a.jpg", 30 << 20, 0)] * 4, 64) <= 4


def test_a_worker_imports_nothing_that_is_slow_and_not_needed(folder):
    code = """
        import sys
        from pathlib import Path
        from clustering_assets.settings import DEFAULT_LIMITS
        from clustering_assets.images.inspection import look
        from clustering_assets.images.inspector_process import _warm_up
        _warm_up()
        assert look(Path(sys.argv[1]), ["a.png"], DEFAULT_LIMITS)[0].content_hash
        print(*sys.modules)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), folder("a.png")]
    loaded = set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    slow = {
        "torch",
        "dagster",
        "pandas",
        "scipy",
        "matplotlib",
        "openvino",
        "moviepy",
        "fsspec",
        "upath",
        "av",
    }
    assert {"PIL.Image", "cv2"} <= loaded and not slow & loaded


def gone(processes: list[psutil.Process], within: float) -> bool:
    return not psutil.wait_procs(processes, timeout=within)[1]


@pytest.fixture
def script(folder, hostile, tmp_path):
    """A script of somebody without a guard of its main module, which hangs; and the workers that it has."""
    place = folder("a.png", "hang.png")
    path = tmp_path / "unguarded.py"
    path.write_text(
        textwrap.dedent(
            f"""
            import sys
            from pathlib import Path
            sys.path.insert(0, {str(tmp_path / "modules")!r})
            import hostile_look
            from clustering_assets.images.inspectors import look_at_all
            from clustering_assets.files.local import LocalFolder
            from clustering_assets.settings import DEFAULT_LIMITS
            place = Path({str(place)!r})
            print("once", flush=True)
            options = dict(function=hostile_look.look, patience=5.0)
            list(look_at_all(place, LocalFolder(place).files(), DEFAULT_LIMITS, 1, **options))
            """
        )
    )
    process = subprocess.Popen(
        [sys.executable, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    parent = psutil.Process(process.pid)
    while not (workers := parent.children()):
        time.sleep(0.02)
    time.sleep(1.0)  # until it hangs
    yield process, workers
    process.kill()
    process.communicate()


def test_no_worker_outlives_a_parent_that_is_killed(script):
    process, workers = script
    process.send_signal(signal.SIGKILL)
    assert gone(workers, within=30)


@pytest.mark.skipif(os.name == "nt", reason="signals of a terminal")
def test_an_interruption_ends_all_at_once_and_runs_nothing_twice(script):
    process, workers = script
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=20)
    assert gone(workers, within=5)
    assert output == "once\n" and errors.count("KeyboardInterrupt") == 1


def test_a_closed_generator_leaves_no_worker(folder):
    place = folder(*(f"{number:03}.png" for number in range(40)))
    before = set(psutil.Process().children())
    looking = look_at_all(place, LocalFolder(place).files(), DEFAULT_LIMITS, 2)
    next(looking)
    workers = set(psutil.Process().children()) - before
    assert workers
    looking.close()
    assert gone(list(workers), within=5)


def test_portions_of_one_worker_hold_up_to_sixteen_files():
    files = [FoundFile(f"{number}.jpg", 1000, 0) for number in range(400)]
    assert {len(portion) for portion in portions(files, 1)} == {16}


def test_the_look_of_workers_is_the_one_of_the_scan():
    assert inspect.signature(look_at_all).parameters["function"].default is look
