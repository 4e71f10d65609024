"""Imports by command and by job: pictures land in the folder, and errors say what to change."""

import functools
import http.server
import threading

import dagster as dg
import pytest
from click.testing import CliRunner
from PIL import Image

from clustering_assets.cli.group import cli
from clustering_assets_tests.projects import defs


@pytest.fixture
def mirror(tmp_path):
    """A server on this machine that has a list of two pictures, and one of the two."""
    root = tmp_path / "mirror"
    (root / "2018_04/validation").mkdir(parents=True)
    (root / "validation").mkdir()
    rows = "ImageID,Subset\n000a1\n000a2\n".replace("a1\n", "a1,validation\n").replace(
        "a2\n", "a2,validation\n"
    )
    (root / "2018_04/validation/validation-images-with-rotation.csv").write_text(rows)
    Image.new("RGB", (40, 30), "teal").save(root / "validation/000a1.jpg")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_openimages_command_fetches_what_is_there_and_names_what_is_not(mirror, tmp_path):
    arguments = ["import", "openimages", "--limit", "2", "--images", str(tmp_path / "images")]
    result = CliRunner().invoke(cli, [*arguments, "--lists-url", mirror, "--pictures-url", mirror])
    assert result.exit_code == 0, result.output
    assert [path.name for path in (tmp_path / "images").rglob("*.jpg")] == ["000a1.jpg"]
    assert "1 pictures" in result.output and "000a2" in result.output


def test_the_openimages_job_takes_the_same_settings_and_refuses_bad_ones(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    job = defs.resolve_job_def("import_from_openimages")
    config = {
        "ops": {"fetch_openimages": {"config": {"limit": 2, "subset": "nowhere"}}},
        "resources": {"settings": {"config": {"images": str(tmp_path)}}},
    }
    with pytest.raises(dg.Failure, match=r"subset = .nowhere.*validation"):
        job.execute_in_process(run_config=config)


def test_the_kaggle_job_asks_for_credentials(tmp_path, monkeypatch):
    for name in ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    job = defs.resolve_job_def("import_from_kaggle")
    config = {
        "ops": {"fetch_kaggle": {"config": {"dataset": "owner/dataset"}}},
        "resources": {"settings": {"config": {"images": str(tmp_path)}}},
    }
    with pytest.raises(dg.Failure, match="credentials"):
        job.execute_in_process(run_config=config)


def test_a_limit_below_one_is_refused_before_the_run():
    job = defs.resolve_job_def("import_from_kaggle")
    config = {"ops": {"fetch_kaggle": {"config": {"dataset": "owner/dataset", "limit": 0}}}}
    with pytest.raises(
        (dg.DagsterInvalidConfigError, dg.DagsterExecutionStepExecutionError, ValueError), match="limit"
    ):
        job.execute_in_process(run_config=config)
