"""Processes are told apart whatever the clock does."""

import os
import shutil
import subprocess
import sys

import psutil
import pytest

from clustering_assets.process_identity import (
    host_of,
    is_left_over,
    is_running,
    mark,
    this_machine,
    this_process,
)

NAMED = (
    "from clustering_assets.process_identity import mark, this_process\n"
    "print(this_process(), mark(), flush=True); input()"
)


def test_a_process_runs_until_it_ends_also_while_nobody_has_noticed_its_end():
    with subprocess.Popen(
        [sys.executable, "-c", NAMED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        process, _ = child.stdout.readline().split()
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


def test_a_process_of_a_container_with_the_name_of_this_machine_is_not_taken_for_ended():
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    apart = ["unshare", *user, "--pid", "--fork", "--kill-child", "--mount-proc"]
    if not shutil.which("unshare") or subprocess.run([*apart, "true"], capture_output=True).returncode:
        pytest.skip("no namespaces on this system")
    with subprocess.Popen(
        [*apart, sys.executable, "-c", NAMED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        process, name = child.stdout.readline().split()
        assert host_of(process) == host_of(this_process())
        assert not process.startswith(f"{this_machine()}:")
        assert not is_running(process)  # by what is known here
        assert is_left_over(name) is None
        child.communicate("\n")


def test_what_is_left_of_an_ended_process_of_this_machine_is_known():
    assert is_left_over(mark()) is False
    with subprocess.Popen(
        [sys.executable, "-c", NAMED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        name = child.stdout.readline().split()[1]
        assert is_left_over(name) is False
        child.communicate("\n")
    assert is_left_over(name) is True
