"""Vectors to clusters that keep their names, and the picture of them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import pandas as pd

from clustering_assets.clustering.keys import cluster_of
from clustering_assets.clustering.quality import STABLE
from clustering_assets.defs.assets.dataset import OWNERS
from clustering_assets.defs.checks import Checks, Verdict
from clustering_assets.defs.data_versions import CAPTURE, USES, data_version
from clustering_assets.defs.failures import told
from clustering_assets.defs.groups import Group
from clustering_assets.defs.io_managers.base import OUTPUT
from clustering_assets.defs.io_managers.table import TABLE, shown_table
from clustering_assets.defs.partitions import CLUSTERS
from clustering_assets.defs.records import noted, previous_table
from clustering_assets.defs.resources import SettingsResource
from clustering_assets.embedding.files import EmbeddingPair, Network, StoredError
from clustering_assets.files import image_source
from clustering_assets.outputs import CLUSTER_PLOT, choices_file, names_file
from clustering_assets.settings import Settings
from clustering_assets.tables import CLUSTER_ASSIGNMENTS

if TYPE_CHECKING:
    from clustering_assets.clustering.assignments import Assignment
    from clustering_assets.clustering.imagenet_kinds import ClassScores
    from clustering_assets.clustering.previous import Previous

SMALL_CLUSTER = 3
"""Clusters of fewer pictures than this draw a warning: they make no slideshow worth watching."""

DOMINATING_SHARE = 0.8
"""One cluster with more than this share of all pictures draws a warning: the clustering found little."""


checks = Checks("cluster_assignments")


@checks(f"Every cluster has at least {SMALL_CLUSTER} pictures.")
def no_tiny_clusters(assignment: "Assignment") -> Verdict:
    """Whether each cluster is worth a slideshow."""
    real = assignment.clusters[assignment.clusters["cluster"] >= 0]
    tiny = list(real.loc[real["size"] < SMALL_CLUSTER, "key"])
    return Verdict(
        not tiny, f"Few pictures in {', '.join(tiny)}: fewer clusters may fit better." if tiny else None
    )


@checks(f"Clusterings of subsamples agree with this one (adjusted Rand index >= {STABLE}).")
def stable_clusters(assignment: "Assignment") -> Verdict:
    """Whether another sample of the pictures would have given the same clusters."""
    stability = float(assignment.quality.stability)
    words = f"Stability {stability:.2f}: another sample of the same pictures would cluster differently."
    return Verdict(not stability < STABLE, words if stability < STABLE else None, {"stability": stability})


@checks(f"No cluster holds more than {DOMINATING_SHARE:.0%} of all pictures.")
def no_dominating_cluster(assignment: "Assignment") -> Verdict:
    """Whether the clustering has found more than one thing."""
    real = assignment.clusters[assignment.clusters["cluster"] >= 0]
    share = float(real["size"].max()) / len(assignment.table) if len(real) else 0.0
    words = f"The largest cluster holds {share:.0%} of all pictures."
    return Verdict(len(real) == 1 or share <= DOMINATING_SHARE, words)


@dg.asset(
    group_name=Group.CLUSTERS,
    kinds={"python", "scikitlearn", "csv"},
    owners=OWNERS,
    code_version="10",
    io_manager_key="table_io",
    dagster_type=TABLE,
    metadata={
        OUTPUT: CLUSTER_ASSIGNMENTS.file,
        USES: ["algorithm", "clusters", "eps", "seed", "names_file", "choices_file", "group_by"],
        CAPTURE: True,
    },
    check_specs=checks.specs,
)
@told()
def cluster_assignments(
    context: dg.AssetExecutionContext,
    settings: SettingsResource,
    image_manifest: pd.DataFrame,
    embeddings: EmbeddingPair,
) -> dg.MaterializeResult:
    """Which cluster each picture belongs to, how well it fits, and which picture stands for its cluster.

    Clusters keep their number from run to run: each is matched to the previous one that shares most pictures with
    it, and a number is never used for another cluster. Pictures that belong nowhere have cluster -1. Each cluster has a
    short name, a hint made from what the network recognises and from its colours. Where `group_by` asks for events or
    folders, those are the clusters, and their days and places or the folders' names are the names.
    """
    from clustering_assets.clustering.algorithms import Request
    from clustering_assets.clustering.assignments import Pictures, assign
    from clustering_assets.clustering.choices import read_choices
    from clustering_assets.clustering.given_names import read_names
    from clustering_assets.images.duplicates import near_duplicates

    values = settings.value
    version = data_version(context, values)
    images = pd.DataFrame({"path": embeddings.paths}).merge(image_manifest, on="path")
    if len(images) < len(embeddings.paths):
        raise StoredError(
            "The embeddings are of other pictures than the manifest: materialize embeddings anew."
        )
    network = embeddings.network
    assignment = assign(
        Pictures(
            embeddings.vectors,
            images,
            class_scores=_class_scores(context, settings, network) if network else None,
            duplicate_of=near_duplicates(images, embeddings.vectors, image_source(values), values.limits),
        ),
        Request(values.algorithm, values.clusters, values.eps, values.seed, values.group_by),
        _previous(context, settings, network),
        names=read_names(names_file(values)),
        choices=read_choices(choices_file(values), image_manifest),
    )
    keys = list(assignment.clusters["key"])
    context.instance.add_dynamic_partitions(str(CLUSTERS.name), keys)
    return dg.MaterializeResult(
        value=assignment.table,
        data_version=version,
        check_results=checks.results(assignment),
        metadata=_describe(assignment, values, network),
    )


def _class_scores(
    context: dg.AssetExecutionContext, settings: SettingsResource, network: Network
) -> "ClassScores":
    """What the network that made the vectors would call them; where its weights are out of reach, that is left out."""
    from clustering_assets.embedding.backbone import BackboneError
    from clustering_assets.embedding.catalogue import NetworkSpec
    from clustering_assets.embedding.class_scores import class_scores
    from clustering_assets.embedding.weights import WeightsError

    values = settings.value
    out_of_reach = False

    def scores(features: Any) -> Any:
        nonlocal out_of_reach
        if out_of_reach:
            return None
        try:
            return class_scores(
                features,
                NetworkSpec(network.backbone, Path(values.weights) if values.weights else None),
                weights_id=network.weights_id,
                cache_dir=settings.outputs.local_cache() if values.cache else None,
            )
        except (BackboneError, WeightsError) as error:
            out_of_reach = True
            context.log.warning("What the pictures show is left out of clusters and their names: %s", error)
            return None

    return scores


def _previous(
    context: dg.AssetExecutionContext, settings: SettingsResource, network: Network | None
) -> "Previous":
    """What the output's last clustering left: its table, the numbers that new clusters may not take, its request.

    The request is left out where it is not known, or was for vectors of another network.
    """
    from clustering_assets.clustering.previous import Previous

    table = previous_table(context.instance, settings.outputs, CLUSTER_ASSIGNMENTS)
    facts = noted(context.instance.get_latest_materialization_event(context.asset_key))
    if facts.get("output") != settings.value.output:
        facts = {}
    request, _, backbone = str(facts.get("request") or "").rpartition(" of ")
    highest = facts.get("highest_id")
    retired = range(highest + 1) if isinstance(highest, int) else ()
    return Previous(
        table,
        ids=() if table is None else {*retired, *map(int, table["cluster"].dropna().unique())},
        request=request if request and network and network.backbone == backbone else None,
    )


def _describe(assignment: "Assignment", values: Settings, network: Network | None) -> dict[str, Any]:
    """What the UI shows of the clusters."""
    clusters = assignment.clusters.drop(columns=["typical", "untypical"])
    ids = [cluster_of(key) for key in clusters["key"]]
    return {
        "clusters": shown_table(clusters),
        "number_of_clusters": sum(number >= 0 for number in ids),
        "highest_id": max([*ids, *assignment.ids_ever_used], default=-1),
        "output": values.output,
        "request": f"{assignment.request} of {network.backbone if network else 'unknown vectors'}",
        "quality": dg.MetadataValue.json(assignment.quality.as_dict()),
        "fit": dg.MetadataValue.json(_fit(assignment)),
        "changes": dg.MetadataValue.json(assignment.changes.as_dict()),
        "notes": "\n".join(assignment.notes),
    }


def _fit(assignment: "Assignment") -> dict[str, dict[str, Any]]:
    """How well each cluster holds together and which pictures show it, by partition key."""
    return {
        str(row["key"]): {
            "silhouette": None if pd.isna(row["silhouette"]) else round(float(row["silhouette"]), 3),
            "neighbour": row["neighbour"],
            "representative": row["representative"],
            "typical": [path for path in row["typical"].split("\n") if path],
            "untypical": [path for path in row["untypical"].split("\n") if path],
        }
        for row in assignment.clusters.to_dict("records")
    }


@dg.asset(
    group_name=Group.CLUSTERS,
    kinds={"python", "matplotlib"},
    owners=OWNERS,
    code_version="3",
    io_manager_key="figure_io",
    metadata={OUTPUT: CLUSTER_PLOT, USES: ["images"]},
)
@told()
def cluster_plot(
    context: dg.AssetExecutionContext, settings: SettingsResource, cluster_assignments: pd.DataFrame
) -> dg.MaterializeResult:
    """The clusters as a picture: each image a point, typical ones as thumbnails, sizes, names and silhouettes."""
    from clustering_assets.report.cluster_plot import plot_clusters

    version = data_version(context, settings.value)
    figure = plot_clusters(
        cluster_assignments,
        image_source(settings.value),
        timeline="events" in settings.value.group_by,
    )
    return dg.MaterializeResult(value=figure, data_version=version)
