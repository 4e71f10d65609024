"""A short video of the pictures that came last."""

from contextlib import closing
from dataclasses import dataclass

import numpy as np
import pandas as pd
from upath import UPath

from clustering_assets.embedding.files import EmbeddingPair, load_embeddings
from clustering_assets.files import image_source, music_source
from clustering_assets.outputs import WHATS_NEW, Outputs
from clustering_assets.settings import Settings
from clustering_assets.storage import local_copy
from clustering_assets.tables import CLUSTER_ASSIGNMENTS, IMAGE_MANIFEST, MUSIC_CHOICE, MUSIC_TRACKS
from clustering_assets.video.recipe import recipes
from clustering_assets.words import counted

TITLE = "What's new"


@dataclass(frozen=True)
class News:
    """What came last, and the video of it.

    Attributes:
        path: The video; None where nothing is new.
        pictures: How many pictures came.
        shown: How many of them are shown.
        seconds: Length of the video.
        since: When the first of them were found.
        kept: Whether the very same video was there already.
        flaws: In what the video is not as planned; empty if it is.
    """

    path: UPath | None
    pictures: int = 0
    shown: int = 0
    seconds: float = 0.0
    since: pd.Timestamp | None = None
    kept: bool = False
    flaws: str = ""


def in_words(news: News, since: pd.Timestamp | None = None) -> str:
    """What is new and where it is shown; `since` is the moment that was asked for."""
    if news.path is None:
        when = f"since {since:%Y-%m-%d %H:%M}" if since else "since the first update"
        return f"Nothing is new: no picture came {when}."
    came = f"{counted(news.pictures, 'picture')} that came {'since' if since else 'on'} {news.since:%Y-%m-%d, %H:%M}"
    if news.kept:
        return f"Nothing new since then: {news.path} shows {news.shown:,} of {came}."
    return f"{news.path}: {news.shown:,} of {came}, {news.seconds:.1f} s"


def new_rows(images: pd.DataFrame, since: pd.Timestamp | None = None) -> pd.DataFrame:
    """The rows of the pictures that came last: with the last update that brought any, or since a moment.

    Args:
        images: Rows with `added_at`.
        since: The moment; None: that of the last update.
    """
    if "added_at" not in images or images["added_at"].isna().all():
        return images.iloc[:0]
    return images[images["added_at"] >= (since or images["added_at"].max())]


def make_news(settings: Settings, *, seconds: int, since: pd.Timestamp | None = None) -> News:
    """Render a video of the pictures that came last and publish it; what is there already is kept.

    It has the music of the cluster that most of them are in, fitted to its length.

    Args:
        settings: Those that the output was made with.
        seconds: Most seconds that it lasts.
        since: From when on pictures are new; None: those that came with the last update that brought any.

    Raises:
        FileNotFoundError: The output has not been made.
        VideoError: None of the new pictures can be shown, or the video not be written.
    """
    from clustering_assets.audio.soundtrack import Track
    from clustering_assets.video.encode import write_video
    from clustering_assets.video.slideshow import Slideshow
    from clustering_assets.video.storyboard import Material, make_storyboard
    from clustering_assets.video.verify import is_whole, verify

    outputs = Outputs(settings.output)
    read = outputs.read_table
    manifest = read(IMAGE_MANIFEST)
    wanted = recipes(read(CLUSTER_ASSIGNMENTS), manifest, read(MUSIC_CHOICE), settings)
    facts = manifest.reindex(columns=["path", "added_at"])
    members = [recipe.images.merge(facts, on="path").assign(track=recipe.track) for recipe in wanted.values()]
    images = (
        new_rows(pd.concat(members, ignore_index=True), since).reset_index(drop=True) if members else None
    )
    if images is None or images.empty:
        return News(None)
    tracks = read(MUSIC_TRACKS)
    known = tracks[tracks["path"] == images["track"].mode().iloc[0]]
    pair = EmbeddingPair(*load_embeddings(settings.output, mmap=True))
    rows = pd.Index(pair.paths).get_indexer(pd.Index(images["path"]))
    material = Material(
        images,
        image_source(settings),
        settings.video.model_copy(update={"length": seconds}),
        vectors=np.asarray(pair.vectors[rows]) if (rows >= 0).all() else None,
        track=None
        if known.empty
        else Track.of(music_source(settings) / known["path"].iloc[0], known.iloc[0].to_dict()),
        title=TITLE,
        called=TITLE.lower(),
        limits=settings.limits,
    )
    path = outputs.path(WHATS_NEW)
    with closing(Slideshow(make_storyboard(material))) as slideshow:
        kept = is_whole(path, slideshow.digest, outputs)
        if not kept:
            outputs.records.forget(WHATS_NEW)
            write_video(slideshow, path, quality=settings.quality, encoder=settings.encoder)
            outputs.records.publish([WHATS_NEW])
        with local_copy(path) as file:
            checks = [check for check in verify(file, slideshow) if not check.passed]
        stills = [still for still in slideshow.storyboard.slides if still]
        return News(
            path,
            len(images),
            sum(len(still.paths) for still in stills),
            float(slideshow.duration),
            images["added_at"].min(),
            kept,
            "; ".join(f"{check.name} is {check.value}, expected {check.expected}" for check in checks),
        )
