"""Runs as the sensors see them: whose they are, what they are for, and whether to try the same again."""

from collections.abc import Mapping

import dagster as dg

from clustering_assets.defs.graph import project_specs
from clustering_assets.defs.jobs import cluster_images, make_film, refresh_report, render_videos
from clustering_assets.defs.partitions import UNFINISHED

ATTEMPTS = 3
"""How often the same thing may fail before it is left to a person."""

INTERRUPTIONS = 10
"""The same for runs that were ended from outside, as when memory or power runs out, those that failed included."""

ENDED_BADLY = {dg.DagsterRunStatus.FAILURE: "failed", dg.DagsterRunStatus.CANCELED: "was cancelled"}

AD_HOC_JOB = "__ASSET_JOB"
"""What Dagster calls runs of assets that no job names: those of the command line, and of `Materialize` in the UI."""

_OWN_FAULTS = ("STEP_FAILURE", "RUN_EXCEPTION", "JOB_INITIALIZATION_FAILURE")
"""Why Dagster says that a run failed where it was not ended from outside."""


def is_ours(run: dg.DagsterRun) -> bool:
    """Whether a run is of this project; others in the instance have ad-hoc runs and partitions too."""
    if run.job_name != AD_HOC_JOB:
        return run.job_name in {
            job.name for job in (cluster_images, render_videos, make_film, refresh_report)
        }
    return run.asset_selection is None or any(spec.key in run.asset_selection for spec in project_specs())


def update_under_way(instance: dg.DagsterInstance) -> str | None:
    """An unfinished run that may change the clusters or videos: of `cluster_images`, or started by a person."""
    for job in (cluster_images.name, AD_HOC_JOB):
        for run in instance.get_runs(dg.RunsFilter(job_name=job, statuses=UNFINISHED)):
            if is_ours(run):
                return run.run_id
    return None


def latest_run(instance: dg.DagsterInstance, tags: Mapping[str, str]) -> dg.DagsterRun | None:
    """The latest run with these tags; None if there is none."""
    return next(iter(instance.get_runs(dg.RunsFilter(tags=dict(tags)), limit=1)), None)


def newest_change(instance: dg.DagsterInstance) -> str:
    """Which run has changed last, and when; it differs as soon as one begins or ends. Empty where there are no runs."""
    records = instance.get_run_records(limit=1, order_by="update_timestamp")
    return "".join(f"{record.dagster_run.run_id} {record.update_timestamp.isoformat()}" for record in records)


def is_given_up(instance: dg.DagsterInstance, tags: Mapping[str, str]) -> bool:
    """Whether runs with these tags have failed too often, or a person has cancelled one."""
    wanted = dg.RunsFilter(tags=dict(tags), statuses=list(ENDED_BADLY))
    runs = instance.get_runs(wanted, limit=INTERRUPTIONS)
    if len(runs) == INTERRUPTIONS or any(run.status is dg.DagsterRunStatus.CANCELED for run in runs):
        return True
    return len(runs) >= ATTEMPTS and sum(not was_ended(instance, run.run_id) for run in runs) >= ATTEMPTS


def deserves_another_try(instance: dg.DagsterInstance, run: dg.DagsterRun | None, *tags: str) -> bool:
    """Whether a run failed for a reason that may pass, and runs for the same thing have not failed too often.

    Args:
        instance: Where runs are recorded.
        run: The run; None if there was none.
        tags: Names of the tags that say what it was for.
    """
    if run is None or run.status is not dg.DagsterRunStatus.FAILURE or _was_refused(instance, run.run_id):
        return False
    return not is_given_up(instance, {tag: run.tags[tag] for tag in tags if tag in run.tags})


def was_ended(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether a run that failed was ended from outside, and nothing is known to be wrong with what it did."""
    events = _events(instance, run_id, dg.DagsterEventType.RUN_FAILURE)
    reasons = [event.job_failure_data.failure_reason for event in events if event.event_specific_data]
    return bool(events) and not any(reason and reason.value in _OWN_FAULTS for reason in reasons)


def _was_refused(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether a blocking check stopped a run, such as too few pictures: the same again would end the same."""
    events = _events(instance, run_id, dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    return any(
        check.blocking and not check.passed for check in (e.asset_check_evaluation_data for e in events)
    )


def _events(instance: dg.DagsterInstance, run_id: str, kind: dg.DagsterEventType) -> list[dg.DagsterEvent]:
    """What a run recorded of one kind."""
    records = instance.get_records_for_run(run_id, of_type=kind).records
    return [event for record in records if (event := record.event_log_entry.dagster_event)]
