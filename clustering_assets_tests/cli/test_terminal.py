"""What reaches a terminal."""

import logging
import sys

import pytest

from clustering_assets.cli.terminal import show_progress
from clustering_assets.progress import task


@pytest.mark.parametrize("is_terminal", [False, True])
def test_names_of_files_and_clusters_command_no_terminal(is_terminal, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    with show_progress() as say:
        say("first\nsecond \x1b[2Jname\x07 [bold]red[/bold] [/]")
        logging.getLogger("clustering_assets.music").warning("%s is not used", "\x1b]0;title\x07song\r.mp3")
    shown = "".join(capsys.readouterr())
    assert "first" in shown
    assert "[bold]red[/bold] [/]" in shown
    assert "song" in shown
    assert not any(code in shown for code in ("\x1b[2J", "\x07", "\x1b]0", "song\r"))


def test_a_warning_is_shown_once(capsys):
    log = logging.getLogger("clustering_assets.music")
    with show_progress() as say:
        for _ in range(3):
            log.warning("the weights are %s", "away")
        log.warning("another")
        assert "the weights are away" in say.warned and "third" not in say.warned
    assert capsys.readouterr().err.splitlines() == ["the weights are away", "another"]
    with show_progress():
        log.warning("another")
    assert "another" in capsys.readouterr().err


def test_a_pipe_gets_results_and_no_progress(capsys):
    with show_progress() as say, task("Scanning", total=1) as scanning:
        say("Looking")
        scanning.advance()
    out, err = capsys.readouterr()
    assert out == "" and "Looking" in err and "Scanning" in err
