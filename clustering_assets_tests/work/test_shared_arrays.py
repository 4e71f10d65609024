"""Arrays in results of worker processes: whole as long as they are held, however they came."""

import errno
import os

import numpy as np
import psutil
import pytest

from clustering_assets.work.engine import Lost, Task
from clustering_assets.work.processes import Processes

UNITS = [f"{number:03}" for number in range(120)]
POSIX = pytest.mark.skipif(os.name == "nt", reason="files are not handed on to processes")


def is_shared(array):
    """Whether its memory is not this process's own, nor that of bytes that came through a pipe."""
    while isinstance(array, np.ndarray):
        array = array.base
    return isinstance(array, memoryview) and not isinstance(array.obj, bytes | bytearray)


def painted(hostile, units=UNITS, *, array_bytes=20_000, ahead=16):
    """The results of units, all of them held at once."""
    task = Task(hostile.paint, together=4, ahead=ahead, patience=5.0, array_bytes=array_bytes)
    return list(Processes(2).run(task, units))


def check(results, units=UNITS):
    for unit, (name, array) in zip(units, results, strict=True):
        assert name == unit
        np.testing.assert_array_equal(array, np.full((100, 100), len(unit) + int(unit[:3])))


@POSIX
def test_what_is_still_held_is_not_overwritten_and_the_rest_comes_through_pipes(hostile):
    results = painted(hostile)
    check(results)
    assert [is_shared(array) for _, array in results[:16]] == [True] * 16
    assert not all(is_shared(array) for _, array in results)


@POSIX
def test_what_is_let_go_makes_room(hostile):
    task = Task(hostile.paint, together=4, ahead=16, array_bytes=20_000)
    for unit, (name, array) in zip(UNITS, Processes(2).run(task, UNITS), strict=True):
        assert name == unit and is_shared(array) and (array == 3 + int(unit)).all()


def test_larger_arrays_than_were_foretold_come_whole(hostile):
    check(painted(hostile, array_bytes=19_999))


@pytest.mark.slow
@POSIX
def test_a_worker_that_ends_takes_no_memory_with_it(hostile):
    units = [name for unit in UNITS[:40] for name in (unit, f"{unit}crash")]
    results = painted(hostile, units, ahead=4)
    check(results[::2], units[::2])
    assert {type(lost) for lost in results[1::2]} == {Lost}
    assert all(is_shared(array) for _, array in results[:4:2])


@POSIX
def test_a_system_without_files_in_memory_has_them_on_disk(hostile, monkeypatch):
    monkeypatch.delattr(os, "memfd_create", raising=False)
    results = painted(hostile)
    check(results)
    assert is_shared(results[0][1])


@POSIX
def test_where_no_memory_can_be_shared_pipes_are_used_and_it_is_said(hostile, monkeypatch, caplog):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "memfd_create", full, raising=False)
    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    monkeypatch.setattr(os, "truncate", full)
    results = painted(hostile)
    check(results)
    assert not any(is_shared(array) for _, array in results)
    assert "No space left on device): results come through pipes" in caplog.text


@POSIX
def test_no_file_stays_open(hostile):
    before = psutil.Process().num_fds()
    results = painted(hostile)
    del results
    assert psutil.Process().num_fds() == before
