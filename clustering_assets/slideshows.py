"""Opening the slideshow of a cluster, from its recipe or from an output."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from clustering_assets.embedding.pair import EmbeddingPair
from clustering_assets.errors import ClusteringError
from clustering_assets.images.load import Limits
from clustering_assets.outputs import (
    CLUSTER_ASSIGNMENTS,
    IMAGE_MANIFEST,
    MUSIC_CHOICE,
    MUSIC_TRACKS,
    SUMMARY_REPORT,
    Outputs,
)
from clustering_assets.settings import Settings, load_settings
from clustering_assets.video.recipe import Recipe, VideoSettings, recipes

if TYPE_CHECKING:
    from clustering_assets.video.slideshow import Slideshow


def video_settings(settings: Settings) -> VideoSettings:
    """The part of the settings that videos depend on."""
    width, height = settings.size
    return VideoSettings(
        width=width,
        height=height,
        fps=settings.fps,
        seconds_per_image=settings.seconds_per_image,
        transition_seconds=settings.transition_seconds,
        max_images=settings.max_images_per_video,
        motion=settings.motion,
        beat_sync=settings.beat_sync,
        order=settings.order,
        titles=settings.titles,
        captions=settings.captions,
        quality=settings.quality,
        encoder=settings.encoder,
        seed=settings.seed,
    )


def image_limits(settings: Settings) -> Limits:
    """The part of the settings that says which pictures are too large."""
    return Limits(max_megapixels=settings.max_megapixels, max_file_megabytes=settings.max_file_megabytes)


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
    from clustering_assets.audio.soundtrack import Track
    from clustering_assets.video.slideshow import Slideshow
    from clustering_assets.video.storyboard import Material, make_storyboard

    rows = pd.Index(embeddings.paths).get_indexer(pd.Index(recipe.images["path"]))
    known = tracks[tracks["path"] == recipe.track]
    material = Material(
        recipe.images,
        Path(settings.images),
        video_settings(settings),
        vectors=embeddings.vectors[rows] if (rows >= 0).all() else None,
        track=None if known.empty else Track.of(Path(settings.music) / recipe.track, known.iloc[0].to_dict()),
        title=recipe.title,
        cluster=recipe.cluster,
        limits=image_limits(settings),
    )
    return Slideshow(make_storyboard(material))


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
    wanted = recipes(
        read(CLUSTER_ASSIGNMENTS), read(IMAGE_MANIFEST), read(MUSIC_CHOICE), video_settings(values)
    )
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
