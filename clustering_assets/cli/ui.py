"""The command that serves the Dagster UI."""

import os
import webbrowser
from pathlib import Path
from typing import Any

import click
from dotenv import load_dotenv

from clustering_assets.cli.last_flags import recall
from clustering_assets.cli.options import GroupedCommand, settings_options
from clustering_assets.settings import HOSTS_VARIABLE, Settings, load_settings, variable


@click.command(cls=GroupedCommand)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address that the UI listens on.")
@click.option(
    "--port", "-p", default=3000, show_default=True, type=click.IntRange(0, 65535), help="Its port."
)
@click.option(
    "--daemon/--no-daemon",
    default=True,
    show_default=True,
    help="Whether the daemon runs with it; without it `dagster-daemon run` does its work elsewhere.",
)
@click.option("--open", "opens", is_flag=True, help="Open it in a browser.")
@settings_options(without=())
def ui(host: str, port: int, daemon: bool, opens: bool, **flags: Any) -> None:
    """Run the Dagster UI with its daemon, for the browser of this machine.

    It has the settings of the last `run` in this folder (with --output: of the last one into that output), so what was
    made is there and counts as up to date. Flags here and CLUSTERING_* environment variables win over those, which win
    over `.env`. Who reaches the UI under another name than localhost names it in CLUSTERING_HOSTS. Runs may use folders
    below this one, those of the settings, and those in CLUSTERING_ROOTS.
    """
    from clustering_assets.defs.webserver import serve

    settings = _settings_for_all({name: value for name, value in flags.items() if value is not None})
    load_dotenv(".env")
    names = os.environ.get(HOSTS_VARIABLE, "").lower().split(",")
    serve(
        Path.cwd(),
        settings.output,
        host.lower(),
        port,
        {name.strip() for name in names} - {""},
        click.echo,
        daemon=daemon,
        shown=[settings.output, settings.images, settings.music],
        visit=webbrowser.open if opens else lambda _: False,
    )


def _settings_for_all(flags: dict[str, Any]) -> Settings:
    """The settings in force, put into the environment too, for the processes that are started from here.

    Raises:
        SettingsError: One of them is wrong.
    """
    set_here = {name for name in Settings.model_fields if variable(name) in os.environ}
    output = flags.get("output", os.environ.get(variable("output")))
    kept = {
        name: value
        for name, value in recall(output).items()
        if name in Settings.model_fields and name not in set_here | flags.keys()
    }
    settings = load_settings(**kept, **flags)
    if kept:
        shown = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in kept.items())
        click.echo(f"Settings as in the last run here: {shown}")
    for name in kept.keys() | flags.keys():
        os.environ[variable(name)] = str(getattr(settings, name))
    return settings
