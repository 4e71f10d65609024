"""Clusters as folders of pictures: links to the originals, or copies of them, which are never touched."""

import json
import os
import shutil
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

import pandas as pd

from clustering_assets.clustering.keys import partition_key
from clustering_assets.errors import ClusteringError
from clustering_assets.files.local import LocalFolder
from clustering_assets.files.source import FileSource, SourceFile
from clustering_assets.progress import track
from clustering_assets.storage import atomic_path, mark_output, write_text

How = Literal["links", "hardlinks", "copies"]

LISTING = ".clustering_export.json"
"""Name of the file in the folder of an export that says what the export put there."""

_LONGEST = 200
"""Most bytes of a folder's name; file systems take 255."""


class ExportError(ClusteringError):
    """Something cannot be exported for a reason that the user can mend."""


class NotExported(NamedTuple):
    """A picture that is not in the export.

    Attributes:
        path: The picture, relative to the images folder.
        reason: Why, in words.
    """

    path: str
    reason: str


@dataclass(frozen=True)
class Exported:
    """What an export did.

    Attributes:
        folders: How many folders there are, one for each cluster.
        made: Pictures that were put there.
        kept: Pictures that were there already.
        removed: Pictures of an earlier export that are in another cluster now, or in none.
        failures: Pictures that could not be exported.
    """

    folders: int
    made: int
    kept: int
    removed: int
    failures: tuple[NotExported, ...]


class _Put(NamedTuple):
    """What an export put somewhere: how, its size, and its time of change in nanoseconds."""

    how: str
    bytes: int
    mtime_ns: int


def export_folders(
    assignments: pd.DataFrame, source: FileSource, destination: Path, how: How = "links"
) -> Exported:
    """Make a folder for each cluster, named like it, with its pictures; what an earlier export left over goes.

    Nothing is overwritten, and nothing is removed but what an export put there and nobody changed since.

    Args:
        assignments: The table `cluster_assignments`.
        source: Where the pictures are.
        destination: The folder to make them in; made if missing. It is marked, so that no scan takes it for pictures.
        how: Symbolic links, hard links or copies.

    Raises:
        ExportError: Links to pictures that are not on this machine, or a destination that cannot be written to.
    """
    if how != "copies" and not isinstance(source, LocalFolder):
        raise ExportError(f"the pictures of {source} are not on this machine: export copies, not {how}")
    try:
        destination.mkdir(parents=True, exist_ok=True)
        mark_output(destination)
        earlier = _earlier(destination)
        wanted = dict(_places(assignments))
        removed = sum(_remove(destination / name, put) for name, put in earlier.items() if name not in wanted)
        there: dict[str, _Put] = {}
        failures = []
        made = 0
        for name, path in track(wanted.items(), "Exporting", unit="images", total=len(wanted)):
            place = destination / name
            try:
                if not _is_there(source / path, place, how):
                    if before := earlier.get(name):
                        _remove(place, before)
                    _put(source / path, place, how)
                    made += 1
                facts = place.lstat()
                there[name] = _Put(how, facts.st_size, facts.st_mtime_ns)
            except OSError as error:
                failures.append(NotExported(path, _reason(error, place)))
        write_text(destination / LISTING, json.dumps(there, indent=0))
    except OSError as error:
        raise ExportError(f"{destination} cannot be written to: {error.strerror or error}") from error
    folders = {PurePosixPath(name).parent for name in there}
    return Exported(len(folders), made, len(there) - made, removed, tuple(failures))


def folder_names(names: Mapping[str, str]) -> dict[str, str]:
    """The folder of each cluster, by partition key.

    Args:
        names: The name of each cluster, by partition key; names that would give the same folder get their key as well.
    """
    plain = {key: _as_file_name(name) or key for key, name in names.items()}
    often = Counter(name.casefold() for name in plain.values())
    return {key: name if often[name.casefold()] == 1 else f"{name} ({key})" for key, name in plain.items()}


def _places(assignments: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Where below the destination each picture goes, and its path; two of the same name in a folder are numbered."""
    rows = assignments.sort_values("path")
    keys = [partition_key(cluster) for cluster in rows["cluster"]]
    folders = folder_names(dict(zip(keys, rows["cluster_name"].map(str), strict=True)))
    taken: set[str] = set()
    for key, path in zip(keys, rows["path"].map(str), strict=True):
        file = PurePosixPath(path)
        number, name = 1, f"{folders[key]}/{file.name}"
        while name.casefold() in taken:
            number += 1
            name = f"{folders[key]}/{file.stem} ({number}){file.suffix}"
        taken.add(name.casefold())
        yield name, path


def _as_file_name(name: str) -> str:
    """A name as a file system takes it: without separators, what Windows refuses, or dots and spaces at its ends."""
    composed = unicodedata.normalize("NFC", name)
    kept = "".join(
        letter if letter.isprintable() and letter not in '<>:"/\\|?*' else " " for letter in composed
    )
    return " ".join(kept.split()).encode()[:_LONGEST].decode(errors="ignore").strip(" .")


def _earlier(destination: Path) -> dict[str, _Put]:
    """What an earlier export put into a folder, by name; nothing where that is not known."""
    try:
        listing = json.loads((destination / LISTING).read_text(encoding="utf-8"))
        return {name: _Put(*put) for name, put in listing.items() if _is_inside(name)}
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return {}


def _is_inside(name: str) -> bool:
    """Whether a name of the listing, which anybody may have written, is one that an export gives."""
    parts = PurePosixPath(name).parts
    return len(parts) == 2 and not {"..", "/"} & set(parts)


def _is_there(file: SourceFile, place: Path, how: How) -> bool:
    """Whether a picture is where it is wanted already, as an export puts it there."""
    if not os.path.lexists(place):
        return False
    if how == "copies":
        facts, copy = file.stat(), place.lstat()
        return not place.is_symlink() and (facts.bytes, facts.mtime_ns) == (copy.st_size, copy.st_mtime_ns)
    is_link = place.is_symlink()
    return is_link == (how == "links") and place.exists() and place.samefile(_original(file))


def _remove(place: Path, put: _Put) -> bool:
    """Remove what an export put somewhere, and its folder if nothing else is in it; whether it was there unchanged."""
    if not os.path.lexists(place):
        return False
    facts, is_link = place.lstat(), place.is_symlink()
    if is_link != (put.how == "links") or (facts.st_size, facts.st_mtime_ns) != put[1:]:
        return False
    place.unlink()
    with suppress(OSError):
        place.parent.rmdir()
    return True


def _put(file: SourceFile, place: Path, how: How) -> None:
    """Put a picture where it is wanted.

    Raises:
        FileExistsError: There is something already.
        OSError: It cannot be put there.
    """
    place.parent.mkdir(exist_ok=True)
    if how == "copies":
        if os.path.lexists(place):
            raise FileExistsError
        facts = file.stat()
        with file.open() as data, atomic_path(place) as partial, partial.open("wb") as copy:
            shutil.copyfileobj(data, copy, 1 << 20)
        os.utime(place, ns=(facts.mtime_ns, facts.mtime_ns))
        return
    original = _original(file)
    original.stat()
    if how == "links":
        place.symlink_to(original)
    else:
        place.hardlink_to(original)


def _original(file: SourceFile) -> Path:
    """The file itself, on this machine."""
    assert isinstance(file.source, LocalFolder)
    return (file.source.folder / file.path).absolute()


def _reason(error: OSError, place: Path) -> str:
    if isinstance(error, FileExistsError):
        return f"{place} is there already and is not from an export"
    return error.strerror or type(error).__name__
