"""A small project to update and to look at."""

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import pandas as pd
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest

from clustering_assets.definitions import make_definitions
from clustering_assets.defs.instance import open_instance
from clustering_assets.defs.records import PUBLISHED, VIDEOS, recorded
from clustering_assets.defs.update import UpdateResult, update
from clustering_assets.outputs import Outputs
from clustering_assets.settings import Settings, load_settings
from clustering_assets.slideshows import open_slideshow
from clustering_assets.tables import CLUSTER_ASSIGNMENTS, IMAGE_MANIFEST, MUSIC_CHOICE, Table, write_table
from clustering_assets.video.recipe import Recipe, recipes

SMALL = {
    "images": "images",
    "music": "music",
    "output": "output",
    "min_images": 20,
    "clusters": 3,
    "backbone": "efficientnet_lite0",
    "resolution": "320x180",
    "fps": 10,
    "seconds_per_image": 1.2,
    "transition_seconds": 0.4,
    "max_images_per_video": 3,
    "quality": "preview",
}

defs = make_definitions(load_settings())
"""The code location with the settings of the environment."""


@dataclass
class Project:
    """A folder with pictures, music and output, its Dagster state in `.dagster`; the working folder while in use."""

    root: Path
    said: list[str] = field(default_factory=list)

    def settings(self, **changed: object) -> Settings:
        return load_settings(**{**SMALL, **changed})

    def update(self, meanwhile: Callable[[str], object] | None = None, **changed: object) -> UpdateResult:
        """Update; `meanwhile` is called with each announcement, before what it announces happens."""

        def announce(line: str) -> None:
            self.said.append(line)
            if meanwhile:
                meanwhile(line)

        with self.instance() as instance:
            return update(defs, instance, self.settings(**changed), announce=announce)

    def instance(self) -> dg.DagsterInstance:
        return open_instance(self.root)

    @property
    def outputs(self) -> Outputs:
        return Outputs("output")

    def assignments(self):
        return self.outputs.read_table(CLUSTER_ASSIGNMENTS)

    def swap(self, instance: dg.DagsterInstance, table: Table, rows: pd.DataFrame) -> None:
        """Put other rows into a table, as a run would that makes it anew."""
        place = self.outputs.path(table.file)
        write_table(place, rows)
        hashes = self.outputs.records.publish([table.file])
        facts = {"path": str(place), "dagster/row_count": len(rows), PUBLISHED: dg.MetadataValue.json(hashes)}
        instance.report_runless_asset_event(dg.AssetMaterialization(table.asset, metadata=facts))

    def recipes(self, **changed: object) -> dict[str, Recipe]:
        """What the video of each cluster shall be made of, by partition key."""
        read = self.outputs.read_table
        return recipes(
            read(CLUSTER_ASSIGNMENTS), read(IMAGE_MANIFEST), read(MUSIC_CHOICE), self.settings(**changed)
        )

    def shown(self, key: str) -> list[str]:
        """Paths of the pictures that the video of a cluster shows, in order.

        Which they are depends on how the processor rounds, so tests ask.
        """
        show = open_slideshow(key)
        show.close()
        return [slide.path for slide in show.timeline.slides if slide.path]

    def out_of_date(self, instance: dg.DagsterInstance) -> set[str]:
        """Keys of the videos that the UI would show as out of date."""
        resolver = CachingStaleStatusResolver(
            instance, defs.resolve_asset_graph(), LoadingContextForTest(instance)
        )
        keys = instance.get_dynamic_partitions("clusters")
        return {key for key in keys if resolver.get_status(VIDEOS, key) is not StaleStatus.FRESH}

    def embedded(self) -> object:
        """How many pictures went through the network when the embeddings were made last."""
        with self.instance() as instance:
            return recorded(instance, "embeddings", "embedded")

    def videos(self) -> dict[str, int]:
        """Time of the last change of each video, by name."""
        return {
            path.name: path.stat().st_mtime_ns for path in sorted((self.root / "output/videos").iterdir())
        }


@contextlib.contextmanager
def without_dagster_home() -> Iterator[None]:
    home = os.environ.pop("DAGSTER_HOME", None)
    try:
        yield
    finally:
        if home is not None:
            os.environ["DAGSTER_HOME"] = home
