"""What the images start, started here: webserver, daemon and runs on PostgreSQL and an S3 store."""

import os
import shlex
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import yaml

from clustering_assets.outputs import Outputs
from clustering_assets_tests.databases import PASSWORD, Database, database, needs_postgres
from clustering_assets_tests.object_stores import Gate
from clustering_assets_tests.projects import SMALL
from clustering_assets_tests.servers import ROOT, Server, is_up, port_told

pytestmark = [needs_postgres, pytest.mark.slow, pytest.mark.timeout(900)]

COMPOSE = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())


@pytest.fixture
def postgres() -> Iterator[Database]:
    with database() as server:
        yield server


@pytest.fixture
def home(tmp_path) -> Path:
    """`DAGSTER_HOME` as the image has it."""
    folder = tmp_path / "dagster"
    (folder / "state").mkdir(parents=True)
    shutil.copy(ROOT / "deploy/dagster.yaml", folder)
    return folder


@pytest.fixture
def environment(postgres, home, bucket) -> dict[str, str]:
    """The environment of the image and of compose.yaml, with the addresses of here."""
    given = COMPOSE["x-program"]["environment"]
    settings = {f"CLUSTERING_{name.upper()}": str(value) for name, value in SMALL.items()}
    places = {name: value.replace("s3://photos", bucket.place()) for name, value in given.items()}
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(("DAGSTER", "PG"))},
        **settings,
        **{name: value for name, value in places.items() if name.startswith("CLUSTERING_")},
        **postgres.environment,
        "DAGSTER_HOME": str(home),
        "DAGSTER_STATE": str(home / "state"),
        "PYTHONUNBUFFERED": "1",
    }


@contextmanager
def service(name: str, home: Path, environment: dict[str, str]) -> Iterator[Path]:
    """A service of compose.yaml, started again when it ends, as compose does; gives its log."""
    command = ["0" if word == "3000" else word for word in COMPOSE["services"][name]["command"]]
    program = sys.executable if command[0] == "python" else str(Path(sys.executable).with_name(command[0]))
    log, ended, process = home / f"{name}.log", threading.Event(), []

    def keep_running() -> None:
        while not ended.is_set():
            with log.open("a") as written:
                started = subprocess.Popen(
                    [program, *command[1:]],
                    cwd=home,
                    env=environment,
                    stdout=written,
                    stderr=subprocess.STDOUT,
                )
                process[:] = [started]
                started.wait()
            ended.wait(1)

    thread = threading.Thread(target=keep_running, daemon=True)
    thread.start()
    try:
        yield log
    finally:
        ended.set()
        process[0].terminate()
        thread.join(60)
        process[0].kill()


@contextmanager
def all_services(home: Path, environment: dict[str, str]) -> Iterator[Server]:
    with service("webserver", home, environment) as log, service("daemon", home, environment) as daemon:
        server = Server(0, log)
        server.wait_until(lambda: log.exists() and port_told(log), 120)
        server = Server(port_told(log), daemon)
        server.wait_until(lambda: is_up(server), 60)
        yield server


def test_the_code_location_is_valid_on_this_instance(home, environment):
    dagster = str(Path(sys.executable).with_name("dagster"))
    checked = subprocess.run(
        [dagster, "definitions", "validate", "-m", "clustering_assets.definitions"],
        cwd=home, env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stderr


def test_a_database_that_is_killed_in_the_middle_of_a_run_and_comes_back_loses_nothing(
    home, environment, postgres, bucket: Gate, pictures_and_music
):
    bucket.fill(pictures_and_music / "music", "music")
    bucket.fill(pictures_and_music / "images", "pictures")
    outputs = Outputs(environment["CLUSTERING_OUTPUT"])

    def runs(server: Server) -> list[tuple[str, str]]:
        with suppress(OSError, KeyError, TypeError):
            return server.runs()
        return []

    with all_services(home, environment) as server:
        server.wait_until(lambda: ("cluster_images", "STARTED") in runs(server), 180)
        time.sleep(3)
        postgres.kill()
        time.sleep(5)
        postgres.start()
        server.wait_until(lambda: len(outputs.videos()) == 3, 420)
        server.wait_until(lambda: ("refresh_report", "SUCCESS") in runs(server), 180)
        server.wait_until(lambda: all(status in {"SUCCESS", "FAILURE"} for _, status in runs(server)), 180)
        assert ("render_videos", "SUCCESS") in runs(server)
    for log in home.glob("*.log"):
        assert PASSWORD not in log.read_text() and "a-secret-that-no-message-shows" not in log.read_text()


def test_the_command_says_what_is_wrong_when_the_database_is_away(home, environment, postgres):
    postgres.kill()
    run = subprocess.run(
        [sys.executable, "-m", *shlex.split(f"clustering_assets run --images {home} --min-images 1 --clusters 1")],
        cwd=home, env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    postgres.start()
    assert run.returncode == 1 and "PGHOST" in run.stderr and "Traceback" not in run.stderr, run.stderr
    assert PASSWORD not in run.stderr
