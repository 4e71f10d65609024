"""Flags: one for each setting, made from the settings themselves."""

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

import click

from clustering_assets.settings import Settings

Command = TypeVar("Command", bound=Callable[..., Any])


def settings_options(
    defaults: Mapping[str, Any] = MappingProxyType({}), without: Collection[str] = ("sensors",)
) -> Callable[[Command], Command]:
    """Give a command one flag for each setting, with the setting's own description.

    Args:
        defaults: Defaults of this command that differ from those of the settings.
        without: Settings that the command has no flag for.
    """
    return lambda command: _with_options(command, defaults, without)


def _with_options(command: Command, defaults: Mapping[str, Any], without: Collection[str]) -> Command:
    for name, field in reversed(Settings.model_fields.items()):
        if name in without:
            continue
        flag = "--" + name.replace("_", "-")
        default = _shown_default(name, defaults.get(name, field.default))
        help_text = f"{field.description} [default: {default}]"
        if field.annotation is bool:
            option = click.option(f"{flag}/--no-{flag[2:]}", name, default=None, help=help_text)
        else:
            option = click.option(
                flag, name, default=None, metavar=_metavar(name, field.annotation), help=help_text
            )
        command = option(command)
    return command


def _shown_default(name: str, value: Any) -> str:
    return "none" if value == "" else f"{value:g}" if isinstance(value, float) else str(value).lower()


def _metavar(name: str, annotation: Any) -> str:
    if name == "clusters":
        return "N|auto"
    named = {"resolution": "WxH", "images": "DIR", "music": "DIR", "output": "DIR-OR-URL", "backbone": "NAME"}
    choices = getattr(annotation, "__args__", ())
    if choices and all(isinstance(choice, str) for choice in choices):
        return "|".join(choices)
    return named.get(name, "FILE" if name.endswith("file") or name == "weights" else "N")
