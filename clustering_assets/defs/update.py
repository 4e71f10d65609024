"""Updates driven from this process: the same assets, resources and instance as the UI, one phase after another."""

import builtins
import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.instance.ref import InstanceRef
from filelock import FileLock, Timeout

from clustering_assets.defs.io_managers.base import OUTPUT
from clustering_assets.defs.orphaned_runs import PROCESS_TAG, close_abandoned_runs, this_process
from clustering_assets.defs.partitions import PartitionChanges, sync_partitions
from clustering_assets.defs.staleness import (
    bring_back_videos,
    confirm_video,
    holds_video,
    is_current,
    videos_due,
)
from clustering_assets.errors import ClusteringError
from clustering_assets.outputs import Outputs
from clustering_assets.settings import Settings
from clustering_assets.slideshows import Recipe, recipes
from clustering_assets.storage import mark_output, remove_partials
from clustering_assets.tables import CLUSTER_ASSIGNMENTS, IMAGE_MANIFEST, MUSIC_CHOICE
from clustering_assets.words import counted

DIGEST_TAG = "clustering_assets/digest"
"""Tag of a run that renders a video: the digest of what the video is made of."""

SCANS = ("image_manifest", "music_tracks")
"""Assets that look at the disk; they begin every update and cost little when nothing has changed."""

STAGES = ("dataset_analysis", "embeddings", "cluster_assignments", "cluster_plot", "music_choice")
"""The assets between the scans and the videos, each after those that it depends on."""

CLOSING = ("ledger", "gallery")
"""Assets that show the videos too, or what was lost on the way to them."""


LOCK = ".update.lock"
"""Name of the file in the output that an update holds locked while it is under way."""


class OutputTaken(ClusteringError):
    """Two updates of the same output at once."""


class RunFailed(ClusteringError):
    """A run did not succeed; the message is that of the error that ended it.

    Attributes:
        trace: The traceback of a fault of the program; empty for an error that the user can mend.
    """

    def __init__(self, message: str, trace: str = "") -> None:
        super().__init__(message)
        self.trace = trace


@dataclass
class UpdateResult:
    """What an update did.

    Attributes:
        made: Assets that were made anew; those that were up to date are not among them.
        clusters: Recipe of each cluster's video, by partition key.
        rendered: Keys of the videos that were rendered.
        failed: Why a video could not be rendered, by key.
        flawed: What is wrong with a video that was rendered but is not as planned, by key.
        partitions: Clusters that are new and clusters that are gone.
    """

    made: list[str] = field(default_factory=list)
    clusters: dict[str, Recipe] = field(default_factory=dict)
    rendered: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    flawed: dict[str, str] = field(default_factory=dict)
    partitions: PartitionChanges = field(default_factory=lambda: PartitionChanges((), ()))


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


def update(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    settings: Settings,
    announce: Callable[[str], None] = lambda line: None,
) -> UpdateResult:
    """Bring everything up to date: scan, then what follows from it, then each video, then the summary.

    Args:
        definitions: The code location.
        instance: Where runs are recorded.
        settings: The settings in force; they become the run config of every run.
        announce: Is told in one line what happens next.

    Returns:
        What was done. A video that fails does not keep the others from being rendered.

    Raises:
        RunFailed: Anything but a video failed.
        OutputTaken: Another update is writing to the output.
        ClusteringError: The output cannot be written to.
    """
    with _output_for_ourselves(settings.output):
        return _update(definitions, instance, settings, announce)


@contextmanager
def _output_for_ourselves(output: str) -> Iterator[None]:
    """Make the output folder, and keep other updates away from it; an object store is left to its users."""
    folder = Outputs(output).path("")
    if not isinstance(folder, Path):
        yield
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        mark_output(folder)
        lock = FileLock(folder / LOCK)
        lock.acquire(timeout=0)
        remove_partials(folder, time.time())
    except Timeout:
        raise OutputTaken(
            f"another update is writing to {output}: wait until it is done, or give this one another output"
        ) from None
    except OSError as error:
        raise ClusteringError(
            f"output = {output!r} cannot be written to: {error.strerror or error}. Choose another folder with output"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _update(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    settings: Settings,
    announce: Callable[[str], None],
) -> UpdateResult:
    runner = _Runner(definitions, instance, settings, announce)
    close_abandoned_runs(instance)
    result = UpdateResult()
    announce("Looking at the pictures and the music")
    runner.run(SCANS)
    stale = runner.stale(STAGES)
    if stale:
        announce(f"Updating {', '.join(stale)}")
        runner.run(stale)
    result.made = stale
    result.clusters = runner.recipes()
    result.partitions = sync_partitions(instance, result.clusters)
    outputs = Outputs(settings.output)
    outputs.set_aside_videos(keep=result.clusters)
    bring_back_videos(result.clusters, outputs)
    for recipe in result.clusters.values():
        holds_video(recipe, outputs)  # and records it, where an older version did not
    due = videos_due(instance, result.clusters, settings)
    for key in result.clusters.keys() - set(due):
        confirm_video(instance, key)
    kept = [key for key in due if holds_video(result.clusters[key], outputs)]
    if len(kept) < len(due):
        announce(f"Rendering {len(due) - len(kept)} of {counted(len(result.clusters), 'video')}")
    if kept:
        announce(
            f"Recording {counted(len(kept), 'video')} that {'is' if len(kept) == 1 else 'are'} there already"
        )
    for key in due:
        try:
            flaws = runner.run(
                ["cluster_videos"], partition=key, tags={DIGEST_TAG: result.clusters[key].digest}
            )
            if key not in kept:
                result.rendered.append(key)
            if flaws:
                result.flawed[key] = "; ".join(flaws)
        except RunFailed as error:
            result.failed[key] = str(error)
    closing = runner.stale(CLOSING)
    if closing:
        announce(f"Updating {', '.join(closing)}")
        result.made += closing
    runner.run([*closing, "summary_report"])
    return result


class _Runner:
    """Runs selections of assets in this process and reads what is out of date."""

    def __init__(
        self,
        definitions: dg.Definitions,
        instance: dg.DagsterInstance,
        settings: Settings,
        announce: Callable[[str], None],
    ) -> None:
        self._job = definitions.resolve_implicit_global_asset_job_def()
        self._specs = {spec.key.to_user_string(): spec for spec in definitions.resolve_all_asset_specs()}
        self._pools = {
            name: definitions.resolve_assets_def(spec.key).op.pool
            for name, spec in self._specs.items()
            if OUTPUT in spec.metadata
        }
        self._instance, self._settings = instance, settings
        self._outputs = Outputs(settings.output)
        self._announce = announce

    def run(
        self, assets: Sequence[str], partition: str | None = None, tags: Mapping[str, str] | None = None
    ) -> list[str]:
        """Materialize `assets` in one run, and the checks of theirs.

        Returns:
            What checks that do not stop a run found wrong; warnings are not among it.

        Raises:
            RunFailed: It did not succeed.
        """
        self._wait_for_room({pool for name in assets if (pool := self._pools.get(name))})
        result = self._job.execute_in_process(
            run_config=run_config(self._settings),
            instance=self._instance,
            asset_selection=[dg.AssetKey(name) for name in assets],
            partition_key=partition,
            tags={PROCESS_TAG: this_process(), **(tags or {})},
            raise_on_error=False,
        )
        if not result.success:
            if _was_interrupted(result):
                raise KeyboardInterrupt
            raise _failure(result)
        return [
            evaluation.description or evaluation.check_name
            for evaluation in result.get_asset_check_evaluations()
            if not evaluation.passed and evaluation.severity is dg.AssetCheckSeverity.ERROR
        ]

    def _wait_for_room(self, pools: Collection[str]) -> None:
        """Wait until no other run works in these pools; within a run, Dagster would wait deaf to Ctrl-C and silent."""
        told = ""
        while holder := next(filter(None, map(self._holder, sorted(pools))), ""):
            if holder != told:
                self._announce(f"Waiting for run {holder[:8]}, which is doing the same kind of work")
                told = holder
            time.sleep(1)
            close_abandoned_runs(self._instance)

    def _holder(self, pool: str) -> str:
        """A run that has the last place in a pool; empty if there is room."""
        info = self._instance.event_log_storage.get_concurrency_info(pool)
        full = info.limit is not None and info.active_slot_count >= info.limit
        return min(info.active_run_ids, default="") if full else ""

    def stale(self, names: Sequence[str]) -> list[str]:
        """Those of the assets that have to be made anew, because something that they depend on has changed."""
        stale: list[str] = []
        for name in names:
            spec = self._specs[name]
            follows = any(dep.asset_key.to_user_string() in stale for dep in spec.deps)
            if follows or not is_current(self._instance, spec, self._settings):
                stale.append(name)
        return stale

    def recipes(self) -> dict[str, Recipe]:
        """What each cluster's video shall be made of, by partition key."""
        read = self._outputs.read_table
        return recipes(read(CLUSTER_ASSIGNMENTS), read(IMAGE_MANIFEST), read(MUSIC_CHOICE), self._settings)


def run_config(settings: Settings) -> dict[str, Any]:
    """Run config that sets every setting; Dagster's own log goes to the instance and not to the terminal."""
    return {
        "resources": {"settings": {"config": settings.model_dump()}},
        "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
    }


def _was_interrupted(result: dg.ExecuteInProcessResult) -> bool:
    """Whether a person ended the run with Ctrl-C, which Dagster records as the failure of a step."""
    failures = [event.step_failure_data.error for event in result.all_events if event.is_step_failure]
    return any(
        name in str(error.to_string())
        for error in failures
        if error is not None
        for name in ("KeyboardInterrupt", "DagsterExecutionInterruptedError")
    )


def _failure(result: dg.ExecuteInProcessResult) -> RunFailed:
    """Why a run failed, in the words of the error that ended it: the project's own where it has said something."""
    for evaluation in result.get_asset_check_evaluations():
        if not evaluation.passed and evaluation.blocking:
            return RunFailed(evaluation.description or evaluation.check_name)
    events = [event for event in result.all_events if event.is_step_failure or event.is_failure]
    for event in events:
        step = event.step_failure_data if event.is_step_failure else None
        if step and step.user_failure_data:
            return RunFailed(step.user_failure_data.description or "the run failed")
        error = step.error if step else event.job_failure_data.error
        if error is None:
            continue
        while error.cause is not None and error.cls_name not in _own_errors():
            error = error.cause
        message = error.message.strip().removeprefix(f"{error.cls_name}: ").partition(": ")
        plain = message[2] if message[0].endswith(str(error.cls_name)) else "".join(message)
        expected = _is_expected(str(error.cls_name))
        if expected:
            return RunFailed(plain)
        return RunFailed(f"{error.cls_name}: {plain}", trace=error.to_string())
    return RunFailed("the run failed without saying why; see it in the UI")


def _is_expected(name: str) -> bool:
    """Whether an error class of this name is one that users can mend, or says that the disk refused."""
    kind = getattr(builtins, name, None)
    return name in _own_errors() or (isinstance(kind, type) and issubclass(kind, OSError))


def _own_errors() -> set[str]:
    """Names of the project's error classes, whose messages are written for users."""
    return {kind.__name__ for kind in _descendants(ClusteringError)}


def _descendants(kind: type) -> set[type]:
    return {kind}.union(*(_descendants(child) for child in kind.__subclasses__()))
