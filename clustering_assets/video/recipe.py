"""What the video of each cluster is made from, and which videos are out of date. Light to import."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from clustering_assets.clustering.choices import COVER, EXCLUDE, MUST, chosen, is_shown
from clustering_assets.clustering.clocks import believed_times
from clustering_assets.clustering.gazetteer import towns
from clustering_assets.clustering.keys import partition_key
from clustering_assets.settings import AUTO_CAPTION, NO_CAPTION, Settings, VideoSettings, known_by
from clustering_assets.video import faces

RECIPE_VERSION = 9
"""Goes up whenever the same pictures, music and settings would give a different video. What is drawn and planned is
pinned beside this number in the tests, which fail where one changes without the other."""


SOUND_VERSION = 2
"""Goes up whenever the same track would sound different or be cut to at other places. Silent videos stay."""

WORDS_VERSION = 1
"""Goes up whenever title cards or captions would say something else or be drawn otherwise. Videos without them stay."""

MOST_STRETCHED = 2
"""How many times as long as wanted a picture may be seen so that a video is as long as its setting `length` says."""

IMAGE_FACTS = [
    "path",
    "bytes",
    "mtime_ns",
    "width",
    "height",
    "taken_at",
    "sharpness",
    "brightness",
    "contrast",
]
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

    A cluster whose pictures are all left out by the user has none.

    Args:
        assignments: The table `cluster_assignments`.
        manifest: The table `image_manifest`.
        choice: The table `music_choice`.
        settings: The settings in force.
    """
    facts = _facts(manifest, settings).drop_duplicates("path")
    members = assignments.merge(facts, on="path", how="left", validate="many_to_one")
    tracks = choice.set_index("cluster")[["track", "track_hash"]].to_dict("index")
    found: dict[str, Recipe] = {}
    for number, images in members.groupby("cluster", sort=True):
        if not is_shown(images).any():
            continue
        cluster = int(str(number))
        music = tracks.get(cluster, {"track": "", "track_hash": ""})
        title = str(images["cluster_name"].iloc[0])
        key = partition_key(cluster)
        found[key] = Recipe(
            key=key,
            cluster=cluster,
            title=title,
            images=images.reset_index(drop=True),
            track=str(music["track"]),
            digest=recipe_digest(images, str(music["track_hash"]), title, settings.video),
        )
    return found


def _facts(manifest: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """What the manifest knows of pictures, with times of which wrong clocks are put right, and places, where needed."""
    facts = manifest[IMAGE_FACTS]
    if (
        settings.order == "time"
        or settings.titles
        or settings.album_film
        or "date" in settings.caption_fields
    ):
        good = manifest[manifest["outcome"] != "rejected"]
        times = pd.Series(believed_times(good)[0].to_numpy(), good.index)
        facts = facts.assign(taken_at=times.reindex(facts.index))
    if "place" in settings.caption_fields:
        facts = facts.assign(place=towns(manifest["latitude"], manifest["longitude"]))
    return facts


def recipe_digest(images: pd.DataFrame, track_hash: str, title: str, settings: VideoSettings) -> str:
    """Digest of everything that one video depends on, 32 hexadecimal digits.

    Two equal digests mean the same video, so it need not be rendered again. Only what reaches the picture
    counts: neither the order of the rows nor figures that wander a little whenever the clustering runs again.
    Whether faces are looked for counts too, as it decides how pictures with people are framed.

    Args:
        images: The rows of one cluster: `path`, `content_hash`, `duplicate_of` and, where they order the pictures or
            are shown, `taken_at` and `place`; `cluster` (the seed of motion) and `choice` where they are there.
        track_hash: Content hash of the music track, '' for none.
        title: Title of the video; counts only where it is shown, on a title card or as a caption.
        settings: How the video shall look.
    """
    columns = ["path", "content_hash", "duplicate_of"]
    if settings.order == "time" or settings.titles or "date" in settings.caption_fields:
        columns.append("taken_at")
    if "place" in settings.caption_fields:
        columns.append("place")
    present = [name for name in columns if name in images]
    rows = sorted(tuple(map(str, row)) for row in images[present].itertuples(index=False))
    clusters = sorted({int(cluster) for cluster in images["cluster"]}) if "cluster" in images else []
    recipe: dict[str, Any] = {
        "version": RECIPE_VERSION,
        "heads": faces.version(),
        "settings": _digested(settings),
        "clusters": clusters,
        "columns": present,
        "images": rows,
        "track": track_hash,
        "title": title if settings.titles or "name" in settings.caption_fields else "",
        "given": settings.captions == AUTO_CAPTION
        and "cluster_hint" in images
        and bool((images["cluster_hint"] != title).any()),
    }
    if track_hash:
        recipe["sound"] = SOUND_VERSION
    if settings.titles or settings.caption_fields:
        recipe["words"] = WORDS_VERSION
    if (choices := chosen(images, EXCLUDE, MUST, COVER)).any():
        recipe["choices"] = sorted(images.loc[choices, ["path", "choice"]].to_numpy().tolist())
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:32]


def _digested(settings: VideoSettings) -> dict[str, Any]:
    """The settings under the names that digests have known them by from the first."""
    width, height = settings.size
    values = known_by(settings.model_dump(exclude={"resolution", "shape", "max_images_per_video"}))
    values["captions"] = {NO_CAPTION: False, AUTO_CAPTION: True}.get(settings.captions, settings.captions)
    return {**values, "width": width, "height": height, "max_images": settings.max_images_per_video}


def expected_seconds(assignments: pd.DataFrame, settings: Settings) -> dict[int, float]:
    """About how long the video of each cluster will be, in seconds, by cluster."""
    shown = assignments[is_shown(assignments)]
    needed = shown[chosen(shown, MUST, COVER)].groupby("cluster").size()
    seconds = {
        int(str(cluster)): max(min(int(count), settings.max_images_per_video), int(needed.get(cluster, 0)))
        * settings.seconds_per_image
        for cluster, count in shown.groupby("cluster").size().items()
    }
    if not settings.length:
        return seconds
    return {cluster: min(MOST_STRETCHED * most, settings.length) for cluster, most in seconds.items()}


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
