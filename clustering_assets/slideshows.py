"""Opening the slideshow of a cluster, from its recipe or from an output."""

import json
from typing import TYPE_CHECKING, Any

import pandas as pd

from clustering_assets.embedding.files import EmbeddingPair
from clustering_assets.errors import ClusteringError
from clustering_assets.files import image_source, music_source
from clustering_assets.outputs import SUMMARY_REPORT, Outputs
from clustering_assets.settings import Settings, load_settings
from clustering_assets.tables import CLUSTER_ASSIGNMENTS, IMAGE_MANIFEST, MUSIC_CHOICE, MUSIC_TRACKS
from clustering_assets.video.recipe import Recipe, recipes

if TYPE_CHECKING:
    from clustering_assets.video.slideshow import Slideshow


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
        image_source(settings),
        settings.video,
        vectors=embeddings.vectors[rows] if (rows >= 0).all() else None,
        track=None
        if known.empty
        else Track.of(music_source(settings) / recipe.track, known.iloc[0].to_dict()),
        title=recipe.title,
        cluster=recipe.cluster,
        limits=settings.limits,
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

    values = settings_of_output(**settings)
    read = Outputs(values.output).read_table
    wanted = recipes(read(CLUSTER_ASSIGNMENTS), read(IMAGE_MANIFEST), read(MUSIC_CHOICE), values)
    if key not in wanted:
        raise ClusteringError(f"{key!r} is no cluster of {values.output}; there are {', '.join(wanted)}")
    pair = EmbeddingPair(*load_embeddings(values.output, mmap=True))
    return make_clip(wanted[key], values, pair, read(MUSIC_TRACKS))


def settings_of_output(**settings: Any) -> Settings:
    """The settings that an output was made with, as its summary has them, or the environment's where it has none.

    Args:
        settings: Settings that differ; `output` says which output, if not the environment's.

    Raises:
        SettingsError: A setting is wrong.
    """
    output = load_settings(**settings).output
    try:
        text = Outputs(output).path(SUMMARY_REPORT).with_suffix(".json").read_text(encoding="utf-8")
        stored = {
            name: value
            for name, value in json.loads(text)["settings"].items()
            if name in Settings.model_fields
        }
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        stored = {}
    return load_settings(**{**stored, **settings, "output": output})
