"""The rooms: the drawing shows the imports that there are, and tests use public names only."""

import ast
from pathlib import Path

import pytest

from clustering_assets_tests.rooms import PAGE, with_drawing

FOLDER = Path(__file__).parent
TESTS = sorted(FOLDER.rglob("*.py"))


def test_the_drawing_shows_the_imports_that_there_are():
    """To mend: python -m clustering_assets_tests.rooms, then read the diff."""
    page = PAGE.read_text(encoding="utf-8")
    assert page == with_drawing(page)


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.relative_to(FOLDER).as_posix())
def test_tests_import_public_names_only(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    private = [
        f"{node.module}.{name.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("clustering_assets")
        for name in node.names
        if name.name.startswith("_") and not name.name.startswith("__")
    ]
    assert not private
