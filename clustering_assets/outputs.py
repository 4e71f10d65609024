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

from clustering_assets.integrity import Records, State, content_hash
from clustering_assets.settings import Settings
from clustering_assets.storage import atomic_path, move
from clustering_assets.stores import open_place
from clustering_assets.tables import (
    CLUSTER_ASSIGNMENTS,
    MUSIC_CHOICE,
    TABLES,
    DamagedTable,
    Table,
)

log = logging.getLogger("clustering_assets.outputs")

DATASET_ANALYSIS = "dataset_analysis.txt"
EMBEDDINGS = "embeddings/embeddings.npy"
EMBEDDING_CACHE = "embeddings/cache"
CLUSTER_PLOT = "clusters/cluster_visualization.png"
CLUSTER_NAMES = "clusters/names.csv"
CLUSTER_CHOICES = "clusters/choices.csv"
VIDEOS = "videos"
ALBUM_FILM = "videos/album_film.mp4"
WHATS_NEW = "videos/whats_new.mp4"
SUMMARY_REPORT = "summary_report.txt"
GALLERY = "gallery/index.html"
BUNDLES = "gallery/pictures"

COMPANIONS = {
    EMBEDDINGS: ("embeddings/image_paths.txt", "embeddings/embeddings.json"),
    DATASET_ANALYSIS: ("dataset_analysis.json", "dataset_analysis.png"),
    SUMMARY_REPORT: ("summary_report.json",),
}
"""Files that are written together with another."""

OWN_HEIRS = frozenset({CLUSTER_ASSIGNMENTS.file, MUSIC_CHOICE.file})
"""Tables that are made with the help of what they were before, and would come out otherwise without it."""

RESULTS = (
    *(table.file for table in TABLES),
    DATASET_ANALYSIS,
    EMBEDDINGS,
    CLUSTER_PLOT,
    GALLERY,
    SUMMARY_REPORT,
)
"""Everything but the videos, each with its `COMPANIONS`."""

WITH_MUSIC = "slideshow_with_music.mp4"
WITHOUT_MUSIC = "slideshow.mp4"
EARLIER = "earlier"

PINS = "pins.csv"
"""Name of the file in the music folder where users pin tracks, unless a setting names another."""

_VIDEO = re.compile(rf"(?P<key>cluster_\d+|unclustered)_({re.escape(WITH_MUSIC)}|{re.escape(WITHOUT_MUSIC)})")


def files_of(name: str) -> tuple[str, ...]:
    """The names of the files of a result."""
    return name, *COMPANIONS.get(name, ())


@dataclass(frozen=True)
class Outputs:
    """The output folder or URL of a run."""

    root: str

    def path(self, name: str) -> UPath:
        """The place of one result.

        Args:
            name: One of the constants of this module, or the file of a table.
        """
        return open_place(self.root, "output") / name

    @property
    def records(self) -> Records:
        """What each file was when it was published."""
        return Records(self.root, OWN_HEIRS)

    def name_of(self, path: UPath) -> str:
        """The name of a file below the output."""
        return path.relative_to(self.path("")).as_posix()

    def video(self, key: str, *, music: bool) -> UPath:
        """The place of the video of the cluster `key`, with or without music."""
        return self.path(VIDEOS) / f"{key}_{WITH_MUSIC if music else WITHOUT_MUSIC}"

    def existing_video(self, key: str) -> UPath | None:
        """The video of the cluster `key` that is there, or None."""
        both = (self.video(key, music=music) for music in (True, False))
        return next((path for path in both if path.is_file()), None)

    def bundles(self) -> dict[str, UPath]:
        """The bundles of thumbnails that the gallery loads, by name."""
        folder = self.path(BUNDLES)
        return {path.stem: path for path in folder.glob("[!.]*.js")} if folder.is_dir() else {}

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
                move(path, aside)
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
        """The folder of what only this machine can use; None where the output is on a store."""
        path = self.embedding_cache
        return path if isinstance(path, Path) else None

    @property
    def embedding_cache(self) -> Path | UPath:
        """The folder of the embedding cache."""
        return self.path(EMBEDDING_CACHE)

    def read_table(self, table: Table) -> pd.DataFrame:
        """Read one stored table.

        Raises:
            FileNotFoundError: It has not been made yet.
            DamagedTable: It cannot be read, lacks columns or is not as it was written.
        """
        path = self.path(table.file)
        if self.records.state(table.file) is State.DAMAGED:
            raise DamagedTable(f"{path} {State.DAMAGED.value}; run again to make it anew")
        return table.read(path)

    def damaged(self) -> list[str]:
        """Names of the results, videos apart, that are damaged or gone although they were published."""
        names = (name for name in self.records.names() if not name.startswith(f"{VIDEOS}/"))
        return [name for name in names if self.records.state(name) in (State.DAMAGED, State.MISSING)]

    def read_previous(self, table: Table, made: str | None = None) -> pd.DataFrame | None:
        """The table that an earlier run left; None when there is none that can be believed.

        Args:
            table: Which table.
            made: Hash of the file that was made last, which counts where the output has no record of it; None if that
                is not known either.
        """
        path = self.records.intact(table.file)
        try:
            stray = made and self.records.state(table.file) is State.UNRECORDED and content_hash(path) != made
            if path is None or stray:
                log.warning(
                    "%s is damaged or gone: it is made anew without what it was", self.path(table.file)
                )
                return None
            return table.read(path)
        except FileNotFoundError:
            return None
        except DamagedTable as error:
            log.warning("%s", error)
            return None


def names_file(settings: Settings) -> Path | UPath:
    """The user's own file of names for clusters, which need not exist."""
    if settings.names_file:
        return open_place(settings.names_file, "names_file")
    return Outputs(settings.output).path(CLUSTER_NAMES)


def choices_file(settings: Settings) -> Path | UPath:
    """The user's own file of choices of pictures, which need not exist."""
    if settings.choices_file:
        return open_place(settings.choices_file, "choices_file")
    return Outputs(settings.output).path(CLUSTER_CHOICES)


def pins_file(settings: Settings) -> Path | UPath:
    """The user's own file of pinned tracks, which need not exist."""
    if settings.pins_file:
        return open_place(settings.pins_file, "pins_file")
    return open_place(settings.music, "music") / PINS


def write_json(path: Path | UPath, data: Any) -> None:
    """Write `data` atomically as readable JSON."""
    with atomic_path(path) as partial:
        partial.write_text(
            json.dumps(data, indent=2, ensure_ascii=False, default=_plain) + "\n", encoding="utf-8"
        )


def _plain(value: Any) -> Any:
    """NumPy scalars, timestamps and paths as JSON can hold them."""
    return value.item() if hasattr(value, "item") else str(value)
