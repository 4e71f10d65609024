"""Where every result lies below the output folder: one place for all the names (of tables: `clustering_assets.tables`).

>>> from clustering_assets.outputs import Outputs
>>> from clustering_assets.tables import CLUSTER_ASSIGNMENTS
>>> clusters = Outputs("output").read_table(CLUSTER_ASSIGNMENTS)
"""

import json
import logging
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from upath import UPath

from clustering_assets.settings import Settings
from clustering_assets.storage import atomic_path
from clustering_assets.tables import TABLES, DamagedTable, Table, read_table

log = logging.getLogger("clustering_assets.outputs")

DATASET_ANALYSIS = "dataset_analysis.txt"
EMBEDDINGS = "embeddings/embeddings.npy"
EMBEDDING_CACHE = "embeddings/cache"
CLUSTER_PLOT = "clusters/cluster_visualization.png"
CLUSTER_NAMES = "clusters/names.csv"
VIDEOS = "videos"
SUMMARY_REPORT = "summary_report.txt"
GALLERY = "gallery/index.html"

COMPANIONS = {
    DATASET_ANALYSIS: (".json", ".png"),
    SUMMARY_REPORT: (".json",),
}
"""Endings of the files that are written together with another, under the same name."""

WITH_MUSIC = "slideshow_with_music.mp4"
WITHOUT_MUSIC = "slideshow.mp4"
EARLIER = "earlier"

PINS = "pins.csv"
"""Name of the file in the music folder where users pin tracks, unless a setting names another."""

_VIDEO = re.compile(rf"(?P<key>cluster_\d+|unclustered)_({re.escape(WITH_MUSIC)}|{re.escape(WITHOUT_MUSIC)})")


@dataclass(frozen=True)
class Outputs:
    """The output folder or URL of a run."""

    root: str

    def path(self, name: str) -> UPath:
        """The place of one result.

        Args:
            name: One of the constants of this module, or the file of a table.
        """
        return UPath(self.root) / name

    def video(self, key: str, *, music: bool) -> UPath:
        """The place of the video of the cluster `key`, with or without music."""
        return self.path(VIDEOS) / f"{key}_{WITH_MUSIC if music else WITHOUT_MUSIC}"

    def existing_video(self, key: str) -> UPath | None:
        """The video of the cluster `key` that is there, or None."""
        both = (self.video(key, music=music) for music in (True, False))
        return next((path for path in both if path.is_file()), None)

    def set_aside_videos(self, keep: Collection[str]) -> list[str]:
        """Move the videos of clusters that are gone into the folder `earlier`, so that those beside it are current.

        Args:
            keep: Partition keys of the clusters that there are.

        Returns:
            Names of the files that were moved.
        """
        folder = self.path(VIDEOS)
        moved = []
        for path in list(folder.iterdir()) if folder.is_dir() else []:
            found = _VIDEO.fullmatch(path.name)
            if found and found["key"] not in keep:
                aside = self.earlier_video(path.name)
                aside.parent.mkdir(parents=True, exist_ok=True)
                path.replace(aside)
                moved.append(path.name)
        return moved

    def earlier_video(self, name: str) -> UPath:
        """Where `set_aside_videos` moves the video of this file name to."""
        return self.path(VIDEOS) / EARLIER / name

    def local_cache(self) -> Path | None:
        """The folder of the embedding cache; None when the output is not on a local disk."""
        path = self.path(EMBEDDING_CACHE)
        return Path(path) if isinstance(path, Path) else None

    def read_table(self, table: Table) -> pd.DataFrame:
        """Read one stored table.

        Raises:
            FileNotFoundError: It has not been made yet.
            DamagedTable: It cannot be read, or lacks columns.
        """
        return read_table(self.path(table.file), table.needed)

    def is_whole(self, name: str, rows: int | None = None) -> bool:
        """Whether a result is there with all its files, and can be read where it is a table or the embeddings.

        Args:
            name: The name below the output.
            rows: Rows that the table had when it was written; None if that is not known.
        """
        path = self.path(name)
        if not all(file.exists() for file in (path, *map(path.with_suffix, COMPANIONS.get(name, ())))):
            return False
        if name == EMBEDDINGS:
            return self._has_embeddings()
        table = next((table for table in TABLES if table.file == name), None)
        if table is None:
            return True
        found = self.read_previous(table)
        return found is not None and rows in (None, len(found))

    def _has_embeddings(self) -> bool:
        from clustering_assets.embedding.files import StoredError, load_embeddings

        try:
            load_embeddings(self.root, mmap=True)
        except StoredError as error:
            log.warning("the embeddings are made anew: %s", error)
            return False
        return True

    def read_previous(self, table: Table) -> pd.DataFrame | None:
        """The table that an earlier run left; None when there is none or it cannot be read."""
        try:
            return self.read_table(table)
        except FileNotFoundError:
            return None
        except DamagedTable as error:
            log.warning("%s", error)
            return None


def names_file(settings: Settings) -> Path:
    """The user's own file of names for clusters, which need not exist."""
    return Path(settings.names_file or str(Outputs(settings.output).path(CLUSTER_NAMES)))


def pins_file(settings: Settings) -> Path:
    """The user's own file of pinned tracks, which need not exist."""
    return Path(settings.pins_file or Path(settings.music) / PINS)


def write_json(path: Path | UPath, data: Any) -> None:
    """Write `data` atomically as readable JSON."""
    with atomic_path(path) as partial:
        partial.write_text(
            json.dumps(data, indent=2, ensure_ascii=False, default=_plain) + "\n", encoding="utf-8"
        )


def _plain(value: Any) -> Any:
    """NumPy scalars, timestamps and paths as JSON can hold them."""
    return value.item() if hasattr(value, "item") else str(value)
