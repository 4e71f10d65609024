"""The command that serves the Dagster UI."""

import os
from pathlib import Path

import click
from dotenv import load_dotenv

from clustering_assets.settings import HOSTS_VARIABLE, load_settings


@click.command()
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
def dev(host: str, port: int, daemon: bool) -> None:
    """Run the Dagster UI with its daemon, for the browser of this machine.

    Settings come from CLUSTERING_* environment variables and `.env`. Who reaches the UI under another name than
    localhost names it in CLUSTERING_HOSTS. Runs may use folders below this one, those of the settings, and those in
    CLUSTERING_ROOTS.
    """
    from clustering_assets.defs.webserver import serve

    output = load_settings().output
    load_dotenv(".env")
    names = os.environ.get(HOSTS_VARIABLE, "").lower().split(",")
    serve(
        Path.cwd(),
        output,
        host.lower(),
        port,
        {name.strip() for name in names} - {""},
        click.echo,
        daemon=daemon,
    )
