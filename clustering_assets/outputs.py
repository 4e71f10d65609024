"""Where every result lies below the output folder: one place for all the names.

>>> from clustering_assets.outputs import Outputs
>>> clusters = Outputs("output").read_table(CLUSTER_ASSIGNMENTS)
"""

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from upath import UPath

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

TEXT_COLUMNS = (
    "path",
    "outcome",
    "stage",
    "reason",
    "content_hash",
    "cluster_name",
    "duplicate_of",
    "name",
    "track",
    "track_hash",
)
"""Columns of CSV files that stay text even where they look like numbers."""

WITH_MUSIC = "slideshow_with_music.mp4"
WITHOUT_MUSIC = "slideshow.mp4"


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

    def local_cache(self) -> Path | None:
        """The folder of the embedding cache; None when the output is not on a local disk."""
        path = self.path(EMBEDDING_CACHE)
        return Path(path) if isinstance(path, Path) else None

    def read_table(self, name: str) -> pd.DataFrame:
        """Read one stored table.

        Raises:
            FileNotFoundError: It has not been made yet.
        """
        return read_table(self.path(name))

    def read_previous(self, name: str) -> pd.DataFrame | None:
        """The table that an earlier run left; None when there is none or it cannot be read."""
        try:
            return self.read_table(name)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError) as error:
            log.warning("%s cannot be read and is made anew: %s", self.path(name), error)
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
