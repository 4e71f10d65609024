"""The command line: exit codes, and what a person reads."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

import clustering_assets
from clustering_assets.settings import SettingsError
from clustering_assets_tests.projects import SMALL


def command(*arguments, folder, **environment):
    return subprocess.run(
        [sys.executable, "-m", "clustering_assets", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=280,
        env={
            **{k: v for k, v in os.environ.items() if not k.startswith(("CLUSTERING_", "DAGSTER_"))},
            **environment,
        },
    )


def flags(**changed):
    return [f"--{name.replace('_', '-')}={value}" for name, value in {**SMALL, **changed}.items()]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--resolution", "321x241"], ["resolution", "321x241", "even"]),
        (["run", "--seconds-per-image", "-2"], ["seconds_per_image", "-2", "greater than 0"]),
        (["run", "--backbone", "resnet5000"], ["backbone", "resnet5000", "efficientnet_lite0"]),
        (["run", "--algorithm", "magic"], ["algorithm", "magic", "kmeans"]),
        (["run", "--weights", "nowhere.pth"], ["weights", "nowhere.pth"]),
        (["run", "--weights", __file__], ["weights", "backbone", "auto"]),
        (["run", "--names-file", "nowhere.csv"], ["names_file", "nowhere.csv"]),
        (["run", "--pins-file", "nowhere.csv"], ["pins_file", "nowhere.csv"]),
        (["run", "--music", "nowhere"], ["music", "nowhere", "no such folder"]),
        (["run", "--music", __file__], ["music", "is a file", "name the folder"]),
        (["run", "--resolution", "HD"], ["resolution", "HD", "1920x1080"]),
        (["run", "--no-such-flag"], ["--no-such-flag"]),
        (["run", "--again"], ["output", "without --again"]),
        (["fly"], ["fly"]),
    ],
)
def test_wrong_usage_is_refused_at_once_with_code_2(arguments, words, tmp_path):
    result = command(*arguments, folder=tmp_path)
    assert result.returncode == 2, result.stderr
    for word in words:
        assert word in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "output").exists()


def test_a_env_file_in_another_encoding_is_named(tmp_path):
    (tmp_path / ".env").write_bytes("CLUSTERING_IMAGES=Fotos Köln".encode("utf-16"))
    result = command("run", folder=tmp_path)
    assert result.returncode == 2 and ".env" in result.stderr and "UTF-8" in result.stderr


@pytest.mark.parametrize("text", ["storage: [", "storage: 5", "storage:\n  sqlite: 7", "surprise: 1"])
def test_a_broken_configuration_of_dagster_is_named(text, tmp_path, pictures_and_music):
    (tmp_path / "dagster.yaml").write_text(text)
    result = command(
        "run", "--images", str(pictures_and_music / "images"), "--min-images", "20", folder=tmp_path
    )
    assert result.returncode == 1 and "dagster.yaml is no configuration" in result.stderr, result.stderr
    assert "fault of the program" not in result.stderr


def test_state_of_dagster_that_is_damaged_is_named_with_the_way_out(tmp_path, pictures_and_music):
    (tmp_path / ".dagster/history").mkdir(parents=True)
    (tmp_path / ".dagster/history/runs.db").write_bytes(b"no database" * 200)
    result = command(
        "run", "--images", str(pictures_and_music / "images"), "--min-images", "20", folder=tmp_path
    )
    assert result.returncode == 1 and "remove the folder .dagster" in result.stderr, result.stderr
    assert "fault of the program" not in result.stderr


IN_BACKGROUND = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
os.execv(sys.executable, [sys.executable, "-c", sys.argv[1]])
"""
ENDED = """
import signal, time
from dagster._utils.interrupts import capture_interrupts
from clustering_assets.cli import main
def work(**_):
    with capture_interrupts():
        pass
    print("ready", flush=True)
    time.sleep(60)
main.cli = work
main.main()
"""


def test_sigterm_ends_a_command_also_where_ctrl_c_is_ignored(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", IN_BACKGROUND, ENDED],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert process.poll() is None
        process.terminate()
        assert process.wait(30) == 1 and "interrupted" in process.stderr.read()


def test_a_bad_environment_variable_is_wrong_usage_too(tmp_path):
    result = command("run", folder=tmp_path, CLUSTERING_FPS="fast")
    assert result.returncode == 2 and "CLUSTERING_FPS" in result.stderr


def test_a_missing_folder_fails_at_once_and_says_where_to_put_pictures(tmp_path):
    result = command("run", "--images", "nowhere", folder=tmp_path)
    assert result.returncode == 1
    assert "nowhere" in result.stderr and "Traceback" not in result.stderr
    assert not (tmp_path / "output").exists()


def test_a_terminal_without_the_letters_of_a_name_shows_the_others(tmp_path):
    result = command("cache", "info", "--output", "日本x", folder=tmp_path, PYTHONIOENCODING="latin-1")
    assert result.returncode == 0 and "??x" in result.stdout


def test_too_few_pictures_fail_with_found_needed_and_the_setting(tmp_path, first):
    result = command("run", "--images", str(first[0].root / "images"), folder=tmp_path)
    assert result.returncode == 1
    for word in ("200", "min_images"):
        assert word in result.stderr


def test_an_output_that_is_no_folder_is_refused_before_any_work(project):
    (project.root / "notes").write_text("mine")
    result = command("run", *flags(output="notes"), folder=project.root)
    assert result.returncode == 1
    assert "output = 'notes'" in result.stderr and "Traceback" not in result.stderr
    assert "Scanning" not in result.stdout + result.stderr
    assert (project.root / "notes").read_text() == "mine"


@pytest.mark.parametrize("home", ["state", "/no/such/folder"])
def test_a_dagster_home_that_is_no_folder_is_named(home, project):
    result = command("run", *flags(), folder=project.root, DAGSTER_HOME=home)
    assert result.returncode == 1
    assert f"DAGSTER_HOME = '{home}'" in result.stderr and "Traceback" not in result.stderr


@pytest.mark.slow
def test_dagster_asks_and_reports_nothing_in_a_new_home(project, tmp_path):
    (tmp_path / "home").mkdir()
    result = command("run", *flags(), folder=project.root, DAGSTER_HOME=str(tmp_path / "home"))
    assert result.returncode == 0
    assert "Welcome" not in result.stdout + result.stderr


def test_a_fault_ends_in_one_sentence_and_a_file_with_the_traceback(tmp_path):
    faulty = """if True:
        from clustering_assets.cli import main

        def cli(**_):
            raise LookupError("out of luck")

        main.cli = cli
        main.main()"""
    result = subprocess.run(
        [sys.executable, "-c", faulty], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 1
    assert result.stderr.startswith("Error: LookupError: out of luck\n")
    assert "Traceback" not in result.stderr and ".dagster/last_error.txt" in result.stderr
    assert "Traceback" in (tmp_path / ".dagster/last_error.txt").read_text()


def test_the_demo_shows_its_own_defaults_and_touches_no_folder_of_the_users(tmp_path):
    shown = " ".join(command("demo", "--help", folder=tmp_path).stdout.split())
    assert "[default: 1280x720]" in shown and "[default: 7]" in shown
    assert "--images" not in shown and "--music" not in shown


@pytest.mark.slow
@pytest.mark.parametrize("pool", ["embedding", "render"])
def test_after_a_kill_the_next_run_goes_on(pool, project):
    """With the project's own Dagster configuration, whose pools a killed run leaves occupied."""
    shutil.copy(Path(clustering_assets.__file__).parents[1] / "dagster.yaml", project.root)
    shutil.rmtree(project.root / "output")
    assert not claimed(project, pool)
    process = subprocess.Popen(
        [sys.executable, "-m", "clustering_assets", "run", *flags()],
        cwd=project.root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 200
    while not claimed(project, pool) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait(timeout=30)
    assert claimed(project, pool), "killed too late to show anything"
    result = command("run", *flags(), folder=project.root)
    assert result.returncode == 0, result.stdout + result.stderr
    assert len(project.videos()) == 3


def claimed(project, pool):
    with project.instance() as instance:
        return instance.event_log_storage.get_concurrency_info(pool).active_run_ids


def test_help_begins_with_the_settings_that_matter_first_and_puts_the_others_in_groups():
    from click.testing import CliRunner

    from clustering_assets.cli.main import cli
    from clustering_assets.settings import FIRST, Settings

    shown = CliRunner().invoke(cli, ["run", "--help"]).output
    places = [shown.index(f"  --{name.replace('_', '-')} ") for name in FIRST]
    assert places == sorted(places) and shown.index("--dry-run") < places[0]
    others = [name for name in Settings.model_fields if name not in (*FIRST, "sensors")]
    assert all(shown.index(f"  --{name.replace('_', '-')} ") > places[-1] for name in others)
    assert all(
        shown.count(f"{heading}:\n") == 1 for heading in ("How videos look and sound", "What matters first")
    )
    assert [name for names in Settings.groups().values() for name in names if name not in FIRST] == [
        name for name in Settings.model_fields if name not in FIRST
    ]


def test_without_videos_it_says_what_each_would_be(project):
    from click.testing import CliRunner

    from clustering_assets.cli.main import cli

    (project.root / "output/videos/cluster_1_slideshow_with_music.mp4").unlink()
    arguments = ["run", *flags(), "--no-videos"]
    result = CliRunner().invoke(cli, [*arguments, "--json"])
    assert result.exit_code == 0, result.output + repr(result.exception)
    told = json.loads(result.stdout)["planned"]
    assert [plan["key"] for plan in told] == ["cluster_0", "cluster_1", "cluster_2"]
    assert [plan["there"] for plan in told] == [True, False, True]
    assert told[1]["shown"] == project.shown("cluster_1") and len(told[1]["shown"]) == 3
    assert told[1]["track"] in {path.name for path in (project.root / "music").iterdir()}
    assert 2 < told[1]["seconds"] < 6 and told[1]["resolution"] == "320x180"
    said = CliRunner().invoke(cli, arguments).stdout
    assert said.count("is there already") == 2 and told[1]["shown"][0] in said
    assert not (project.root / "output/videos/cluster_1_slideshow_with_music.mp4").exists()


def test_help_names_every_setting(tmp_path):
    result = command("run", "--help", folder=tmp_path)
    assert result.returncode == 0
    for name in SMALL:
        assert f"--{name.replace('_', '-')}" in result.stdout


def test_a_run_with_nothing_new_says_so_and_where_everything_is(project):
    result = command("run", *flags(), folder=project.root, CLUSTERING_SECONDS_PER_IMAGE="0.1")
    assert result.returncode == 0, "flags win, also over what would not fit together: " + result.stderr
    assert "Nothing new" in result.stdout and "Since the last run" not in result.stdout
    assert "output/videos/" in result.stdout and "summary_report.txt" in result.stdout
    assert "Open first: output/gallery/index.html" in result.stdout
    assert "DEBUG" not in result.stdout + result.stderr


def test_a_video_that_cannot_be_written_fails_the_command_and_is_named(project):
    path = project.root / "output/videos/cluster_1_slideshow_with_music.mp4"
    path.unlink()
    (path / "in the way").mkdir(parents=True)
    result = command("run", *flags(), folder=project.root)
    assert result.returncode == 1
    assert "No video of cluster_1" in result.stdout


@pytest.mark.parametrize(
    ("told", "at_once"), [(signal.SIGINT, 1), pytest.param(signal.SIGTERM, 2, marks=pytest.mark.slow)]
)
def test_ctrl_c_leaves_nothing_half_written_and_the_next_run_goes_on(project, told, at_once):
    begin = (
        f"from clustering_assets import rendering; rendering.at_once = lambda orders: {at_once}; "
        "from clustering_assets.cli.main import main; main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", begin, "run", *flags(fps=60, resolution="1280x720")],
        cwd=project.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    videos = project.root / "output/videos"
    deadline = time.monotonic() + 120
    while not list(videos.glob(".*.partial")) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.05)
    workers = psutil.Process(process.pid).children(recursive=True)
    assert at_once == 1 or len(workers) >= at_once
    process.send_signal(told)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1, said
    assert "interrupted" in said and "Traceback" not in said
    assert not psutil.wait_procs(workers, timeout=5)[1]
    assert not list((project.root / "output").rglob("*.partial"))
    result = command("run", *flags(), folder=project.root)
    assert result.returncode == 0, result.stderr


def test_the_cache_can_be_looked_at_and_made_smaller_but_not_by_a_wrong_name(project):
    from click.testing import CliRunner

    from clustering_assets.cli.main import cli
    from clustering_assets.embedding.cache import cache_info

    run = CliRunner().invoke
    cache = project.outputs.local_cache()
    (kept,) = [entry.name for entry in cache_info(cache).sets]
    assert f"{kept}: " in run(cli, ["cache", "info"]).output
    wrong = run(cli, ["cache", "prune", "--keep", "no such set"])
    assert isinstance(wrong.exception, SettingsError) and kept in str(wrong.exception)
    shutil.copytree(cache / "vectors" / kept, cache / "vectors/of an old version")
    assert "Removed" in run(cli, ["cache", "prune", "--keep", kept]).output
    assert [entry.name for entry in cache_info(cache).sets] == [kept]
    assert cache_info(cache).sets[0].vectors == len(project.assignments()["content_hash"].unique())
