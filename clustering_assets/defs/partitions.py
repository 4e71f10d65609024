"""The partitions of `cluster_videos`: one for each cluster, added and removed as clusters come and go."""

from collections.abc import Collection
from dataclasses import dataclass

import dagster as dg

from clustering_assets.clustering.keys import is_key
from clustering_assets.defs.jobs import due_keys

CLUSTERS = dg.DynamicPartitionsDefinition(name="clusters")

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.MANAGED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dataclass(frozen=True)
class PartitionChanges:
    """Partition keys to add and to delete, each in a stable order."""

    add: tuple[str, ...]
    delete: tuple[str, ...]


def partition_changes(
    wanted: Collection[str], existing: Collection[str], in_flight: Collection[str]
) -> PartitionChanges:
    """Which partitions to add and to delete so that those `wanted` remain.

    Args:
        wanted: Keys of the clusters that there are now.
        existing: Keys that Dagster knows, those of other projects that call partitions `clusters` too among them;
            what is no key of a cluster is left alone.
        in_flight: Keys with a run that is queued or under way. Deleting one of these would make that run fail
            when it stores its video, so they stay until it has ended.
    """
    kept = {*wanted, *in_flight}
    return PartitionChanges(
        add=tuple(key for key in wanted if key not in existing),
        delete=tuple(key for key in existing if key not in kept and is_key(key)),
    )


def keys_in_flight(instance: dg.DagsterInstance) -> dict[str, dg.DagsterRun]:
    """The unfinished runs of clusters, each of one or of several of them, by partition key."""
    runs = instance.get_runs(dg.RunsFilter(statuses=UNFINISHED))
    known = instance.get_dynamic_partitions(str(CLUSTERS.name))
    return {key: run for run in runs for key in due_keys(run.tags, known)}


def sync_partitions(instance: dg.DagsterInstance, wanted: Collection[str]) -> PartitionChanges:
    """Bring the instance's partitions in line with the clusters that there are; returns what changed."""
    name = str(CLUSTERS.name)
    changes = partition_changes(wanted, instance.get_dynamic_partitions(name), keys_in_flight(instance))
    if changes.add:
        instance.add_dynamic_partitions(name, list(changes.add))
    for key in changes.delete:
        instance.delete_dynamic_partition(name, key)
    return changes
