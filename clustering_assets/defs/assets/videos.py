"""The video of each cluster; how a run makes several of them."""

from collections.abc import Iterator, Mapping
from contextlib import closing

import dagster as dg
import pandas as pd
from dagster._utils.warnings import disable_dagster_warnings

from clustering_assets.defs import up_to_date
from clustering_assets.defs.assets.dataset import OWNERS
from clustering_assets.defs.data_versions import USES
from clustering_assets.defs.failures import told
from clustering_assets.defs.groups import Group
from clustering_assets.defs.io_managers.base import OUTPUT
from clustering_assets.defs.io_managers.video import VideoIO
from clustering_assets.defs.jobs import EVERY, MOST_VIDEOS, due_keys, partition_keys
from clustering_assets.defs.links import pictured
from clustering_assets.defs.partitions import CLUSTERS
from clustering_assets.defs.records import FAILED, FLAWED, MADE_WITH, VIDEOS, version_tags
from clustering_assets.defs.resources import SettingsResource
from clustering_assets.defs.standing import why_due
from clustering_assets.embedding.files import EmbeddingPair
from clustering_assets.outputs import VIDEOS as FOLDER
from clustering_assets.rendering import Order, Refused, Rendered, render
from clustering_assets.settings import VideoSettings
from clustering_assets.video.recipe import Recipe, recipes

AS_PLANNED = "video_as_planned"


with disable_dagster_warnings():  # backfill policies are a beta
    _video = dg.asset(
        group_name=Group.VIDEOS,
        kinds={"python", "opencv", "ffmpeg", "mp4"},
        owners=OWNERS,
        code_version="1",
        io_manager_key="video_io",
        partitions_def=CLUSTERS,
        backfill_policy=dg.BackfillPolicy.multi_run(MOST_VIDEOS),
        output_required=False,
        pool="render",
        metadata={OUTPUT: f"{FOLDER}/{{partition}}", USES: list(VideoSettings.model_fields)},
        check_specs=[
            dg.AssetCheckSpec(
                AS_PLANNED,
                asset="cluster_videos",
                description="The finished file, decoded: frames as planned, H.264 and AAC with the right tags, sound "
                "as long as the picture and as loud as meant, slides where the plan has them.",
            ),
            up_to_date.SPEC,
        ],
    )


@_video
def cluster_videos(
    context: dg.AssetExecutionContext,
    settings: SettingsResource,
    video_io: dg.ResourceParam[VideoIO],
    image_manifest: pd.DataFrame,
    embeddings: EmbeddingPair,
    cluster_assignments: pd.DataFrame,
    music_tracks: pd.DataFrame,
    music_choice: pd.DataFrame,
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """The slideshow of one cluster: its most telling pictures in a smooth order, cut to the music chosen for it.

    H.264 and AAC in MP4, playable in browsers and on phones. A picture that cannot be read any more is left out
    and listed.

    The partitions are the clusters. Before any is known, run the job `cluster_images`, which finds them; where the
    partition `all_clusters` is offered, it stands for those that there will be.

    The video is rendered only if the pictures, the track or the settings that it is made of have changed. A run of
    several clusters renders several at once where there are cores for it; each is recorded as soon as it is done, and
    one that fails costs only itself.
    """
    known = context.instance.get_dynamic_partitions(str(CLUSTERS.name))
    asked = partition_keys(context.run.tags, known)
    keys = due_keys(context.run.tags, known)
    if not keys:
        raise dg.Failure(
            "Choose the clusters to render: their videos are the partitions of cluster_videos. Where there are none "
            "yet, run the job cluster_images first."
        )
    with told():
        wanted = recipes(cluster_assignments, image_manifest, music_choice, settings.value)
        failed = {key: _gone(key, wanted) for key in keys if key not in wanted}
        made: dict[str, Rendered] = {}
        orders = [
            Order.of(wanted[key], settings.value, embeddings, music_tracks) for key in keys if key in wanted
        ]
        with closing(render(orders)) as videos:
            for key, video in videos:
                if isinstance(video, Refused):
                    failed[key] = video.reason
                    continue
                for path, stage, reason in video.failures:
                    context.log.warning("%s is left out of %s (%s): %s", path, key, stage, reason)
                if not video.staged:
                    context.log.info("The video of %s is up to date and is kept.", key)
                if context.has_partition_key and context.partition_key == key:
                    yield dg.MaterializeResult(
                        value=video,
                        data_version=dg.DataVersion(wanted[key].digest),
                        metadata=_shown(wanted[key], video, settings.value.video, context.run.run_id),
                    )
                elif reason := _record(context, video_io, wanted[key], video, settings.value.video):
                    failed[key] = reason
                    continue
                made[key] = video
    if made:
        yield _as_planned(made)
    yield up_to_date.result(why_due(context.instance, wanted, settings.value), len(wanted))
    if failed:
        raise _failure(failed, made)
    if asked == [EVERY]:
        yield dg.MaterializeResult()  # so that what lies downstream in the same run is made
    elif EVERY in asked:
        context.log_event(dg.AssetMaterialization(context.asset_key, partition=EVERY))


def _gone(key: str, wanted: Mapping[str, Recipe]) -> str:
    """What is said of a cluster that is gone, as after a new clustering while a run was waiting."""
    return (
        f"{key} is no cluster of the present assignments, which have {', '.join(wanted)}. "
        "Its partition goes when cluster_videos_sensor looks next."
    )


def _shown(
    recipe: Recipe, video: Rendered, settings: VideoSettings, run_id: str
) -> dict[str, dg.MetadataValue | str | int]:
    """What the UI shows of a video beside its file."""
    from clustering_assets.report.previews import inline_markdown

    return {
        **pictured(
            inline_markdown(video.sheet, recipe.title),
            recipe.title,
            run_id,
            VIDEOS.to_user_string(),
            recipe.key,
        ),
        "cluster_name": recipe.title,
        "track": recipe.track,
        "cluster_size": len(recipe.images),
        **({"sound": video.limit} if video.limit else {}),
        MADE_WITH: dg.MetadataValue.json(settings.model_dump()),
    }


def _record(
    context: dg.AssetExecutionContext,
    video_io: VideoIO,
    recipe: Recipe,
    video: Rendered,
    settings: VideoSettings,
) -> str:
    """Publish one of several videos and record it, as Dagster does it where there is one; why not, if it cannot be."""
    try:
        stored = video_io.store(video)
    except OSError as error:
        return f"it cannot be stored: {error.strerror or error}"
    opened = {name: stored.pop(name) for name in ("open",) if name in stored}  # first, as people look for it
    context.log_event(
        dg.AssetMaterialization(
            context.asset_key,
            partition=recipe.key,
            metadata={**opened, **_shown(recipe, video, settings, context.run.run_id), **stored},
            tags=version_tags(context.instance, context.assets_def, recipe.digest),
        )
    )
    return ""


def _as_planned(made: Mapping[str, Rendered]) -> dg.AssetCheckResult:
    """Whether all videos of a run are as planned."""
    flawed = {key: video.flaws for key, video in made.items() if video.flaws}
    single = next(iter(made.values())).checks if len(made) == 1 else ()
    return dg.AssetCheckResult(
        check_name=AS_PLANNED,
        passed=not flawed,
        description="; ".join(f"{key}: {flaws}" for key, flaws in flawed.items()) or None,
        metadata={
            "cluster": ", ".join(made),
            FLAWED: dg.MetadataValue.json(flawed),
            **{check.name: str(check.value) for check in single},
        },
    )


def _failure(failed: Mapping[str, str], made: Mapping[str, Rendered]) -> dg.Failure:
    """What a run ends with that could not make all of its videos."""
    flawed = {key: video.flaws for key, video in made.items() if video.flaws}
    said = next(iter(failed.values())) if len(failed) == 1 and not made else ""
    return dg.Failure(
        said
        or f"{len(failed)} of {len(failed) + len(made)} videos could not be made. "
        + " ".join(f"{key}: {reason}" for key, reason in failed.items()),
        metadata={FAILED: dg.MetadataValue.json(dict(failed)), FLAWED: dg.MetadataValue.json(flawed)},
        allow_retries=False,
    )
