"""The README: its tables are those of the code, and its commands exist."""

import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest

from clustering_assets import outputs
from clustering_assets.cli.main import cli
from clustering_assets.embedding.files import PATHS
from clustering_assets.tables import TABLES
from clustering_assets_tests.readme_settings import settings_table

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
HOOKS = re.findall(r"entry: (.*)", (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
COMMANDS = [
    line
    for block in [*re.findall(r"```sh\n(.*?)```", README + CONTRIBUTING, flags=re.DOTALL), *HOOKS]
    for line in block.splitlines()
    if line.strip()
]
LINKED = re.findall(r"!\[[^\]]*\]\(([^)]+)\)|\]\(((?:docs/)?\w+\.md)\)", README + CONTRIBUTING)


def test_the_table_of_settings_is_the_one_of_the_code():
    """To mend: python -m clustering_assets_tests.readme_settings."""
    found = re.search(r"<!-- settings -->\n(.*?)\n<!-- /settings -->", README, flags=re.DOTALL)
    assert found and found[1] == settings_table()


def test_every_output_is_explained():
    names = [value for name, value in vars(outputs).items() if name.isupper() and isinstance(value, str)]
    for name in [*names, *(table.file for table in TABLES), PATHS]:
        if "." in name:
            assert Path(name).name in README, name


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("make")])
def test_every_make_command_is_a_target_with_known_variables(command):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    _, target, *variables = shlex.split(command)
    assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE)
    for variable in variables:
        assert re.search(rf"^{variable.partition('=')[0]} \?=", makefile, flags=re.MULTILINE), variable


@pytest.mark.parametrize("command", [command for command in COMMANDS if "-m clustering_assets " in command])
def test_every_command_line_is_understood(command):
    name, *flags = shlex.split(command, comments=True)[3:]
    subcommand = cli.get_command(click.Context(cli), name)
    while isinstance(subcommand, click.Group):
        name, *flags = flags
        subcommand = subcommand.get_command(click.Context(subcommand), name)
    assert subcommand is not None
    subcommand.make_context(name, flags)


@pytest.mark.parametrize("target", LINKED)
def test_every_picture_and_page_is_there(target):
    assert (ROOT / next(filter(None, target))).is_file()


def test_a_slip_in_the_name_of_a_variable_of_make_is_told():
    told = subprocess.run(
        ["make", "-n", "run", "IMAGE=photos"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert told.returncode and "IMAGE: there is no such variable" in told.stderr and "IMAGES" in told.stderr
    right = ["make", "-n", "run", "IMAGES=photos", "ARGS=--clusters 8", "CLUSTERING_FPS=30"]
    assert subprocess.run(right, cwd=ROOT, capture_output=True, check=False).returncode == 0


def test_there_is_something_to_test():
    assert len(COMMANDS) >= 7
