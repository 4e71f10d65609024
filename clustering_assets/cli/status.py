"""The command that says how everything stands, which is what `run --dry-run` says, too."""

import dataclasses
import json
import logging
from pathlib import Path
from typing import Any

import click

from clustering_assets.cli.options import GroupedCommand, settings_options
from clustering_assets.settings import Settings, load_settings


@click.command(cls=GroupedCommand)
@settings_options()
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
def status(as_json: bool, **flags: Any) -> None:
    """Say what is done, what is stale and what is missing, and why. Takes the flags of run, and makes nothing."""
    tell_standing(load_settings(**flags), as_json=as_json)


def tell_standing(settings: Settings, *, as_json: bool = False, undone: bool = False) -> None:
    """Say how every stage and every video stands.

    Args:
        settings: The settings in force.
        as_json: Whether it is told to a machine.
        undone: Whether only that which an update would make is told.
    """
    from clustering_assets.defs.instance import open_instance, state_errors
    from clustering_assets.defs.standing import how_long, standings
    from clustering_assets.preflight import check_named

    check_named(settings)
    logging.getLogger("clustering_assets").addHandler(logging.NullHandler())  # what is damaged is told below
    with state_errors(Path.cwd()), open_instance(Path.cwd(), settings.output) as instance:
        found = standings(instance, settings)
        about = how_long(instance, settings, found)
    due = [one for one in found if one.state != "done"]
    shown = due if undone else found
    if as_json:
        told = {
            "output": settings.output,
            "done": not due,
            "seconds": round(sum(about.seconds.values()), 1),
            "standing": [*map(dataclasses.asdict, shown)],
        }
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    width = max((len(one.name) for one in shown), default=0)
    for one in shown:
        click.echo(f"{one.name:<{width}}  {one.state:<7}  {one.why}".rstrip())
    if not due:
        click.echo("Everything is up to date.")
        return
    click.echo(f"run makes {len(due)} of {len(found)}, in {about}.")
