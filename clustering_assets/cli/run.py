"""The command that brings everything up to date."""

import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clustering_assets.cli.closing import close
from clustering_assets.cli.last_flags import recall, remember
from clustering_assets.cli.options import GroupedCommand, settings_options
from clustering_assets.cli.plan import plan_videos
from clustering_assets.cli.status import tell_standing
from clustering_assets.cli.terminal import show_progress
from clustering_assets.files import image_source
from clustering_assets.settings import NUMBERED, Settings, SettingsError, load_settings, unknown_variables

if TYPE_CHECKING:
    from clustering_assets.defs.update import UpdateResult


@click.command(cls=GroupedCommand)
@settings_options()
@click.option(
    "--only",
    multiple=True,
    metavar="STAGE",
    help="Bring only this up to date: an asset, or a cluster's video by its key; may be given again.",
)
@click.option(
    "--no-videos",
    is_flag=True,
    help="Everything but the videos: say what each would show and play, and how long.",
)
@click.option(
    "--dry-run", is_flag=True, help="Say what would be made and about how long it takes; make nothing."
)
@click.option(
    "--json", "as_json", is_flag=True, help="Say what was done as JSON, and the rest to standard error."
)
@click.option(
    "--again", is_flag=True, help="With the settings that the output was made with; flags win over them."
)
def run(
    again: bool, only: tuple[str, ...], no_videos: bool, dry_run: bool, as_json: bool, **flags: Any
) -> None:
    """Bring everything up to date: scan, embed, cluster, choose music, render, report.

    Only what changed is made again. Flags win over CLUSTERING_* environment variables, which win over `.env`.
    """
    begun = time.monotonic()
    given = {name: value for name, value in flags.items() if value is not None}
    settings = _settings_before(**given) if again else load_settings(**given)
    if dry_run:
        tell_standing(settings, as_json=as_json, undone=True)
        return
    remember(settings.output, {**recall(settings.output), **given} if again else given)
    with show_progress(apart=as_json) as say:
        result = bring_up_to_date(settings, say, _without_videos(only) if no_videos else only)
        plans = plan_videos(result.clusters, settings) if no_videos else []
    close(result, settings, time.monotonic() - begun, warned=say.warned, plans=plans, as_json=as_json)


def _without_videos(only: Collection[str]) -> list[str]:
    """All stages but the videos; of those that are asked for, where some are."""
    from clustering_assets.defs.graph import project_stages

    stages = project_stages()
    return [
        name
        for name in (*stages.recorded, *stages.last)
        if name not in stages.on_request and (not only or name in only)
    ]


def _settings_before(**given: Any) -> Settings:
    """The settings that the output was made with, and the flags.

    Raises:
        SettingsError: It has not been made, or a setting is wrong.
    """
    from clustering_assets.outputs import SUMMARY_REPORT, Outputs
    from clustering_assets.slideshows import settings_of_output

    settings = settings_of_output(**given)
    if not Outputs(settings.output).path(SUMMARY_REPORT).with_suffix(".json").is_file():
        raise SettingsError(
            f"output = {settings.output!r}: nothing has been made there yet; run without --again"
        )
    return settings


def bring_up_to_date(
    settings: Settings, say: Callable[[str], None], only: Collection[str] = ()
) -> "UpdateResult":
    """Check what can be checked at once, then run everything.

    Args:
        settings: The settings in force.
        say: Is told in one line what happens next.
        only: What alone is brought up to date; empty: everything.

    Raises:
        ClusteringError: Something that the user can mend; see `update`.
    """
    for line in unknown_variables():
        click.echo(f"Warning: {line}", err=True)
    _check_at_once(settings)
    say("Starting Dagster")
    from clustering_assets.definitions import make_definitions
    from clustering_assets.defs.instance import open_instance, state_errors
    from clustering_assets.defs.update import update

    with state_errors(Path.cwd()), open_instance(Path.cwd(), settings.output) as instance:
        return update(make_definitions(settings), instance, settings, announce=say, only=only)


def _check_at_once(settings: Settings) -> None:
    """Refuse what needs no work to be refused: an unknown network, a missing file, a folder without enough files.

    Raises:
        ClusteringError: With what was found, what is needed and the way out.
    """
    from clustering_assets.images.manifest import check_folder
    from clustering_assets.preflight import check_named

    check_named(settings)
    files = check_folder(image_source(settings), settings.min_images)
    if settings.clusters > files and settings.algorithm in NUMBERED:
        raise SettingsError(
            f"clusters = {settings.clusters}: must be at most {files:,}, the number of files in {settings.images}"
        )
