"""What people read while something long is under way."""

import logging

from clustering_assets.cli.terminal import LineReporter
from clustering_assets.progress import reporting, task


def test_a_pipe_gets_lines_and_the_log_of_a_run_too(capsys, caplog, monkeypatch):
    clock = iter(range(0, 1000, 6))
    monkeypatch.setattr("time.monotonic", lambda: float(next(clock)))
    with reporting(LineReporter()), task("Embedding", 4, "images") as running:
        for _ in range(4):
            running.advance()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("  Embedding: 1 of 4 images, ") and lines[0].endswith(" left")
    assert lines[-1].startswith("  Embedding: 4 of 4 images, ") and "left" not in lines[-1]

    with caplog.at_level(logging.INFO, "clustering_assets"), task("Embedding", 4, "images") as running:
        for _ in range(4):
            running.advance()
    assert caplog.messages[0].startswith("Embedding: 1 of 4 images, 6.0 s each, ")
    assert ", done in " in caplog.messages[-1]
