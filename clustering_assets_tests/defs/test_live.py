"""The real thing: webserver, daemon and sensors on a folder that pictures are dropped into, and the dagster command."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from clustering_assets.defs.jobs import EVERY
from clustering_assets.defs.links import link_to
from clustering_assets_tests.browsers import needs_a_browser, opened
from clustering_assets_tests.defs.snapshot import SNAPSHOT
from clustering_assets_tests.servers import ROOT, Server, configure, environment, serving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

DAGSTER = Path(sys.executable).with_name("dagster")


@pytest.fixture
def folder(tmp_path, pictures_and_music) -> Path:
    """A checkout's configuration with music and no pictures yet."""
    shutil.copytree(pictures_and_music / "music", tmp_path / "music")
    (tmp_path / "images").mkdir()
    return configure(tmp_path)


@pytest.fixture
def server(folder) -> Iterator[Server]:
    """The UI in the folder, with the sensors on."""
    with serving(folder, sensors=True) as server:
        yield server


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
    server.wait_until(lambda: videos.is_dir() and len(list(videos.glob("cluster_*.mp4"))) == 3, 420)
    server.wait_until(lambda: server.settled() and ("refresh_report", "SUCCESS") in server.runs(), 180)
    assert all(status == "SUCCESS" for _, status in server.runs())
    counts = json.loads((output / "summary_report.json").read_text())["counts"]
    assert (counts["found"], counts["videos_rendered"], counts["videos_missing"]) == (len(pictures) - 1, 3, 0)

    renders = sum(job == "render_videos" for job, _ in server.runs())
    assert renders == 1, "one process makes all three"

    shutil.copy(pictures[-1], folder / "images")
    manifest = output / "manifest/image_manifest.parquet"
    before = manifest.stat().st_mtime_ns
    server.wait_until(lambda: manifest.stat().st_mtime_ns != before and server.settled(), 180)
    report = output / "summary_report.json"
    server.wait_until(lambda: json.loads(report.read_text())["counts"]["found"] == len(pictures), 120)
    assert json.loads(report.read_text())["counts"]["embedded"] <= 1


def test_all_videos_asked_for_in_the_ui_are_made_in_one_run(folder, pictures_and_music):
    shutil.copytree(pictures_and_music / "images", folder / "images", dirs_exist_ok=True)
    run = [sys.executable, "-m", "clustering_assets", "run"]
    subprocess.run(run, cwd=folder, env=environment(), check=True, capture_output=True, timeout=400)
    videos = folder / "output/videos"
    lost = videos / "cluster_1_slideshow_with_music.mp4"
    lost.unlink()
    before = {path.name: path.stat().st_mtime_ns for path in videos.glob("cluster_*.mp4")}
    with serving(folder, sensors=False) as server:
        known = len(server.runs())
        backfill = server.backfill("cluster_videos")
        server.wait_until(lambda: server.backfill_status(backfill).startswith("COMPLETED"), 240)
        assert server.backfill_status(backfill) == "COMPLETED_SUCCESS"
        assert len(server.runs()) == known + 1
    after = {path.name: path.stat().st_mtime_ns for path in videos.glob("cluster_*.mp4")}
    assert after.pop(lost.name) and after == before, "what was whole is kept"


def test_the_two_dagster_commands_of_the_readme_make_everything_and_one_video(folder, pictures_and_music):
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
    counts = json.loads((folder / "output/summary_report.json").read_text())["counts"]
    assert (counts["clusters"], counts["videos_rendered"], counts["videos_missing"]) == (3, 3, 0)
    assert (folder / "output/gallery/index.html").exists()


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


@needs_a_browser
def test_one_click_makes_everything_in_a_fresh_folder_and_the_ui_opens_the_gallery(
    folder, pictures_and_music, tmp_path_factory
):
    shutil.copytree(pictures_and_music / "images", folder / "images", dirs_exist_ok=True)
    with serving(folder) as server, opened(tmp_path_factory.mktemp("browser")) as browser:
        assert server.partitions() == [EVERY]
        made = [name for name in json.loads(SNAPSHOT.read_text()) if name != "source_images"]
        launched = server.backfill(*made)
        server.wait_until(lambda: server.backfill_status(launched).startswith(("COMPLETED_", "FAIL")), 480)
        assert server.backfill_status(launched) == "COMPLETED_SUCCESS"
        assert len(list((folder / "output/videos").glob("cluster_*.mp4"))) == 3
        browser.get(server.url + link_to(folder / "output/gallery/index.html")["open"].value)
        browser.set_script_timeout(30)
        loaded = "const done = arguments[0]; thumbnail(pictures.paths.length - 1).then(done)"
        assert browser.execute_async_script(loaded)["src"].startswith("data:image/webp")
        browser.execute_script("goTo('cluster_1')")
        asked = "const done = arguments[0]; fetch('/graphql', {method: 'POST', headers: {'content-type':"
        asked += (
            " 'application/json'}, body: '{}'}).then(answer => done(answer.status), () => done('refused'))"
        )
        assert browser.execute_async_script(asked) in ("refused", 403), (
            "a page of an output may not ask the UI"
        )
        video = "const video = document.querySelector('video'); video.preload = 'auto'; const done = arguments[0];"
        video += (
            " video.onloadeddata = () => done(video.videoWidth); video.onerror = () => done(0); video.load()"
        )
        assert browser.execute_async_script(video) == 320
