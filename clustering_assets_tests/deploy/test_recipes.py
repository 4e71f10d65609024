"""The recipes that deploy: they are what their readers expect, and publish nothing that asks for no login."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from clustering_assets.settings import Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
VALUES = yaml.safe_load((DEPLOY / "values.yaml").read_text())
RAY = yaml.safe_load((DEPLOY / "raycluster.yaml").read_text())
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


def settings_named() -> list[str]:
    variables = [
        *COMPOSE["x-program"]["environment"],
        *(entry["name"] for one in VALUES["dagster-user-deployments"]["deployments"] for entry in one["env"]),
    ]
    return [name for name in variables if name.startswith("CLUSTERING_")]


def test_the_image_has_nothing_that_a_linter_minds_and_does_not_run_as_root():
    hadolint = Path(sys.executable).with_name("hadolint")
    checked = subprocess.run([str(hadolint), str(DEPLOY / "Dockerfile")], capture_output=True, text=True)
    assert checked.returncode == 0 and not checked.stdout, checked.stdout
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    assert [line for line in lines if line.startswith("USER")] == ["USER 10001"]
    (extras,) = (line.partition("=")[2] for line in lines if line.startswith("ARG EXTRAS="))
    assert set(extras.split(",")) <= EXTRAS.keys()


def test_what_the_image_copies_is_in_the_repository():
    for line in (DEPLOY / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY") and "--from" not in line:
            *copied, _ = line.split()[1:]
            assert all((ROOT / name).exists() for name in copied), line


def test_compose_is_valid_and_publishes_the_ui_to_this_machine_alone():
    from compose_spec import PyCompose

    filled_in = re.sub(
        r"\$\{\w+(?::-([^}]*)|:\?[^}]*)?\}", lambda found: found[1] or "chosen", json.dumps(COMPOSE)
    )
    assert set(PyCompose.from_json(filled_in).to_spec().services) >= {
        "webserver",
        "daemon",
        "database",
        "store",
    }
    published = {
        name: service["ports"] for name, service in COMPOSE["services"].items() if "ports" in service
    }
    assert published == {"webserver": ["127.0.0.1:3000:3000"]}


def test_no_password_has_a_default_or_stands_in_a_recipe():
    for path in DEPLOY.iterdir():
        for line in path.read_text().splitlines():
            name, _, value = line.partition("=" if path.suffix == ".env" else ":")
            if "PASSWORD" in name.upper() and not line.lstrip().startswith("#"):
                assert not value.strip() or value.strip().startswith(("${", "{env")), (path.name, line)


@pytest.mark.parametrize("name", settings_named())
def test_every_variable_is_a_setting(name):
    known = {f"CLUSTERING_{field.upper()}" for field in Settings.model_fields} | {
        "CLUSTERING_ROOTS",
        "CLUSTERING_HOSTS",
    }
    assert name in known


def test_every_pod_runs_as_the_user_of_the_image_with_limits_and_room_for_copies():
    spec = RAY["spec"]
    pods = [spec["headGroupSpec"], *spec["workerGroupSpecs"]]
    for pod in (group["template"]["spec"] for group in pods):
        assert pod["securityContext"]["runAsNonRoot"]
        mounts: list[Any] = [mount["mountPath"] for one in pod["containers"] for mount in one["volumeMounts"]]
        assert mounts == ["/scratch"] and all("limits" in one["resources"] for one in pod["containers"])
    for deployment in VALUES["dagster-user-deployments"]["deployments"]:
        assert deployment["securityContext"]["runAsNonRoot"] and "limits" in deployment["resources"]
    assert "auth-url" in str(VALUES["ingress"]["annotations"])


def test_state_is_told_alike_on_one_machine_and_on_many():
    here, there = (
        yaml.safe_load((ROOT / name).read_text()) for name in ("dagster.yaml", "deploy/dagster.yaml")
    )
    assert here["concurrency"] == there["concurrency"]
    limits = VALUES["dagsterDaemon"]["runCoordinator"]["config"]["queuedRunCoordinator"][
        "tagConcurrencyLimits"
    ]
    assert limits == here["concurrency"]["runs"]["tag_concurrency_limits"]
    assert there["storage"]["postgres"]["postgres_db"]["scheme"] == "postgresql+psycopg2"
    assert shutil.which("dagster", path=str(Path(sys.executable).parent))
