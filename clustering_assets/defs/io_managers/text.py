"""Reports: a text for people, the same as JSON for programs, and a figure where there is one."""

import json
from typing import TYPE_CHECKING, Any

import dagster as dg
from upath import UPath

from clustering_assets.defs.io_managers.base import OutputIOManager
from clustering_assets.defs.io_managers.figure import write_figure
from clustering_assets.outputs import write_json
from clustering_assets.storage import write_text

if TYPE_CHECKING:
    from clustering_assets.report.dataset_analysis import DatasetAnalysis
    from clustering_assets.report.summary import Summary


class TextIO(OutputIOManager):
    """Stores a report as `.txt`, `.json` and, if it has a figure, `.png`; loading gives the JSON's data."""

    def dump_to_path(self, context: dg.OutputContext, obj: "DatasetAnalysis | Summary", path: UPath) -> None:
        """Write the files of the report."""
        write_text(path, obj.text)
        write_json(path.with_suffix(".json"), obj.data)
        if obj.figure is not None:
            write_figure(context, obj.figure, path.with_suffix(".png"))

    def load_from_path(self, context: dg.InputContext, path: UPath) -> dict[str, Any]:
        """The data of the report."""
        return json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))

    def get_metadata(self, context: dg.OutputContext, obj: "DatasetAnalysis | Summary") -> dict[str, Any]:
        """The text itself."""
        return {"report": dg.MetadataValue.md(f"```text\n{obj.text}\n```")}
