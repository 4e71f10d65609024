"""Processes are told apart whatever the clock does."""

import os
import subprocess
import sys

import psutil

from clustering_assets.process_identity import is_running, this_process

ASK = (
    "from clustering_assets.process_identity import this_process; print(this_process(), flush=True); input()"
)


def test_a_process_runs_until_it_ends_also_while_nobody_has_noticed_its_end():
    with subprocess.Popen(
        [sys.executable, "-c", ASK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        process = child.stdout.readline().strip()
        assert is_running(process) and process != this_process()
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not is_running(process)
    assert not is_running(process)


def test_a_clock_that_is_set_changes_nothing(monkeypatch):
    before = this_process()
    created = psutil.Process.create_time
    if psutil.LINUX:
        monkeypatch.setattr(psutil.Process, "create_time", lambda process: created(process) + 7200)
        monkeypatch.setattr(psutil, "boot_time", lambda: 0.0)
    assert this_process() == before and is_running(before)


def test_another_process_of_the_same_number_is_another_one():
    host, number, started = this_process().rsplit(":", 2)
    for other in (
        f"{host}:{number}:{started}1",
        f"{host}:{number}:",
        f"{host}:{number}",
        f"x{host}:{number}:{started}",
        "",
    ):
        assert not is_running(other)
