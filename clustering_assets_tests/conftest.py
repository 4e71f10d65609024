"""What holds for all tests, and a small project that has been updated once."""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from clustering_assets.defs.update import UpdateResult
    from clustering_assets_tests.projects import Project

# The same examples on every machine and no limit to the time of one, so that a slow or busy machine fails nothing;
# `pytest --hypothesis-profile=search` looks for new ones.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, max_examples=1000)
settings.load_profile("steady")


@pytest.fixture(scope="session")
def pictures_and_music(tmp_path_factory) -> Path:
    from clustering_assets.demo.music import make_music
    from clustering_assets.demo.pictures import make_pictures

    root = tmp_path_factory.mktemp("samples")
    make_pictures(root / "images", count=30, seed=0)
    make_music(root / "music", seed=0)
    return root


@pytest.fixture(scope="session")
def first(tmp_path_factory, pictures_and_music) -> "tuple[Project, UpdateResult]":
    """A project after its first update. Only to be read."""
    from clustering_assets_tests.projects import Project, without_dagster_home

    root = tmp_path_factory.mktemp("first") / "project"
    shutil.copytree(pictures_and_music, root)
    project = Project(root)
    with without_dagster_home(), contextlib.chdir(root):
        result = project.update()
    return project, result


@pytest.fixture
def project(tmp_path, first) -> "Iterator[Project]":
    """A copy of the updated project, to be changed."""
    from clustering_assets_tests.projects import Project, without_dagster_home

    root = tmp_path / "project"
    shutil.copytree(first[0].root, root)
    with without_dagster_home(), contextlib.chdir(root):
        yield Project(root)


@pytest.fixture
def fresh(tmp_path) -> "Iterator[Callable[..., Project]]":
    """Makes a project from nothing."""
    from clustering_assets_tests.projects import Project, without_dagster_home

    with without_dagster_home(), contextlib.chdir(tmp_path):
        yield lambda: Project(tmp_path)
