"""Whether all videos are up to date, and why each that is not: what the page of `cluster_videos` says of it."""

from collections.abc import Mapping
from itertools import islice

import dagster as dg
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from clustering_assets.defs.checks import Verdict
from clustering_assets.defs.records import VIDEOS
from clustering_assets.words import counted

UP_TO_DATE = dg.AssetCheckKey(VIDEOS, "videos_up_to_date")

SPEC = dg.AssetCheckSpec(
    UP_TO_DATE.name,
    asset=VIDEOS,
    description="Every video is there and made of the pictures, the track and the settings that there are now.",
)

MOST_SAID, MOST_SHOWN = 5, 100
"""How many videos are said in the sentence, and how many are in the table below it."""


def verdict(why: Mapping[str, str], videos: int) -> Verdict:
    """How the videos stand.

    Args:
        why: Why each video that is due is so, by partition key.
        videos: How many there shall be.
    """
    if not why:
        return Verdict(True, f"Nothing is due: {counted(videos, 'video')}.")
    said = "; ".join(f"{key}: {reason}" for key, reason in islice(why.items(), MOST_SAID))
    records = [
        dg.TableRecord({"cluster": key, "why": reason}) for key, reason in islice(why.items(), MOST_SHOWN)
    ]
    more = "; ..." if len(why) > MOST_SAID else ""
    return Verdict(
        False,
        f"{len(why):,} of {counted(videos, 'video')} missing or out of date. {said}{more}",
        {"videos": dg.MetadataValue.table(records)},
    )


def result(why: Mapping[str, str], videos: int) -> dg.AssetCheckResult:
    """The verdict, as a run yields it."""
    return dg.AssetCheckResult(
        **verdict(why, videos)._asdict(), check_name=UP_TO_DATE.name, severity=dg.AssetCheckSeverity.WARN
    )


def news(
    instance: dg.DagsterInstance, why: Mapping[str, str], videos: int
) -> list[dg.AssetCheckEvaluation | dg.AssetObservation]:
    """The verdict, to be reported outside of a run, and for the page of each cluster that is newly due, why.

    Nothing where the verdict is the one that was recorded last, or a run is under way that will give it.
    """
    now = verdict(why, videos)
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key([UP_TO_DATE]).get(UP_TO_DATE)
    known: Mapping[str, str] = {}
    if latest and latest.status is AssetCheckExecutionRecordStatus.PLANNED:
        run = instance.get_run_by_id(latest.run_id)
        if run and not run.is_finished:
            return []
    elif latest and latest.event and (event := latest.event.dagster_event):
        before = event.asset_check_evaluation_data
        if before.description == now.description:
            return []
        known = {str(row["cluster"]): str(row["why"]) for row in _rows(before.metadata)}
    evaluation = dg.AssetCheckEvaluation(
        asset_key=VIDEOS,
        check_name=UP_TO_DATE.name,
        severity=dg.AssetCheckSeverity.WARN,
        **now._asdict(),
    )
    due = {str(row["cluster"]): str(row["why"]) for row in _rows(evaluation.metadata)}
    return [
        evaluation,
        *(
            dg.AssetObservation(VIDEOS, partition=key, metadata={"due": reason})
            for key, reason in due.items()
            if known.get(key) != reason
        ),
    ]


def _rows(metadata: Mapping[str, dg.MetadataValue]) -> list[Mapping[str, object]]:
    """The rows of the table of a verdict."""
    table = metadata.get("videos")
    return [record.data for record in table.records] if isinstance(table, dg.TableMetadataValue) else []
