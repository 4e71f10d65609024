"""Whether the machines of a cluster see the same files as this one, and read them with the same libraries."""

import tempfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from clustering_assets.files.source import FileSource, FoundFile
from clustering_assets.storage import write_bytes
from clustering_assets.stores import StoreError, open_place
from clustering_assets.work.engine import Cluster, WorkError

if TYPE_CHECKING:
    from upath import UPath

_LIBRARIES = (
    "av",
    "clustering-assets",
    "numpy",
    "opencv-python-headless",
    "openvino",
    "pillow",
    "simplejpeg",
    "torch",
)
"""What decides the pixels and the vector of a picture, and the frames of a video."""

_TRIED = 100
"""Pictures of which this machine looks for one that is still there."""

_MARK = ".shared-"
"""Beginning of the name of a file that only asks whether others see it."""


def check_reach(cluster: Cluster, source: FileSource, paths: Iterable[str], place: str | None = None) -> None:
    """Refuse a cluster with a machine that cannot do the work as this one would; each is asked.

    Args:
        cluster: The engine.
        source: Where the pictures are; each machine has to read the first one that is there.
        paths: The pictures.
        place: A folder or URL to which each machine has to be able to write; None: there is none.

    Raises:
        WorkError: A machine lacks the pictures or the folder, or has other versions of the libraries; or the cluster
            cannot be used, or this process cannot write to the folder.
    """
    file = next(filter(None, (_found(source, path) for path in islice(paths, _TRIED))), None)
    if place is None:
        _ask(cluster, source, file, None)
        return
    try:
        with _marked(place) as mark:
            _ask(cluster, source, file, str(mark))
    except OSError as error:
        raise WorkError(f"{place} cannot be written to ({error.strerror or error})") from error


@contextmanager
def _marked(place: str) -> "Iterator[Path | UPath]":
    """A file in a folder or on a store, made for the time of the block if that can be written to."""
    folder = open_place(place, "output")
    if isinstance(folder, Path):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=_MARK) as mark:
            yield Path(mark.name)
        return
    mark = folder / f"{_MARK}{uuid.uuid4().hex}"
    write_bytes(mark, b"Is this seen?")
    try:
        yield mark
    finally:
        mark.unlink(missing_ok=True)


def libraries() -> dict[str, str]:
    """The versions of what decides vectors, as installed here."""
    return {name: _version(name) for name in _LIBRARIES}


def problem_here(
    source: FileSource, file: FoundFile | None, mark: str | None, expected: dict[str, str]
) -> str:
    """Why this machine cannot do what another one would, in words that follow its name; empty if it can.

    Args:
        source: Where the pictures are.
        file: One of them, as the other machine sees it; None if it sees none.
        mark: A file that the other machine has put into a folder, to which this one has to be able to write.
        expected: What `libraries` says there.
    """
    different = [f"{name} {has}" for name, has in libraries().items() if has != expected[name]]
    if different:
        needed = [f"{name} {asked}" for name, asked in expected.items() if _version(name) != asked]
        return f"has {', '.join(different)}, not {', '.join(needed)}: vectors would differ. Install the same"
    try:
        if file and not _is_same(source, file):
            return f"sees another {source}/{file.path}: pictures must lie in a place that all machines share"
    except (OSError, StoreError) as error:
        return (
            f"cannot read {source}/{file.path if file else ''} ({_reason(error)}): pictures must lie in a "
            "place that all machines share"
        )
    if mark is None:
        return ""
    place = open_place(mark, "output")
    try:
        if not place.exists():
            return f"does not see what is in {place.parent}: the output must lie in a place that all machines share"
        with _marked(str(place.parent)):
            return ""
    except (OSError, StoreError) as error:
        return f"cannot write to {place.parent} ({_reason(error)})"


def _reason(error: OSError | StoreError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _ask(cluster: Cluster, source: FileSource, file: FoundFile | None, mark: str | None) -> None:
    question = partial(problem_here, source, file, mark, libraries())
    problems = [f"{name} {problem}" for name, problem in cluster.ask_machines(question) if problem]
    if problems:
        raise WorkError("The Ray cluster cannot do this work:\n" + "\n".join(problems))


def _is_same(source: FileSource, file: FoundFile) -> bool:
    """Whether a file is here and is the one that another machine sees; its first byte is read."""
    with source.open(file.path) as opened:
        opened.read(1)
    return source.stat(file.path) == file


def _found(source: FileSource, path: str) -> FoundFile | None:
    try:
        return source.stat(path)
    except OSError:
        return None


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
