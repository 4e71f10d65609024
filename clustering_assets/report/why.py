"""What became of one picture, and why, in sentences."""

import difflib
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import pandas as pd

from clustering_assets.clustering.choices import EXCLUDE, is_shown
from clustering_assets.clustering.keys import UNCLUSTERED
from clustering_assets.errors import ClusteringError
from clustering_assets.files.local import LocalFolder
from clustering_assets.files.source import FileSource, is_listed
from clustering_assets.images.ledger import LOOKS_THE_SAME
from clustering_assets.images.manifest import DUPLICATE, REJECTED
from clustering_assets.words import counted, ordinal

if TYPE_CHECKING:
    from clustering_assets.video.storyboard import Storyboard
    from clustering_assets.video.timeline import Timeline


class UnknownPicture(ClusteringError):
    """A picture that no scan has seen."""


def find_picture(given: str, known: Sequence[str], source: FileSource) -> str:
    """The path, relative to the images folder, of the picture that a user means.

    Args:
        given: Its path, its path below the images folder, or its name where only one has it.
        known: The paths that the last scan found.
        source: Where the pictures are.

    Raises:
        UnknownPicture: The last scan has not found it; with the reason as far as it can be told.
    """
    name = PurePath(given).as_posix()
    if isinstance(source, LocalFolder):
        absolute, root = Path(given).absolute(), source.folder.absolute()
        if absolute.is_relative_to(root):
            name = absolute.relative_to(root).as_posix()
    if name in known:
        return name
    named = [path for path in known if PurePath(path).name == name]
    if len(named) == 1:
        return named[0]
    if named:
        raise UnknownPicture(f"{given} may be any of these:\n" + "\n".join(f"  {path}" for path in named))
    raise UnknownPicture(
        f"{given} is not among the {counted(len(known), 'file')} that the last scan found: "
        + _absence(name, known, source)
    )


def _absence(name: str, known: Sequence[str], source: FileSource) -> str:
    """Why a file may not have been found."""
    if hidden := next((part for part in PurePath(name).parts if not is_listed(part)), ""):
        return (
            f"{hidden} is a name that no scan looks at (hidden, unfinished, or kept by a system for itself)."
        )
    try:
        source.stat(name)
    except OSError:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        return f"there is no such file in {source}.{hint}"
    return f"it is in {source} now; it came after the scan, or lies in a folder that is left out. The next run shows."


def why(
    path: str, ledger: pd.DataFrame, assignments: pd.DataFrame, storyboard: "Storyboard | None"
) -> list[str]:
    """What became of a picture at every stage, in sentences.

    Args:
        path: One of the paths of the ledger.
        ledger: The table `ledger`.
        assignments: The table `cluster_assignments`.
        storyboard: The plan of its cluster's video; None where there is none.
    """
    row = ledger[ledger["path"] == path].iloc[0]
    lines = [_outcome(row)]
    members = assignments[assignments["path"] == path]
    if members.empty:
        return lines
    member = members.iloc[0]
    mates = assignments[assignments["cluster"] == member["cluster"]]
    if member["cluster"] == UNCLUSTERED:
        lines.append(
            f"It belongs to no cluster: it is too unlike all others. {len(mates):,} such pictures share a video."
        )
    else:
        rank = int((mates["typicality"] > member["typicality"]).sum()) + 1
        lines.append(
            f"It is in cluster {member['cluster']}, “{member['cluster_name']}”, as the "
            f"{'most' if rank == 1 else f'{ordinal(rank)} most'} typical of "
            f"{counted(len(mates), 'picture')}{_fit(member['silhouette'])}."
        )
    if storyboard:
        lines.append(_shown(path, member, storyboard))
    return lines


def _outcome(row: pd.Series) -> str:
    """What the scan and the stages after it made of a file."""
    if row["outcome"] == REJECTED:
        return f"It is not used: {row['reason']} (stage {row['stage']})."
    if row["outcome"] != DUPLICATE:
        return "It is used."
    if row["reason"] == LOOKS_THE_SAME:
        return (
            f"It looks the same as {row['duplicate_of']}, which is sharper and stands for both in the video."
        )
    return f"It has the very pixels of {row['duplicate_of']}, which stands for both."


def _fit(silhouette: float) -> str:
    """How a picture lies in its cluster, as the end of a sentence."""
    if pd.isna(silhouette):
        return ""
    if silhouette < 0:
        return f"; it lies nearer to another cluster (silhouette {silhouette:.2f})"
    where = "it lies well inside" if silhouette > 0.25 else "another cluster is nearly as near"
    return f"; {where} (silhouette {silhouette:.2f})"


def _shown(path: str, member: pd.Series, storyboard: "Storyboard") -> str:
    """Where in its cluster's video a picture is seen, or what keeps it out."""
    slides = enumerate(storyboard.slides)
    seen = {shown: number for number, still in slides if still for shown in still.paths}
    if path in seen:
        return f"The video shows it {_place(storyboard.timeline, seen[path])}."
    if member.get("choice") == EXCLUDE:
        return "The video does not show it: you have excluded it in your file of choices."
    for failure in storyboard.failures:
        if failure.path == path:
            return f"The video goes without it: {failure.reason}."
    twin = member["duplicate_of"]
    if twin in seen:
        return f"The video shows {twin} in its place, {_place(storyboard.timeline, seen[twin])}."
    most = storyboard.material.settings.max_images_per_video
    alone = int(is_shown(storyboard.material.images.fillna({"duplicate_of": ""})).sum())
    return (
        f"The video does not show {'either' if twin else 'it'}: it has room for {most} of {alone:,} pictures, and "
        f"others stand better for the cluster. With max_images_per_video = {alone} it shows all."
    )


def _place(timeline: "Timeline", number: int) -> str:
    """Which slide it is, and when it is seen."""
    slide = timeline.slides[number]
    seconds = f"{slide.cut / timeline.fps:.1f} to {slide.until / timeline.fps:.1f} s"
    return f"as slide {number + 1} of {len(timeline.slides)}, from {seconds}"
