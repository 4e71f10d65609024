"""Where every result lies below the output folder: one place for all the names.

>>> from clustering_assets.outputs import Outputs
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

from clustering_assets.errors import ClusteringError
from clustering_assets.storage import atomic_path

log = logging.getLogger("clustering_assets.outputs")

IMAGE_MANIFEST = "manifest/image_manifest.parquet"
LEDGER = "manifest/ledger.csv"
DATASET_ANALYSIS = "dataset_analysis.txt"
EMBEDDINGS = "embeddings/embeddings.npy"
IMAGE_PATHS = "embeddings/image_paths.txt"
EMBEDDING_CACHE = "embeddings/cache"
CLUSTER_ASSIGNMENTS = "clusters/cluster_assignments.csv"
CLUSTER_PLOT = "clusters/cluster_visualization.png"
CLUSTER_NAMES = "clusters/names.csv"
MUSIC_TRACKS = "music/music_tracks.parquet"
MUSIC_CHOICE = "music/music_choice.csv"
VIDEOS = "videos"
SUMMARY_REPORT = "summary_report.txt"
GALLERY = "gallery/index.html"

COMPANIONS = {
    DATASET_ANALYSIS: ("dataset_analysis.json", "dataset_analysis.png"),
    SUMMARY_REPORT: ("summary_report.json",),
}
"""Files that are written together with another."""

NEEDED = {
    IMAGE_MANIFEST: ("path", "outcome", "content_hash"),
    LEDGER: ("path", "outcome", "stage", "reason"),
    CLUSTER_ASSIGNMENTS: ("path", "cluster", "cluster_name", "duplicate_of"),
    MUSIC_CHOICE: ("cluster", "key", "track", "track_hash"),
}
"""Columns without which a table is not the one that was written."""

TEXT_COLUMNS = (
    "path",
    "outcome",
    "stage",
    "reason",
    "content_hash",
    "cluster_name",
    "duplicate_of",
    "earlier_clusters",
    "cluster_hint",
    "name",
    "track",
    "track_hash",
)
"""Columns of CSV files that stay text even where they look like numbers."""

WITH_MUSIC = "slideshow_with_music.mp4"
WITHOUT_MUSIC = "slideshow.mp4"
EARLIER = "earlier"
_VIDEO = re.compile(r"(?P<key>cluster_\d+|unclustered)_slideshow(_with_music)?\.mp4")


class DamagedTable(ClusteringError):
    """A stored table that cannot be read any more."""


@dataclass(frozen=True)
class Outputs:
    """The output folder or URL of a run."""

    root: str

    def path(self, name: str) -> UPath:
        """The place of one result.

        Args:
            name: One of the constants of this module.
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

    def read_table(self, name: str) -> pd.DataFrame:
        """Read one stored table.

        Raises:
            FileNotFoundError: It has not been made yet.
            DamagedTable: It cannot be read, or lacks columns.
        """
        path = self.path(name)
        try:
            table = read_table(path)
        except FileNotFoundError:
            raise
        except (OSError, ValueError, KeyError) as error:
            raise DamagedTable(f"{path} cannot be read ({error}); run again to make it anew") from error
        missing = [column for column in NEEDED.get(name, ()) if column not in table.columns]
        if missing:
            raise DamagedTable(f"{path} has no column {', '.join(missing)}; run again to make it anew")
        return table

    def is_whole(self, name: str, rows: int | None = None) -> bool:
        """Whether a result is there with all its files, and can be read where it is a table or the embeddings.

        Args:
            name: One of the constants of this module.
            rows: Rows that the table had when it was written; None if that is not known.
        """
        if not all(self.path(file).exists() for file in (name, *COMPANIONS.get(name, ()))):
            return False
        if name == EMBEDDINGS:
            return self._has_embeddings()
        if name not in NEEDED:
            return True
        table = self.read_previous(name)
        return table is not None and rows in (None, len(table))

    def _has_embeddings(self) -> bool:
        from clustering_assets.embedding.files import StoredError, load_embeddings

        try:
            load_embeddings(self.root, mmap=True)
        except StoredError as error:
            log.warning("the embeddings are made anew: %s", error)
            return False
        return True

    def read_previous(self, name: str) -> pd.DataFrame | None:
        """The table that an earlier run left; None when there is none or it cannot be read."""
        try:
            return self.read_table(name)
        except FileNotFoundError:
            return None
        except DamagedTable as error:
            log.warning("%s", error)
            return None


def read_table(path: Path | UPath) -> pd.DataFrame:
    """Read a table that `write_table` wrote; the ending of the name says the format."""
    if path.suffix == ".parquet":
        with path.open("rb") as file:
            return pd.read_parquet(file)
    with path.open("r", encoding="utf-8", newline="") as file:
        table = pd.read_csv(
            file, dtype=dict.fromkeys(TEXT_COLUMNS, str), keep_default_na=False, na_values=[""]
        )
    for column in table.columns:
        if column in TEXT_COLUMNS or table[column].dtype.kind not in "biufc":
            table[column] = table[column].fillna("")
    return table


def write_table(path: Path | UPath, table: pd.DataFrame) -> None:
    """Write a table atomically, as Parquet or CSV after the ending of the name."""
    with atomic_path(path) as partial:
        if path.suffix == ".parquet":
            with partial.open("wb") as file:
                table.to_parquet(file, index=False)
        else:
            with partial.open("w", encoding="utf-8", newline="") as file:
                table.to_csv(file, index=False, float_format="%.6g")


def write_json(path: Path | UPath, data: Any) -> None:
    """Write `data` atomically as readable JSON."""
    with atomic_path(path) as partial:
        partial.write_text(
            json.dumps(data, indent=2, ensure_ascii=False, default=_plain) + "\n", encoding="utf-8"
        )


def _plain(value: Any) -> Any:
    """NumPy scalars, timestamps and paths as JSON can hold them."""
    return value.item() if hasattr(value, "item") else str(value)
