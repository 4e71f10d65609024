"""What came of it all: the ledger of files, the page that a person opens first, and the summary."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import pandas as pd

from clustering_assets.defs import up_to_date
from clustering_assets.defs.assets.dataset import OWNERS
from clustering_assets.defs.assets.videos import cluster_videos
from clustering_assets.defs.checks import Checks, Verdict
from clustering_assets.defs.data_versions import DETAILS, EVERY_UPDATE, IF_THERE, USES, data_version
from clustering_assets.defs.failures import told
from clustering_assets.defs.graph import project_stages
from clustering_assets.defs.groups import Group
from clustering_assets.defs.io_managers.base import OUTPUT
from clustering_assets.defs.io_managers.table import TABLE
from clustering_assets.defs.records import latest_videos, noted, stage_records, update_started, video_record
from clustering_assets.defs.resources import SettingsResource
from clustering_assets.defs.staleness import videos_due
from clustering_assets.defs.standing import why_due
from clustering_assets.files import image_source
from clustering_assets.integrity import State
from clustering_assets.outputs import (
    ALBUM_FILM,
    GALLERY,
    SUMMARY_REPORT,
    VIDEOS,
    WHATS_NEW,
    Outputs,
    choices_file,
    names_file,
    pins_file,
)
from clustering_assets.places import is_url
from clustering_assets.report.summary import failures_of, summarise
from clustering_assets.tables import LEDGER
from clustering_assets.video.recipe import recipes

if TYPE_CHECKING:
    from clustering_assets.report.bundles import Shelf
    from clustering_assets.report.page import Clip

checks = Checks("ledger")


@checks("No picture that the scan found good failed in a later stage.")
def nothing_lost_on_the_way(lost: Sequence[Sequence[str]]) -> Verdict:
    """Which pictures became unreadable while the update was under way."""
    return Verdict(
        not lost,
        f"{len(lost)} pictures could not be read any more." if lost else None,
        {"files": dg.MetadataValue.json([list(failure) for failure in lost[:100]])},
    )


@dg.asset(
    group_name=Group.RESULTS,
    kinds={"python", "csv"},
    owners=OWNERS,
    code_version="1",
    io_manager_key="table_io",
    dagster_type=TABLE,
    deps=["embeddings", cluster_videos],
    metadata={OUTPUT: LEDGER.file, DETAILS: ["image_manifest"]},
    check_specs=checks.specs,
)
@told()
def ledger(
    context: dg.AssetExecutionContext,
    settings: SettingsResource,
    image_manifest: pd.DataFrame,
    cluster_assignments: pd.DataFrame,
    music_choice: pd.DataFrame,
) -> dg.MaterializeResult:
    """What became of every file that was found: used, duplicate of another, or rejected with the stage and the reason.

    It begins with the outcome of `image_manifest`; a picture that vanished or broke before it was embedded or shown
    in a video is rejected there. A picture that looks the same as a sharper one counts as its duplicate. One that was
    found good and is in no cluster, because an update was not finished, is pending.
    """
    from clustering_assets.images.ledger import ledger as make_ledger

    version = data_version(context, settings.value)
    started = update_started(context.instance)
    stages = stage_records(context.instance, project_stages().recorded, started).values()
    videos = latest_videos(context.instance, set(music_choice["key"]))
    lost = failures_of(
        [*(stage.noted for stage in stages), *(noted(videos.get(key)) for key in music_choice["key"])]
    )
    copies = cluster_assignments.loc[cluster_assignments["duplicate_of"] != "", ["path", "duplicate_of"]]
    table = make_ledger(
        image_manifest,
        lost,
        near_duplicates=dict(copies.itertuples(index=False, name=None)),
        clustered=set(cluster_assignments["path"]),
    )
    outcomes = table["outcome"].value_counts()
    return dg.MaterializeResult(
        value=table,
        data_version=version,
        check_results=checks.results(lost),
        metadata={str(outcome): int(count) for outcome, count in outcomes.items()},
    )


@dg.asset(
    group_name=Group.RESULTS,
    kinds={"python"},
    owners=OWNERS,
    code_version="1",
    io_manager_key="text_io",
    deps=[cluster_videos, "gallery"],
    metadata={OUTPUT: SUMMARY_REPORT, EVERY_UPDATE: True},
)
@told()
def summary_report(
    context: dg.AssetExecutionContext,
    settings: SettingsResource,
    image_manifest: pd.DataFrame,
    ledger: pd.DataFrame,
    cluster_assignments: pd.DataFrame,
    music_choice: pd.DataFrame,
) -> dg.MaterializeResult:
    """What came in, what was made and reused, how good the clusters are, which music and why, and how long it took.

    It covers one update: everything since `image_manifest` was last made. A video that is not there yet is named
    as missing, one made of other pictures, music or settings than it should be now as out of date.
    """
    version = data_version(context, settings.value)
    started = update_started(context.instance)
    wanted = recipes(cluster_assignments, image_manifest, music_choice, settings.value)
    due = videos_due(context.instance, wanted, settings.value)
    for evaluation in up_to_date.news(
        context.instance, why_due(context.instance, wanted, settings.value, due), len(wanted)
    ):
        context.instance.report_runless_asset_event(evaluation)
    latest = latest_videos(context.instance, wanted)
    summary = summarise(
        ledger,
        cluster_assignments,
        music_choice,
        stages=stage_records(context.instance, project_stages().recorded, started),
        videos=[
            video_record(
                context.instance, settings.outputs, key, latest.get(key), started=started, due=key in due
            )
            for key in wanted
        ],
        film=str(settings.outputs.path(ALBUM_FILM)) if settings.outputs.path(ALBUM_FILM).is_file() else "",
        settings=settings.value.model_dump(),
    )
    return dg.MaterializeResult(
        value=summary,
        data_version=version,
        metadata={name: int(count) for name, count in summary.data["counts"].items()},
    )


@dg.asset(
    group_name=Group.RESULTS,
    kinds={"python", "html"},
    owners=OWNERS,
    code_version="4",
    io_manager_key="page_io",
    deps=[cluster_videos],
    metadata={OUTPUT: GALLERY, USES: ["images", "resolution", "shape"], IF_THERE: [ALBUM_FILM, WHATS_NEW]},
)
@told()
def gallery(
    context: dg.AssetExecutionContext,
    settings: SettingsResource,
    ledger: pd.DataFrame,
    cluster_assignments: pd.DataFrame,
    music_choice: pd.DataFrame,
) -> dg.MaterializeResult:
    """One page for the browser: a map of all pictures, and each cluster with video, music and why, and pictures.

    It fetches nothing but the videos and thumbnails that lie beside it in the output, so that folder can be copied to
    where others look at it.
    """
    from clustering_assets.report.page import Editing, UserFile, make_gallery

    values, outputs = settings.value, settings.outputs
    version = data_version(context, values)
    found = {key: outputs.existing_video(key) for key in music_choice["key"]}
    page = make_gallery(
        ledger,
        cluster_assignments,
        music_choice,
        videos={key: f"../{VIDEOS}/{path.name}" for key, path in found.items() if path},
        folder=image_source(values),
        film=f"../{ALBUM_FILM}" if outputs.path(ALBUM_FILM).is_file() else None,
        news=_news(outputs),
        video_size=values.size,
        originals=_address_of(values.images, outputs),
        limits=values.limits,
        editing=Editing(
            UserFile.of(choices_file(values)),
            UserFile.of(names_file(values)),
            UserFile.of(pins_file(values)),
            music=_address_of(values.music, outputs),
            run=shlex.join(
                ["python", "-m", "clustering_assets", "run", "--again", "--output", values.output]
            ),
        ),
        timeline="events" in values.group_by,
        shelf=_shelf(outputs),
    )
    return dg.MaterializeResult(
        value=page,
        data_version=version,
        metadata={
            "videos": sum(path is not None for path in found.values()),
            "not_shown": dg.MetadataValue.json([list(failure) for failure in page.failures]),
        },
    )


def _news(outputs: Outputs) -> "Clip | None":
    """The video of what came last, where somebody asked for it."""
    from clustering_assets.report.page import Clip
    from clustering_assets.video.film import look_at

    path = outputs.path(WHATS_NEW)
    video = look_at(path) if path.is_file() else None
    return Clip(f"../{WHATS_NEW}", video.cover) if video else None


def _shelf(outputs: Outputs) -> "Shelf":
    """The bundles of thumbnails that are there and as they were written."""
    from clustering_assets.report.bundles import Shelf

    there = outputs.bundles()
    state = outputs.records.state
    whole = [name for name, path in there.items() if state(outputs.name_of(path)) is State.WHOLE]
    return Shelf(whole, lambda name: there[name].read_text(encoding="utf-8"))


def _address_of(folder: str, outputs: Outputs) -> str | None:
    """Address of a folder as seen from the page; None where one of the two is not on a local disk."""
    from clustering_assets.report.page import relative_address

    page = outputs.path(GALLERY)
    return relative_address(Path(folder), page) if isinstance(page, Path) and not is_url(folder) else None
