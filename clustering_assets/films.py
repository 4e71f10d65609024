"""The film of all videos of an output."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clustering_assets.embedding.files import EmbeddingPair
from clustering_assets.errors import ClusteringError
from clustering_assets.integrity import content_hash
from clustering_assets.outputs import ALBUM_FILM, Outputs
from clustering_assets.settings import Settings
from clustering_assets.slideshows import make_clip
from clustering_assets.storage import local_copy, staged
from clustering_assets.video.recipe import Recipe

if TYPE_CHECKING:
    from clustering_assets.video.film import FilmPlan, Finished
    from clustering_assets.video.storyboard import Storyboard
    from clustering_assets.video.verify import Check

log = logging.getLogger("clustering_assets.video")


class FilmError(ClusteringError):
    """There is nothing that a film can be made of."""


@dataclass(frozen=True)
class Film:
    """A finished film.

    Attributes:
        staged: The file that is to be moved to its place; None where the one there is kept.
        xxh3_128: Hash of that file, in hexadecimal.
        digest: Digest of what it is made of.
        seconds: Length.
        chapters: Title of each chapter and the second at which it begins.
        left_out: Why a cluster is not in it, by partition key.
        limit: Why some of its sound is not as loud as meant; empty if all is.
        checks: Whether the file is as planned.
        sheet: A small JPEG of what its chapters open with.
    """

    staged: Path | None
    xxh3_128: str
    digest: str
    seconds: float
    chapters: tuple[tuple[str, float], ...]
    left_out: Mapping[str, str]
    limit: str
    checks: tuple["Check", ...] = ()
    sheet: bytes = field(default=b"", repr=False)


@contextmanager
def make_film(
    wanted: Mapping[str, Recipe], settings: Settings, embeddings: EmbeddingPair, tracks: pd.DataFrame
) -> Iterator[Film]:
    """The film of the videos that there are, in sequence, for the time of the block; one that is there is kept.

    Move the staged file to its place inside the block, or it goes. A video that is missing, or is not as its recipe
    says, costs only itself.

    Args:
        wanted: What each cluster's video shall be made of, by partition key.
        settings: The settings in force.
        embeddings: Vectors and paths of all pictures.
        tracks: The table `music_tracks`.

    Raises:
        FilmError: Not one video can be used.
        VideoError: The film cannot be written.
    """
    from clustering_assets.video.film import verify_film, write_film
    from clustering_assets.video.verify import is_whole

    outputs = Outputs(settings.output)
    film, left_out = _plan(wanted, settings, embeddings, tracks)
    place = outputs.path(ALBUM_FILM)
    kept = is_whole(place, film.digest, outputs)
    with local_copy(place) if kept else staged(place) as file:
        if not kept:
            write_film(film, file, quality=settings.quality, encoder=settings.encoder)
        yield Film(
            staged=None if kept else file,
            xxh3_128="" if kept else content_hash(file),
            digest=film.digest,
            seconds=film.seconds,
            chapters=tuple((chapter.title, chapter.start / film.fps) for chapter in film.chapters),
            left_out=left_out,
            limit=film.sound.limit if film.sound else "",
            checks=tuple(verify_film(file, film)),
            sheet=_sheet(film),
        )


def _plan(
    wanted: Mapping[str, Recipe], settings: Settings, embeddings: EmbeddingPair, tracks: pd.DataFrame
) -> tuple["FilmPlan", dict[str, str]]:
    """The plan of the film, and why some clusters are not in it.

    Raises:
        FilmError: Not one video can be used.
    """
    from clustering_assets.video.film import cards_fit, plan_film

    parts: dict[str, tuple[Storyboard, Finished]] = {}
    left_out: dict[str, str] = {}
    for key in _in_sequence(wanted, embeddings):
        part = _part(wanted[key], settings, embeddings, tracks)
        if isinstance(part, str):
            left_out[key] = part
        else:
            parts[key] = part
    most = Counter(video.parameters for _, video in parts.values()).most_common(1)
    for key, (_, video) in list(parts.items()):
        if video.parameters != most[0][0]:
            del parts[key]
            left_out[key] = f"{video.path} was encoded otherwise than the others: delete it, and run again"
    if not parts:
        reasons = "; ".join(f"{key}: {reason}" for key, reason in left_out.items())
        raise FilmError(f"There is no video to make a film of: render the videos first ({reasons})")
    film = plan_film(list(parts.values()))
    carded = next((chapter for chapter in film.chapters if chapter.card), None)
    if carded and not cards_fit(carded, quality=settings.quality, encoder=settings.encoder):
        log.warning(
            "The film goes without cards: the encoder of the videos (%s) is not here", settings.encoder
        )
        film = plan_film(list(parts.values()), cards=False)
    return film, left_out


def _part(
    recipe: Recipe, settings: Settings, embeddings: EmbeddingPair, tracks: pd.DataFrame
) -> "tuple[Storyboard, Finished] | str":
    """The storyboard of a cluster and its finished video, or why the film goes without it."""
    from clustering_assets.video.film import look_at

    path = Outputs(settings.output).existing_video(recipe.key)
    if path is None:
        return "it has no video"
    if (video := look_at(path)) is None:
        return f"{path} cannot be read"
    if video.size != settings.video.size:
        sizes = ["{}x{}".format(*size) for size in (video.size, settings.video.size)]
        return f"its video is {sizes[0]} and not {sizes[1]}: it has not been rendered anew yet"
    try:
        with make_clip(recipe, settings, embeddings, tracks) as slideshow:
            board = slideshow.storyboard
    except ClusteringError as error:
        return str(error)
    if (video.digest, video.frames) != (board.digest, board.timeline.frames):
        return "its video is of other pictures, music or settings: it has not been rendered anew yet"
    return board, video


def _in_sequence(wanted: Mapping[str, Recipe], embeddings: EmbeddingPair) -> list[str]:
    """Keys of the clusters in the order in which the film shows them."""
    from clustering_assets.video.sequence import Scene, in_sequence

    rows = pd.Index(embeddings.paths)
    scenes = []
    for recipe in wanted.values():
        own = rows.get_indexer(pd.Index(recipe.images["path"]))
        look = np.asarray(embeddings.vectors[own], np.float32).mean(axis=0) if (own >= 0).all() else None
        scenes.append(Scene(recipe.cluster, recipe.images["taken_at"], look, recipe.track))
    keys = list(wanted)
    return [keys[place] for place in in_sequence(scenes)]


def _sheet(film: "FilmPlan") -> bytes:
    """What some of the chapters open with, side by side; empty where no video has a cover."""
    import io

    from PIL import Image

    from clustering_assets.video.contact_sheet import MOST_TILES, sheet_of
    from clustering_assets.video.selection import even_sample

    covers = [chapter.video.cover for chapter in film.chapters if chapter.video.cover]
    tiles = [
        Image.open(io.BytesIO(covers[place])).convert("RGB") for place in even_sample(len(covers), MOST_TILES)
    ]
    return sheet_of([np.asarray(tile, np.uint8) for tile in tiles]) if tiles else b""
