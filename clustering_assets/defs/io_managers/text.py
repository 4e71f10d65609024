"""Reports: a text for people, the same as JSON for programs, and a figure where there is one."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import dagster as dg
from upath import UPath

from clustering_assets.defs.io_managers.base import OutputIOFactory, OutputIOManager
from clustering_assets.defs.io_managers.figure import write_figure
from clustering_assets.outputs import write_json
from clustering_assets.storage import write_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Report(Protocol):
    """Anything with a text, data and perhaps a figure."""

    @property
    def text(self) -> str:
        """The report as people read it."""
        ...

    @property
    def data(self) -> dict[str, Any]:
        """The report as programs read it."""
        ...

    @property
    def figure(self) -> "Figure | None":
        """The report as a picture, if it has one."""
        ...


class TextIOManager(OutputIOManager):
    """Stores a report as `.txt`, `.json` and, if it has a figure, `.png`; loading gives the JSON's data."""

    def dump_to_path(self, context: dg.OutputContext, obj: Report, path: UPath) -> None:
        """Write the files of the report."""
        write_text(path, obj.text)
        write_json(path.with_suffix(".json"), obj.data)
        if obj.figure is not None:
            write_figure(context, obj.figure, path.with_suffix(".png"))

    def load_from_path(self, context: dg.InputContext, path: UPath) -> dict[str, Any]:
        """The data of the report."""
        return json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))

    def describe(self, obj: Report) -> Mapping[str, Any]:
        """The text itself."""
        return {"report": dg.MetadataValue.md(f"```text\n{obj.text}\n```")}


class TextIO(OutputIOFactory):
    """Reports below the output."""

    def create_io_manager(self, context: dg.InitResourceContext) -> TextIOManager:
        """The manager for the output of this run."""
        return TextIOManager(self.settings.value.output)
