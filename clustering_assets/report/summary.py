"""The summary of an update: what came in, what was made, what was reused, how good it is and how long it took."""

import importlib.metadata
import platform
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from clustering_assets.files.source import printable
from clustering_assets.video.omissions import SOUNDTRACK
from clustering_assets.video.strength import in_words
from clustering_assets.words import counted

PACKAGES = (
    "clustering-assets",
    "dagster",
    "torch",
    "torchvision",
    "openvino",
    "scikit-learn",
    "av",
    "pillow",
    "moviepy",
)

OPTIONAL = ("dlib-bin", "dlib", "timm")
"""Packages that results depend on where they are installed."""


@dataclass(frozen=True)
class StageRecord:
    """What Dagster recorded of the latest materialization of one asset.

    Attributes:
        fresh: Whether it was made in this update; otherwise it was up to date.
        seconds: How long it took, in seconds.
        noted: Its metadata.
    """

    fresh: bool
    seconds: float
    noted: Mapping[str, Any]


@dataclass(frozen=True)
class VideoRecord:
    """The latest video of one cluster.

    Attributes:
        key: Partition key of the cluster.
        path: Where the file lies; empty when it has not been rendered.
        due: Whether it is missing or out of date.
        rendered: Whether it was rendered in this update.
        render_seconds: How long rendering took, in seconds; 0 where it was not.
        noted: Its metadata.
    """

    key: str
    path: str
    due: bool
    rendered: bool
    render_seconds: float
    noted: Mapping[str, Any]


@dataclass(frozen=True)
class Summary:
    """The report, as text for people and as data for programs."""

    text: str
    data: dict[str, Any]
    figure: None = field(default=None, repr=False)


def failures_of(noted: Iterable[Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    """Path, stage and reason of the files that were fine in the scan and failed in a later stage.

    Args:
        noted: The metadata of each stage and each video.
    """
    return [(path, stage, reason) for one in noted for path, stage, reason in one.get("failures") or []]


def summarise(
    ledger: pd.DataFrame,
    assignments: pd.DataFrame,
    choice: pd.DataFrame,
    stages: Mapping[str, StageRecord],
    videos: Sequence[VideoRecord],
    settings: Mapping[str, Any],
    film: str = "",
) -> Summary:
    """Sum up an update.

    Args:
        ledger: The table `ledger`.
        assignments: The table `cluster_assignments`.
        choice: The table `music_choice`.
        stages: What was recorded of each unpartitioned asset, by name.
        videos: One record for each cluster.
        settings: The settings in force.
        film: Where the film of all videos lies; empty where there is none.
    """
    clustering = stages.get("cluster_assignments")
    fit = clustering.noted.get("fit") or {} if clustering else {}
    data = {
        "counts": _counts(ledger, assignments, stages, videos),
        "seconds": {
            **{name: round(stage.seconds, 2) if stage.fresh else 0.0 for name, stage in stages.items()},
            "cluster_videos": round(sum(video.render_seconds for video in videos if video.rendered), 2),
        },
        "quality": _quality(stages),
        "clusters": [_cluster(row, videos, fit.get(str(row["key"]), {})) for row in _records(choice)],
        "rejected_files": _records(ledger.loc[ledger["outcome"] == "rejected", ["path", "stage", "reason"]]),
        "warnings": [
            line for stage in stages.values() for line in str(stage.noted.get("warning") or "").splitlines()
        ],
        **({"film": _film(film, stages)} if film else {}),
        "settings": dict(settings),
        "versions": versions(),
    }
    return Summary(text=_text(data), data=data)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that results depend on."""
    found = {"python": platform.python_version()}
    found |= {name: importlib.metadata.version(name) for name in PACKAGES}
    for name in OPTIONAL:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def _counts(
    ledger: pd.DataFrame,
    assignments: pd.DataFrame,
    stages: Mapping[str, StageRecord],
    videos: Sequence[VideoRecord],
) -> dict[str, int]:
    embeddings = stages.get("embeddings")
    embedded = int(embeddings.noted.get("embedded", 0)) if embeddings and embeddings.fresh else 0
    rendered = sum(video.rendered for video in videos)
    return {
        **count_outcomes(ledger),
        "embedded": embedded,
        "reused": len(assignments) - embedded,
        **count_clusters(assignments),
        "videos_rendered": rendered,
        "videos_reused": sum(not video.due and not video.rendered for video in videos),
        "videos_outdated": sum(video.due and bool(video.path) for video in videos),
        "videos_missing": sum(not video.path for video in videos),
    }


def count_outcomes(ledger: pd.DataFrame) -> dict[str, int]:
    """How many files were found, and what became of them; near-duplicates have a reason in the ledger."""
    rejected = int((ledger["outcome"] == "rejected").sum())
    copies = ledger[ledger["outcome"] == "duplicate"]
    return {
        "found": len(ledger),
        "usable": len(ledger) - rejected,
        "pending": int((ledger["outcome"] == "pending").sum()),
        "rejected": rejected,
        "duplicates": int((copies["reason"] == "").sum()),
        "near_duplicates": int((copies["reason"] != "").sum()),
    }


def count_clusters(assignments: pd.DataFrame) -> dict[str, int]:
    """How many clusters there are, and pictures that belong to none."""
    clustered = assignments["cluster"] >= 0
    return {
        "clusters": int(assignments.loc[clustered, "cluster"].nunique()),
        "unclustered": int((~clustered).sum()),
    }


def _quality(stages: Mapping[str, StageRecord]) -> dict[str, Any]:
    clustering = stages.get("cluster_assignments")
    noted = clustering.noted if clustering else {}
    changes = noted.get("changes") or {}
    news = clustering is not None and clustering.fresh and not changes.get("first", True)
    embedding = stages["embeddings"].noted if "embeddings" in stages else {}
    return {
        "backbone": embedding.get("backbone"),
        "runtime": embedding.get("runtime"),
        "clustering": noted.get("quality"),
        "changes": noted.get("changes"),
        "since_last_run": changes["summary"] if news else "",
        "notes": noted.get("notes"),
    }


def _cluster(row: Mapping[str, Any], videos: Sequence[VideoRecord], fit: Mapping[str, Any]) -> dict[str, Any]:
    """A cluster with its music, its video and how well it holds together (`fit`; empty where that is not known)."""
    video = next((video for video in videos if video.key == row["key"]), None)
    named = ("key", "name", "size", "mood", "valence", "arousal", "track", "why")
    failures = video.noted.get("failures") or [] if video else []
    lost = [failure for failure in failures if failure[1] == SOUNDTRACK]
    silent = {"track": "", "why": f"the video is silent: {lost[0][0]}: {lost[0][2]}"} if lost else {}
    return (
        {name: row[name] for name in named}
        | silent
        | dict(fit)
        | {
            "video": video.path if video else "",
            "video_seconds": video.noted.get("duration_seconds") if video else None,
            "music_fit": video.noted.get("music_fit") if video else None,
            "music_from": video.noted.get("music_from") if video else None,
        }
    )


def _film(path: str, stages: Mapping[str, StageRecord]) -> dict[str, Any]:
    """The film of all videos, and why clusters are not in it."""
    noted = stages["album_film"].noted if "album_film" in stages else {}
    return {"path": path, "seconds": noted.get("duration_seconds"), "left_out": noted.get("left_out") or {}}


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _text(data: Mapping[str, Any]) -> str:
    counts = data["counts"]
    lines = [
        "Summary",
        "=======",
        "",
        f"Files found        {counts['found']:>7,}",
        f"  usable           {counts['usable']:>7,}   of these {counts['duplicates']:,} exact and "
        f"{counts['near_duplicates']:,} near duplicates",
        *(
            [f"  not clustered    {counts['pending']:>7,}   the update was not finished"]
            if counts["pending"]
            else []
        ),
        f"  rejected         {counts['rejected']:>7,}",
        f"Embedded           {counts['embedded']:>7,}   reused {counts['reused']:,}",
        f"Clusters           {counts['clusters']:>7,}   unclustered pictures {counts['unclustered']:,}",
        f"Videos rendered    {counts['videos_rendered']:>7,}   reused {counts['videos_reused']:,}"
        + (f", out of date {counts['videos_outdated']:,}" if counts["videos_outdated"] else "")
        + (f", missing {counts['videos_missing']:,}" if counts["videos_missing"] else ""),
        "",
        f"Network: {data['quality']['backbone']} ({data['quality']['runtime']})",
    ]
    lines += [f"Warning: {warning}" for warning in data["warnings"]]
    clustering = data["quality"]["clustering"]
    if clustering:
        figures = (f"{name} {value:.3f}" for name, value in clustering.items() if isinstance(value, float))
        lines.append(f"Clustering: {', '.join(figures)}")
    if data["quality"]["notes"]:
        lines += [f"  {note}" for note in str(data["quality"]["notes"]).splitlines()]
    if data["quality"]["since_last_run"]:
        lines.append(f"Since the last run: {data['quality']['since_last_run']}")
    lines += ["", "Clusters and their music", "------------------------"]
    for cluster in data["clusters"]:
        lines.append(
            f"{cluster['key']}  {cluster['name']}  ({counted(cluster['size'], 'picture')}, {cluster['mood']})"
        )
        lines += [f"    {line}" for line in _fit_lines(cluster)]
        lines.append(f"    music: {cluster['track'] or 'none'}{_from(cluster['music_from'])}")
        lines.append(f"    why:   {cluster['why']}")
        lines.append(f"    video: {cluster['video'] or 'none; not rendered yet, or rendering failed'}")
        if fit := in_words(cluster["music_fit"]):
            lines.append(f"           {fit} ({cluster['music_fit']:+.2f})")
    if film := data.get("film"):
        lines += ["", f"Film of all: {film['path']}"]
    if files := data["rejected_files"]:
        lines += ["", "Rejected files", "--------------"]
        lines += [f"{file['path']}  [{file['stage']}] {file['reason']}" for file in files[:50]]
        if len(files) > 50:
            lines.append(f"... and {len(files) - 50:,} more in the JSON")
    lines += ["", "Seconds per stage (0: was up to date)", "-------------------------------------"]
    lines += [f"{name:<20}{seconds:>9.2f}" for name, seconds in data["seconds"].items()]
    lines += ["", "Versions: " + ", ".join(f"{name} {version}" for name, version in data["versions"].items())]
    return "\n".join(map(printable, lines)) + "\n"


def _from(seconds: float | None) -> str:
    """Where in its track the music of a video begins; nothing where that is at its start or not known."""
    return f", from {int(seconds // 60)}:{int(seconds % 60):02}" if seconds and seconds >= 1 else ""


def _fit_lines(cluster: Mapping[str, Any]) -> list[str]:
    """How well a cluster holds together, and its most and least typical pictures; nothing where that is not known."""
    figures = []
    if cluster.get("silhouette") is not None:
        figures.append(f"silhouette {cluster['silhouette']:.2f}")
    if cluster.get("neighbour"):
        figures.append(f"nearest {cluster['neighbour']}")
    lines = [f"fit:   {', '.join(figures)}"] if figures else []
    if cluster.get("representative"):
        lines.append(f"representative: {cluster['representative']}")
    if cluster.get("typical") and cluster["size"] > len(cluster["typical"]):
        lines.append(f"most typical:  {', '.join(cluster['typical'])}")
        lines.append(f"least typical: {', '.join(cluster['untypical'])}")
    return lines
