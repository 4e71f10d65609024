"""Worker processes: all units in order, and one that ends its worker costs only itself."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import contextmanager

import psutil
import pytest

from clustering_assets import progress
from clustering_assets.work.engine import Lost, Task
from clustering_assets.work.processes import Processes, workers_for

NAMES = [f"{number:02}" for number in range(20)]


def outcomes(function, units, *, workers=2, **options):
    """The outcome of each unit."""
    task = Task(function, **{"together": 16, "patience": 1.0, **options})
    return dict(zip(units, Processes(workers).run(task, units), strict=True))


@pytest.mark.parametrize(
    ("unit", "cause", "reason"),
    [
        ("crash", "crash", "crashed on it (SIGSEGV)"),
        ("kill", "killed", "was stopped by the system, which may be short of memory"),
        pytest.param("hang", "time", "did not end within 1 seconds", marks=pytest.mark.slow),
        ("stuck", "time", "did not end within 1 seconds"),
    ],
)
def test_a_unit_that_ends_its_worker_costs_only_itself(unit, cause, reason, hostile):
    seen = outcomes(hostile.work, [*NAMES, unit])
    assert seen.pop(unit) == Lost(cause, reason)
    assert seen == {name: name for name in NAMES}


def test_a_large_unit_has_more_time(hostile):
    assert Task(hostile.work, patience=2, size=lambda _: 3_000_000).seconds(["a", "b"]) == 8


def test_a_unit_is_not_to_blame_for_what_another_left_behind(hostile):
    units = ["a", "b", "late", "z"]
    assert outcomes(hostile.work, units, workers=1) == {unit: unit.upper() for unit in units}


def test_what_is_printed_does_not_get_among_the_answers(hostile, capfd):
    assert outcomes(hostile.work, ["a", "print"]) == {"a": "A", "print": "PRINT"}
    assert capfd.readouterr() == ("", "")


def test_a_fault_of_the_program_is_no_fault_of_a_unit(hostile):
    with pytest.raises(
        RuntimeError, match=r"(?s)Work on .*fault failed.*LookupError: a fault of the program"
    ):
        outcomes(hostile.work, ["a", "fault"])


class OneAtATime:
    """Memory for one picture, and how many held it at once."""

    def __init__(self):
        self.lock, self.holders, self.most, self.asked = threading.Lock(), 0, 0, []

    @contextmanager
    def spend(self, pixels):
        self.asked.append(pixels)
        with self.lock:
            self.holders += 1
            self.most = max(self.most, self.holders)
            yield
            self.holders -= 1


def test_large_pictures_wait_for_each_other_without_running_out_of_time(hostile):
    units = ["large1", "large2", *map(str, range(400))]
    memory = OneAtATime()
    begin = time.monotonic()
    seen = outcomes(hostile.work, units, together=1, begin=hostile.begin, memory=memory)
    assert seen == {unit: unit.upper() for unit in units}
    assert time.monotonic() - begin >= 2.2, "one after the other, longer than the patience for one"
    assert (memory.asked, memory.most, memory.holders) == ([50_000_000] * 2, 1, 0)


def test_without_an_interpreter_to_start_threads_do_the_work_and_it_is_said(hostile, monkeypatch, caplog):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert outcomes(hostile.work, ["a"]) == {"a": "A"}
    assert "No process can be started" in caplog.text and "end the whole run" in caplog.text


def test_workers_that_cannot_begin_are_replaced_by_threads(hostile, caplog):
    assert outcomes(hostile.work, ["a"], begin=hostile.begin_badly) == {"a": "A"}
    assert "ended at its start with status 3" in caplog.text


class Recorder:
    """A reporter that remembers what it was told."""

    def __init__(self):
        self.told = []

    def start(self, title, total, unit):
        self.told.append((title, total, unit))
        recorder = self

        class Task:
            def advance(self, count=1):
                recorder.told.append((title, count))

            def finish(self):
                recorder.told.append((title, "finished"))

        return Task()


def test_progress_and_warnings_of_workers_are_shown_here(hostile, caplog):
    recorder = Recorder()
    with progress.reporting(recorder):
        seen = outcomes(hostile.work, ["long", "long that ends", "warn"], together=1)
    assert [isinstance(outcome, Lost) for outcome in seen.values()] == [False, True, False]
    title = "Working on long"
    assert [told for told in recorder.told if told[0] == title] == [
        (title, 3, "parts"),
        (title, 3),
        (title, "finished"),
    ]
    lost = [told for told in recorder.told if told[0] == "Working on long that ends"]
    assert lost[:3] == [(lost[0][0], 3, "parts"), (lost[0][0], 3), (lost[0][0], "finished")]
    assert caplog.messages == ["warn is odd"] and caplog.records[0].name == "clustering_assets.hostile"


def test_nothing_to_do_needs_no_worker(hostile, monkeypatch, caplog):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert outcomes(hostile.work, []) == {}
    assert not caplog.text


def test_there_are_as_many_workers_as_there_is_work():
    small = Task(list, size=lambda _: 40_000)
    assert workers_for(small, range(1), 16) == workers_for(small, range(50), 16) == 1
    assert workers_for(small, range(1000), 4) == 4
    assert workers_for(small, range(1000), 64) == 5
    assert workers_for(Task(list, size=lambda _: 30 << 20), range(4), 64) == 4


def gone(processes: list[psutil.Process], within: float) -> bool:
    return not psutil.wait_procs(processes, timeout=within)[1]


@pytest.fixture
def script(modules, tmp_path):
    """A script of somebody without a guard of its main module, which hangs; and the workers that it has."""
    path = tmp_path / "unguarded.py"
    path.write_text(
        textwrap.dedent(
            f"""
            import sys
            sys.path.insert(0, {str(modules)!r})
            import hostile
            from clustering_assets.work.engine import Task
            from clustering_assets.work.processes import Processes
            print("once", flush=True)
            list(Processes(1).run(Task(hostile.work, patience=5.0), ["a", "hang"]))
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


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL])
def test_no_worker_outlives_a_parent_that_is_killed(by, script):
    process, workers = script
    process.send_signal(by)
    assert gone(workers, within=3 if sys.platform == "linux" else 30)


@pytest.mark.skipif(os.name == "nt", reason="signals of a terminal")
def test_an_interruption_ends_all_at_once_and_runs_nothing_twice(script):
    process, workers = script
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=20)
    assert gone(workers, within=5)
    assert output == "once\n" and errors.count("KeyboardInterrupt") == 1


def test_a_closed_generator_leaves_no_worker(hostile):
    before = set(psutil.Process().children())
    working = Processes(2).run(Task(hostile.work), [str(number) for number in range(400)])
    next(working)
    workers = set(psutil.Process().children()) - before
    assert workers
    working.close()
    assert gone(list(workers), within=5)
