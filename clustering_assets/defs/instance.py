"""Where Dagster keeps its state."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import sqlalchemy.exc
from dagster._core.instance.ref import InstanceRef

from clustering_assets.errors import ClusteringError


def open_instance(folder: Path, *, logs: bool = False) -> dg.DagsterInstance:
    """The instance that the UI started in `folder` uses too.

    `DAGSTER_HOME` wins where it is set. Otherwise state is kept in `.dagster` as the folder's `dagster.yaml` says, or
    in the folder's `.dagster` where there is no such file. Dagster reports nothing where no `dagster.yaml` says that it
    shall. What is printed stays on the terminal: the processes that would copy it would print tracebacks at Ctrl-C.

    Args:
        folder: The folder of the project.
        logs: Keep what runs print all the same, for the UI to show.

    Raises:
        ClusteringError: `DAGSTER_HOME` is no absolute path of a folder, `dagster.yaml` is no configuration, or what
            is kept cannot be read.
    """
    module = "dagster._core.storage.noop_compute_log_manager"
    plain = {} if logs else {"compute_logs": {"module": module, "class": "NoOpComputeLogManager"}}
    chosen = os.environ.get("DAGSTER_HOME")
    if chosen and not (Path(chosen).is_absolute() and Path(chosen).is_dir()):
        raise ClusteringError(
            f"DAGSTER_HOME = {chosen!r}: must be the absolute path of a folder that is there; make it, or unset "
            "the variable to keep state in .dagster"
        )
    config = Path(chosen or folder)
    home = Path(chosen) if chosen else folder.resolve() / ".dagster"
    home.mkdir(parents=True, exist_ok=True)
    overrides = plain if (config / "dagster.yaml").is_file() else {"telemetry": {"enabled": False}, **plain}
    try:
        with state_errors(config):
            ref = InstanceRef.from_dir(str(home), config_dir=str(config), overrides=overrides)
            return dg.DagsterInstance.from_ref(ref)
    except (ClusteringError, OSError):
        raise
    except Exception as error:  # Dagster answers a broken file with errors of every kind
        raise ClusteringError(f"{config}/dagster.yaml is no configuration of Dagster: {error}") from error


@contextmanager
def state_errors(home: str | Path) -> Iterator[None]:
    """Say in words that what Dagster keeps is locked or damaged, as SQLite says it.

    Args:
        home: The folder of the project, for the message.

    Raises:
        ClusteringError: With the way out.
    """
    try:
        yield
    except sqlalchemy.exc.DatabaseError as error:
        raise ClusteringError(
            f"What Dagster keeps for {home} cannot be used ({error.orig}). If it is locked, wait for the program "
            "that has it open, or end that; if it is damaged, remove the folder .dagster: results stay, and are "
            "looked at again"
        ) from error
