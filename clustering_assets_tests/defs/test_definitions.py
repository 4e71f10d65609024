"""The code location: what is in it, that it loads, and that it loads fast."""

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import dagster as dg
import pytest
import yaml

from clustering_assets.defs.instance import open_instance
from clustering_assets_tests.defs.snapshot import SNAPSHOT, described
from clustering_assets_tests.projects import defs

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "torchvision", "openvino", "av", "moviepy", "cv2", "sklearn", "scipy", "matplotlib")


def test_the_graph_is_the_one_that_was_reviewed():
    """After a change that is meant: python -m clustering_assets_tests.defs.snapshot, then read the diff."""
    found = {spec.key.to_user_string(): described(spec) for spec in defs.resolve_all_asset_specs()}
    assert found == json.loads(SNAPSHOT.read_text(encoding="utf-8"))


def test_every_asset_says_what_it_is_who_keeps_it_and_which_version_it_has():
    for spec in defs.resolve_all_asset_specs():
        assert spec.description and spec.owners and spec.kinds and spec.group_name, spec.key
        if spec.key != dg.AssetKey("source_images"):
            assert spec.code_version, spec.key


def test_groups_are_listed_in_the_order_in_which_things_are_made():
    """Dagster's UI sorts them by name."""
    specs = {spec.key: spec for spec in defs.resolve_all_asset_specs()}
    for spec in specs.values():
        assert all(specs[dep.asset_key].group_name <= spec.group_name for dep in spec.deps), spec.key


def test_jobs_sensors_and_checks_are_there():
    repository = defs.get_repository_def()
    assert {"cluster_images", "render_videos"} <= set(repository.job_names)
    assert {sensor.name for sensor in repository.sensor_defs} == {
        "new_images_sensor",
        "cluster_videos_sensor",
    }
    checks = {
        key.name
        for asset in repository.asset_graph.get_all_asset_keys()
        for key in repository.asset_graph.get_check_keys_for_assets({asset})
    }
    assert {"enough_usable_images", "every_file_is_usable", "video_as_planned"} <= checks


def test_the_workspace_names_a_module_with_definitions():
    workspace = yaml.safe_load((ROOT / "workspace.yaml").read_text())
    module = workspace["load_from"][0]["python_module"]
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    assert module["module_name"] == tool["dg"]["project"]["code_location_target_module"]
    assert module["location_name"] == tool["dg"]["project"]["code_location_name"]
    assert "dagster" not in tool, "[tool.dagster] would silently win over both"


@pytest.fixture(scope="module")
def loaded_modules() -> set[str]:
    code = "import sys, clustering_assets.definitions; print(*sorted(m for m in sys.modules if '.' not in m))"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    return set(run.stdout.split())


@pytest.mark.parametrize("name", HEAVY)
def test_loading_the_code_location_leaves_heavy_packages_alone(name, loaded_modules):
    assert "dagster" in loaded_modules
    assert name not in loaded_modules


def test_runs_that_write_the_same_tables_run_one_at_a_time(tmp_path):
    shutil.copy(ROOT / "dagster.yaml", tmp_path)
    with open_instance(tmp_path) as instance:
        limits = instance.get_concurrency_config().run_queue_config.tag_concurrency_limits
    assert [limit["limit"] for limit in limits] == [1]
    for job in ("cluster_images", "refresh_report"):
        assert limits[0]["key"] in defs.resolve_job_def(job).tags
