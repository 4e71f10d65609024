"""The music library: one row of facts for each file of the music folder, kept as long as the file stays the same."""

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from clustering_assets.audio.decoding import DecodeLimits, holds_audio
from clustering_assets.files import file_source
from clustering_assets.files.source import (
    BROKEN_LINK,
    LEAVES_FOLDER,
    NOT_REGULAR,
    FileSource,
    FoundFile,
    SourceFile,
    files_of_kind,
    links_left_out,
    printable,
)
from clustering_assets.music.analysis import VERSION, TrackFacts, analyse_track
from clustering_assets.music.moods import mood_words
from clustering_assets.progress import task
from clustering_assets.tables import MUSIC_TRACKS
from clustering_assets.threads import available_cores
from clustering_assets.words import one_line

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
    folder: Path | FileSource,
    previous: pd.DataFrame | None = None,
    *,
    limits: DecodeLimits | None = None,
    workers: int | None = None,
    mood_model: str = "",
) -> pd.DataFrame:
    """Analyse every music file below a folder.

    A file whose size and time are those of its row in `previous`, or whose content is that of any row there,
    is not decoded again, unless that row was rejected. Nothing is raised for a bad file: it gets a row with its reason.

    Args:
        folder: Where the music is. Missing or empty: an empty table and a warning.
        previous: The table of the last analysis.
        limits: Bounds on decoding.
        workers: Files analysed at once; None for one per processor, at most 8.
        mood_model: The learned model that is asked as well, from `learned_mood`; '' for none.

    Returns:
        A table with the columns of `clustering_assets.tables.MUSIC_TRACKS`, sorted by path.
    """
    source = file_source(folder)
    try:
        files = tracks_among(source.files(), source)
    except OSError:
        files = []
    if not files:
        log.warning(
            "No music in %s: videos will have no sound. Put audio files there to change that.", source
        )
        return track_table([])
    known = _known(previous, mood_model)
    analyse = partial(analyse_track, limits=limits or DecodeLimits(), mood_model=mood_model)
    with (
        task("Analysing music", len(files), "track" if len(files) == 1 else "tracks") as running,
        # decoding and spectra run outside the interpreter's lock
        ThreadPoolExecutor(workers or min(available_cores(), 8), thread_name_prefix="music") as pool,
    ):

        def facts(file: FoundFile) -> TrackFacts:
            found = _facts(file, source, known, analyse)
            running.advance()
            return found

        rows = list(pool.map(facts, files))
    if links := links_left_out(files, source):
        log.warning("%s", links)
    told = {file.path for file in files if file.problem == LEAVES_FOLDER}
    for row in rows:
        if row.outcome == "rejected" and row.path not in told:
            log.warning("%s is not used: %s", printable(str(source / row.path)), row.reason)
    return track_table(rows)


def track_table(rows: list[TrackFacts]) -> pd.DataFrame:
    """Rows as a `music_tracks` table."""
    columns = {name: [getattr(row, name) for row in rows] for name in MUSIC_TRACKS.columns}
    return MUSIC_TRACKS.arrow(columns).to_pandas()


def usable_tracks(tracks: pd.DataFrame) -> list[TrackFacts]:
    """The tracks of a `music_tracks` table that can be played, each content once, sorted by path."""
    used = tracks[tracks["outcome"] == "used"].sort_values("path").drop_duplicates("content_hash")
    return [_facts_of_row(row) for row in used.to_dict("records")]


def tracks_among(files: Iterable[FoundFile], source: FileSource) -> list[FoundFile]:
    """The files that are music or claim to be (`files_of_kind`), and links that lead nowhere or out of the folder."""
    return files_of_kind(
        files,
        source,
        lambda file: (
            file.path.lower().endswith(ENDINGS + SCORES) or file.problem in (LEAVES_FOLDER, BROKEN_LINK)
        ),
        holds_audio,
    )


def _known(previous: pd.DataFrame | None, mood_model: str) -> dict[Any, TrackFacts]:
    """The tracks of an earlier analysis by path, size and time, and by the hash of their content."""
    if previous is None or not {"analysis_version", "mood_model"} <= set(previous.columns):
        return {}
    same = (previous["analysis_version"] == VERSION) & (previous["mood_model"] == mood_model)
    # a rejected file is tried again: what was wrong may have been outside of it
    kept = previous[same & (previous["outcome"] == "used")]
    rows = [_facts_of_row(row) for row in kept.to_dict("records")]
    return {(row.path, row.bytes, row.mtime_ns): row for row in rows} | {
        row.content_hash: row for row in rows
    }


def _facts_of_row(row: Mapping[Any, Any]) -> TrackFacts:
    """The facts in a row of a `music_tracks` table."""
    values = {name: row[name] for name in MUSIC_TRACKS.columns}
    values["beat_times"] = [float(beat) for beat in values["beat_times"]]
    return TrackFacts(**values)


def _facts(
    file: FoundFile,
    source: FileSource,
    known: Mapping[Any, TrackFacts],
    analyse: Callable[[SourceFile, TrackFacts], TrackFacts],
) -> TrackFacts:
    """The row of one file, from an earlier analysis if it is in there."""
    if file.problem:
        reasons = {
            NOT_REGULAR: "not a regular file",
            LEAVES_FOLDER: f"{LEAVES_FOLDER}: put the music itself there, or set follow_links",
        }
        return TrackFacts(file.path, reason=reasons.get(file.problem, file.problem))
    same = known.get((file.path, file.bytes, file.mtime_ns))
    if same is not None:
        return same
    track = source / file.path
    try:
        with track.open() as content:
            content_hash = hashlib.file_digest(content, "sha256").hexdigest()  # type: ignore[arg-type]
    except OSError as problem:
        return TrackFacts(file.path, reason=f"cannot be read ({problem.strerror})")
    bare = TrackFacts(file.path, content_hash=content_hash, bytes=file.bytes, mtime_ns=file.mtime_ns)
    same = known.get(content_hash)
    if same is None:
        facts = analyse(track, bare)
        if facts.outcome == "rejected" and file.path.lower().endswith(SCORES):
            return replace(facts, reason="notes for a synthesiser, not sound: save it as audio first")
        return _with_tags(facts)
    moved = replace(same, path=file.path, bytes=bare.bytes, mtime_ns=bare.mtime_ns)
    return _with_tags(
        replace(
            moved, title=same.title if same.title != one_line(Path(same.path).stem) else one_line(track.stem)
        )
    )


def _with_tags(facts: TrackFacts) -> TrackFacts:
    """`facts` with the moods that its name, title and genre speak of."""
    # what the folders are called says as much as the name: music/battle/01.ogg
    return replace(facts, tags=" ".join(sorted(mood_words(facts.path, facts.title, facts.genre))))
