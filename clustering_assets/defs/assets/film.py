"""One film of all videos, where somebody asks for it."""

from collections.abc import Iterator, Mapping

import dagster as dg
import pandas as pd

from clustering_assets.defs.assets.dataset import OWNERS
from clustering_assets.defs.assets.videos import cluster_videos
from clustering_assets.defs.data_versions import ON_REQUEST, data_version
from clustering_assets.defs.failures import told
from clustering_assets.defs.groups import Group
from clustering_assets.defs.io_managers.base import OUTPUT
from clustering_assets.defs.jobs import MAKE_FILM
from clustering_assets.defs.links import pictured
from clustering_assets.defs.records import FILM, FLAWED, LEFT_OUT
from clustering_assets.defs.resources import SettingsResource
from clustering_assets.embedding.files import EmbeddingPair
from clustering_assets.films import Film, make_film
from clustering_assets.outputs import ALBUM_FILM
from clustering_assets.video.recipe import Recipe, recipes

AS_PLANNED = "film_as_planned"

BACKFILL = "dagster/backfill"
"""Dagster's tag of the runs that somebody asks for by choosing assets and partitions, as with "Materialize all"."""


@dg.asset(
    group_name=Group.VIDEOS,
    kinds={"python", "ffmpeg", "mp4"},
    owners=OWNERS,
    code_version="2",
    io_manager_key="film_io",
    output_required=False,
    deps=[cluster_videos],
    pool="render",
    metadata={OUTPUT: ALBUM_FILM, ON_REQUEST: "album_film"},
    check_specs=[
        dg.AssetCheckSpec(
            AS_PLANNED,
            asset="album_film",
            description="The finished film: every frame in its place, chapters as planned, sound as long as the "
            "picture and as loud as meant.",
        )
    ],
)
def album_film(
    context: dg.AssetExecutionContext,
    settings: SettingsResource,
    image_manifest: pd.DataFrame,
    embeddings: EmbeddingPair,
    cluster_assignments: pd.DataFrame,
    music_tracks: pd.DataFrame,
    music_choice: pd.DataFrame,
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """One film of all videos, a chapter for each, in the order of time or along a short path through looks.

    The pictures are those of the finished videos, copied and not encoded again; the music is joined anew. A video that
    is missing or out of date is left out and listed. Made by an update where the setting `album_film` asks for it, and
    whenever it is materialized alone, or with all assets in the UI.
    """
    values = settings.value
    run = context.run
    chosen = run.job_name == MAKE_FILM or run.asset_selection == {context.asset_key} or BACKFILL in run.tags
    if not values.album_film and not chosen:
        unasked = (
            "No film is asked for: set album_film, or materialize album_film alone or all assets in the UI."
        )
        context.log.info(unasked)
        yield dg.AssetCheckResult(check_name=AS_PLANNED, passed=True, description=unasked)
        return
    version = data_version(context, values)
    with told():
        wanted = recipes(cluster_assignments, image_manifest, music_choice, values)
        with make_film(wanted, values, embeddings, music_tracks) as film:
            for key, reason in film.left_out.items():
                context.log.warning("%s is left out of the film: %s", key, reason)
            shown = _shown(film, wanted, run.run_id)
            yield dg.MaterializeResult(value=film, data_version=version, metadata=shown)
    flaws = {
        check.name: f"{check.value}, expected {check.expected}" for check in film.checks if not check.passed
    }
    yield dg.AssetCheckResult(
        check_name=AS_PLANNED,
        passed=not flaws,
        metadata={
            FLAWED: dg.MetadataValue.json(flaws),
            **{check.name: check.value for check in film.checks},
        },
    )


def _shown(film: Film, wanted: Mapping[str, Recipe], run_id: str) -> dict[str, dg.MetadataValue | str]:
    """What the UI shows of the film beside its file."""
    from clustering_assets.report.previews import inline_markdown

    names = {key: f"{wanted[key].title}: {reason}" for key, reason in film.left_out.items()}
    return {
        **(
            pictured(inline_markdown(film.sheet, "album film"), "album film", run_id, FILM.to_user_string())
            if film.sheet
            else {}
        ),
        "chapters": dg.MetadataValue.md("\n".join(f"- {_clock(at)} {title}" for title, at in film.chapters)),
        LEFT_OUT: dg.MetadataValue.json(names),
        **(
            {
                "warning": "\n".join(
                    f"{key} is left out of the film: {said}" for key, said in film.left_out.items()
                )
            }
            if film.left_out
            else {}
        ),
        **({"sound": film.limit} if film.limit else {}),
    }


def _clock(seconds: float) -> str:
    """A moment of a film as players show it."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
