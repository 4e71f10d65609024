"""Asset checks that need the finished file."""

import dagster as dg
import pandas as pd

from clustering_assets.defs.resources import SettingsResource
from clustering_assets.embedding.files import EmbeddingPair
from clustering_assets.slideshows import make_clip, recipes


@dg.asset_check(
    asset="cluster_videos",
    additional_ins={
        name: dg.AssetIn(name)
        for name in ("image_manifest", "embeddings", "cluster_assignments", "music_tracks", "music_choice")
    },
    description="The finished file, decoded: frames as planned, H.264 and AAC with the right tags, sound as long as "
    "the picture and as loud as meant, slides where the plan has them.",
)
def video_as_planned(
    context: dg.AssetCheckExecutionContext,
    settings: SettingsResource,
    image_manifest: pd.DataFrame,
    embeddings: EmbeddingPair,
    cluster_assignments: pd.DataFrame,
    music_tracks: pd.DataFrame,
    music_choice: pd.DataFrame,
) -> dg.AssetCheckResult:
    """Decode the video of the run's cluster and compare it with its plan."""
    from clustering_assets.storage import local_copy
    from clustering_assets.video.verify import verify

    key = context.run.tags["dagster/partition"]
    recipe = recipes(cluster_assignments, image_manifest, music_choice, settings.value)[key]
    slideshow = make_clip(recipe, settings.value, embeddings, music_tracks)
    with local_copy(settings.outputs.video(key, music=slideshow.soundtrack is not None)) as path:
        results = verify(path, slideshow)
    failed = [result for result in results if not result.passed]
    return dg.AssetCheckResult(
        passed=not failed,
        description="; ".join(f"{check.name} is {check.value}, expected {check.expected}" for check in failed)
        or None,
        metadata={"cluster": key} | {result.name: str(result.value) for result in results},
    )
