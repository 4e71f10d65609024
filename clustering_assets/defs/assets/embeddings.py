"""Pictures to vectors."""

from pathlib import Path

import dagster as dg
import pandas as pd

from clustering_assets.defs.assets.dataset import OWNERS
from clustering_assets.defs.data_versions import USES, data_version
from clustering_assets.defs.estimate import EMBEDDED
from clustering_assets.defs.failures import told
from clustering_assets.defs.groups import Group
from clustering_assets.defs.io_managers.base import OUTPUT
from clustering_assets.defs.resources import SettingsResource
from clustering_assets.embedding.files import EmbeddingPair, Network, contents_digest
from clustering_assets.files import image_source
from clustering_assets.outputs import EMBEDDINGS


@dg.asset(
    group_name=Group.EMBEDDINGS,
    kinds={"python", "pytorch", "numpy"},
    owners=OWNERS,
    code_version="3",
    io_manager_key="array_io",
    pool="embedding",
    metadata={OUTPUT: EMBEDDINGS, USES: ["images", "backbone", "weights", "runtime"]},
)
@told()
def embeddings(
    context: dg.AssetExecutionContext, settings: SettingsResource, image_manifest: pd.DataFrame
) -> dg.MaterializeResult:
    """One vector for each usable picture: the pooled features of a pretrained network.

    Row *i* of `embeddings.npy` belongs to line *i* of `image_paths.txt`. Vectors are kept by picture content and
    network, so a picture is embedded once, whatever it is called and wherever it moves.
    """
    from clustering_assets.embedding.catalogue import NetworkSpec
    from clustering_assets.embedding.embed import Inputs, RuntimeOptions, embed
    from clustering_assets.images.manifest import DatasetError, check_usable, usable, with_failures
    from clustering_assets.work.choice import make_engine

    values = settings.value
    version = data_version(context, values)
    embedded = embed(
        Inputs(usable(image_manifest), image_source(values), values.limits),
        NetworkSpec(values.backbone, Path(values.weights) if values.weights else None),
        RuntimeOptions(values.runtime, values.batch_size, make_engine(values.work)),
        cache_dir=settings.outputs.embedding_cache if values.cache else None,
    )
    lost = [(path, "embedding", reason) for path, _, reason in embedded.failures]
    try:
        left = with_failures(image_manifest, lost)
        check_usable(left, image_source(values), values.min_images, values.max_failure_rate)
    except DatasetError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    if embedded.warning:
        context.log.warning(embedded.warning)
    return dg.MaterializeResult(
        value=EmbeddingPair(
            embedded.vectors,
            embedded.paths,
            Network(embedded.backbone, embedded.weights_id),
            contents_digest(embedded.content_hashes),
        ),
        data_version=version,
        metadata={
            "backbone": embedded.backbone,
            "weights": embedded.weights_id,
            "runtime": f"{embedded.runtime} on {embedded.device}, {embedded.precision}",
            EMBEDDED: embedded.embedded,
            "reused": embedded.reused,
            "images_per_second": round(embedded.images_per_second, 1),
            "limit": embedded.limit,
            "failures": dg.MetadataValue.json([list(failure) for failure in lost]),
            "warning": embedded.warning,
        },
    )
