"""What came of it all: the ledger of files, the page that a person opens first, and the summary."""

from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd

from clustering_assets.defs.assets.dataset import OWNERS
from clustering_assets.defs.assets.videos import cluster_videos
from clustering_assets.defs.data_versions import DETAILS, USES, data_version, latest_video
from clustering_assets.defs.failures import told
from clustering_assets.defs.io_managers.base import OUTPUT
from clustering_assets.defs.io_managers.table import TABLE
from clustering_assets.defs.resources import SettingsResource
from clustering_assets.defs.staleness import videos_due
from clustering_assets.defs.update import CLOSING, SCANS, STAGES
from clustering_assets.files import file_source
from clustering_assets.outputs import GALLERY, SUMMARY_REPORT, VIDEOS, Outputs
from clustering_assets.report.summary import StageRecord, VideoRecord, failures_of, summarise
from clustering_assets.slideshows import recipes
from clustering_assets.tables import LEDGER

RECORDED = (*SCANS, *STAGES, *CLOSING)
"""Unpartitioned assets whose record the summary shows."""


@dg.asset(
    group_name="reports",
    kinds={"python", "csv"},
    owners=OWNERS,
    code_version="1",
    io_manager_key="table_io",
    dagster_type=TABLE,
    deps=["embeddings", cluster_videos],
    metadata={OUTPUT: LEDGER.file, DETAILS: ["image_manifest"]},
    check_specs=[
        dg.AssetCheckSpec(
            "nothing_lost_on_the_way",
            asset="ledger",
            description="No picture that the scan found good failed in a later stage.",
        )
    ],
)
@told()
def ledger(
    context: dg.AssetExecutionContext,
    settings: SettingsResource,
    image_manifest: pd.DataFrame,
    cluster_assignments: pd.DataFrame,
    music_choice: pd.DataFrame,
) -> dg.MaterializeResult:
    """What became of every file that was found: used, duplicate of another, or rejected with the stage and the reason.

    It begins with the outcome of `image_manifest`; a picture that vanished or broke before it was embedded or shown
    in a video is rejected there. A picture that looks the same as a sharper one counts as its duplicate.
    """
    from clustering_assets.images.ledger import ledger as make_ledger

    version = data_version(context, settings.value)
    started = update_started(context.instance)
    stages = stage_records(context.instance, started).values()
    videos = [latest_video(context.instance, key) for key in music_choice["key"]]
    lost = failures_of([*(stage.noted for stage in stages), *map(_noted, videos)])
    copies = cluster_assignments.loc[cluster_assignments["duplicate_of"] != "", ["path", "duplicate_of"]]
    table = make_ledger(image_manifest, lost, dict(copies.itertuples(index=False, name=None)))
    outcomes = table["outcome"].value_counts()
    return dg.MaterializeResult(
        value=table,
        data_version=version,
        check_results=[
            dg.AssetCheckResult(
                check_name="nothing_lost_on_the_way",
                passed=not lost,
                severity=dg.AssetCheckSeverity.WARN,
                description=f"{len(lost)} pictures could not be read any more." if lost else None,
                metadata={"files": dg.MetadataValue.json([list(failure) for failure in lost[:100]])},
            )
        ],
        metadata={str(outcome): int(count) for outcome, count in outcomes.items()},
    )


@dg.asset(
    group_name="reports",
    kinds={"python"},
    owners=OWNERS,
    code_version="1",
    io_manager_key="text_io",
    deps=[cluster_videos, "gallery"],
    metadata={OUTPUT: SUMMARY_REPORT},
)
@told()
def summary_report(
    context: dg.AssetExecutionContext,
    settings: SettingsResource,
    image_manifest: pd.DataFrame,
    ledger: pd.DataFrame,
    cluster_assignments: pd.DataFrame,
    music_choice: pd.DataFrame,
) -> dg.MaterializeResult:
    """What came in, what was made and reused, how good the clusters are, which music and why, and how long it took.

    It covers one update: everything since `image_manifest` was last made. A video that is not there yet is named
    as missing, one made of other pictures, music or settings than it should be now as out of date.
    """
    version = data_version(context, settings.value)
    started = update_started(context.instance)
    wanted = recipes(cluster_assignments, image_manifest, music_choice, settings.value)
    due = videos_due(context.instance, wanted, settings.value)
    summary = summarise(
        ledger,
        cluster_assignments,
        music_choice,
        stages=stage_records(context.instance, started),
        videos=[
            video_record(context.instance, settings.outputs, key, started, due=key in due) for key in wanted
        ],
        settings=settings.value.model_dump(),
    )
    return dg.MaterializeResult(
        value=summary,
        data_version=version,
        metadata={name: int(count) for name, count in summary.data["counts"].items()},
    )


@dg.asset(
    group_name="reports",
    kinds={"python", "html"},
    owners=OWNERS,
    code_version="1",
    io_manager_key="page_io",
    deps=[cluster_videos],
    metadata={OUTPUT: GALLERY, USES: ["images", "resolution"]},
)
@told()
def gallery(
    context: dg.AssetExecutionContext,
    settings: SettingsResource,
    ledger: pd.DataFrame,
    cluster_assignments: pd.DataFrame,
    music_choice: pd.DataFrame,
) -> dg.MaterializeResult:
    """One page for the browser: a map of all pictures, and each cluster with its video, its music and why, and samples.

    The page is self-contained: it fetches nothing but the videos beside it, so the output folder can be copied to where
    others look at it.
    """
    from clustering_assets.report.page import make_gallery

    values, outputs = settings.value, settings.outputs
    version = data_version(context, values)
    found = {key: outputs.existing_video(key) for key in music_choice["key"]}
    page = make_gallery(
        ledger,
        cluster_assignments,
        music_choice,
        videos={key: f"../{VIDEOS}/{path.name}" for key, path in found.items() if path},
        folder=file_source(values.images),
        video_size=values.size,
        originals=_address_of_pictures(values.images, outputs),
        limits=values.limits,
    )
    return dg.MaterializeResult(
        value=page,
        data_version=version,
        metadata={
            "videos": sum(path is not None for path in found.values()),
            "not_shown": dg.MetadataValue.json([list(failure) for failure in page.failures]),
        },
    )


def _address_of_pictures(images: str, outputs: Outputs) -> str | None:
    """Address of the folder of pictures as seen from the page; None where one of the two is not on a local disk."""
    from clustering_assets.report.page import relative_address

    page = outputs.path(GALLERY)
    return relative_address(Path(images), Path(page)) if isinstance(page, Path) else None


def update_started(instance: dg.DagsterInstance) -> float:
    """When the update under way began, in seconds since the epoch: the start of the run that listed the pictures."""
    event = instance.get_latest_materialization_event(dg.AssetKey("image_manifest"))
    record = instance.get_run_record_by_id(event.run_id) if event else None
    return record.start_time or 0.0 if record else 0.0


def stage_records(instance: dg.DagsterInstance, started: float) -> dict[str, StageRecord]:
    """What was recorded of each unpartitioned asset that has been made, by name."""
    records = {name: stage_record(instance, name, started) for name in RECORDED}
    return {name: record for name, record in records.items() if record is not None}


def stage_record(instance: dg.DagsterInstance, name: str, started: float) -> StageRecord | None:
    """What was recorded of the latest materialization of an unpartitioned asset; None if there is none."""
    event = instance.get_latest_materialization_event(dg.AssetKey(name))
    if event is None or event.asset_materialization is None:
        return None
    return StageRecord(
        fresh=event.timestamp >= started,
        seconds=_seconds(instance, event),
        noted=_noted(event),
    )


def video_record(
    instance: dg.DagsterInstance, outputs: Outputs, key: str, started: float, due: bool
) -> VideoRecord:
    """What was recorded of the latest video of a cluster, and where its file is."""
    event = latest_video(instance, key)
    path = outputs.existing_video(key)
    noted = _noted(event)
    return VideoRecord(
        key=key,
        path=str(path) if path else "",
        due=due,
        rendered=bool(event and event.timestamp >= started and noted.get("rendered")),
        render_seconds=_seconds(instance, event) if event else 0.0,
        noted=noted,
    )


def _seconds(instance: dg.DagsterInstance, event: dg.EventLogEntry) -> float:
    """How long the step of a materialization took."""
    if event.step_key is None:
        return 0.0
    for step in instance.get_run_step_stats(event.run_id, [event.step_key]):
        if step.start_time and step.end_time:
            return step.end_time - step.start_time
    return 0.0


def _noted(event: dg.EventLogEntry | None) -> dict[str, Any]:
    """The metadata of a materialization; empty if there is none."""
    made = event.asset_materialization if event else None
    return {name: value.value for name, value in made.metadata.items()} if made else {}
