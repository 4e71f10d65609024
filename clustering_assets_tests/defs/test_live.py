"""The real thing: webserver, daemon and sensors on a folder that pictures are dropped into, and the dagster command."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from clustering_assets_tests.projects import SMALL

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
DAGSTER = Path(sys.executable).with_name("dagster")


@pytest.fixture
def folder(tmp_path, pictures_and_music) -> Path:
    """A checkout's configuration with music and no pictures yet."""
    for name in ("dagster.yaml", "workspace.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(pictures_and_music / "music", tmp_path / "music")
    (tmp_path / "images").mkdir()
    return tmp_path


def environment(**changed: object) -> dict[str, str]:
    settings = {f"CLUSTERING_{name.upper()}": str(value) for name, value in {**SMALL, **changed}.items()}
    return {**{k: v for k, v in os.environ.items() if not k.startswith("DAGSTER_")}, **settings}


class Server:
    """The webserver, asked through GraphQL as the UI does."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def ask(self, query: str) -> dict:
        request = urllib.request.Request(
            f"{self.url}/graphql", json.dumps({"query": query}).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["data"]

    def is_up(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/server_info", timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def sensors(self) -> dict[str, str]:
        query = (
            '{ sensorsOrError(repositorySelector: {repositoryName: "__repository__", repositoryLocationName: '
        )
        query += '"clustering_assets"}) { ... on Sensors { results { name sensorState { status } } } } }'
        results = self.ask(query)["sensorsOrError"]["results"]
        return {sensor["name"]: sensor["sensorState"]["status"] for sensor in results}

    def runs(self) -> list[tuple[str, str]]:
        results = self.ask("{ runsOrError { ... on Runs { results { jobName status } } } }")["runsOrError"][
            "results"
        ]
        return [(run["jobName"], run["status"]) for run in results]

    def settled(self) -> bool:
        return all(status in {"SUCCESS", "FAILURE"} for _, status in self.runs())


@pytest.fixture
def server(folder) -> Iterator[Server]:
    """`dagster dev` in the folder, with the sensors on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (folder / "dev.log").open("w")
    process = subprocess.Popen(
        [str(DAGSTER), "dev", "-h", "127.0.0.1", "-p", str(port)],
        cwd=folder,
        env=environment(sensors=True),
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    server = Server(port)
    try:
        wait_until(server.is_up, 180, folder)
        yield server
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        log.close()


def wait_until(condition, seconds: float, folder: Path) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(
                f"not within {seconds} s; the end of the log:\n{(folder / 'dev.log').read_text()[-3000:]}"
            )
        time.sleep(1)


def test_pictures_that_land_become_videos_and_one_more_picture_updates_them(
    folder, server, pictures_and_music
):
    output = folder / "output"
    pictures = sorted(
        path for path in (pictures_and_music / "images").iterdir() if not path.name.startswith(".")
    )
    assert server.sensors() == {"new_images_sensor": "RUNNING", "cluster_videos_sensor": "RUNNING"}

    for picture in pictures[:-1]:
        shutil.copy(picture, folder / "images")
    videos = output / "videos"
    wait_until(lambda: videos.is_dir() and len(list(videos.glob("cluster_*.mp4"))) == 3, 420, folder)
    wait_until(lambda: server.settled() and ("refresh_report", "SUCCESS") in server.runs(), 180, folder)
    assert all(status == "SUCCESS" for _, status in server.runs())
    counts = json.loads((output / "summary_report.json").read_text())["counts"]
    assert (counts["found"], counts["videos_rendered"], counts["videos_missing"]) == (len(pictures) - 1, 3, 0)

    renders = sum(job == "render_videos" for job, _ in server.runs())
    assert renders == 3

    shutil.copy(pictures[-1], folder / "images")
    manifest = output / "manifest/image_manifest.parquet"
    before = manifest.stat().st_mtime_ns
    wait_until(lambda: manifest.stat().st_mtime_ns != before and server.settled(), 180, folder)
    report = output / "summary_report.json"
    wait_until(lambda: json.loads(report.read_text())["counts"]["found"] == len(pictures), 120, folder)
    assert json.loads(report.read_text())["counts"]["embedded"] <= 1


def test_the_two_dagster_commands_of_the_readme_go_from_a_folder_to_a_video(folder, pictures_and_music):
    shutil.copytree(pictures_and_music / "images", folder / "images", dirs_exist_ok=True)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^\S*dagster (asset materialize .*)$", readme, flags=re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        result = subprocess.run(
            [str(DAGSTER), *shlex.split(command)],
            cwd=folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=400,
        )
        assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    assert (folder / "output/videos/cluster_0_slideshow_with_music.mp4").stat().st_size > 10_000
    assert (folder / "output/summary_report.txt").exists()


def test_the_code_location_is_valid(folder):
    result = subprocess.run(
        [str(DAGSTER), "definitions", "validate"],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    assert "clustering_assets" in result.stderr + result.stdout
