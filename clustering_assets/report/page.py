"""The page: what is known of the clusters, put into the template."""

import io
import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import jinja2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from upath import UPath

from clustering_assets.clustering.choices import COVER
from clustering_assets.clustering.choices import chosen as is_chosen
from clustering_assets.clustering.keys import UNCLUSTERED, partition_key
from clustering_assets.clustering.quality import fit_in_words
from clustering_assets.files.source import FileSource
from clustering_assets.images.errors import ImageError
from clustering_assets.report.bundles import EACH, Shelf, bundle
from clustering_assets.report.palette import cluster_styles
from clustering_assets.report.samples import choose_pictures, list_pictures
from clustering_assets.report.summary import count_clusters, count_outcomes
from clustering_assets.report.thumbnails import Thumbnail, collage, encode_thumbnail, make_thumbnails
from clustering_assets.settings import DEFAULT_LIMITS, Limits
from clustering_assets.words import counted

BOX = (240, 160)
"""Largest thumbnail, in pixels."""

POSTER = 640
"""Longer side of the still that stands where a video will play, in pixels."""

GRID = 1000
"""Steps of the map's coordinates along its longer side."""

REJECTED = 500
"""Most rejected files that the page lists; the manifest has them all."""

EMPTY = Shelf()
"""No bundles."""


@dataclass(frozen=True)
class Gallery:
    """The page.

    Attributes:
        html: The page itself: it fetches nothing but the videos and the bundles.
        pictures: Number of pictures that it can show.
        failures: Path, stage and reason of pictures that could not be read for it.
        bundles: The text of each bundle that it loads, by name; None of those that are there already.
    """

    html: str
    pictures: int
    failures: list[tuple[str, str, str]]
    bundles: dict[str, str | None]


class UserFile(NamedTuple):
    """A file of the user's that the page edits.

    Attributes:
        place: Where it is, as settings name it.
        folder: The folder that it is in.
        local: Whether that is on a disk, where a browser may be allowed to write.
        text: What stands in it; empty where there is none.
    """

    place: str
    folder: str
    local: bool
    text: str

    @classmethod
    def of(cls, path: Path | UPath) -> "UserFile":
        """The file as it is now."""
        text = path.read_text(encoding="utf-8-sig") if path.is_file() else ""
        return cls(str(path), str(path.parent), isinstance(path, Path), text)


class Clip(NamedTuple):
    """A video on the page that is of no single cluster.

    Attributes:
        url: Its address as seen from the page.
        cover: A JPEG that stands for it; empty where there is none.
    """

    url: str
    cover: bytes = b""


@dataclass(frozen=True)
class Editing:
    """What the page needs so that a person can choose pictures, names and music in it.

    Attributes:
        choices: The file of choices.
        names: The file of names.
        pins: The file of pins.
        music: Address of the music folder as seen from the page; None: tracks cannot be heard.
        run: The line to run when the files are saved.
    """

    choices: UserFile
    names: UserFile
    pins: UserFile
    music: str | None
    run: str


def make_gallery(
    ledger: pd.DataFrame,
    assignments: pd.DataFrame,
    choice: pd.DataFrame,
    videos: Mapping[str, str],
    folder: Path | FileSource,
    *,
    film: str | None = None,
    news: Clip | None = None,
    video_size: tuple[int, int] = (1920, 1080),
    originals: str | None = None,
    limits: Limits = DEFAULT_LIMITS,
    editing: Editing | None = None,
    timeline: bool = False,
    shelf: Shelf = EMPTY,
) -> Gallery:
    """One page of all clusters: a map to point into, and each with its video, its music and why, and its pictures.

    Some pictures of each cluster are in the page itself, all others in bundles beside it, which it loads as somebody
    comes to them.

    Args:
        ledger: The outcome of every file, for what was rejected.
        assignments: The table `cluster_assignments`.
        choice: The table `music_choice`.
        videos: Address of each cluster's video as seen from the page, by partition key.
        folder: Folder of the pictures.
        film: Address of the film of all videos as seen from the page; None: there is none.
        news: The video of the pictures that came last; None: there is none.
        video_size: Width and height of the videos, in pixels.
        originals: Address of the picture folder as seen from the page; None: pictures are no links.
        limits: What is refused before it is decoded.
        editing: What it takes to edit the user's own files in the page; None: they are not edited there.
        timeline: Whether the map's axes are time and hour of the day rather than likeness.
        shelf: The bundles that lie beside the page already.
    """
    listed = list_pictures(assignments)
    chosen = choose_pictures(listed, assignments)
    paths = [path for own in listed.values() for path in own]
    number = {path: place for place, path in enumerate(paths)}
    content = dict(assignments[["path", "content_hash"]].itertuples(index=False, name=None))
    lost: list[tuple[str, ImageError]] = []

    def draw(contents: Collection[str]) -> dict[str, Thumbnail]:
        """The thumbnails of pictures, by their content."""
        wanted = set(contents)
        made, failed = make_thumbnails(
            [path for path in paths if content[path] in wanted], folder, BOX, title="Gallery", limits=limits
        )
        lost.extend(failed)
        return {content[path]: thumbnail for path, thumbnail in made.items()}

    bundles = bundle([[content[path] for path in own] for own in listed.values()], shelf, draw)
    facts = {int(row["cluster"]): row for row in choice.to_dict("records")}
    clusters, typical = [], []
    for (cluster, some), names in zip(chosen.items(), bundles.groups, strict=True):
        small = {path: thumbnail for path in some if (thumbnail := bundles.thumbnail(content[path]))}
        stills = [thumbnail.image() for thumbnail in small.values()]
        typical += stills[:1]
        begin = clusters[-1]["until"] if clusters else 0
        clusters.append(
            {
                **_facts(cluster, assignments[assignments["cluster"] == cluster], timeline=timeline),
                "begin": begin,
                "until": begin + len(listed[cluster]),
                "bundles": names,
                "colour": cluster_styles(chosen)[cluster].colour,
                "music": facts.get(cluster),
                "video": videos.get(partition_key(cluster)),
                "poster": _poster(stills, video_size),
                "pictures": [_picture(path, number[path], small.get(path), originals) for path in some],
            }
        )
    counts = {"pictures": len(assignments), **count_outcomes(ledger), **count_clusters(assignments)}
    points = assignments[assignments["path"].isin(number)]
    html = _template().render(
        clusters=clusters,
        first=_first(clusters),
        film=film and {"url": film, "poster": _poster(typical, video_size)},
        news=news and {"url": news.url, "poster": _shrunk(news.cover)},
        video_size=video_size,
        counts=counts,
        rejected=_rejected(ledger),
        more_rejected=max(0, counts["rejected"] - REJECTED),
        editing=editing and _editor(editing, clusters, assignments),
        pictures={"paths": paths, "notes": _notes(assignments, number), "originals": originals, "each": EACH},
        points={"picture": [number[path] for path in points["path"]]},
        maps=_maps(points, timeline=timeline),
        timeline=timeline,
    )
    failures = [(path, "gallery", error.reason) for path, error in lost]
    return Gallery(html, len(paths) - len(failures), failures, bundles.texts)


def _facts(cluster: int, members: pd.DataFrame, *, timeline: bool) -> dict[str, Any]:
    """What the page says of a cluster by its members alone."""
    alone = cluster == UNCLUSTERED or timeline
    return {
        "key": partition_key(cluster),
        "name": str(members["cluster_name"].iloc[0]),
        "size": len(members),
        "near_duplicates": int((members["duplicate_of"] != "").sum()),
        "silhouette": None if alone else float(members["silhouette"].mean()),
        "fit": fit_in_words(members["silhouette"].to_numpy(float)),
    }


def _first(clusters: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The cluster whose video stands at the top: the largest that has one."""
    shown = [cluster for cluster in clusters if cluster["video"] and cluster["poster"]]
    return max(shown, key=lambda cluster: cluster["size"], default=None)


def _notes(assignments: pd.DataFrame, number: Mapping[str, int]) -> dict[int, str]:
    """What is said of pictures that no video shows, by their number on the page."""
    copies = assignments.loc[assignments["duplicate_of"] != "", ["path", "duplicate_of"]]
    return {
        number[path]: f"looks the same as {_shown(other)}"
        for path, other in copies.itertuples(index=False, name=None)
        if path in number
    }


def _editor(
    editing: Editing, clusters: Sequence[Mapping[str, Any]], assignments: pd.DataFrame
) -> dict[str, Any]:
    """What the script of the editor is given, for JSON."""
    covers = assignments[is_chosen(assignments, COVER)]
    cover = {partition_key(int(row["cluster"])): row["path"] for row in covers.to_dict("records")}
    return {
        "covers": [cover.get(cluster["key"]) for cluster in clusters],
        "tracks": [_tracks(cluster["music"] or {}, editing.music) for cluster in clusters],
        "files": {name: getattr(editing, name)._asdict() for name in ("choices", "names", "pins")},
        "run": editing.run,
    }


def _tracks(music: Mapping[str, Any], folder: str | None) -> list[dict[str, str | None]]:
    """The tracks that fit a cluster best, the chosen one first, each with its address as seen from the page."""
    paths = [str(music.get(place) or "") for place in ("track", "second", "third")]
    return [
        {"path": path, "url": None if folder is None else f"{folder}/{address(path)}"}
        for path in paths
        if path
    ]


def relative_address(target: Path, page: Path) -> str | None:
    """The address of a file or folder as seen from a page on the same disk; None if there is no way there."""
    try:
        between = os.path.relpath(target.resolve(), page.parent.resolve())
    except ValueError:  # another drive
        return None
    return address(Path(between).as_posix())


def address(path: str) -> str:
    """A path as it stands in a page's link."""
    return quote(path)


def _poster(pictures: Sequence[Image.Image], video_size: tuple[int, int]) -> Thumbnail | None:
    """The still of a video, of its shape; None where not one picture is left."""
    scale = POSTER / max(video_size)
    size = (round(video_size[0] * scale), round(video_size[1] * scale))
    return encode_thumbnail(collage(pictures, size)) if pictures else None


def _shrunk(cover: bytes) -> Thumbnail | None:
    """The cover of a video as its still; None where it is none."""
    try:
        with Image.open(io.BytesIO(cover), formats=["JPEG"]) as image:
            image.thumbnail((POSTER, POSTER))
            return encode_thumbnail(image.convert("RGB"))
    except (OSError, Image.DecompressionBombError):
        return None


def _picture(path: str, number: int, thumbnail: Thumbnail | None, originals: str | None) -> dict[str, Any]:
    return {
        "path": _shown(path),
        "number": number,
        "thumbnail": thumbnail,
        "link": None if originals is None else f"{originals}/{address(path)}",
    }


def _shown(text: str) -> str:
    """Text with line breaks and other control characters made visible."""
    return re.sub(r"[\x00-\x1f\x7f]", lambda found: f"\\x{ord(found[0]):02x}", text)


def _rejected(ledger: pd.DataFrame) -> list[dict[str, str]]:
    rows = ledger.loc[ledger["outcome"] == "rejected", ["path", "stage", "reason"]].head(REJECTED)
    return [
        {"path": _shown(str(path)), "stage": str(stage), "reason": _shown(str(reason))}
        for path, stage, reason in rows.itertuples(index=False)
    ]


def _maps(table: pd.DataFrame, *, timeline: bool) -> list[dict[str, Any]]:
    """Where the points are, whole numbers on a grid: by likeness or time, and by principal components where known."""
    first = "Time" if timeline else "Likeness"
    named = [(first, ["x", "y"]), ("Principal components", ["component_1", "component_2"])]
    return [
        {"name": name, **_on_grid(table[columns].to_numpy(dtype=float), timeline=timeline and name == first)}
        for name, columns in named
        if set(columns) <= set(table.columns)
    ]


def _on_grid(places: NDArray[np.float64], *, timeline: bool) -> dict[str, list[int]]:
    """Places (n, 2) as whole numbers, y downwards as on a page; days and hours have no common measure."""
    low, high = places.min(axis=0), places.max(axis=0)
    span = np.maximum(high - low, 1e-12)
    scale = np.array([GRID, GRID / 2]) / span if timeline else GRID / span.max()
    x, y = ((places - low) * scale).round().astype(int).T
    return {"x": x.tolist(), "y": (int(y.max()) - y).tolist()}


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("clustering_assets.report", ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["thousands"] = lambda number: f"{number:,}"
    environment.filters["counted"] = counted
    return environment.get_template("page.html.jinja")
