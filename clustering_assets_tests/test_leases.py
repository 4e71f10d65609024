"""One update of an output at a time, on a store too: who holds it, until when, and what is left behind."""

import json
import os
import threading
import time
from dataclasses import asdict, replace

import pytest

from clustering_assets import leases
from clustering_assets.leases import LOCK, Lease, OutputTaken, keep_off_others, output_for_ourselves
from clustering_assets.outputs import VIDEOS
from clustering_assets.process_identity import mark, this_machine, this_process
from clustering_assets.storage import PARTIAL, write_bytes
from clustering_assets.stores import open_place


@pytest.fixture(params=["memory", "s3"])
def output(request, tmp_path):
    if request.param == "memory":
        return f"memory://{tmp_path.name}/out"
    return request.getfixturevalue("bucket").place("out")


def lease_of(output) -> Lease:
    return Lease(**json.loads((open_place(output) / LOCK).read_text()))


def leave(output, **changed) -> None:
    """A lease of another machine, which nobody gave back."""
    with output_for_ourselves(output):
        left = replace(lease_of(output), holder="somebody", process="elsewhere:7:early", **changed)
    (open_place(output) / LOCK).write_text(json.dumps(asdict(left)))


def test_a_second_update_is_told_who_holds_the_output_and_the_first_gives_it_back(output):
    with output_for_ourselves(output) as still_ours:
        still_ours()
        holder = f"{output}: process {os.getpid()} on "
        with pytest.raises(OutputTaken, match=holder), output_for_ourselves(output):
            raise AssertionError
    assert not (open_place(output) / LOCK).exists()
    with output_for_ourselves(output):
        pass


def test_of_two_updates_that_begin_at_once_one_gets_the_output(output):
    got, gate = [], threading.Barrier(4)
    free = threading.Event()

    def update() -> None:
        gate.wait()
        try:
            with output_for_ourselves(output):
                got.append(True)
                free.wait(20)
        except OutputTaken:
            got.append(False)
        if got.count(False) == 3:
            free.set()

    threads = [threading.Thread(target=update) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [False, False, False, True]


def test_what_another_machine_left_behind_holds_until_it_expires(output):
    leave(output)
    words = r"process 7 on elsewhere, since .* free from"
    with pytest.raises(OutputTaken, match=words), output_for_ourselves(output):
        raise AssertionError
    (open_place(output) / LOCK).unlink()
    leave(output, expires=time.time() - 1)
    with output_for_ourselves(output):
        assert lease_of(output).process == this_process()


def test_what_a_killed_process_of_this_machine_left_behind_holds_nothing(output):
    with output_for_ourselves(output):
        left = replace(lease_of(output), holder="killed", process=f"{this_machine()}:{2**22 + 1}:early")
    (open_place(output) / LOCK).write_text(json.dumps(asdict(left)))
    with output_for_ourselves(output):
        assert lease_of(output).holder != "killed"


def test_runs_that_hold_nothing_keep_off_another_machine_and_not_this_one(output):
    keep_off_others(output)
    with output_for_ourselves(output):
        keep_off_others(output)
    leave(output)
    with pytest.raises(OutputTaken, match="process 7 on elsewhere"):
        keep_off_others(output)
    (open_place(output) / LOCK).unlink()
    leave(output, expires=time.time() - 1)
    keep_off_others(output)


def test_files_that_a_killed_update_staged_on_a_store_go_with_the_next_one(output):
    ended, living = mark().rsplit("-", 1)[0] + "-00000000", mark()
    names = {f".cluster_0_slideshow.mp4.{owner}-12345678{PARTIAL}": owner for owner in (ended, living)}
    videos = open_place(output) / VIDEOS
    for name in [*names, f".mine{PARTIAL}"]:
        write_bytes(videos / name, b"half")
    with output_for_ourselves(output):
        left = {path.name for path in videos.iterdir()}
    assert left == {f".mine{PARTIAL}", *(name for name, owner in names.items() if owner == living)}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"holder": 1}'])
def test_a_lease_that_cannot_be_read_holds_nothing(output, content):
    with output_for_ourselves(output):
        pass
    (open_place(output) / LOCK).write_text(content)
    with output_for_ourselves(output):
        assert lease_of(output).holder


def test_an_update_stays_known_while_it_lasts_and_learns_that_it_was_given_up(output, monkeypatch):
    monkeypatch.setattr(leases, "LEASE_SECONDS", 0.4)
    with output_for_ourselves(output) as still_ours:
        first = lease_of(output)
        _until(lambda: lease_of(output).expires > first.expires + 0.3)
        still_ours()
        other = replace(first, holder="somebody", process="elsewhere:7:early", expires=time.time() + 60)
        (open_place(output) / LOCK).write_text(json.dumps(asdict(other)))
        with pytest.raises(OutputTaken, match=r"on elsewhere.*took over"):
            _until(lambda: still_ours() or lease_of(output).holder != "somebody")
    assert lease_of(output).holder == "somebody"


def _until(condition) -> None:
    for _ in range(200):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("not within ten seconds")
