"""Flags: one for each setting, made from the settings themselves."""

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

import click

from clustering_assets.settings import AUTO_CAPTION, Settings

Command = TypeVar("Command", bound=Callable[..., Any])


class GroupedCommand(click.Command):
    """A command whose help lists its own flags, then those of the settings in groups."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the flags."""
        records = {
            option.name: record
            for option in self.get_params(ctx)
            if (record := option.get_help_record(ctx)) is not None
        }
        groups = {
            heading: [name for name in names if name in records]
            for heading, names in Settings.groups().items()
        }
        settings = {name for names in groups.values() for name in names}
        own = {"Options": [name for name in records if name not in settings]}
        for heading, names in (own | groups).items():
            if names:
                with formatter.section(heading):
                    formatter.write_dl([records[name] for name in names])


def settings_options(
    defaults: Mapping[str, Any] = MappingProxyType({}), without: Collection[str] = ("sensors",)
) -> Callable[[Command], Command]:
    """Give a command one flag for each setting, with the setting's own description.

    Args:
        defaults: Defaults of this command that differ from those of the settings.
        without: Settings that the command has no flag for.
    """

    def with_options(command: Command) -> Command:
        """The command with its flags."""
        for name, field in reversed(Settings.model_fields.items()):
            if name in without:
                continue
            flag, value = "--" + name.replace("_", "-"), defaults.get(name, field.default)
            shown = f"{value:g}" if isinstance(value, float) else str(value).lower() or "none"
            told = {"default": None, "help": f"{field.description} [default: {shown}]"}
            if field.annotation is bool:
                command = click.option(f"{flag}/--no-{flag[2:]}", name, **told)(command)
            else:
                if name == "captions":  # which once were on or off
                    told |= {"is_flag": False, "flag_value": AUTO_CAPTION}
                command = click.option(flag, name, metavar=_metavar(name, field.annotation), **told)(command)
        return command

    return with_options


def _metavar(name: str, annotation: Any) -> str:
    """What stands for the value of a flag in the help."""
    if name == "clusters":
        return "N|auto"
    named = {
        "captions": "KIND-OR-TEMPLATE",
        "resolution": "WxH",
        "shape": "wide|vertical|square|WxH",
        "length": "SECONDS",
        "images": "DIR",
        "music": "DIR",
        "output": "DIR-OR-URL",
        "backbone": "NAME",
        "ray_address": "HOST:PORT",
    }
    choices = getattr(annotation, "__args__", ())
    if choices and all(isinstance(choice, str) for choice in choices):
        return "|".join(choices)
    return named.get(name, "FILE" if name.endswith("file") or name == "weights" else "N")
