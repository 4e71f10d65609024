"""Runs whose process is gone, and what they held."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import dagster as dg

import clustering_assets
from clustering_assets.defs.orphaned_runs import PROCESS_TAG, close_abandoned_runs
from clustering_assets.process_identity import this_process
from clustering_assets_tests.projects import defs


def test_the_run_of_a_killed_process_is_closed(project):
    ask = "from clustering_assets.process_identity import this_process; print(this_process())"
    child = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    host, number, started = this_process().rsplit(":", 2)
    processes = {
        "ended": child.stdout.strip(),
        "another now has its number": f"{host}:{os.getppid()}:0{started}",
        "this one now has its number": f"{host}:{number}:{started}0",
        "before the machine was started again": f"{host}:{number}:other{started}",
        "under way": this_process(),
        "as older versions named it": f"{host}:{number}",
        "elsewhere": f"elsewhere.{child.stdout.strip()}",
    }
    with project.instance() as instance:
        job = defs.resolve_job_def("cluster_images")
        runs = {
            name: instance.create_run_for_job(
                job, status=dg.DagsterRunStatus.STARTED, tags={PROCESS_TAG: process}
            ).run_id
            for name, process in processes.items()
        }
        close_abandoned_runs(instance)
        status = {name: instance.get_run_by_id(run).status for name, run in runs.items()}
    under_way = {name for name, found in status.items() if found is dg.DagsterRunStatus.STARTED}
    assert under_way == {"under way", "elsewhere"}
    assert set(status.values()) == {dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.FAILURE}


ENDED = this_process().rsplit(":", 2)[0] + ":1:1"
"""The tag of a process of this machine that has ended."""


def test_a_run_that_repeats_one_of_a_process_that_has_ended_is_left_to_begin():
    job = defs.resolve_job_def("refresh_report")
    with dg.DagsterInstance.ephemeral() as instance:
        tags = {PROCESS_TAG: ENDED}
        first = instance.create_run_for_job(job, status=dg.DagsterRunStatus.CANCELED, tags=tags).run_id
        again = instance.create_run_for_job(job, tags=tags, parent_run_id=first, root_run_id=first).run_id
        assert close_abandoned_runs(instance) == []
        instance.add_run_tags(again, {PROCESS_TAG: ENDED.replace(":1:1", ":2:2")})
        assert close_abandoned_runs(instance) == [again]


def run_in_pool(instance, pool, status):
    """A run that holds the only place in a pool."""
    run = instance.create_run_for_job(
        defs.resolve_job_def("cluster_images"), status=status, tags={PROCESS_TAG: this_process()}
    )
    storage = instance.event_log_storage
    storage.initialize_concurrency_limit_to_default(pool)
    assert storage.claim_concurrency_slot(pool, run.run_id, pool).is_claimed
    return run.run_id


def with_pools(project):
    """The project's own Dagster configuration, which lets one run at a time into each pool."""
    shutil.copy(Path(clustering_assets.__file__).parents[1] / "dagster.yaml", project.root)


def test_places_that_ended_runs_hold_are_freed(project):
    with_pools(project)
    with project.instance() as instance:
        run_in_pool(instance, "embedding", dg.DagsterRunStatus.FAILURE)
        alive = run_in_pool(instance, "render", dg.DagsterRunStatus.STARTED)
        close_abandoned_runs(instance)
        storage = instance.event_log_storage
        assert not storage.get_concurrency_info("embedding").active_run_ids
        assert storage.get_concurrency_info("render").active_run_ids == {alive}


def test_an_update_says_which_run_it_waits_for_and_goes_on_when_that_has_ended(project):
    with_pools(project)
    with project.instance() as instance:
        other = run_in_pool(instance, "render", dg.DagsterRunStatus.STARTED)
    waited = []

    def end_the_other(line: str) -> None:
        if line.startswith("Waiting"):
            waited.append(line)
            with project.instance() as instance:
                instance.report_run_failed(instance.get_run_by_id(other))

    (project.root / "output/videos/cluster_1_slideshow_with_music.mp4").unlink()
    assert project.update(meanwhile=end_the_other).rendered == ["cluster_1"]
    assert len(waited) == 1 and other[:8] in waited[0]


def test_a_run_that_the_ui_or_a_sensor_starts_is_known_by_its_process(project):
    config = {"resources": {"settings": {"config": project.settings().model_dump()}}}
    with project.instance() as instance:
        result = defs.resolve_job_def("refresh_report").execute_in_process(
            instance=instance, run_config=config, tags={PROCESS_TAG: ENDED}
        )
        assert instance.get_run_by_id(result.run_id).tags[PROCESS_TAG] == this_process()
