"""Tasks are cut into portions, and every engine keeps the order of the units."""

import numpy as np
import pytest

from clustering_assets.files.source import FoundFile
from clustering_assets.work.engine import Task, portions
from clustering_assets.work.processes import Processes
from clustering_assets.work.threads import Threads

FILES = [FoundFile(f"{number}.jpg", 50_000, 0) for number in range(100)]
LARGE = [FoundFile(f"large{number}.jpg", 3 << 20, 0) for number in range(3)]
LOOKING = Task(lambda files: files, size=lambda file: file.bytes, together=16)


def test_portions_are_small_enough_to_lie_in_memory_together():
    shared = list(portions(LOOKING, FILES + LARGE, workers=1))
    assert [file for portion in shared for file in portion] == FILES + LARGE
    assert max(map(len, shared)) == 12 and [len(portion) for portion in shared[-3:]] == [1, 1, 1]
    assert all(len(portion) == 1 or sum(file.bytes for file in portion) <= 1 << 20 for portion in shared)


def test_every_worker_gets_some_of_little_work_and_full_portions_of_much():
    assert len(list(portions(LOOKING, FILES, workers=16))) == len(FILES)
    small = Task(str, together=16)
    assert {len(portion) for portion in portions(small, range(400), 1)} == {16}
    assert list(portions(LOOKING, [], workers=2)) == []


@pytest.mark.parametrize("engine", [Threads(1), Threads(3), Processes(2)])
def test_order_is_kept_whatever_takes_longer(engine, hostile):
    names = [str(number) for number in np.random.default_rng(0).permutation(60)]
    assert list(engine.run(Task(hostile.work, together=4), names)) == names
