"""Runs whose process was killed: nobody but us would notice, and what they hold would be held for ever."""

import os
import platform
from functools import cache

import dagster as dg
import psutil

from clustering_assets.defs.partitions import UNFINISHED

PROCESS_TAG = ".dagster/clustering_assets.process"
"""Tag of a run: the process that it lives and dies with, as `host:pid:start`, the start in seconds since the epoch."""

EARLIER_PROCESS_TAG = "clustering_assets/process"
"""What the tag was called before it was hidden from the UI; runs of then may be unfinished still."""

CLOCK_STEPS = 60
"""Seconds by which a process may seem to have started at another time, because the clock was set meanwhile."""


@cache
def this_process() -> str:
    """The value of `PROCESS_TAG` for runs of this process."""
    process = psutil.Process()
    return f"{platform.node()}:{process.pid}:{process.create_time():.0f}"


def close_abandoned_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark runs as failed whose process is gone, and free the places in pools that ended runs still hold.

    Returns:
        Ids of the runs that were marked.
    """
    closed = []
    for run in instance.get_runs(dg.RunsFilter(statuses=UNFINISHED)):
        process = "" if _is_inherited(instance, run) else _process_of(run)
        if process.startswith(f"{platform.node()}:") and not _is_running(process):
            instance.report_run_failed(run, "The process of this run was ended from outside.")
            closed.append(run.run_id)
    _free_pools(instance)
    return closed


def _is_inherited(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether the process is that of the run which this one repeats: Dagster copies its tags, until the run begins."""
    parent = instance.get_run_by_id(run.parent_run_id) if run.parent_run_id else None
    return parent is not None and _process_of(parent) == _process_of(run)


def _process_of(run: dg.DagsterRun) -> str:
    return run.tags.get(PROCESS_TAG) or run.tags.get(EARLIER_PROCESS_TAG, "")


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


def _is_running(process: str) -> bool:
    """Whether a process of this machine, named as in `this_process`, is the one that has its number now."""
    try:
        number, started = map(int, process.rsplit(":", 2)[1:])
    except ValueError:
        return False  # named otherwise, by a version that has ended since
    if number == os.getpid():  # in a container every process may have the same number
        return process == this_process()
    try:
        return abs(psutil.Process(number).create_time() - started) < CLOCK_STEPS
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
