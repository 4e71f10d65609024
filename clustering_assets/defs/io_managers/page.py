"""Pages: HTML that a browser opens."""

from typing import TYPE_CHECKING, Any

import dagster as dg
from upath import UPath

from clustering_assets.defs.io_managers.base import OutputIOManager
from clustering_assets.storage import write_text

if TYPE_CHECKING:
    from clustering_assets.report.page import Gallery


class PageIO(OutputIOManager):
    """Stores a page as one HTML file; loading gives its text."""

    def dump_to_path(self, context: dg.OutputContext, obj: "Gallery", path: UPath) -> None:
        """Write the page."""
        write_text(path, obj.html)

    def load_from_path(self, context: dg.InputContext, path: UPath) -> str:
        """The page as text."""
        return path.read_text(encoding="utf-8")

    def get_metadata(self, context: dg.OutputContext, obj: "Gallery") -> dict[str, Any]:
        """Number of pictures in the page, and its size."""
        return {"pictures": obj.pictures, "kilobytes": round(len(obj.html.encode()) / 1000)}
