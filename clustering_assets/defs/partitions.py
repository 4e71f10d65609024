"""The partitions of `cluster_videos`: one for each cluster, added and removed as clusters come and go."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import dagster as dg
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus

from clustering_assets.clustering.keys import is_key
from clustering_assets.defs.jobs import EVERY, due_keys, partition_keys


class Clusters(dg.DynamicPartitionsDefinition):
    """One partition for each cluster that there is, and `EVERY`, which the `dagster` command may always name."""

    def has_partition_key(self, partition_key: str, *store: Any, **named: Any) -> bool:
        """Whether a key may be asked for; the first command of all asks before any cluster is known."""
        return partition_key == EVERY or super().has_partition_key(partition_key, *store, **named)


CLUSTERS = Clusters(name="clusters")

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
        delete=tuple(
            key for key in existing if key not in kept and (is_key(key) or (key == EVERY and wanted))
        ),
    )


def keys_in_flight(instance: dg.DagsterInstance) -> dict[str, dg.DagsterRun]:
    """The unfinished runs of clusters, each of one or of several of them, by partition key."""
    runs = instance.get_runs(dg.RunsFilter(statuses=UNFINISHED))
    known = instance.get_dynamic_partitions(str(CLUSTERS.name))
    return {
        key: run for run in runs for key in (*due_keys(run.tags, known), *partition_keys(run.tags, known))
    }


def prepare_partitions(instance: dg.DagsterInstance) -> None:
    """Offer `EVERY` where no cluster is known yet, so that the UI has something to launch."""
    name = str(CLUSTERS.name)
    if not instance.get_dynamic_partitions(name):
        instance.add_dynamic_partitions(name, [EVERY])


def keys_to_keep(instance: dg.DagsterInstance) -> set[str]:
    """Keys that a run, or what was launched and has not asked for all of its runs yet, may need."""
    launched = instance.get_backfills(BulkActionsFilter(statuses=[BulkActionStatus.REQUESTED]), limit=1)
    return {*keys_in_flight(instance), *([EVERY] if launched else [])}


def sync_partitions(instance: dg.DagsterInstance, wanted: Collection[str]) -> PartitionChanges:
    """Bring the instance's partitions in line with the clusters that there are; returns what changed."""
    name = str(CLUSTERS.name)
    changes = partition_changes(wanted, instance.get_dynamic_partitions(name), keys_to_keep(instance))
    if changes.add:
        instance.add_dynamic_partitions(name, list(changes.add))
    for key in changes.delete:
        instance.delete_dynamic_partition(name, key)
    return changes
