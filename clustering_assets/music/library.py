"""The music library: one row of facts for each file of the music folder, kept as long as the file stays the same."""

import hashlib
import logging
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from clustering_assets.audio.decoding import DecodeLimits, holds_audio
from clustering_assets.music.analysis import VERSION, TrackFacts, analyse_track
from clustering_assets.music.moods import mood_words
from clustering_assets.progress import task
from clustering_assets.storage import OUTPUT_MARK, PARTIAL
from clustering_assets.tables import MUSIC_TRACKS
from clustering_assets.threads import available_cores

log = logging.getLogger("clustering_assets.music")

ENDINGS = (
    ".aac", ".ac3", ".aif", ".aiff", ".ape", ".au", ".caf", ".flac", ".m4a", ".m4b", ".m4p", ".mka", ".mp2", ".mp3",
    ".mpc", ".oga", ".ogg", ".opus", ".tta", ".wav", ".w64", ".wma", ".wv",
)  # fmt: skip
"""File endings that claim to be music: such a file is listed with a reason if it is none. Any other file is
taken if there is sound in it, and passed over if not."""

SCORES = (".it", ".kar", ".mid", ".midi", ".mod", ".s3m", ".xm")
"""File endings of music that is written down and not recorded: listed with that reason where no sound is in it."""


def analyse_library(
    folder: Path,
    previous: pd.DataFrame | None = None,
    *,
    limits: DecodeLimits | None = None,
    workers: int | None = None,
) -> pd.DataFrame:
    """Analyse every music file below a folder.

    A file whose size and time are those of its row in `previous`, or whose content is that of any row there,
    is not decoded again, unless that row was rejected. Nothing is raised for a bad file: it gets a row with its reason.

    Args:
        folder: The music folder, searched recursively. Missing or empty: an empty table and a warning.
        previous: The table of the last analysis.
        limits: Bounds on decoding.
        workers: Files analysed at once; None for one per processor, at most 8.

    Returns:
        A table with the columns of `clustering_assets.tables.MUSIC_TRACKS`, sorted by path.
    """
    files = list(_music_files(folder))
    if not files:
        log.warning(
            "No music in %s: videos will have no sound. Put audio files there to change that.", folder
        )
        return track_table([])
    known = _Known(previous)
    limits = limits or DecodeLimits()
    with (
        task("Analysing music", len(files), "track" if len(files) == 1 else "tracks") as running,
        _pool(workers) as pool,
    ):

        def facts(path: Path) -> TrackFacts:
            found = _facts(path, folder, known, limits)
            running.advance()
            return found

        rows = list(pool.map(facts, files))
    for row in rows:
        if row.outcome == "rejected":
            log.warning("%s is not used: %s", folder / row.path, row.reason)
    return track_table(rows)


def track_table(rows: list[TrackFacts]) -> pd.DataFrame:
    """Rows as a `music_tracks` table."""
    columns = {name: [getattr(row, name) for row in rows] for name in MUSIC_TRACKS.columns}
    return MUSIC_TRACKS.arrow(columns).to_pandas()


def usable_tracks(tracks: pd.DataFrame) -> list[TrackFacts]:
    """The tracks of a `music_tracks` table that can be played, each content once, sorted by path."""
    used = tracks[tracks["outcome"] == "used"].sort_values("path").drop_duplicates("content_hash")
    return [_facts_of_row(row) for row in used.to_dict("records")]


def _pool(workers: int | None) -> ThreadPoolExecutor:
    # decoding and spectra run outside the interpreter's lock
    return ThreadPoolExecutor(workers or min(available_cores(), 8), thread_name_prefix="music")


def _music_files(folder: Path) -> Iterator[Path]:
    """Files below `folder` that are music or claim to be, sorted; hidden ones and results are passed over."""
    base = os.path.realpath(folder)
    found = []
    for place, folders, names in os.walk(folder):  # symbolic links to folders are not followed
        folders[:] = sorted(name for name in folders if _is_searched(Path(place, name)))
        for name in names:
            path = Path(place) / name
            if name.startswith(".") or name.endswith(PARTIAL):
                continue
            if path.is_symlink() and not os.path.realpath(path).startswith(base + os.sep):
                log.warning("%s is passed over: it is a link to outside the music folder", path)
                continue
            if path.suffix.lower() in ENDINGS + SCORES or holds_audio(path):
                found.append(path)
    yield from sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def _is_searched(folder: Path) -> bool:
    """Whether a folder may hold music of the user's: it is not hidden and holds no results of ours."""
    # Unlike that of `Path`, this `exists` is false in a folder that may not be entered.
    return not folder.name.startswith(".") and not os.path.exists(folder / OUTPUT_MARK)  # noqa: PTH110


class _Known:
    """Rows of an earlier analysis, by file and by content."""

    def __init__(self, previous: pd.DataFrame | None) -> None:
        self._by_file: dict[tuple[str, int, int], TrackFacts] = {}
        self._by_content: dict[str, TrackFacts] = {}
        if previous is None or "analysis_version" not in previous:
            return
        # a rejected file is tried again: what was wrong may have been outside of it
        kept = (previous["analysis_version"] == VERSION) & (previous["outcome"] == "used")
        for row in previous[kept].to_dict("records"):
            facts = _facts_of_row(row)
            self._by_file[facts.path, facts.bytes, facts.mtime_ns] = facts
            self._by_content[facts.content_hash] = facts

    def file(self, path: str, size: int, mtime_ns: int) -> TrackFacts | None:
        return self._by_file.get((path, size, mtime_ns))

    def content(self, content_hash: str) -> TrackFacts | None:
        return self._by_content.get(content_hash)


def _facts_of_row(row: Mapping[Any, Any]) -> TrackFacts:
    values = {name: row[name] for name in MUSIC_TRACKS.columns}
    values["beat_times"] = [float(beat) for beat in values["beat_times"]]
    return TrackFacts(**values)


def _facts(path: Path, folder: Path, known: _Known, limits: DecodeLimits) -> TrackFacts:
    """The row of one file, from an earlier analysis if it is in there."""
    name = path.relative_to(folder).as_posix()
    try:
        status = path.stat()
        same = known.file(name, status.st_size, status.st_mtime_ns)
        if same is not None:
            return same
        if not path.is_file():
            return TrackFacts(name, reason="not a regular file")
        with path.open("rb") as file:
            content_hash = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as problem:
        return TrackFacts(name, reason=f"cannot be read ({problem.strerror})")
    bare = TrackFacts(name, content_hash=content_hash, bytes=status.st_size, mtime_ns=status.st_mtime_ns)
    same = known.content(content_hash)
    if same is None:
        facts = analyse_track(path, bare, limits=limits)
        if facts.outcome == "rejected" and path.suffix.lower() in SCORES:
            return replace(facts, reason="notes for a synthesiser, not sound: save it as audio first")
        return _with_tags(facts)
    moved = replace(same, path=name, bytes=bare.bytes, mtime_ns=bare.mtime_ns)
    return _with_tags(replace(moved, title=same.title if same.title != Path(same.path).stem else path.stem))


def _with_tags(facts: TrackFacts) -> TrackFacts:
    """`facts` with the moods that its name, title and genre speak of."""
    # what the folders are called says as much as the name: music/battle/01.ogg
    return replace(facts, tags=" ".join(sorted(mood_words(facts.path, facts.title, facts.genre))))
