"""Partitions follow the clusters, and never vanish under a run."""

import dagster as dg
from hypothesis import given
from hypothesis import strategies as st

from clustering_assets.defs.jobs import EVERY, FIRST_TAG, LAST_TAG, due_keys
from clustering_assets.defs.partitions import (
    CLUSTERS,
    keys_in_flight,
    partition_changes,
    prepare_partitions,
    sync_partitions,
)

KEYS = st.lists(st.sampled_from([f"cluster_{n}" for n in range(8)]), unique=True)


@given(wanted=KEYS, existing=KEYS, in_flight=KEYS)
def test_what_remains_is_what_is_wanted_and_what_is_in_flight(wanted, existing, in_flight):
    changes = partition_changes(wanted, existing, in_flight)
    remaining = (set(existing) | set(changes.add)) - set(changes.delete)
    assert remaining == set(wanted) | (set(existing) & set(in_flight))
    assert not set(changes.add) & set(existing)
    assert not set(changes.delete) & (set(wanted) | set(in_flight))


def test_keys_that_are_no_clusters_stay():
    assert partition_changes(["cluster_0"], ["node-a", "cluster_01", "cluster_1"], []).delete == (
        "cluster_1",
    )


def test_the_partition_for_every_cluster_is_there_until_clusters_are_known_and_nothing_needs_it():
    with dg.DagsterInstance.ephemeral() as instance:
        prepare_partitions(instance)
        sync_partitions(instance, [])
        assert instance.get_dynamic_partitions("clusters") == [EVERY]
        instance.add_dynamic_partitions("clusters", ["cluster_0", "cluster_1"])
        prepare_partitions(instance)
        known = instance.get_dynamic_partitions("clusters")
        tags = {"dagster/partition": EVERY}
        assert due_keys(tags, known) == ["cluster_0", "cluster_1"]
        assert due_keys({FIRST_TAG: EVERY, LAST_TAG: "cluster_0"}, known) == ["cluster_0", "cluster_1"]
        job = dg.Definitions(assets=[film]).resolve_implicit_global_asset_job_def()
        run = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags=tags)
        assert sync_partitions(instance, ["cluster_0", "cluster_1"]).delete == ()
        instance.report_run_failed(run)
        assert sync_partitions(instance, ["cluster_0", "cluster_1"]).delete == (EVERY,)


def test_the_command_line_may_name_every_cluster_before_and_after_any_is_known():
    with dg.DagsterInstance.ephemeral() as instance:
        for known in ([], ["cluster_0"]):
            instance.add_dynamic_partitions("clusters", known)
            assert CLUSTERS.has_partition_key(EVERY, dynamic_partitions_store=instance)
            assert CLUSTERS.get_partition_keys(dynamic_partitions_store=instance) == known
        assert CLUSTERS.has_partition_key("cluster_0", dynamic_partitions_store=instance)
        assert not CLUSTERS.has_partition_key("cluster_1", dynamic_partitions_store=instance)


@dg.asset(partitions_def=CLUSTERS)
def film() -> None:
    """Something that has a partition for each cluster."""


def test_a_partition_with_a_queued_run_stays_until_the_run_has_ended():
    with dg.DagsterInstance.ephemeral() as instance:
        sync_partitions(instance, ["cluster_0", "cluster_1"])
        job = dg.Definitions(assets=[film]).resolve_implicit_global_asset_job_def()
        run = instance.create_run_for_job(
            job, status=dg.DagsterRunStatus.STARTED, tags={"dagster/partition": "cluster_1"}
        )
        assert list(keys_in_flight(instance)) == ["cluster_1"]

        sync_partitions(instance, ["cluster_0", "cluster_2"])
        assert set(instance.get_dynamic_partitions("clusters")) == {"cluster_0", "cluster_1", "cluster_2"}

        instance.report_run_failed(run)
        changes = sync_partitions(instance, ["cluster_0", "cluster_2"])
        assert changes.delete == ("cluster_1",)
        assert set(instance.get_dynamic_partitions("clusters")) == {"cluster_0", "cluster_2"}
