"""Where Dagster keeps its state."""

import hashlib
import os
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy.exc
import yaml
from dagster._core.instance.ref import InstanceRef

from clustering_assets.defs.records import recorded
from clustering_assets.errors import ClusteringError
from clustering_assets.places import is_url
from clustering_assets.settings import Settings
from clustering_assets.storage import write_text

COLLECTION = "collection"
"""Name of the file beside the state of an output that says which output it is."""


@contextmanager
def state_errors(home: str | Path) -> Iterator[None]:
    """Say in words that the database of Dagster's state cannot be used: in a block.

    Args:
        home: The folder of the project, for the message.

    Raises:
        ClusteringError: With the way out.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, sqlalchemy.exc.DatabaseError) and isinstance(error.orig, sqlite3.Error):
            raise ClusteringError(
                f"What Dagster keeps for {home} cannot be used ({error.orig}). If it is locked, wait for the program "
                "that has it open, or end that; if it is damaged, remove the folder .dagster: results stay, and are "
                "looked at again"
            ) from error
        kinds = {kind.__name__ for kind in type(error).__mro__}
        if not kinds & {"OperationalError", "InterfaceError", "DagsterPostgresException"}:
            raise
        raise ClusteringError(
            f"The database of Dagster cannot be used ({type(error).__name__}). Check whether it runs, and PGHOST, "
            "PGPORT, PGUSER, PGPASSWORD and PGDATABASE, or what else dagster.yaml names. What was finished is kept; "
            "the same command goes on from here."
        ) from None


def open_instance(folder: Path, output: str = "", *, logs: bool = False) -> dg.DagsterInstance:
    """The instance that the UI started in `folder` uses too.

    `DAGSTER_HOME` wins where it is set. Otherwise state is kept in `.dagster` as the folder's `dagster.yaml` says, or
    in the folder's `.dagster` where there is no such file: that of the output `output` there, and that of every other
    output in a folder of its own below, so that no history is mixed with another. Dagster reports nothing where no
    `dagster.yaml` says that it shall. What is printed stays on the terminal: the processes that would copy it would
    print tracebacks at Ctrl-C.

    Args:
        folder: The folder of the project.
        output: The output that the state belongs to; empty: the default.
        logs: Keep what runs print all the same, for the UI to show.

    Raises:
        ClusteringError: `DAGSTER_HOME` is no absolute path of a folder, `dagster.yaml` is no configuration, or what
            is kept cannot be read.
    """
    module = "dagster._core.storage.noop_compute_log_manager"
    plain = {} if logs else {"compute_logs": {"module": module, "class": "NoOpComputeLogManager"}}
    if chosen := os.environ.get("DAGSTER_HOME"):
        if not (Path(chosen).is_absolute() and Path(chosen).is_dir()):
            raise ClusteringError(
                f"DAGSTER_HOME = {chosen!r}: must be the absolute path of a folder that is there; make it, or unset "
                "the variable to keep state in .dagster"
            )
        return _open(Path(chosen), Path(chosen), plain)
    state = folder.resolve() / ".dagster"
    home = _home_of(state, output)
    if home == state:
        home.mkdir(parents=True, exist_ok=True)
    else:
        _bring_along(state, home, folder, output)
        plain = {**_below(home, folder), **plain}
    if output:
        write_text(home / COLLECTION, output)
    return _open(home, folder, plain)


def collection_of(instance: dg.DagsterInstance) -> str:
    """The output whose state an instance keeps, as its setting said it; empty where that is not known."""
    try:
        return (Path(instance.root_directory) / COLLECTION).read_text(encoding="utf-8")
    except (OSError, dg.DagsterInvariantViolationError):
        return ""


def _open(home: Path, configured: Path, overrides: Mapping[str, Any]) -> dg.DagsterInstance:
    """An instance whose state is in `home`, as the `dagster.yaml` of a folder says, or quiet where there is none.

    Raises:
        ClusteringError: The file is no configuration, or the state cannot be used.
    """
    silent = {"telemetry": {"enabled": False}, "nux": {"enabled": False}}
    quiet = {} if (configured / "dagster.yaml").is_file() else silent
    try:
        with state_errors(configured):
            ref = InstanceRef.from_dir(
                str(home), config_dir=str(configured), overrides={**quiet, **overrides}
            )
            return dg.DagsterInstance.from_ref(ref)
    except (ClusteringError, OSError):
        raise
    except Exception as error:  # Dagster answers a broken file with errors of every kind
        raise ClusteringError(f"{configured}/dagster.yaml is no configuration of Dagster: {error}") from error


def _home_of(state: Path, output: str) -> Path:
    """Where the state of an output is kept."""
    default = str(Settings.model_fields["output"].default)
    place = output.rstrip("/") if is_url(output) else str((state.parent / (output or default)).resolve())
    if place == str((state.parent / default).resolve()):
        return state
    digest = hashlib.blake2b(place.encode(), digest_size=5).hexdigest()
    name = re.sub(r"[^\w-]+", "_", place.rpartition("/")[2])[:40]
    return state / "outputs" / f"{name}-{digest}"


def _below(home: Path, folder: Path) -> dict[str, Any]:
    """What lets a folder's configuration keep its files in `home`; nothing where it keeps state in a database."""
    file = folder / "dagster.yaml"
    try:
        configured = (yaml.safe_load(file.read_text(encoding="utf-8")) or {}) if file.is_file() else {}
    except (yaml.YAMLError, UnicodeDecodeError):
        return {}  # which is told where the file is read in earnest
    if "sqlite" not in configured.get("storage", {"sqlite": {}}):
        return {}
    found: dict[str, Any] = {"storage": {"sqlite": {"base_dir": str(home)}}}
    for name, below in (("local_artifact_storage", home), ("compute_logs", home / "storage")):
        if "base_dir" in configured.get(name, {}).get("config", {}):
            found[name] = {
                **configured[name],
                "config": {**configured[name]["config"], "base_dir": str(below)},
            }
    return found


def _bring_along(state: Path, home: Path, folder: Path, output: str) -> None:
    """Make the home of an output, with what an older version kept for it in the state of all."""
    if home.exists():
        return
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent) as scratch:
        made = Path(scratch) / "home"
        made.mkdir()
        if (state / "history").is_dir() and not os.environ.get("DAGSTER_HOME"):
            with _open(state, folder, {}) as before:
                is_its = recorded(before, "cluster_assignments", "output") == output
            if is_its:
                _copy_state(state, made)
        made.rename(home)


def _copy_state(state: Path, made: Path) -> None:
    """Copy the databases and logs of an instance, while it may be in use."""
    for path in state.rglob("*"):
        place = made / path.relative_to(state)
        if (
            path.is_relative_to(state / "outputs")
            or not path.is_file()
            or path.suffix in (".db-wal", ".db-shm")
        ):
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".db":
            with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(place)) as target:
                source.backup(target)
        else:
            shutil.copy2(path, place)
