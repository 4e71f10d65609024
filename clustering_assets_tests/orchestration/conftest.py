"""A small project that has been updated once, and copies of it to change."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest

from clustering_assets.definitions import defs
from clustering_assets.outputs import CLUSTER_ASSIGNMENTS, Outputs
from clustering_assets.runs import UpdateResult, open_instance, update
from clustering_assets.settings import Settings, load_settings
from clustering_assets.versions import VIDEOS

SMALL = {
    "images": "images",
    "music": "music",
    "output": "output",
    "min_images": 20,
    "clusters": 3,
    "backbone": "efficientnet_lite0",
    "resolution": "320x180",
    "fps": 10,
    "seconds_per_image": 1.2,
    "transition_seconds": 0.4,
    "max_images_per_video": 3,
    "quality": "preview",
}


@dataclass
class Project:
    """A folder with pictures, music and output, its Dagster state in `.dagster`; the working folder while in use."""

    root: Path
    said: list[str] = field(default_factory=list)

    def settings(self, **changed: object) -> Settings:
        return load_settings(**{**SMALL, **changed})

    def update(self, meanwhile: Callable[[str], object] | None = None, **changed: object) -> UpdateResult:
        """Update; `meanwhile` is called with each announcement, before what it announces happens."""

        def announce(line: str) -> None:
            self.said.append(line)
            if meanwhile:
                meanwhile(line)

        with self.instance() as instance:
            return update(defs, instance, self.settings(**changed), announce=announce)

    def instance(self) -> dg.DagsterInstance:
        return open_instance(self.root)

    @property
    def outputs(self) -> Outputs:
        return Outputs("output")

    def assignments(self):
        return self.outputs.read_table(CLUSTER_ASSIGNMENTS)

    def out_of_date(self, instance: dg.DagsterInstance) -> set[str]:
        """Keys of the videos that the UI would show as out of date."""
        resolver = CachingStaleStatusResolver(
            instance, defs.resolve_asset_graph(), LoadingContextForTest(instance)
        )
        keys = instance.get_dynamic_partitions("clusters")
        return {key for key in keys if resolver.get_status(VIDEOS, key) is not StaleStatus.FRESH}

    def videos(self) -> dict[str, int]:
        """Time of the last change of each video, by name."""
        return {
            path.name: path.stat().st_mtime_ns for path in sorted((self.root / "output/videos").iterdir())
        }


@pytest.fixture(scope="session")
def pictures_and_music(tmp_path_factory) -> Path:
    from clustering_assets.demo.music import make_music
    from clustering_assets.demo.pictures import make_pictures

    root = tmp_path_factory.mktemp("samples")
    make_pictures(root / "images", count=30, seed=0)
    make_music(root / "music", seed=0)
    return root


@pytest.fixture(scope="session")
def first(tmp_path_factory, pictures_and_music) -> tuple[Project, UpdateResult]:
    """A project after its first update. Only to be read."""
    root = tmp_path_factory.mktemp("first") / "project"
    shutil.copytree(pictures_and_music, root)
    project = Project(root)
    with without_dagster_home(), contextlib.chdir(root):
        result = project.update()
    return project, result


@pytest.fixture
def project(tmp_path, first) -> Iterator[Project]:
    """A copy of the updated project, to be changed."""
    root = tmp_path / "project"
    shutil.copytree(first[0].root, root)
    with without_dagster_home(), contextlib.chdir(root):
        yield Project(root)


@pytest.fixture
def fresh(tmp_path) -> Iterator[Callable[..., Project]]:
    """Makes a project from nothing."""
    with without_dagster_home(), contextlib.chdir(tmp_path):
        yield lambda: Project(tmp_path)


@contextlib.contextmanager
def without_dagster_home() -> Iterator[None]:
    home = os.environ.pop("DAGSTER_HOME", None)
    try:
        yield
    finally:
        if home is not None:
            os.environ["DAGSTER_HOME"] = home
