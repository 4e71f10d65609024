"""Which engine does the work."""

from clustering_assets.work.engine import Engine
from clustering_assets.work.processes import Processes


def make_engine() -> Engine:
    """The engine for work where none was chosen: processes of this machine."""
    return Processes()
