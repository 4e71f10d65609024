"""Runs whose process was killed: nobody but us would notice, and what they hold would be held for ever."""

import platform

import dagster as dg

from clustering_assets.defs.partitions import UNFINISHED
from clustering_assets.process_identity import host_of, is_running

PROCESS_TAG = ".dagster/clustering_assets.process"
"""Tag of a run: the process that it lives and dies with, as `this_process` names it."""


def close_abandoned_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark runs as failed whose process is gone, and free the places in pools that ended runs still hold.

    Returns:
        Ids of the runs that were marked.
    """
    closed = []
    for run in instance.get_runs(dg.RunsFilter(statuses=UNFINISHED)):
        process = "" if _is_inherited(instance, run) else run.tags.get(PROCESS_TAG, "")
        if process and host_of(process) == platform.node() and not is_running(process):
            instance.report_run_failed(run, "The process of this run was ended from outside.")
            closed.append(run.run_id)
    _free_pools(instance)
    return closed


def _is_inherited(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether the process is that of the run which this one repeats: Dagster copies its tags, until the run begins."""
    parent = instance.get_run_by_id(run.parent_run_id) if run.parent_run_id else None
    return parent is not None and parent.tags.get(PROCESS_TAG) == run.tags.get(PROCESS_TAG)


def _free_pools(instance: dg.DagsterInstance) -> None:
    """Free what ended runs hold; Dagster leaves this to its daemon, which need not be running."""
    storage = instance.event_log_storage
    if not storage.supports_global_concurrency_limits:
        return
    infos = [storage.get_concurrency_info(pool) for pool in storage.get_concurrency_keys()]
    holders = {
        run for info in infos for run in (*info.active_run_ids, *info.assigned_run_ids, *info.pending_run_ids)
    }
    for holder in holders:
        run = instance.get_run_by_id(holder)
        if run is None or run.is_finished:
            storage.free_concurrency_slots_for_run(holder)
