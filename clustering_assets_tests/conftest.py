"""What holds for all tests, and a small project that has been updated once."""

import contextlib
import io
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import pytest
from hypothesis import settings

from clustering_assets.download import Patience
from clustering_assets.files.source import FileSource, FoundFile, is_listed
from clustering_assets_tests.web import Web, serving

if TYPE_CHECKING:
    from clustering_assets.defs.update import UpdateResult
    from clustering_assets_tests.object_stores import Gate
    from clustering_assets_tests.projects import Project

# The same examples on every machine and no limit to the time of one, so that a slow or busy machine fails nothing;
# `pytest --hypothesis-profile=search` looks for new ones.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, max_examples=1000)
settings.load_profile("steady")


@pytest.fixture(autouse=True, scope="session")
def few_layouts() -> Iterator[None]:
    """Each neighbourhood is laid out once: what chance does to small folders matters less here than the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("clustering_assets.clustering.consensus.MOST_ROUNDS", 1)
        yield


@dataclass
class MemorySource(FileSource):
    """Files that are nowhere but in memory.

    Attributes:
        contents: What each holds, by its path.
        mtimes: When each was changed.
    """

    contents: dict[str, bytes]
    mtimes: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        return "memory:"

    def files(self) -> list[FoundFile]:
        return [self.stat(path) for path in sorted(self.contents) if all(map(is_listed, path.split("/")))]

    def stat(self, path: str) -> FoundFile:
        if path not in self.contents:
            raise FileNotFoundError(2, "No such file or directory", path)
        return FoundFile(path, len(self.contents[path]), self.mtimes.get(path, 0))

    def open(self, path: str) -> BinaryIO:
        self.stat(path)
        return io.BytesIO(self.contents[path])


@pytest.fixture
def memory_source() -> Callable[[Path], MemorySource]:
    """A source that holds what a folder holds, which is then removed."""

    def make(folder: Path) -> MemorySource:
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        names = [path.relative_to(folder).as_posix() for path in files]
        source = MemorySource(
            {name: path.read_bytes() for name, path in zip(names, files, strict=True)},
            {name: path.stat().st_mtime_ns for name, path in zip(names, files, strict=True)},
        )
        shutil.rmtree(folder)
        return source

    return make


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    """Write bytes to a file of a fresh folder."""

    def write(name: str, data: bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    return write


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


@pytest.fixture
def web() -> Iterator[Web]:
    """A running web server; `web.url` is its address."""
    with serving() as web:
        yield web


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of an S3 server."""
    from clustering_assets_tests.object_stores import store_server

    with store_server() as address:
        yield address


@pytest.fixture
def bucket(s3_server: str, monkeypatch, tmp_path) -> "Iterator[Gate]":
    """An empty bucket behind a gate that counts and makes trouble; nothing waits long, and no copies are there yet."""
    from clustering_assets import stores
    from clustering_assets_tests.object_stores import gate_to

    monkeypatch.setattr(stores, "WAITS", (0.01, 0.01))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with gate_to(s3_server) as gate:
        yield gate


@pytest.fixture
def waits() -> list[float]:
    """The seconds that downloads waited, which pass at once."""
    return []


@pytest.fixture
def patience(waits: list[float]) -> Patience:
    """Downloads that try four times and do not wait."""
    return Patience(attempts=4, timeout=0.5, first_wait=0.1, wait=waits.append)
