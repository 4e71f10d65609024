"""The manifest: one row for every file of a folder, with what it is, how it looks and what became of it."""

import hashlib
import logging
import re
from collections.abc import Iterable
from contextlib import closing
from dataclasses import fields
from pathlib import Path, PurePosixPath
from typing import TypedDict

import numpy as np
import pandas as pd
import pyarrow as pa

from clustering_assets.errors import ClusteringError
from clustering_assets.files import file_source
from clustering_assets.files.source import (
    FileSource,
    FoundFile,
    SourceFile,
    files_of_kind,
    links_left_out,
    printable,
)
from clustering_assets.images.formats.registry import reader_of
from clustering_assets.images.formats.signatures import HEAD_BYTES, PICTURE_SUFFIXES, is_raw
from clustering_assets.images.inspection import Look
from clustering_assets.images.inspectors import look_at_all
from clustering_assets.progress import track
from clustering_assets.settings import DEFAULT_LIMITS, Limits
from clustering_assets.tables import IMAGE_MANIFEST
from clustering_assets.threads import opencv_on_one_thread
from clustering_assets.words import counted
from clustering_assets.work.choice import make_engine
from clustering_assets.work.engine import Engine

log = logging.getLogger("clustering_assets.images")

USED, DUPLICATE, REJECTED = "used", "duplicate", "rejected"

OTHER = "other"
"""Stage of files that are no pictures and do not claim to be: they are listed, but count as no failure."""

SCAN_VERSION = 7
"""Goes up when a file that did not change would get a different row; rows of other versions are not reused."""

_RAW = "a camera raw file, which is not read: export it as a JPEG or TIFF"
_COMPANION = "a camera raw file beside its picture"
_REOPENED = ("find", "read", "limits")


class DatasetError(ClusteringError):
    """A folder of pictures that a run cannot go on with."""


def scan(
    folder: Path | FileSource,
    previous: pd.DataFrame | None = None,
    limits: Limits = DEFAULT_LIMITS,
    engine: Engine | None = None,
    now: pd.Timestamp | None = None,
) -> pd.DataFrame:
    """Look at every file of a folder once.

    A file is opened, decoded in full, hashed and measured in one go. A file whose path, size and time are those
    of a row of `previous` is not opened again, unless it was refused for a reason that may have passed
    (a limit, a link, a missing permission).

    Args:
        folder: Where the pictures are: a folder, searched recursively, or another source.
        previous: The manifest of an earlier scan of the same folder.
        limits: What is refused before it is decoded.
        engine: What looks at the files; None: processes of their own, so that all cores work and a file on which a
            decoder crashes or hangs costs only itself.
        now: When pictures that `previous` does not have count as added, in local time; None: the time now.

    Returns:
        One row for every file, sorted by path, with the columns of `clustering_assets.tables.IMAGE_MANIFEST`.

    Raises:
        DatasetError: The folder is missing, is no folder or cannot be read.
    """
    source = file_source(folder)
    files = _listed(source)
    if links := links_left_out(files, source):
        log.warning("%s", links)
    if previous is not None and "added_at" not in previous:  # of an older version
        previous = previous.assign(added_at=pd.Series(pd.NaT, previous.index))
    known = _reusable(previous, files, limits)
    rows: list[Look | None] = [None] * len(files)
    fresh = [index for index, row in enumerate(known) if row < 0]
    looking = look_at_all(source, [files[index] for index in fresh], limits, engine or make_engine())
    with opencv_on_one_thread(), closing(looking) as looked:
        for index, row in zip(fresh, track(looked, "Scanning", len(fresh), "files"), strict=True):
            rows[index] = row
    manifest = _judged(_table(files, rows, previous, known))
    added = _added(manifest["content_hash"], previous, now or pd.Timestamp.now())
    return manifest.assign(added_at=added.astype(manifest["added_at"].dtype))


def _added(hashes: pd.Series, previous: pd.DataFrame | None, now: pd.Timestamp) -> pd.Series:
    """When pixels with these hashes were first found; NaT for those of the first scan, and of rejected files."""
    if previous is None:
        return pd.Series(pd.NaT, hashes.index)
    before = previous.drop_duplicates("content_hash").set_index("content_hash")["added_at"]
    return hashes.map(before).where(hashes.isin(before.index) | (hashes == ""), now)


def pictures_among(files: Iterable[FoundFile], source: FileSource) -> list[FoundFile]:
    """The files that are pictures or claim to be, by their ending or else by their first bytes (`files_of_kind`)."""
    return files_of_kind(
        files,
        source,
        lambda file: PurePosixPath(file.path).suffix.lower() in PICTURE_SUFFIXES,
        _begins_like_a_picture,
    )


def _begins_like_a_picture(file: SourceFile) -> bool:
    """Whether a reader knows a file; not if it cannot be opened."""
    try:
        with file.open() as opened:
            return reader_of(opened.read(HEAD_BYTES)) is not None
    except OSError:
        return False


def usable(manifest: pd.DataFrame) -> pd.DataFrame:
    """The rows that the stages after the scan work on: everything but the rejected, duplicates included."""
    return manifest[manifest["outcome"] != REJECTED].reset_index(drop=True)


def content_digest(manifest: pd.DataFrame) -> str:
    """32 hex digits that change when a path, the pixels behind it or their outcome does; times do not count."""
    digest = hashlib.blake2b(digest_size=16)
    columns = (manifest[name].tolist() for name in ("path", "content_hash", "outcome"))
    for row in zip(*columns, strict=True):
        digest.update("\0".join(row).encode() + b"\n")
    return digest.hexdigest()


def with_failures(manifest: pd.DataFrame, failures: Iterable[tuple[str, str, str]]) -> pd.DataFrame:
    """The manifest after a later stage failed on some files: those are rejected too.

    Args:
        manifest: A manifest as `scan` returns it.
        failures: Path, stage and reason of each; paths that the manifest does not have, or has rejected already,
            are passed over.

    Returns:
        A new manifest. A duplicate of a rejected file takes its place.
    """
    failed = {path: (stage, reason) for path, stage, reason in failures}
    found = manifest["path"].isin(list(failed)) & (manifest["stage"] == "")
    result = manifest.copy()
    result.loc[found, "stage"] = [failed[path][0] for path in manifest.loc[found, "path"]]
    result.loc[found, "reason"] = [failed[path][1] for path in manifest.loc[found, "path"]]
    return _judged(result)


class Reason(TypedDict):
    """One reason why files were rejected; plain enough for JSON.

    Attributes:
        stage: Where it happened.
        reason: What was wrong, numbers replaced by N.
        count: Number of files.
        example: Path of the first.
    """

    stage: str
    reason: str
    count: int
    example: str


def common_reasons(manifest: pd.DataFrame, n: int = 10) -> list[Reason]:
    """The `n` commonest reasons of rejection; reasons that differ in numbers count as one.

    Those that count as failures come before those of files that are no pictures, the most common first.
    """
    rejected = manifest[manifest["outcome"] == REJECTED]
    counts: dict[tuple[str, str], list[str]] = {}
    for path, stage, reason in zip(rejected["path"], rejected["stage"], rejected["reason"], strict=True):
        counts.setdefault((stage, re.sub(r"(?<![\w-])\d[\d,.]*", "N", reason)), []).append(path)
    ranked = sorted(counts.items(), key=lambda item: (item[0][0] == OTHER, -len(item[1]), item[0]))
    return [
        Reason(stage=stage, reason=reason, count=len(paths), example=paths[0])
        for (stage, reason), paths in ranked[:n]
    ]


def failure_rate(manifest: pd.DataFrame) -> float:
    """Rejected files over all files, 0 to 1, leaving out those that neither are pictures nor claim to be."""
    pictures = manifest[manifest["stage"] != OTHER]
    return float((pictures["outcome"] == REJECTED).mean()) if len(pictures) else 0.0


def check_folder(folder: Path | FileSource, min_images: int) -> int:
    """Refuse a folder that cannot have enough pictures, without opening a file.

    Args:
        folder: Where the pictures are.
        min_images: Fewest usable pictures.

    Returns:
        Number of files that may be pictures.

    Raises:
        DatasetError: The folder is missing or cannot be read, or holds too few files.
    """
    source = file_source(folder)
    found = _listed(source)
    files = sum(file.problem is None for file in found)
    links = links_left_out(found, source)
    _check_count(files, "file", folder, min_images, f"\n{links}" if links else "")
    return files


def check_usable(
    manifest: pd.DataFrame, folder: Path | FileSource, min_images: int, max_failure_rate: float
) -> None:
    """Refuse a dataset that has too few usable pictures or too many failures.

    Args:
        manifest: A manifest as `scan` returns it.
        folder: Where it comes from, for the message.
        min_images: Fewest usable pictures.
        max_failure_rate: Largest share of failed files, 0 to 1.

    Raises:
        DatasetError: With what was found, what is needed, the commonest reasons and the setting that decides.
    """
    if not len(manifest):
        _check_count(0, "file", folder, min_images)
    count = int((manifest["outcome"] != REJECTED).sum())
    _check_count(count, "usable picture", folder, min_images, _why(manifest))
    rate = failure_rate(manifest)
    if rate > max_failure_rate:
        raise DatasetError(
            f"{rate:.1%} of the files in {folder} cannot be used, but max_failure_rate is {max_failure_rate:.1%}. "
            f"Mend or remove them, or raise it (CLUSTERING_MAX_FAILURE_RATE={rate + 0.005:.2f}).{_why(manifest)}"
        )


def _check_count(count: int, what: str, folder: Path | FileSource, min_images: int, why: str = "") -> None:
    """Refuse fewer than `min_images`; none at all is too few whatever the setting."""
    if not count:
        advice = "Put pictures there, or name another folder with --images or CLUSTERING_IMAGES."
        raise DatasetError(f"There are no {what}s in {folder}. {advice}{why}")
    if count < min_images:
        advice = f"Add pictures, or lower min_images (--min-images {count}, CLUSTERING_MIN_IMAGES={count})."
        verb = "is" if count == 1 else "are"
        raise DatasetError(
            f"There {verb} {counted(count, what)} in {folder}, but min_images is {min_images:,}. {advice}{why}"
        )


def _why(manifest: pd.DataFrame) -> str:
    """The commonest reasons of rejection as further lines of a message; nothing if there are none."""
    lines = [
        f"\n  {reason['count']:,} x {reason['reason']} ({reason['stage']}), such as {printable(reason['example'])}"
        for reason in common_reasons(manifest)
    ]
    return "".join(["\nRejected:", *lines]) if lines else ""


def _listed(source: FileSource) -> list[FoundFile]:
    """The files of a source, or a message that says why there are none."""
    try:
        return source.files()
    except FileNotFoundError:
        problem = "does not exist"
    except NotADirectoryError:
        problem = "is not a folder"
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
    raise DatasetError(
        f"The folder of pictures {source} {problem}. Name the right one with --images or CLUSTERING_IMAGES."
    )


def _reusable(previous: pd.DataFrame | None, files: list[FoundFile], limits: Limits) -> list[int]:
    """For each file the number of its row in `previous`, or -1 if it has to be looked at.

    What was refused for its size is looked at again, and so is what the limits of now refuse.
    """
    if previous is None or not set(IMAGE_MANIFEST.columns) <= set(previous.columns):
        return [-1] * len(files)
    columns = [previous[name].tolist() for name in ("path", "bytes", "mtime_ns", "stage", "scan_version")]
    pixels = previous["width"].to_numpy(dtype=np.float64) * previous["height"].to_numpy(dtype=np.float64)
    too_large = (
        (pixels > limits.max_megapixels * 1e6) | (previous["bytes"] > limits.max_file_megabytes * 1e6)
    ).to_numpy(dtype=bool)
    known = {
        (path, size, time): row
        for row, (path, size, time, stage, version) in enumerate(zip(*columns, strict=True))
        if stage not in _REOPENED and version == SCAN_VERSION and not too_large[row]
    }
    return [-1 if file.problem else known.get((file.path, file.bytes, file.mtime_ns), -1) for file in files]


def _table(
    files: list[FoundFile], rows: list[Look | None], previous: pd.DataFrame | None, known: list[int]
) -> pd.DataFrame:
    """The manifest before judging: new rows and rows of `previous` in the order of `files`, built by columns."""
    fresh = [index for index, row in enumerate(rows) if row is not None]
    columns = {
        "path": [files[index].path for index in fresh],
        "bytes": [files[index].bytes for index in fresh],
        "mtime_ns": [files[index].mtime_ns for index in fresh],
        "outcome": [""] * len(fresh),
        "duplicate_of": [""] * len(fresh),
        "scan_version": [SCAN_VERSION] * len(fresh),
        "added_at": [None] * len(fresh),
    }
    for field in fields(Look):
        columns[field.name] = [getattr(rows[index], field.name) for index in fresh]
    table = IMAGE_MANIFEST.arrow(columns)
    order = np.empty(len(files), np.int64)
    order[fresh] = np.arange(len(fresh))
    kept = [index for index, row in enumerate(known) if row >= 0]
    if kept and previous is not None:
        rows_kept = previous[IMAGE_MANIFEST.schema.names].iloc[[known[index] for index in kept]]
        old = pa.Table.from_pandas(rows_kept, IMAGE_MANIFEST.schema, preserve_index=False)
        table = pa.concat_tables([table, old.replace_schema_metadata(None)])
        order[kept] = len(fresh) + np.arange(len(kept))
    return table.take(order).to_pandas()


def _judged(manifest: pd.DataFrame) -> pd.DataFrame:
    """`manifest` with outcomes: of files with the same pixels the first is used, the others are its duplicates.

    A camera's raw file beside a picture of the same name is no failure: the picture is what was wanted.
    """
    raw = manifest["stage"].isin(["format", OTHER]) & manifest["path"].map(is_raw).astype(bool)
    if raw.any():
        names = manifest["path"].str.replace(r"\.[^./]*$", "", regex=True).str.casefold()
        beside = names.isin(names[manifest["stage"] == ""])
        known = manifest["reason"].str.startswith("a camera raw file")
        manifest = manifest.assign(
            stage=manifest["stage"].where(~raw, np.where(beside, OTHER, "format")),
            reason=manifest["reason"].where(~(raw & known), np.where(beside, _COMPANION, _RAW)),
        )
    rejected = manifest["stage"] != ""
    sound = manifest[~rejected]
    first = sound.drop_duplicates("content_hash").set_index("content_hash")["path"]
    original = manifest["content_hash"].map(first).where(~rejected, "").fillna("").astype(str)
    duplicate = ~rejected & (original != manifest["path"])
    return manifest.assign(
        outcome=np.select([rejected, duplicate], [REJECTED, DUPLICATE], USED),
        duplicate_of=original.where(duplicate, ""),
    )
