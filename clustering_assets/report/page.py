"""The page: what is known of the clusters, put into the template."""

import os
import re
from collections.abc import Mapping, Sequence
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
from clustering_assets.report.palette import cluster_styles
from clustering_assets.report.samples import choose_pictures, sample_points
from clustering_assets.report.summary import count_clusters, count_outcomes
from clustering_assets.report.thumbnails import Thumbnail, collage, encode_thumbnail, shrink_pictures
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


@dataclass(frozen=True)
class Gallery:
    """The page.

    Attributes:
        html: The page itself, complete: it fetches nothing but the videos.
        pictures: Number of thumbnails in it.
        failures: Path, stage and reason of pictures that could not be read for it.
    """

    html: str
    pictures: int
    failures: list[tuple[str, str, str]]


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
    video_size: tuple[int, int] = (1920, 1080),
    originals: str | None = None,
    limits: Limits = DEFAULT_LIMITS,
    editing: Editing | None = None,
    timeline: bool = False,
) -> Gallery:
    """Draw up the page.

    Args:
        ledger: The table `ledger`.
        assignments: The table `cluster_assignments`.
        choice: The table `music_choice`.
        videos: Address of each cluster's video as seen from the page, by partition key; those not yet made are missing.
        folder: Folder of the pictures.
        film: Address of the film of all videos as seen from the page; None: there is none.
        video_size: Width and height of the videos, in pixels.
        originals: Address of that folder as seen from the page; None: the pictures are not linked.
        limits: What is refused before it is decoded.
        editing: What it takes to edit the user's own files in the page; None: they are not edited there.
        timeline: Whether the map's axes are time and hour of the day rather than likeness.
    """
    chosen = choose_pictures(assignments)
    shown = [path for paths in chosen.values() for path in paths]
    small, lost = shrink_pictures(shown, folder, BOX, title="Gallery", limits=limits)
    thumbnails = {path: encode_thumbnail(image) for path, image in small.items()}
    facts = {int(row["cluster"]): row for row in choice.to_dict("records")}
    styles = cluster_styles(chosen)
    clusters = []
    for number, paths in chosen.items():
        members = assignments[assignments["cluster"] == number]
        key = partition_key(number)
        clusters.append(
            {
                "key": key,
                "name": str(members["cluster_name"].iloc[0]),
                "size": len(members),
                "near_duplicates": int((members["duplicate_of"] != "").sum()),
                "colour": styles[number].colour,
                "silhouette": None
                if number == UNCLUSTERED or timeline
                else float(members["silhouette"].mean()),
                "fit": fit_in_words(members["silhouette"].to_numpy(float)),
                "music": facts.get(number),
                "video": videos.get(key),
                "poster": _poster([small[path] for path in paths if path in small], video_size),
                "pictures": [_picture(path, thumbnails.get(path), originals) for path in paths],
            }
        )
    counts = {"pictures": len(assignments), **count_outcomes(ledger), **count_clusters(assignments)}
    html = _template().render(
        clusters=clusters,
        film=film,
        video_size=video_size,
        counts=counts,
        rejected=_rejected(ledger),
        more_rejected=max(0, counts["rejected"] - REJECTED),
        editing=editing and _editor(editing, clusters, chosen, assignments),
        points=_points(sample_points(assignments), list(chosen), shown),
        maps=_maps(sample_points(assignments), timeline=timeline),
        timeline=timeline,
    )
    return Gallery(html, len(thumbnails), [(path, "gallery", error.reason) for path, error in lost])


def _editor(
    editing: Editing,
    clusters: Sequence[Mapping[str, Any]],
    chosen: Mapping[int, Sequence[str]],
    assignments: pd.DataFrame,
) -> dict[str, Any]:
    """What the script of the editor is given, for JSON."""
    covers = assignments[is_chosen(assignments, COVER)]
    cover = {partition_key(int(row["cluster"])): row["path"] for row in covers.to_dict("records")}
    counts = np.cumsum([len(paths) for paths in chosen.values()]).tolist()
    return {
        "paths": [path for paths in chosen.values() for path in paths],
        "clusters": [
            {
                "key": cluster["key"],
                "name": cluster["name"],
                "until": until,
                "cover": cover.get(cluster["key"]),
                "tracks": _tracks(cluster["music"] or {}, editing.music),
            }
            for cluster, until in zip(clusters, counts, strict=True)
        ],
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


def _picture(path: str, thumbnail: Thumbnail | None, originals: str | None) -> dict[str, Any]:
    return {
        "path": _shown(path),
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


def _points(table: pd.DataFrame, ids: Sequence[int], shown: Sequence[str]) -> dict[str, list[int]]:
    """What the points of the map are: position of the cluster, number of the thumbnail or -1."""
    numbers = {path: number for number, path in enumerate(shown)}
    position = {number: place for place, number in enumerate(ids)}
    return {
        "cluster": [position[int(number)] for number in table["cluster"]],
        "picture": [numbers.get(path, -1) for path in table["path"]],
    }


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
