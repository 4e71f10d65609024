"""The two sensors: new pictures start an update, and every cluster's video is kept up to date.

Both only gather facts and return what a pure function decided, so what they decide is tested without an instance.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass

import dagster as dg

from clustering_assets.defs.data_versions import digest
from clustering_assets.defs.graph import project_stages
from clustering_assets.defs.jobs import (
    DIGEST_TAG,
    cluster_images,
    digest_tag,
    refresh_report,
    render_runs,
    render_videos,
)
from clustering_assets.defs.orphaned_runs import close_abandoned_runs
from clustering_assets.defs.partitions import (
    CLUSTERS,
    UNFINISHED,
    keys_in_flight,
    partition_changes,
)
from clustering_assets.defs.records import latest_video
from clustering_assets.defs.resources import SettingsResource
from clustering_assets.defs.staleness import bring_back_videos, confirm_video, follows_upstream, videos_due
from clustering_assets.integrity import State
from clustering_assets.outputs import EMBEDDINGS, Outputs, files_of, names_file, pins_file
from clustering_assets.settings import Settings
from clustering_assets.tables import (
    CLUSTER_ASSIGNMENTS,
    IMAGE_MANIFEST,
    MUSIC_CHOICE,
    MUSIC_TRACKS,
    DamagedTable,
)
from clustering_assets.video.recipe import recipes
from clustering_assets.words import counted

ATTEMPTS = 3
"""How often a sensor tries the same thing before it leaves it to a person."""

LISTING_TAG = ".dagster/clustering_assets.listing"
"""Tag of an update that a sensor asked for: the fingerprint of the listing that it was asked for."""

REPORT_TAG = ".dagster/clustering_assets.report"
"""Tag of a summary that a sensor asked for: the time of the newest video in it."""

REPAIR_TAG = ".dagster/clustering_assets.repair"
"""Tag of an update that a sensor asked for because of damaged results: a digest of what is wrong with them."""

INGREDIENTS = (
    *(table.file for table in (IMAGE_MANIFEST, CLUSTER_ASSIGNMENTS, MUSIC_TRACKS, MUSIC_CHOICE)),
    *files_of(EMBEDDINGS),
)
"""Results that videos are made of."""

ENDED_BADLY = {dg.DagsterRunStatus.FAILURE: "failed", dg.DagsterRunStatus.CANCELED: "was cancelled"}

AD_HOC_JOB = "__ASSET_JOB"
"""What Dagster calls runs of assets that no job names: those of the command line, and of `Materialize` in the UI."""


def project_sensors(settings: Settings) -> list[dg.SensorDefinition]:
    """Both sensors, on or off when the UI starts as the settings say."""
    status = dg.DefaultSensorStatus.RUNNING if settings.sensors else dg.DefaultSensorStatus.STOPPED
    return [
        dg.sensor(
            job=cluster_images,
            minimum_interval_seconds=15,
            default_status=status,
            description="Starts an update when pictures, music, pins, names or settings have changed and files have "
            "settled.",
        )(new_images_sensor),
        dg.sensor(
            jobs=[render_videos, refresh_report],
            minimum_interval_seconds=15,
            default_status=status,
            description="Renders every video that is missing or out of date, and keeps partitions in line with "
            "clusters.",
        )(cluster_videos_sensor),
    ]


@dataclass(frozen=True)
class Watch:
    """What `new_images_sensor` remembers between ticks.

    Attributes:
        seen: Fingerprint of the listing at the last tick.
        requested: Fingerprint of the listing that the last update was asked for.
        updates: Number of updates asked for, which makes each request's run key its own.
    """

    seen: str = ""
    requested: str = ""
    updates: int = 0

    @classmethod
    def from_cursor(cls, cursor: str | None, known: str = "") -> "Watch":
        """The watch that a cursor holds; without a cursor one that remembers the listing `known`."""
        return cls(**json.loads(cursor)) if cursor else cls(requested=known)


def watch_listing(watch: Watch, fingerprint: str, *, failed: bool = False) -> tuple[Watch, str]:
    """Decide whether the folders call for an update.

    An update is asked for when the listing differs from that of the last update and is the same at two ticks in a row,
    so that files which are still being copied are left alone. The clock plays no part. The fingerprint covers the
    settings too, so an update that was refused is asked for again when what it was refused for has been set right.

    Args:
        watch: What the last tick remembered.
        fingerprint: Fingerprint of the listing now.
        failed: Whether the last update was for this very listing and deserves another try: it failed, or some of its
            results were damaged since.

    Returns:
        What to remember, and why there is nothing to do; an empty reason means that an update is due.
    """
    if fingerprint == watch.requested and not failed:
        return Watch(fingerprint, watch.requested, watch.updates), "nothing is new, changed or gone"
    if fingerprint != watch.seen:
        return Watch(fingerprint, watch.requested, watch.updates), "files are still arriving"
    return Watch(fingerprint, fingerprint, watch.updates + 1), ""


def new_images_sensor(
    context: dg.SensorEvaluationContext, settings: SettingsResource
) -> dg.SensorResult | dg.SkipReason:
    """Ask for `cluster_images` when pictures, music, the files of pins and names, or the settings have changed."""
    from clustering_assets.files import file_source
    from clustering_assets.files.source import listing_fingerprint

    folder = file_source(settings.value.images)
    try:
        files = folder.files()
    except OSError as error:
        return dg.SkipReason(f"{folder} cannot be listed, which is not the same as empty: {error}")
    if not files:
        return dg.SkipReason(f"{folder} holds no files. Put pictures there, or set CLUSTERING_IMAGES.")
    others = _other_inputs(settings.value)
    listing = digest([listing_fingerprint(files), others])
    known = "" if context.cursor else _known_listing(context.instance, settings, others)
    before = Watch.from_cursor(context.cursor, known)
    close_abandoned_runs(context.instance)
    if waiting_for := _update_under_way(context.instance):
        watch = Watch(listing, before.requested, before.updates)
        return _nothing(f"{counted(len(files), 'picture')}: waiting for run {waiting_for} to end", watch)
    asked = _latest_run(context.instance, {LISTING_TAG: listing})
    repair = _repair(context.instance, settings.outputs)
    watch, nothing_to_do = watch_listing(
        before, listing, failed=bool(repair) or _deserves_another_try(context.instance, asked)
    )
    if nothing_to_do:
        if asked and asked.status in ENDED_BADLY and watch.requested == listing:
            nothing_to_do = (
                f"the update {ENDED_BADLY[asked.status]}, see run {asked.run_id}; a change of pictures, music or "
                "settings tries again"
            )
        return _nothing(f"{counted(len(files), 'picture')}: {nothing_to_do}", watch)
    tags = {"pictures": str(len(files)), LISTING_TAG: watch.requested, **repair}
    run = dg.RunRequest(run_key=f"{watch.requested}-{watch.updates}", tags=tags)
    return dg.SensorResult(run_requests=[run], cursor=json.dumps(asdict(watch)))


def _repair(instance: dg.DagsterInstance, outputs: Outputs) -> dict[str, str]:
    """The tag of an update that shall mend damaged results; none where there are none, or that was tried in vain."""
    if not (damaged := outputs.damaged()):
        return {}
    tag = {REPAIR_TAG: digest([outputs.records.evidence(name) for name in damaged])}
    asked = _latest_run(instance, tag)
    return tag if asked is None or _deserves_another_try(instance, asked) else {}


def _nothing(reason: str, watch: Watch) -> dg.SensorResult:
    return dg.SensorResult(skip_reason=reason, cursor=json.dumps(asdict(watch)))


def stage_settings() -> set[str]:
    """Settings that call for an update when they change: where results go, what is refused, what the stages use.

    What only videos are made of is not among them: the videos are looked after one by one.
    """
    return {*project_stages().settings, "output", "min_images", "max_failure_rate"}


def _other_inputs(settings: Settings) -> list[str]:
    """Fingerprints of what there is beside the pictures: settings, music, pinned tracks, given names."""
    from clustering_assets.files import file_source
    from clustering_assets.files.source import listing_fingerprint

    prints = [digest(settings.model_dump(include=stage_settings()))]
    for find in (
        lambda: listing_fingerprint(file_source(settings.music).files()),
        lambda: str(pins_file(settings).stat().st_mtime_ns),
        lambda: str(names_file(settings).stat().st_mtime_ns),
    ):
        try:
            prints.append(find())
        except OSError as error:
            prints.append(type(error).__name__)
    return prints


def _known_listing(instance: dg.DagsterInstance, settings: SettingsResource, others: list[str]) -> str:
    """Fingerprint of what the output was made from; empty if there is no output, or what follows was never made."""
    from clustering_assets.files.source import FoundFile, listing_fingerprint

    manifest = settings.outputs.read_previous(IMAGE_MANIFEST)
    if manifest is None or not all(
        follows_upstream(instance, dg.AssetKey(name)) for name in project_stages().middle
    ):
        return ""
    rows = zip(*(manifest[name] for name in ("path", "bytes", "mtime_ns", "stage", "reason")), strict=True)
    files = (
        FoundFile(path, int(size), int(time), reason if stage == "find" else None)
        for path, size, time, stage, reason in rows
    )
    return digest([listing_fingerprint(files), others])


def videos_to_request(
    due: Collection[str], in_flight: Collection[str], failures: Mapping[str, int]
) -> tuple[str, ...]:
    """Which of the videos that are due to ask for now.

    Args:
        due: Keys of videos that are missing or out of date.
        in_flight: Keys with a run that is queued or under way.
        failures: How often the very same video has failed, by key.
    """
    return tuple(key for key in due if key not in in_flight and failures.get(key, 0) < ATTEMPTS)


def cluster_videos_sensor(
    context: dg.SensorEvaluationContext, settings: SettingsResource
) -> dg.SensorResult | dg.SkipReason:
    """Compare what each cluster's video should be made of with what it was made of, and ask for the difference."""
    instance, outputs = context.instance, settings.outputs
    close_abandoned_runs(instance)
    if waiting_for := _update_under_way(instance):
        return dg.SkipReason(f"waiting for run {waiting_for}, which may change the clusters")
    try:
        assignments = outputs.read_table(CLUSTER_ASSIGNMENTS)
        choice = outputs.read_table(MUSIC_CHOICE)
        wanted = recipes(assignments, outputs.read_table(IMAGE_MANIFEST), choice, settings.value)
    except FileNotFoundError as error:
        return dg.SkipReason(f"no clusters yet: {error.filename or error}")
    except DamagedTable as error:
        return dg.SkipReason(f"{error} (job cluster_images)")
    if damaged := [name for name in outputs.damaged() if name in INGREDIENTS]:
        return dg.SkipReason(f"{', '.join(damaged)} {State.DAMAGED.value}: run job cluster_images")
    if set(choice["key"]) != set(wanted):
        return dg.SkipReason("the music has not been chosen for these clusters yet")

    outputs.set_aside_videos(keep=wanted)
    bring_back_videos(wanted, outputs)
    due = videos_due(instance, wanted, settings.value)
    in_flight = keys_in_flight(instance)
    for key in wanted.keys() - set(due) - set(in_flight):
        confirm_video(instance, key)
    failures = {
        key: sum(_failures(instance, {tag: wanted[key].digest}) for tag in (DIGEST_TAG, digest_tag(key)))
        for key in due
    }
    requested = videos_to_request(due, in_flight, failures)
    known = instance.get_dynamic_partitions(str(CLUSTERS.name))
    changes = partition_changes(wanted, known, in_flight)
    requests = [
        CLUSTERS.build_add_request(list(changes.add)),
        CLUSTERS.build_delete_request(list(changes.delete)),
    ]
    together = {key: wanted[key].digest for key in requested if not failures[key]}
    alone = [
        {key: wanted[key].digest} for key in requested if failures[key]
    ]  # so that it takes no other with it
    runs = [
        dg.RunRequest(job_name=render_videos.name, partition_key=key, tags=tags)
        for digests in (together, *alone)
        for key, tags in render_runs(digests, [*known, *changes.add])
    ]
    given_up = [key for key in due if failures[key] >= ATTEMPTS]
    if len(given_up) == len(due):
        runs += _report_request(instance, wanted)
    return dg.SensorResult(
        run_requests=runs,
        dynamic_partitions_requests=[request for request in requests if request.partition_keys],
        skip_reason=None if runs else _skip_reason(wanted, in_flight, given_up),
    )


def _update_under_way(instance: dg.DagsterInstance) -> str | None:
    """An unfinished run that may change the clusters or videos: of `cluster_images`, or started by a person."""
    for job in (cluster_images.name, AD_HOC_JOB):
        if runs := instance.get_runs(dg.RunsFilter(job_name=job, statuses=UNFINISHED), limit=1):
            return runs[0].run_id
    return None


def _failures(instance: dg.DagsterInstance, tags: Mapping[str, str]) -> int:
    """How many runs with these tags have failed; as good as too many if a person has cancelled one."""
    ended = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
    runs = instance.get_runs(dg.RunsFilter(tags=dict(tags), statuses=ended), limit=ATTEMPTS)
    cancelled = any(run.status is dg.DagsterRunStatus.CANCELED for run in runs)
    return ATTEMPTS if cancelled else len(runs)


def _latest_run(instance: dg.DagsterInstance, tags: Mapping[str, str]) -> dg.DagsterRun | None:
    """The latest run with these tags; None if there is none."""
    return next(iter(instance.get_runs(dg.RunsFilter(tags=dict(tags)), limit=1)), None)


def _deserves_another_try(instance: dg.DagsterInstance, run: dg.DagsterRun | None) -> bool:
    """Whether a run failed for a reason that may pass, and runs for the same thing have not failed too often."""
    if run is None or run.status is not dg.DagsterRunStatus.FAILURE or _was_refused(instance, run.run_id):
        return False
    same = {tag: run.tags[tag] for tag in (LISTING_TAG, REPORT_TAG, REPAIR_TAG) if tag in run.tags}
    return _failures(instance, same) < ATTEMPTS


def _was_refused(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether a blocking check stopped a run, such as too few pictures: the same again would end the same."""
    kind = dg.DagsterEventType.ASSET_CHECK_EVALUATION
    events = (record.event_log_entry for record in instance.get_records_for_run(run_id, of_type=kind).records)
    checks = (event.asset_check_evaluation for event in events)
    return any(check.blocking and not check.passed for check in checks if check)


def _report_request(instance: dg.DagsterInstance, keys: Collection[str]) -> list[dg.RunRequest]:
    """A request for the summary if a video is newer than it, and none is on its way."""
    events = [event for key in keys if (event := latest_video(instance, key))]
    newest = max((event.timestamp for event in events), default=0.0)
    report = instance.get_latest_materialization_event(dg.AssetKey("summary_report"))
    if report and report.timestamp >= newest:
        return []
    tags = {REPORT_TAG: str(newest)}
    asked = _latest_run(instance, tags)
    if asked and not _deserves_another_try(instance, asked):
        return []
    return [dg.RunRequest(job_name=refresh_report.name, tags=tags)]


def _skip_reason(wanted: Collection[str], in_flight: Collection[str], given_up: Collection[str]) -> str:
    rendering = sorted(set(in_flight) & set(wanted))
    if given_up:
        return (
            f"{', '.join(given_up)} failed {ATTEMPTS} times or was cancelled; see the runs, then materialize by hand. "
            "A change of pictures, music or settings tries again."
        )
    if rendering:
        return f"rendering {', '.join(rendering)}"
    return f"all {len(wanted)} videos are up to date"
