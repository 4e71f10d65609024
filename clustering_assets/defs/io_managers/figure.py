"""Figures: Matplotlib figures as PNG."""

from typing import TYPE_CHECKING, Any

import dagster as dg
from upath import UPath

from clustering_assets.defs.io_managers.base import OutputIOManager
from clustering_assets.storage import write_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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
    alt = context.asset_key.to_user_string().replace("_", " ")
    context.add_output_metadata({"preview": dg.MetadataValue.md(inline_markdown(preview(drawn), alt))})
