"""The command that brings everything up to date."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clustering_assets.cli.closing import close
from clustering_assets.cli.last_flags import remember
from clustering_assets.cli.options import settings_options
from clustering_assets.cli.terminal import show_progress
from clustering_assets.files import file_source
from clustering_assets.settings import NUMBERED, Settings, SettingsError, load_settings, unknown_variables

if TYPE_CHECKING:
    from clustering_assets.defs.update import UpdateResult


@click.command()
@settings_options()
def run(**flags: Any) -> None:
    """Bring everything up to date: scan, embed, cluster, choose music, render, report.

    Only what changed is made again. Flags win over CLUSTERING_* environment variables, which win over `.env`.
    """
    begun = time.monotonic()
    settings = load_settings(**flags)
    remember(settings.output, flags)
    with show_progress() as say:
        result = bring_up_to_date(settings, say)
    close(result, settings, time.monotonic() - begun)


def bring_up_to_date(settings: Settings, say: Callable[[str], None]) -> "UpdateResult":
    """Check what can be checked at once, then run everything.

    Args:
        settings: The settings in force.
        say: Is told in one line what happens next.

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
        return update(make_definitions(settings), instance, settings, announce=say)


def _check_at_once(settings: Settings) -> None:
    """Refuse what needs no work to be refused: an unknown network, a missing file, a folder without enough files.

    Raises:
        ClusteringError: With what was found, what is needed and the way out.
    """
    from clustering_assets.images.manifest import check_folder
    from clustering_assets.preflight import check_named

    check_named(settings)
    files = check_folder(file_source(settings.images, "images"), settings.min_images)
    if settings.clusters > files and settings.algorithm in NUMBERED:
        raise SettingsError(
            f"clusters = {settings.clusters}: must be at most {files:,}, the number of files in {settings.images}"
        )
