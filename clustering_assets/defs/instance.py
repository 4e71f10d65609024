"""Where Dagster keeps its state."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from dagster._core.instance.ref import InstanceRef

from clustering_assets.errors import ClusteringError


@contextmanager
def database_in_words() -> Iterator[None]:
    """Turn trouble with the database that Dagster keeps its state in into words: in a block.

    Raises:
        ClusteringError: The database cannot be used, or went away meanwhile.
    """
    try:
        yield
    except Exception as error:
        kinds = {kind.__name__ for kind in type(error).__mro__}
        if not kinds & {"OperationalError", "InterfaceError", "DagsterPostgresException"}:
            raise
        raise ClusteringError(
            f"The database of Dagster cannot be used ({type(error).__name__}). Check whether it runs, and PGHOST, "
            "PGPORT, PGUSER, PGPASSWORD and PGDATABASE, or what else dagster.yaml names. What was finished is kept; "
            "the same command goes on from here."
        ) from None


def open_instance(folder: Path, *, logs: bool = False) -> dg.DagsterInstance:
    """The instance that the UI started in `folder` uses too.

    `DAGSTER_HOME` wins where it is set. Otherwise state is kept in `.dagster` as the folder's `dagster.yaml` says, or
    in the folder's `.dagster` where there is no such file. Dagster reports nothing where no `dagster.yaml` says that it
    shall. What is printed stays on the terminal: the processes that would copy it would print tracebacks at Ctrl-C.

    Args:
        folder: The folder of the project.
        logs: Keep what runs print all the same, for the UI to show.

    Raises:
        ClusteringError: `DAGSTER_HOME` is no absolute path of a folder.
    """
    module = "dagster._core.storage.noop_compute_log_manager"
    plain = {} if logs else {"compute_logs": {"module": module, "class": "NoOpComputeLogManager"}}
    quiet = {"telemetry": {"enabled": False}, **plain}
    if chosen := os.environ.get("DAGSTER_HOME"):
        if not (Path(chosen).is_absolute() and Path(chosen).is_dir()):
            raise ClusteringError(
                f"DAGSTER_HOME = {chosen!r}: must be the absolute path of a folder that is there; make it, or unset "
                "the variable to keep state in .dagster"
            )
        if (Path(chosen) / "dagster.yaml").is_file():
            return dg.DagsterInstance.from_ref(InstanceRef.from_dir(chosen, overrides=plain))
        return dg.DagsterInstance.from_ref(InstanceRef.from_dir(chosen, overrides=quiet))
    home = folder.resolve() / ".dagster"
    home.mkdir(parents=True, exist_ok=True)
    if (folder / "dagster.yaml").is_file():
        return dg.DagsterInstance.from_ref(
            InstanceRef.from_dir(str(home), config_dir=str(folder), overrides=plain)
        )
    return dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(home), overrides=quiet))
