"""The command that serves the UI: on which settings it starts."""

import json
import os
from unittest import mock

import pytest
from click.testing import CliRunner

from clustering_assets.cli.last_flags import FLAGS, recall, remember
from clustering_assets.cli.main import cli
from clustering_assets.defs.instance import open_instance
from clustering_assets.settings import load_settings


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder of its own, and an environment without settings that is as before afterwards."""
    monkeypatch.chdir(tmp_path)
    with mock.patch.dict(os.environ):
        for name in [name for name in os.environ if name.startswith("CLUSTERING_")]:
            del os.environ[name]
        yield tmp_path


@pytest.fixture
def started(monkeypatch):
    """Starts the UI; gives what it was started with, and the settings that its processes see."""
    calls = []
    monkeypatch.setattr("clustering_assets.defs.webserver.serve", lambda *a, **k: calls.append((a, k)))

    def start(*arguments):
        result = CliRunner().invoke(cli, ["ui", *arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        (_, output, *_), more = calls[-1]
        settings = load_settings(
            **{
                name.removeprefix("CLUSTERING_").lower(): value
                for name, value in os.environ.items()
                if name.startswith("CLUSTERING_")
            }
        )
        assert settings.output == output
        return settings, more, result.output

    return start


def test_it_has_the_settings_of_the_last_run(started):
    remember("first", {"output": "first", "clusters": 3, "cache": False, "images": None})
    remember("second", {"output": "second", "clusters": 5, "images": "pictures of mine"})
    settings, _, said = started()
    assert (settings.output, settings.clusters, settings.images) == ("second", 5, "pictures of mine")
    assert "--clusters 5" in said


def test_it_has_those_of_the_last_run_into_the_output_that_is_asked_for(started):
    remember("first", {"output": "first", "clusters": 3, "cache": False})
    remember("second", {"output": "second", "clusters": 5})
    settings, _, _ = started("--output", "first")
    assert (settings.clusters, settings.cache) == (3, False)


def test_flags_and_the_environment_win_over_the_last_run_and_that_over_the_file(started, folder):
    (folder / ".env").write_text("CLUSTERING_CLUSTERS=9\nCLUSTERING_FPS=12\n")
    remember("output", {"clusters": 3, "seed": 4, "min_images": 30})
    os.environ["CLUSTERING_SEED"] = "5"
    settings, _, _ = started("--min-images", "20")
    assert (settings.clusters, settings.seed, settings.min_images, settings.fps) == (3, 5, 20, 12)


@pytest.mark.parametrize("kept", ["{", "[]", json.dumps({"output": 7}), json.dumps({"output": {"gone": 1}})])
def test_a_memory_that_cannot_be_read_or_is_of_another_version_is_passed_over(kept, started, folder):
    FLAGS.parent.mkdir()
    FLAGS.write_text(kept)
    assert started()[0] == load_settings()


def test_a_run_is_remembered_before_it_begins(folder):
    result = CliRunner().invoke(cli, ["run", "--images", "nowhere", "--clusters", "4"])
    assert result.exit_code != 0
    assert recall("output") == {"images": "nowhere", "clusters": "4"}


def test_the_browser_is_opened_only_when_asked(started, monkeypatch):
    visited = []
    monkeypatch.setattr("webbrowser.open", visited.append)
    started()[1]["visit"]("http://localhost:1")
    assert not visited
    started("--open")[1]["visit"]("http://localhost:2")
    assert visited == ["http://localhost:2"]


def test_dagster_reports_nothing_and_asks_nothing_where_nothing_is_configured(folder):
    with open_instance(folder) as instance:
        assert not instance.telemetry_enabled
        assert not instance.nux_enabled
