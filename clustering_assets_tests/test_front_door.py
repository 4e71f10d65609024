"""What the package offers at its front door, and that opening it costs nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

import clustering_assets


@pytest.mark.parametrize("name", clustering_assets.__all__)
def test_every_public_name_is_there(name):
    assert getattr(clustering_assets, name) is not None
    assert name in dir(clustering_assets)


def test_a_name_that_is_none_is_refused_by_name():
    with pytest.raises(AttributeError, match=r"'clustering_assets' has no attribute 'load_video'"):
        _ = clustering_assets.load_video


def test_importing_the_package_imports_no_library():
    """Beside the standard library: nothing that lies among the installed packages."""
    code = (
        "import sys; before = set(sys.modules); import clustering_assets\n"
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before} - sys.stdlib_module_names))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["clustering_assets"]


def test_what_the_readme_imports_is_there():
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    lines = [
        line
        for line in readme.splitlines()
        if line.startswith(("from clustering_assets", "import clustering_assets"))
    ]
    assert lines
    for line in lines:
        exec(line, {})
