"""What people look at: figures as PNG, pages as HTML, and reports as text with the same as JSON for programs."""

import json
from typing import TYPE_CHECKING, Any

import dagster as dg
from upath import UPath

from clustering_assets.defs.io_managers.base import OutputIOManager
from clustering_assets.defs.links import pictured
from clustering_assets.outputs import BUNDLES, write_json
from clustering_assets.storage import write_bytes, write_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from clustering_assets.report.dataset_analysis import DatasetAnalysis
    from clustering_assets.report.page import Gallery
    from clustering_assets.report.summary import Summary


class FigureIO(OutputIOManager):
    """Stores a Matplotlib figure as PNG; loading gives the file's bytes."""

    def dump_to_path(self, context: dg.OutputContext, obj: "Figure", path: UPath) -> None:
        """Draw the figure into the file."""
        write_figure(context, obj, path)

    def load_from_path(self, context: dg.InputContext, path: UPath) -> bytes:
        """The PNG as bytes."""
        return path.read_bytes()

    def get_metadata(self, context: dg.OutputContext, obj: "Figure") -> dict[str, Any]:
        """Size in pixels."""
        width, height = (obj.get_size_inches() * obj.dpi).round().astype(int).tolist()
        return {"width": width, "height": height}


def write_figure(context: dg.OutputContext, figure: "Figure", path: UPath) -> None:
    """Draw a figure into a PNG file, and show a small copy of it with the asset."""
    from clustering_assets.report.previews import figure_png, inline_markdown, preview

    drawn = figure_png(figure)
    write_bytes(path, drawn)
    name = context.asset_key.to_user_string()
    alt = name.replace("_", " ")
    context.add_output_metadata(pictured(inline_markdown(preview(drawn), alt), alt, context.run_id, name))


class PageIO(OutputIOManager):
    """Stores a page as an HTML file with the bundles of thumbnails that it loads; loading gives its text."""

    def dump_to_path(self, context: dg.OutputContext, obj: "Gallery", path: UPath) -> None:
        """Write the bundles that are new, then the page, then remove those that no page needs any more."""
        for name, text in obj.bundles.items():
            if text is not None:
                write_text(self.outputs.path(_bundle(name)), text)
        write_text(path, obj.html)
        for name, other in self.outputs.bundles().items():
            if name not in obj.bundles:
                other.unlink(missing_ok=True)
                self.outputs.records.forget(_bundle(name))

    def files(self, context: dg.OutputContext, obj: "Gallery") -> list[str]:
        """The page and the new bundles."""
        new = [_bundle(name) for name, text in obj.bundles.items() if text is not None]
        return [*super().files(context, obj), *new]

    def kept(self, obj: "Gallery") -> list[str]:
        """The bundles that were there."""
        return [_bundle(name) for name, text in obj.bundles.items() if text is None]

    def load_from_path(self, context: dg.InputContext, path: UPath) -> str:
        """The page as text."""
        return path.read_text(encoding="utf-8")

    def get_metadata(self, context: dg.OutputContext, obj: "Gallery") -> dict[str, Any]:
        """Number of pictures in the page, and its size."""
        return {"pictures": obj.pictures, "kilobytes": round(len(obj.html.encode()) / 1000)}


def _bundle(name: str) -> str:
    return f"{BUNDLES}/{name}.js"


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
