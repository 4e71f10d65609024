"""What people read while something long is under way."""

import logging

import pytest

from clustering_assets.cli.terminal import LineReporter
from clustering_assets.progress import duration, pace, reporting, standing, task


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.04, "0.0 s"),
        (4.24, "4.2 s"),
        (59.96, "1 min 0 s"),
        (119.7, "2 min 0 s"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
    ],
)
def test_lengths_of_time_read_as_people_say_them(seconds, said):
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("done", "seconds", "said"),
    [
        (0, 3, "0.0 images/s"),
        (2, 8, "4.0 s each"),
        (1, 90, "1 min 30 s each"),
        (5, 2, "2.5 images/s"),
        (999, 100, "10 images/s"),
        (20_000, 10, "2,000 images/s"),
    ],
)
def test_slow_work_is_told_by_the_item_and_not_as_none_in_a_second(done, seconds, said):
    assert pace(done, seconds, "images") == said


def test_what_is_left_is_told_while_it_can_be_known():
    assert standing(2_500, 10_000, "images", 25) == "2,500 of 10,000 images, 100/s, 1 min 15 s left"
    assert standing(10_000, 10_000, "images", 100) == "10,000 of 10,000 images, 100/s"
    assert standing(0, 10, "images", 1) == "0 of 10 images, 0.0/s"
    assert standing(70, None, "files", 2) == "70 files, 35/s"


def test_a_pipe_gets_lines_and_the_log_of_a_run_too(capsys, caplog, monkeypatch):
    clock = iter(range(0, 1000, 6))
    monkeypatch.setattr("time.monotonic", lambda: float(next(clock)))
    with reporting(LineReporter()), task("Embedding", 4, "images") as running:
        for _ in range(4):
            running.advance()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("  Embedding: 1 of 4 images, ") and lines[0].endswith(" left")
    assert lines[-1].startswith("  Embedding: 4 of 4 images, ") and "left" not in lines[-1]

    with caplog.at_level(logging.INFO, "clustering_assets"), task("Embedding", 4, "images") as running:
        for _ in range(4):
            running.advance()
    assert caplog.messages[0].startswith("Embedding: 1 of 4 images, 6.0 s each, ")
    assert ", done in " in caplog.messages[-1]
