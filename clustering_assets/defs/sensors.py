"""The two sensors: new pictures start an update, and every cluster's video is kept up to date.

Both only gather facts and return what a pure function decided, so what they decide is tested without an instance.
"""

import functools
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress

import dagster as dg
import pandas as pd
import pydantic
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from clustering_assets.defs import up_to_date
from clustering_assets.defs.data_versions import ON_REQUEST, digest, expected_version
from clustering_assets.defs.graph import project_specs, project_stages
from clustering_assets.defs.io_managers.base import OUTPUT
from clustering_assets.defs.jobs import (
    DIGEST_TAG,
    digest_tag,
    make_film,
    refresh_report,
    render_runs,
    render_videos,
)
from clustering_assets.defs.orphaned_runs import close_abandoned_runs
from clustering_assets.defs.partitions import CLUSTERS, keys_in_flight, keys_to_keep, partition_changes
from clustering_assets.defs.records import FILM, VIDEOS, latest_videos, made_there
from clustering_assets.defs.resources import SettingsResource
from clustering_assets.defs.runs import (
    ATTEMPTS,
    ENDED_BADLY,
    deserves_another_try,
    is_given_up,
    is_ours,
    latest_run,
    newest_change,
    update_under_way,
)
from clustering_assets.defs.staleness import (
    bring_back_videos,
    confirm_videos,
    files_made,
    follows_upstream,
    is_as_made,
    is_current,
    news,
    videos_due,
)
from clustering_assets.defs.standing import why_due
from clustering_assets.files.source import FileSource, FoundFile
from clustering_assets.integrity import State
from clustering_assets.leases import OutputTaken, keep_off_others
from clustering_assets.outputs import Outputs, choices_file, names_file, pins_file
from clustering_assets.settings import Settings, known_by
from clustering_assets.stores import StoreError, last_change
from clustering_assets.tables import (
    CLUSTER_ASSIGNMENTS,
    IMAGE_MANIFEST,
    MUSIC_CHOICE,
    DamagedTable,
)
from clustering_assets.video.recipe import Recipe, recipes
from clustering_assets.words import counted

PATIENCE = 60
"""How many ticks in a row files may arrive before an update takes those that are there: ten minutes."""

LOOK = 15.0
"""Seconds between two looks at all videos; when a run has begun or ended meanwhile, the next tick looks."""

PORTION = 20
"""Most videos that are asked for and not rendered yet: a tick stays short, and the queue can be read."""

LISTING_TAG = ".dagster/clustering_assets.listing"
"""Tag of an update that a sensor asked for: the fingerprint of the listing that it was asked for."""

REPORT_TAG = ".dagster/clustering_assets.report"
"""Tag of a summary that a sensor asked for: the time of the newest video in it."""

REPAIR_TAG = ".dagster/clustering_assets.repair"
"""Tag of an update that a sensor asked for because of damaged results: a digest of what is wrong with them."""

REASON = "reason"
"""Tag of a run that a sensor asked for, for people: why."""

FILM_TAG = ".dagster/clustering_assets.film"
"""Tag of a film that a sensor asked for: the version that it shall have."""

PURPOSES = (LISTING_TAG, REPORT_TAG, REPAIR_TAG, FILM_TAG)
"""Tags that say what a run was asked for."""


def project_sensors(
    settings: Settings,
    clustering: UnresolvedAssetJobDefinition,
    rendering: UnresolvedAssetJobDefinition,
    reporting: UnresolvedAssetJobDefinition,
) -> list[dg.SensorDefinition]:
    """Both sensors, on or off when the UI starts as the settings say.

    Args:
        settings: The settings in force.
        clustering: The job `cluster_images` as the code location has it.
        rendering: `render_videos`.
        reporting: `refresh_report`.
    """
    status = dg.DefaultSensorStatus.RUNNING if settings.sensors else dg.DefaultSensorStatus.STOPPED
    return [
        dg.sensor(
            job=clustering,
            minimum_interval_seconds=10,
            default_status=status,
            description="Starts an update when pictures, music, pins, names, choices or settings have changed and "
            "files have settled.",
        )(new_images_sensor),
        dg.sensor(
            jobs=[rendering, make_film, reporting],
            minimum_interval_seconds=5,
            default_status=status,
            description="Renders every video that is missing or out of date, and keeps partitions in line with "
            "clusters.",
        )(cluster_videos_sensor),
    ]


class Watch(pydantic.BaseModel, frozen=True):
    """What `new_images_sensor` remembers between ticks, as JSON in its cursor.

    Attributes:
        seen: Fingerprint of the listing at the last tick.
        requested: Fingerprint of the listing that the last update was asked for.
        waited: Ticks in a row at which files were still arriving.
    """

    seen: str = ""
    requested: str = ""
    waited: int = 0


class Glance(pydantic.BaseModel, frozen=True):
    """What `cluster_videos_sensor` remembers of its last look, as JSON in its cursor.

    Attributes:
        at: When it was, in seconds since the epoch.
        newest: Which run had changed last, and when.
        said: Why there was nothing to do.
    """

    at: float = 0.0
    newest: str = ""
    said: str = ""

    @classmethod
    def of(cls, cursor: str | None) -> "Glance":
        """The last look; one of long ago where there is none or it cannot be read."""
        try:
            return cls.model_validate_json(cursor or "")
        except pydantic.ValidationError:
            return cls()


def watch_listing(watch: Watch, fingerprint: str, *, failed: bool = False) -> tuple[Watch, str]:
    """Decide whether the folders call for an update.

    An update is asked for when the listing differs from that of the last update and is the same at two ticks in a row,
    so that files which are still being copied are left alone; where files arrive without a pause, after `PATIENCE`
    ticks. The clock plays no part. The fingerprint covers the settings too, so an update that was refused is asked for
    again when what it was refused for has been set right.

    Args:
        watch: What the last tick remembered.
        fingerprint: Fingerprint of the listing now.
        failed: Whether the last update was for this very listing and deserves another try: it failed, or some of its
            results were damaged since.

    Returns:
        What to remember, and why there is nothing to do; an empty reason means that an update is due.
    """
    if fingerprint == watch.requested and not failed:
        return Watch(seen=fingerprint, requested=watch.requested), "nothing is new, changed or gone"
    if fingerprint != watch.seen and watch.waited < PATIENCE:
        waiting = Watch(seen=fingerprint, requested=watch.requested, waited=watch.waited + 1)
        return waiting, "files are still arriving"
    return Watch(seen=fingerprint, requested=fingerprint), ""


Answer = dg.SensorResult | dg.SkipReason


def _skipping_trouble(
    sensor: Callable[[dg.SensorEvaluationContext, SettingsResource], Answer],
) -> Callable[[dg.SensorEvaluationContext, SettingsResource], Answer]:
    """Let a tick in which a store cannot be used, or is another machine's, say so; the next one looks again."""

    @functools.wraps(sensor)
    def evaluate(context: dg.SensorEvaluationContext, settings: SettingsResource) -> Answer:
        try:
            keep_off_others(settings.value.output)
            return sensor(context, settings)
        except (StoreError, OutputTaken) as error:
            return dg.SkipReason(str(error))

    return evaluate


@_skipping_trouble
def new_images_sensor(
    context: dg.SensorEvaluationContext, settings: SettingsResource
) -> dg.SensorResult | dg.SkipReason:
    """Ask for `cluster_images` when pictures, music, the user's pins, names or choices, or settings have changed."""
    from clustering_assets.files import image_source
    from clustering_assets.files.source import listing_fingerprint
    from clustering_assets.images.manifest import pictures_among

    folder = image_source(settings.value)
    try:
        files = pictures_among(folder.files(), folder)
    except OSError as error:
        return dg.SkipReason(f"{folder} cannot be listed, which is not the same as empty: {error}")
    if not files:
        return dg.SkipReason(f"{folder} holds no pictures. Put some there, or set CLUSTERING_IMAGES.")
    others = _other_inputs(settings.value)
    listing = digest([listing_fingerprint(files), others])
    healed = ""
    try:
        before = Watch.model_validate_json(context.cursor or "")
    except pydantic.ValidationError:
        known = _is_known(context.instance, settings.outputs.read_previous(IMAGE_MANIFEST), files)
        before = Watch(requested=listing if known else "")
        healed = " (the cursor could not be read and was made anew)" if context.cursor else ""
    found = f"{counted(len(files), 'picture')}{healed}"
    close_abandoned_runs(context.instance)
    if waiting_for := update_under_way(context.instance):
        watch = Watch(seen=listing, requested=before.requested)
        return _nothing(f"{found}: waiting for run {waiting_for} to end", watch)
    asked = latest_run(context.instance, {LISTING_TAG: listing})
    again = deserves_another_try(context.instance, asked, *PURPOSES)
    repair = _repair(context.instance, settings.outputs)
    watch, nothing_to_do = watch_listing(before, listing, failed=bool(repair) or again)
    if not nothing_to_do:
        reason = _reason(settings.outputs, files, repair=bool(repair), again=again)
        context.log.info("%s: an update is asked for, %s", found, reason)
        tags = {"pictures": str(len(files)), REASON: reason, LISTING_TAG: watch.requested, **repair}
        return dg.SensorResult(run_requests=[dg.RunRequest(tags=tags)], cursor=watch.model_dump_json())
    if asked and asked.status in ENDED_BADLY and watch.requested == listing:
        nothing_to_do = (
            f"the update {ENDED_BADLY[asked.status]}, see run {asked.run_id}; a change of pictures, music or "
            "settings tries again"
        )
    return _nothing(f"{found}: {nothing_to_do}", watch)


def _reason(outputs: Outputs, files: Iterable[FoundFile], *, repair: bool, again: bool) -> str:
    """Why an update is asked for, in words."""
    if repair:
        return "results are damaged or gone"
    if again:
        return "the last update failed"
    manifest = outputs.read_previous(IMAGE_MANIFEST)
    if manifest is None:
        return "nothing has been made yet"
    pictures = news(manifest, files)
    return f"pictures: {pictures}" if pictures else "music, settings, pins, names or choices changed"


def _repair(instance: dg.DagsterInstance, outputs: Outputs) -> dict[str, str]:
    """The tag of an update that shall mend damaged results; none where there are none, or that was tried in vain."""
    if not (damaged := {*outputs.damaged(), *_stray(instance, outputs)}):
        return {}
    tag = {REPAIR_TAG: digest([outputs.records.evidence(name) for name in sorted(damaged)])}
    asked = latest_run(instance, tag)
    return tag if asked is None or deserves_another_try(instance, asked, *PURPOSES) else {}


def _stray(instance: dg.DagsterInstance, outputs: Outputs, above: dg.AssetKey | None = None) -> list[str]:
    """Names of results that were made, and are damaged, gone or not the ones that were made last.

    Args:
        instance: Where they are recorded.
        outputs: Where they lie.
        above: Only what this asset is made of.
    """
    specs = {
        spec.key: spec
        for spec in project_specs()
        if OUTPUT in spec.metadata and spec.key != VIDEOS and ON_REQUEST not in spec.metadata
    }
    keys = (
        specs
        if above is None
        else [dep.asset_key for spec in project_specs() if spec.key == above for dep in spec.deps]
    )
    names = {key: specs[key].metadata[OUTPUT] for key in keys}
    found: list[str] = []
    for key, name in names.items():
        if made_there(instance, key, outputs.path(name)) and not is_as_made(instance, specs[key], outputs):
            made = files_made(instance, specs[key], outputs)
            files = [file for file in made if outputs.records.state(file) is not State.WHOLE]
            found += files or [name]
    return found


def _nothing(reason: str, watch: Watch) -> dg.SensorResult:
    """Nothing is asked for, and this is remembered."""
    return dg.SensorResult(skip_reason=reason, cursor=watch.model_dump_json())


def stage_settings() -> set[str]:
    """Settings that call for an update when they change: where results go, what is refused, what the stages use.

    What only videos are made of is not among them: the videos are looked after one by one.
    """
    return {*project_stages().settings, "output", "min_images", "max_failure_rate"}


def _other_inputs(settings: Settings) -> list[str]:
    """Fingerprints of what there is beside the pictures: settings, music, pinned tracks, given names, choices.

    Choices count where there are some, so that folders without keep the fingerprint that they have.
    """
    from clustering_assets.files import music_source
    from clustering_assets.files.source import listing_fingerprint
    from clustering_assets.music.library import tracks_among

    music = music_source(settings)
    used = settings.model_dump(include=stage_settings())
    prints = [digest(known_by(used))]
    for find in (
        lambda: listing_fingerprint(tracks_among(_files(music), music)),
        lambda: str(last_change(pins_file(settings))),
        lambda: str(last_change(names_file(settings))),
    ):
        try:
            prints.append(find())
        except OSError as error:
            prints.append(type(error).__name__)
    with suppress(FileNotFoundError):
        prints.append(str(last_change(choices_file(settings))))
    return prints


def _files(source: FileSource) -> list[FoundFile]:
    """The files of a source; none where it does not exist."""
    try:
        return source.files()
    except FileNotFoundError:
        return []


def _is_known(
    instance: dg.DagsterInstance, manifest: pd.DataFrame | None, files: Iterable[FoundFile]
) -> bool:
    """Whether the output was made from these very files, and what follows from the manifest was made, too."""
    if manifest is None or not all(
        follows_upstream(instance, dg.AssetKey(name)) for name in project_stages().middle
    ):
        return False
    return not news(manifest, files)


@_skipping_trouble
def cluster_videos_sensor(
    context: dg.SensorEvaluationContext, settings: SettingsResource
) -> dg.SensorResult | dg.SkipReason:
    """Compare what each cluster's video should be made of with what it was made of, and ask for the difference.

    Between looks it only asks whether a run has begun or ended.
    """
    last, now, newest = Glance.of(context.cursor), time.time(), newest_change(context.instance)
    if newest == last.newest and 0 <= now - last.at < LOOK:
        return dg.SkipReason(last.said)
    answer = _look_at_videos(context, settings)
    skipped = answer if isinstance(answer, dg.SkipReason) else answer.skip_reason
    said = (
        str(skipped.skip_message)
        if isinstance(skipped, dg.SkipReason)
        else "what is due has just been asked for"
    )
    context.update_cursor(Glance(at=now, newest=newest, said=said).model_dump_json())
    return answer


def _look_at_videos(context: dg.SensorEvaluationContext, settings: SettingsResource) -> Answer:
    """What there is to do for the videos, the film and the summary."""
    instance, outputs = context.instance, settings.outputs
    close_abandoned_runs(instance)
    if waiting_for := update_under_way(instance):
        return dg.SkipReason(f"waiting for run {waiting_for}, which may change the clusters")
    try:
        assignments = outputs.read_table(CLUSTER_ASSIGNMENTS)
        choice = outputs.read_table(MUSIC_CHOICE)
        wanted = recipes(assignments, outputs.read_table(IMAGE_MANIFEST), choice, settings.value)
    except FileNotFoundError as error:
        return dg.SkipReason(f"no clusters yet: {error.filename or error}")
    except DamagedTable as error:
        return dg.SkipReason(f"{error} (job cluster_images)")
    if stray := _stray(instance, outputs, above=VIDEOS):
        return dg.SkipReason(f"{', '.join(stray)} {State.DAMAGED.value}: run job cluster_images")
    if not wanted.keys() <= set(choice["key"]):
        return dg.SkipReason("the music has not been chosen for these clusters yet")

    outputs.set_aside_videos(keep=wanted)
    bring_back_videos(wanted, outputs)
    due = videos_due(instance, wanted, settings.value)
    runs = keys_in_flight(instance)
    rendering = {key for key, run in runs.items() if is_ours(run)}
    confirm_videos(instance, wanted.keys() - set(due) - rendering)
    waiting = [key for key in due if key not in rendering]
    asked: list[str] = []
    given_up: list[str] = []
    for key in waiting:
        if len(asked) + len(rendering) >= PORTION:
            break
        (given_up if _is_given_up(instance, wanted[key]) else asked).append(key)
    known = instance.get_dynamic_partitions(str(CLUSTERS.name))
    changes = partition_changes(wanted, known, keys_to_keep(instance))
    partitions = [
        CLUSTERS.build_add_request(list(changes.add)),
        CLUSTERS.build_delete_request(list(changes.delete)),
    ]
    requests = [
        dg.RunRequest(
            job_name=render_videos.name,
            partition_key=key,
            tags={**tags, REASON: _why_due(digests, outputs)},
        )
        for digests in _together(instance, {key: wanted[key].digest for key in asked})
        for key, tags in render_runs(digests, [*known, *changes.add])
    ]
    if len(given_up) == len(due):
        requests += _film_request(instance, settings.value) or _report_request(instance, wanted)
    if asked:
        context.log.info("%s: asked for, %s", ", ".join(asked), _why_due(asked, outputs))
    why = why_due(instance, wanted, settings.value, due)
    return dg.SensorResult(
        run_requests=requests,
        asset_events=up_to_date.news(instance, why, len(wanted)),
        dynamic_partitions_requests=[request for request in partitions if request.partition_keys],
        skip_reason=None if requests else _skip_reason(wanted, rendering, given_up),
    )


def _why_due(keys: Collection[str], outputs: Outputs) -> str:
    """Why videos are asked for, in words."""
    missing = sum(outputs.existing_video(key) is None for key in keys)
    changed = len(keys) - missing
    parts = [
        f"{counted(missing, 'video')} missing" if missing else "",
        f"{counted(changed, 'video')} of other pictures, music or settings" if changed else "",
    ]
    return ", ".join(filter(None, parts))


def _is_given_up(instance: dg.DagsterInstance, recipe: Recipe) -> bool:
    """Whether a video failed too often, or a person has cancelled a run of it."""
    return any(is_given_up(instance, {tag: recipe.digest}) for tag in (DIGEST_TAG, digest_tag(recipe.key)))


def _together(instance: dg.DagsterInstance, digests: dict[str, str]) -> list[dict[str, str]]:
    """Which videos go in a run together: one that such a run did not make goes alone, and takes no other with it."""
    alone = {key for key, made_of in digests.items() if latest_run(instance, {digest_tag(key): made_of})}
    together = {key: made_of for key, made_of in digests.items() if key not in alone}
    return [together, *({key: digests[key]} for key in digests if key in alone)]


def _film_request(instance: dg.DagsterInstance, settings: Settings) -> list[dg.RunRequest]:
    """A request for the film where the settings ask for one, it is not up to date, and none is on its way."""
    spec = next(spec for spec in project_specs() if spec.key == FILM)
    if FILM.to_user_string() not in project_stages().asked_for(settings) or is_current(
        instance, spec, settings
    ):
        return []
    tags = {FILM_TAG: expected_version(instance, spec, settings)}
    asked = latest_run(instance, tags)
    if asked and not deserves_another_try(instance, asked, *PURPOSES):
        return []
    return [dg.RunRequest(job_name=make_film.name, tags={**tags, REASON: "videos are new"})]


def _report_request(instance: dg.DagsterInstance, keys: Collection[str]) -> list[dg.RunRequest]:
    """A request for the summary if a video or the film is newer than it, and none is on its way."""
    films = filter(None, [instance.get_latest_materialization_event(FILM)])
    events = [*latest_videos(instance, keys).values(), *films]
    newest = max((event.timestamp for event in events), default=0.0)
    report = instance.get_latest_materialization_event(dg.AssetKey("summary_report"))
    if report and report.timestamp >= newest:
        return []
    tags = {REPORT_TAG: str(newest)}
    asked = latest_run(instance, tags)
    if asked and not deserves_another_try(instance, asked, *PURPOSES):
        return []
    return [dg.RunRequest(job_name=refresh_report.name, tags={**tags, REASON: "videos are new"})]


def _skip_reason(wanted: Collection[str], rendering: Collection[str], given_up: Collection[str]) -> str:
    """Why nothing is asked for."""
    if given_up:
        return (
            f"{', '.join(given_up)} failed {ATTEMPTS} times or was cancelled; see the runs, then materialize by hand. "
            "A change of pictures, music or settings tries again."
        )
    if under_way := [key for key in wanted if key in rendering]:
        return f"rendering {', '.join(under_way)}"
    return f"all {len(wanted)} videos are up to date"
