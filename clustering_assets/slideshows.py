"""What the video of each cluster shall be made of, and which videos are out of date."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from clustering_assets.clustering.keys import partition_key
from clustering_assets.embedding.files import EmbeddingPair
from clustering_assets.errors import ClusteringError
from clustering_assets.files import file_source
from clustering_assets.outputs import SUMMARY_REPORT, Outputs
from clustering_assets.settings import Settings, load_settings
from clustering_assets.tables import CLUSTER_ASSIGNMENTS, IMAGE_MANIFEST, MUSIC_CHOICE, MUSIC_TRACKS
from clustering_assets.video.recipe import recipe_digest

if TYPE_CHECKING:
    from clustering_assets.video.slideshow import Slideshow

IMAGE_FACTS = ["path", "bytes", "mtime_ns", "width", "height", "taken_at", "sharpness"]
"""Columns of the manifest that a video depends on beside those of the cluster assignments."""


@dataclass(frozen=True)
class Recipe:
    """Everything that the video of one cluster is made of.

    Attributes:
        key: Partition key of the cluster.
        cluster: Its number.
        title: Its name, as a title card would show it.
        images: Its pictures: columns of the cluster assignments and facts from the manifest.
        track: Path of the chosen track relative to the music folder; empty when there is no music.
        digest: Digest of all of this and of the video settings.
    """

    key: str
    cluster: int
    title: str
    images: pd.DataFrame
    track: str
    digest: str


def recipes(
    assignments: pd.DataFrame, manifest: pd.DataFrame, choice: pd.DataFrame, settings: Settings
) -> dict[str, Recipe]:
    """The recipe of each cluster's video, by partition key, in the order of the clusters.

    Args:
        assignments: The table `cluster_assignments`.
        manifest: The table `image_manifest`.
        choice: The table `music_choice`.
        settings: The settings in force.
    """
    facts = manifest[IMAGE_FACTS].drop_duplicates("path")
    members = assignments.merge(facts, on="path", how="left", validate="many_to_one")
    tracks = choice.set_index("cluster")[["track", "track_hash"]].to_dict("index")
    wanted = settings.video
    found: dict[str, Recipe] = {}
    for number, images in members.groupby("cluster", sort=True):
        cluster = int(str(number))
        music = tracks.get(cluster, {"track": "", "track_hash": ""})
        title = str(images["cluster_name"].iloc[0])
        found[partition_key(cluster)] = Recipe(
            key=partition_key(cluster),
            cluster=cluster,
            title=title,
            images=images.reset_index(drop=True),
            track=str(music["track"]),
            digest=recipe_digest(images, str(music["track_hash"]), title, wanted),
        )
    return found


def make_clip(
    recipe: Recipe, settings: Settings, embeddings: EmbeddingPair, tracks: pd.DataFrame
) -> "Slideshow":
    """The lazy clip that a recipe describes.

    Args:
        recipe: What the video is made of.
        settings: The settings in force.
        embeddings: Vectors and paths of all pictures; those of the recipe's pictures order the slides.
        tracks: The table `music_tracks`.

    Raises:
        VideoError: Not one picture can be read.
    """
    from clustering_assets.video.slideshow import make_slideshow

    rows = pd.Index(embeddings.paths).get_indexer(pd.Index(recipe.images["path"]))
    return make_slideshow(
        recipe.images,
        file_source(settings.images),
        vectors=embeddings.vectors[rows] if (rows >= 0).all() else None,
        track=track_facts(tracks, recipe.track),
        track_path=file_source(settings.music) / recipe.track if recipe.track else None,
        title=recipe.title,
        cluster=recipe.cluster,
        settings=settings.video,
        limits=settings.limits,
    )


def open_slideshow(key: str, **settings: Any) -> "Slideshow":
    """The slideshow of a cluster as a lazy MoviePy clip, to be cut, captioned and written by hand.

    Args:
        key: Partition key of the cluster, such as "cluster_0".
        settings: Settings that differ from those that the output was made with, such as `motion=False`; `output` says
            which output, if not the environment's.

    Raises:
        FileNotFoundError: The output has no clusters yet.
        ClusteringError: There is no such cluster, or not one of its pictures can be read.
    """
    from clustering_assets.embedding.files import load_embeddings

    outputs = Outputs(load_settings(**settings).output)
    values = load_settings(**{**_settings_of(outputs), **settings, "output": str(outputs.root)})
    read = outputs.read_table
    wanted = recipes(read(CLUSTER_ASSIGNMENTS), read(IMAGE_MANIFEST), read(MUSIC_CHOICE), values)
    if key not in wanted:
        raise ClusteringError(f"{key!r} is no cluster of {values.output}; there are {', '.join(wanted)}")
    pair = EmbeddingPair(*load_embeddings(values.output, mmap=True))
    return make_clip(wanted[key], values, pair, read(MUSIC_TRACKS))


def _settings_of(outputs: Outputs) -> dict[str, Any]:
    """The settings that an output was made with, as its summary has them; none where it has no summary."""
    try:
        stored = json.loads(outputs.path(SUMMARY_REPORT).with_suffix(".json").read_text(encoding="utf-8"))
        return {name: value for name, value in stored["settings"].items() if name in Settings.model_fields}
    except (OSError, ValueError, KeyError, AttributeError):
        return {}


def expected_seconds(assignments: pd.DataFrame, settings: Settings) -> dict[int, float]:
    """About how long the video of each cluster will be, in seconds, by cluster."""
    shown = assignments[assignments["duplicate_of"] == ""].groupby("cluster").size()
    return {
        int(str(cluster)): min(int(count), settings.max_images_per_video) * settings.seconds_per_image
        for cluster, count in shown.items()
    }


def track_facts(tracks: pd.DataFrame, path: str) -> Mapping[str, Any] | None:
    """The row of `music_tracks` for one track; None when there is none of that name."""
    row = tracks[tracks["path"] == path]
    return None if row.empty else {str(name): value for name, value in row.iloc[0].items()}


def out_of_date(
    wanted: Mapping[str, str], made: Mapping[str, str | None], present: Collection[str]
) -> tuple[str, ...]:
    """The keys of the videos to render.

    Args:
        wanted: Digest that each cluster's video should have, by partition key.
        made: Digest of each cluster's latest video; None where it is not known.
        present: Keys whose video file is in the output.
    """
    return tuple(key for key, digest in wanted.items() if made.get(key) != digest or key not in present)
