"""Which engine does the work."""

import importlib.util

from clustering_assets.settings import Work
from clustering_assets.work.engine import Engine, WorkError
from clustering_assets.work.processes import Processes
from clustering_assets.work.ray_cluster import RayCluster


def make_engine(work: Work | None = None) -> Engine:
    """The engine that settings ask for; None: processes of this machine.

    Raises:
        WorkError: It is not installed.
    """
    if work is None or work.engine == "local":
        return Processes()
    if importlib.util.find_spec("ray") is None:
        raise WorkError("engine = 'ray' needs Ray: pip install 'clustering-assets[ray]'")
    return RayCluster(work.ray_address, work.ray_cpus, work.ray_gpus)
