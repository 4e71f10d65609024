"""Where every result lies below the output folder: one place for all the names.

>>> from clustering_assets.outputs import Outputs
>>> clusters = Outputs("output").read_table(CLUSTER_ASSIGNMENTS)
"""

import json
import logging
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from upath import UPath

from clustering_assets.errors import ClusteringError
from clustering_assets.integrity import Records, State, content_hash
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
    EMBEDDINGS: (IMAGE_PATHS, "embeddings/embeddings.json"),
    DATASET_ANALYSIS: ("dataset_analysis.json", "dataset_analysis.png"),
    SUMMARY_REPORT: ("summary_report.json",),
}
"""Files that are written together with another."""

OWN_HEIRS = frozenset({CLUSTER_ASSIGNMENTS, MUSIC_CHOICE})
"""Tables that are made with the help of what they were before, and would come out otherwise without it."""

RESULTS = (
    IMAGE_MANIFEST,
    LEDGER,
    DATASET_ANALYSIS,
    EMBEDDINGS,
    CLUSTER_ASSIGNMENTS,
    CLUSTER_PLOT,
    MUSIC_TRACKS,
    MUSIC_CHOICE,
    GALLERY,
    SUMMARY_REPORT,
)
"""Everything but the videos, each with its `COMPANIONS`."""

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


def files_of(name: str) -> tuple[str, ...]:
    """The names of the files of a result."""
    return name, *COMPANIONS.get(name, ())


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

    @property
    def records(self) -> Records:
        """What each file was when it was published."""
        return Records(self.root, OWN_HEIRS)

    def name_of(self, path: UPath) -> str:
        """The name of a file below the output."""
        return path.relative_to(UPath(self.root)).as_posix()

    def video(self, key: str, *, music: bool) -> UPath:
        """The place of the video of the cluster `key`, with or without music."""
        return self.path(VIDEOS) / f"{key}_{WITH_MUSIC if music else WITHOUT_MUSIC}"

    def existing_video(self, key: str) -> UPath | None:
        """The video of the cluster `key` that is there, or None."""
        both = (self.video(key, music=music) for music in (True, False))
        return next((path for path in both if path.is_file()), None)

    def videos(self) -> list[UPath]:
        """All videos, those of clusters that are gone included, sorted."""
        folder = self.path(VIDEOS)
        return sorted(folder.rglob("[!.]*.mp4")) if folder.is_dir() else []

    def set_aside_videos(self, keep: Collection[str]) -> list[str]:
        """Move the videos of clusters that are gone into the folder `earlier`, so that those beside it are current.

        Where such a video was deleted, nothing misses it any more.

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
                self.records.moved(self.name_of(path), self.name_of(aside))
                moved.append(path.name)
        for name in self.records.names():
            found = _VIDEO.fullmatch(Path(name).name)
            if found and found["key"] not in keep and not self.path(name).is_file():
                self.records.forget(name)
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
            DamagedTable: It cannot be read, lacks columns or is not as it was written.
        """
        path = self.path(name)
        if self.records.state(name) is State.DAMAGED:
            raise DamagedTable(f"{path} {State.DAMAGED.value}; run again to make it anew")
        return _read_stored(path, name)

    def is_whole(self, name: str, rows: int | None = None, hashes: Mapping[str, str] | None = None) -> bool:
        """Whether a result is there with all its files, as they were written; says in the log why not.

        What an older version wrote without a record is believed, and recorded, where it can be checked: tables and
        the embeddings.

        Args:
            name: One of the constants of this module.
            rows: Rows that it had when it was written; None if that is not known.
            hashes: Hash that each file had when it was written; None or empty if that is not known.
        """
        files = files_of(name)
        states = {file: self.records.state(file) for file in files}
        for file, state in states.items():
            if state in (State.DAMAGED, State.MISSING):
                log.warning("%s %s: it is made anew", self.path(file), state.value)
                return False
        if State.UNRECORDED in states.values():
            found = {file: content_hash(self.path(file)) for file in files} if hashes else None
            if found != hashes if found else not self._reads_well(name, rows):
                return False
            self.records.publish(files)
        if hashes and hashes != self.records.hashes(files):
            log.warning("%s is not the one that was made last: it is made anew", self.path(name))
            return False
        return True

    def _reads_well(self, name: str, rows: int | None) -> bool:
        """Whether a table or the embeddings can be read, and have as many rows as when they were written."""
        from clustering_assets.embedding.files import StoredError, load_embeddings

        try:
            if name == EMBEDDINGS:
                found = len(load_embeddings(self.root, mmap=True)[0])
            elif name in NEEDED:
                found = len(self.read_table(name))
            else:
                return False
        except (StoredError, DamagedTable) as error:
            log.warning("%s", error)
            return False
        return rows in (None, found)

    def damaged(self) -> list[str]:
        """Names of the results, videos apart, that are damaged or gone although they were published."""
        names = (name for name in self.records.names() if not name.startswith(f"{VIDEOS}/"))
        return [name for name in names if self.records.state(name) in (State.DAMAGED, State.MISSING)]

    def read_previous(self, name: str) -> pd.DataFrame | None:
        """The table that an earlier run left; None when there is none that can be believed."""
        path = self.records.intact(name)
        if path is None:
            log.warning("%s is damaged or gone: it is made anew without what it was", self.path(name))
            return None
        try:
            return _read_stored(path, name)
        except FileNotFoundError:
            return None
        except DamagedTable as error:
            log.warning("%s", error)
            return None


def _read_stored(path: UPath, name: str) -> pd.DataFrame:
    """The table at `path`, with the columns that the result of this name needs."""
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
