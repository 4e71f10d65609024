"""Updates driven from this process: the same assets, resources and instance as the UI, one phase after another."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
from dagster._core.errors import DagsterAssetCheckFailedError

from clustering_assets.clustering.keys import is_key
from clustering_assets.defs.estimate import (
    Estimate,
    estimate,
    known_videos,
    pictures_to_embed,
    unknown_videos,
)
from clustering_assets.defs.graph import stages_of
from clustering_assets.defs.io_managers.base import OUTPUT
from clustering_assets.defs.jobs import due_keys, render_runs
from clustering_assets.defs.orphaned_runs import PROCESS_TAG, close_abandoned_runs
from clustering_assets.defs.partitions import CLUSTERS, PartitionChanges, sync_partitions
from clustering_assets.defs.records import FAILED, FLAWED, VIDEOS
from clustering_assets.defs.staleness import (
    bring_back_videos,
    confirm_videos,
    holds_video,
    is_current,
    videos_due,
)
from clustering_assets.errors import ClusteringError
from clustering_assets.leases import OutputTaken, output_for_ourselves
from clustering_assets.outputs import Outputs
from clustering_assets.process_identity import this_process
from clustering_assets.settings import Settings
from clustering_assets.tables import CLUSTER_ASSIGNMENTS, IMAGE_MANIFEST, MUSIC_CHOICE
from clustering_assets.video.recipe import Recipe, recipes
from clustering_assets.words import counted


class RunFailed(ClusteringError):
    """A stage refused to go on, for a reason that a user can mend."""


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


def update(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    settings: Settings,
    announce: Callable[[str], None] = lambda line: None,
    only: Collection[str] = (),
) -> UpdateResult:
    """Bring everything up to date: scan, then what follows from it, then each video, then the summary.

    Args:
        definitions: The code location.
        instance: Where runs are recorded.
        settings: The settings in force; they become the run config of every run.
        announce: Is told in one line what happens next.
        only: Names of assets, and keys of clusters for their videos: only these are brought up to date, from what lies
            upstream now, and the summary, which tells of it. Empty: everything.

    Returns:
        What was done. A video that fails does not keep the others from being rendered.

    Raises:
        RunFailed: Anything but a video was refused; every other error of a stage is raised as it is.
        OutputTaken: Another update is writing to the output.
        ClusteringError: The output cannot be written to.
    """
    with output_for_ourselves(settings.output) as still_ours:
        runner = _Runner(definitions, instance, settings, announce, still_ours)
        close_abandoned_runs(instance)
        if scans := runner.wanted(runner.stages.scans, only):
            announce("Looking at the pictures and the music")
            runner.run(scans)
        result = UpdateResult(made=runner.stale(runner.wanted(runner.stages.middle, only)))
        if result.made:
            announce(f"Updating {', '.join(result.made)}: {runner.how_long(result.made, only)}")
            runner.run(result.made)
        result.clusters = runner.recipes()
        result.partitions = sync_partitions(instance, result.clusters)
        if videos := runner.wanted(result.clusters, only):
            runner.render(result, videos)
        for name in runner.stale(runner.asked_for(only)):
            announce(f"Making {name}")
            runner.make(name, result)
        closing = runner.stale(runner.wanted(runner.stages.closing, only))
        if closing:
            announce(f"Updating {', '.join(closing)}")
            result.made += closing
        runner.run([*closing, *runner.stages.last])
        return result


class _Runner:
    """Runs selections of assets in this process and reads what is out of date."""

    def __init__(
        self,
        definitions: dg.Definitions,
        instance: dg.DagsterInstance,
        settings: Settings,
        announce: Callable[[str], None],
        still_ours: Callable[[], None],
    ) -> None:
        self._job = definitions.resolve_implicit_global_asset_job_def()
        self._graph = definitions.resolve_asset_graph()
        self._specs = {spec.key.to_user_string(): spec for spec in definitions.resolve_all_asset_specs()}
        self.stages = stages_of(self._specs.values())
        self._instance, self._settings = instance, settings
        self._outputs = Outputs(settings.output)
        self._announce, self._still_ours = announce, still_ours

    def run(
        self, assets: Sequence[str], partition: str | None = None, tags: Mapping[str, str] | None = None
    ) -> list[dg.AssetCheckEvaluation]:
        """Materialize `assets` in one run, and the checks of theirs.

        Returns:
            The checks that found something wrong and did not stop the run; warnings are not among them.

        Raises:
            RunFailed: A stage refused to go on; every other error is raised as it is.
            OutputTaken: Another update has taken the output over.
        """
        self._still_ours()
        keys = [dg.AssetKey(name) for name in assets]
        self._wait_for_room({pool for key in keys for pool in self._graph.get(key).pools or ()})
        try:
            result = self._job.execute_in_process(
                run_config=run_config(self._settings),
                instance=self._instance,
                asset_selection=keys,
                partition_key=partition,
                tags={PROCESS_TAG: this_process(), **(tags or {})},
            )
        except dg.Failure as failure:
            raise RunFailed(
                failure.description or "the run failed without saying why; see it in the UI"
            ) from failure
        except DagsterAssetCheckFailedError as blocked:
            raise RunFailed(str(blocked)) from blocked
        except dg.DagsterExecutionInterruptedError as interrupt:
            raise KeyboardInterrupt from interrupt
        except dg.DagsterUserCodeExecutionError as wrapped:
            raise wrapped.user_exception from wrapped
        return [
            evaluation
            for evaluation in result.get_asset_check_evaluations()
            if not evaluation.passed and evaluation.severity is dg.AssetCheckSeverity.ERROR
        ]

    def wanted(self, names: Iterable[str], only: Collection[str]) -> list[str]:
        """Those of some assets, or of the keys of clusters, that are asked for: all of them if nothing is named.

        Raises:
            RunFailed: Something is named that there is not, or that is made of what has not been made.
        """
        videos = VIDEOS.to_user_string()
        known = {*self.stages.recorded, *self.stages.last, videos}
        if odd := [name for name in only if name not in known and not is_key(name)]:
            raise RunFailed(
                f"only = {odd[0]!r}: is none of {', '.join(sorted(known))}, nor a key such as cluster_0"
            )
        for name in only:
            for dep in self._specs[videos if is_key(name) else name].deps:
                above = dep.asset_key.to_user_string()
                needed = above in known - {videos, *self.stages.on_request, *only}
                if needed and not self._outputs.path(self._specs[above].metadata[OUTPUT]).is_file():
                    raise RunFailed(
                        f"{name} is made of {above}, which is not there yet: run without --only first"
                    )
        return [name for name in names if not only or name in only or (videos in only and is_key(name))]

    def asked_for(self, only: Collection[str]) -> list[str]:
        """What is made only where somebody asks for it, and is: by its setting, or by name."""
        asked = self.stages.asked_for(self._settings)
        return [name for name in self.stages.on_request if name in (only or asked)]

    def make(self, name: str, result: UpdateResult) -> None:
        """Make what nothing else hangs on, and enter in `result` how that went."""
        try:
            flawed = [_noted(check.metadata, FLAWED) for check in self.run([name])]
        except OutputTaken:
            raise
        except RunFailed as error:
            result.failed[name] = str(error)
            return
        result.made.append(name)
        for flaws in flawed:
            result.flawed[name] = "; ".join(f"{what} is {said}" for what, said in flaws.items())

    def render(self, result: UpdateResult, videos: Collection[str]) -> None:
        """Render those of some `videos` of `result.clusters` that are due, and enter in it how that went."""
        outputs, clusters = self._outputs, result.clusters
        outputs.set_aside_videos(keep=clusters)
        bring_back_videos(clusters, outputs)
        there = {key for key, recipe in clusters.items() if holds_video(recipe, outputs)}
        due = videos_due(self._instance, clusters, self._settings)
        confirm_videos(self._instance, clusters.keys() - set(due))
        due = [key for key in due if key in videos]
        missing, kept = [key for key in due if key not in there], there.intersection(due)
        if missing:
            self._announce(self._rendering(missing, clusters))
        if kept:
            are = "is" if len(kept) == 1 else "are"
            self._announce(f"Recording {counted(len(kept), 'video')} that {are} there already")
        digests = {key: clusters[key].digest for key in due}
        for key, tags in render_runs(digests, self._instance.get_dynamic_partitions(str(CLUSTERS.name))):
            try:
                for check in self.run([VIDEOS.to_user_string()], key, tags):
                    result.flawed |= _noted(check.metadata, FLAWED)
            except OutputTaken:
                raise
            except RunFailed as error:
                said = error.__cause__.metadata if isinstance(error.__cause__, dg.Failure) else {}
                result.flawed |= _noted(said, FLAWED)
                result.failed |= _noted(said, FAILED) or dict.fromkeys(
                    [key] if key else due_keys(tags, due), str(error)
                )
            except Exception as error:  # noqa: BLE001 - other videos shall be rendered whatever is wrong with these
                reason = f"{type(error).__name__}: {error}"
                some = [key] if key else due_keys(tags, due)
                result.failed |= {name: reason for name in some if not holds_video(clusters[name], outputs)}
        result.rendered = [key for key in missing if key not in result.failed]

    def how_long(self, made: Collection[str], only: Collection[str]) -> Estimate:
        """About how long these stages take; in a new output, where all clusters are new, the whole of the update."""
        read = self._outputs.read_previous
        pictures, unseen = pictures_to_embed(self._settings, read(IMAGE_MANIFEST))
        whole = not only and read(CLUSTER_ASSIGNMENTS) is None
        names = [*made, *(self.asked_for(()) + list(self.stages.closing) if whole else [])]
        stages = {name: unseen if name == "embeddings" else pictures for name in names}
        videos = unknown_videos(self._settings) if whole else {}
        return estimate(self._instance, self._settings, stages, videos)

    def _rendering(self, missing: Collection[str], clusters: Collection[str]) -> str:
        """What is said before videos are rendered: how many, and about how long that takes."""
        of_all = f" of {len(clusters):,}" if len(missing) < len(clusters) else ""
        lengths = known_videos(self._outputs, self._settings, missing)
        noun = "video" if len(missing) == 1 else "videos"
        about = estimate(self._instance, self._settings, {}, lengths)
        return f"Rendering {len(missing):,}{of_all} {noun}: {about}"

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


def _noted(metadata: Mapping[str, dg.MetadataValue], name: str) -> dict[str, str]:
    """What a run of several videos noted of each of them under a name."""
    return dict(metadata[name].value) if name in metadata else {}  # type: ignore[arg-type]


def run_config(settings: Settings) -> dict[str, Any]:
    """Run config that sets every setting; Dagster's own log goes to the instance and not to the terminal."""
    return {
        "resources": {"settings": {"config": settings.model_dump()}},
        "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
    }
