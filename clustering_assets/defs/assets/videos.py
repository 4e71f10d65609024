"""One slideshow video with music for each cluster."""

import dagster as dg
import pandas as pd

from clustering_assets.defs.assets.dataset import OWNERS
from clustering_assets.defs.data_versions import USES
from clustering_assets.defs.failures import told
from clustering_assets.defs.io_managers.base import OUTPUT
from clustering_assets.defs.partitions import CLUSTERS
from clustering_assets.defs.resources import SettingsResource
from clustering_assets.embedding.files import EmbeddingPair
from clustering_assets.outputs import VIDEOS
from clustering_assets.settings import VideoSettings
from clustering_assets.slideshows import Recipe, make_clip, recipes


@dg.asset(
    group_name="videos",
    kinds={"python", "opencv", "ffmpeg", "mp4"},
    owners=OWNERS,
    code_version="1",
    io_manager_key="video_io",
    partitions_def=CLUSTERS,
    pool="render",
    metadata={OUTPUT: f"{VIDEOS}/{{partition}}", USES: list(VideoSettings.model_fields)},
)
@told()
def cluster_videos(
    context: dg.AssetExecutionContext,
    settings: SettingsResource,
    image_manifest: pd.DataFrame,
    embeddings: EmbeddingPair,
    cluster_assignments: pd.DataFrame,
    music_tracks: pd.DataFrame,
    music_choice: pd.DataFrame,
) -> dg.MaterializeResult:
    """The slideshow of one cluster: its most telling pictures in a smooth order, cut to the music chosen for it.

    H.264 and AAC in MP4, playable in browsers and on phones. A picture that cannot be read any more is left out
    and listed.
    The video is rendered only if the pictures, the track or the settings that it is made of have changed.
    """
    from clustering_assets.report.previews import inline_markdown
    from clustering_assets.video.contact_sheet import contact_sheet

    if not context.has_partition_key:
        raise dg.Failure("Choose the clusters to render: their videos are the partitions of cluster_videos.")
    wanted = recipes(cluster_assignments, image_manifest, music_choice, settings.value)
    recipe = _recipe_of(context.partition_key, wanted)
    slideshow = make_clip(recipe, settings.value, embeddings, music_tracks)
    for path, stage, reason in slideshow.failures:
        context.log.warning("%s is left out of %s (%s): %s", path, recipe.key, stage, reason)
    limit = slideshow.soundtrack.limit if slideshow.soundtrack else ""
    return dg.MaterializeResult(
        value=slideshow,
        data_version=dg.DataVersion(recipe.digest),
        metadata={
            "preview": dg.MetadataValue.md(inline_markdown(contact_sheet(slideshow), recipe.title)),
            "cluster_name": recipe.title,
            "track": recipe.track,
            "cluster_size": len(recipe.images),
            **({"sound": limit} if limit else {}),
        },
    )


def _recipe_of(key: str, wanted: dict[str, Recipe]) -> Recipe:
    """The recipe of the partition that is being made.

    Raises:
        Failure: The cluster is gone, as after a new clustering while this run was waiting.
    """
    if key not in wanted:
        raise dg.Failure(
            f"{key} is no cluster of the present assignments, which have {', '.join(wanted)}. "
            "Its partition goes when cluster_videos_sensor looks next.",
            allow_retries=False,
        )
    return wanted[key]


@dg.asset_check(
    asset=cluster_videos,
    additional_ins={name: dg.AssetIn(key) for name, key in cluster_videos.keys_by_input_name.items()},
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
