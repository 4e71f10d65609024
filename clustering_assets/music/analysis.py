"""Analysis of the music folder: one row of facts for each file, kept as long as the file stays the same."""

import hashlib
import logging
import math
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from clustering_assets.music.decoding import DecodeLimits, DecodeReport, MusicError, decode, holds_audio
from clustering_assets.music.emotion import music_emotion
from clustering_assets.music.loudness import LoudnessMeter
from clustering_assets.music.moods import mood_words
from clustering_assets.music.rhythm import rhythm_of
from clustering_assets.music.spectra import Spectra, SpectrumMeter
from clustering_assets.music.tonality import tonality_of
from clustering_assets.progress import task
from clustering_assets.storage import PARTIAL

log = logging.getLogger("clustering_assets.music")

VERSION = 1
"""Version of the analysis; rows of another version are made again."""

ENDINGS = (
    ".aac", ".ac3", ".aif", ".aiff", ".ape", ".au", ".caf", ".flac", ".m4a", ".m4b", ".m4p", ".mka", ".mp2", ".mp3",
    ".mpc", ".oga", ".ogg", ".opus", ".tta", ".wav", ".w64", ".wma", ".wv",
)  # fmt: skip
"""File endings that claim to be music: such a file is listed with a reason if it is none. Any other file is
taken if there is sound in it, and passed over if not."""

SHORTEST = 1.0
"""Seconds of sound that a track must have to be used."""

QUIET = -60.0
"""Integrated loudness below which a track counts as silent, in LUFS."""

AUDIBLE = 30.0
"""LU below the loud parts of the track from which its beginning and end count as silence."""

FULL = 9.0
"""LU below the integrated loudness down to which music is played at full strength: what comes before is an
intro, what comes after is fading out."""

TRACK_SCHEMA = pa.schema(
    [
        ("path", pa.string()),
        ("content_hash", pa.string()),
        ("bytes", pa.int64()),
        ("mtime_ns", pa.int64()),
        ("analysis_version", pa.int32()),
        ("outcome", pa.string()),
        ("reason", pa.string()),
        ("title", pa.string()),
        ("artist", pa.string()),
        ("genre", pa.string()),
        ("seconds", pa.float64()),
        ("tempo", pa.float64()),
        ("beat_clarity", pa.float64()),
        ("beat_times", pa.list_(pa.float64())),
        ("downbeat", pa.int32()),
        ("onset_rate", pa.float64()),
        ("centroid", pa.float64()),
        ("flux", pa.float64()),
        ("mode", pa.string()),
        ("mode_score", pa.float64()),
        ("loudness", pa.float64()),
        ("true_peak", pa.float64()),
        ("start", pa.float64()),
        ("end", pa.float64()),
        ("full_from", pa.float64()),
        ("full_until", pa.float64()),
        ("valence", pa.float64()),
        ("arousal", pa.float64()),
        ("mood", pa.string()),
        ("tags", pa.string()),
    ]
)
"""Columns of `music_tracks`. Times in seconds from the beginning of the file, loudness in LUFS, peak in dBTP."""


@dataclass(frozen=True)
class TrackFacts:
    """What is known of one music file; the fields are the columns of `TRACK_SCHEMA`.

    Attributes:
        path: POSIX path below the music folder.
        content_hash: SHA-256 of the file, in hex; empty if it cannot be read.
        outcome: "used" or "rejected".
        reason: Why it is rejected, or what is special about it.
        seconds: Length as decoded.
        tempo: Beats per minute; NaN without a clear beat.
        beat_clarity: 0 to 1.
        beat_times: Seconds of the beats; empty without a clear beat.
        downbeat: Index of the first beat of a bar, 0 to 3.
        onset_rate: Onsets per second.
        centroid: Median spectral centroid, in hertz.
        flux: Mean rise of the spectrum, in dB.
        mode: "major" or "minor"; a guess.
        mode_score: -1 (minor) to 1 (major).
        loudness: Integrated, in LUFS.
        true_peak: In dBTP.
        start: Where silence ends.
        end: Where the last silence begins.
        full_from: Where the music has come to its full strength.
        full_until: Where it leaves its full strength for good.
        valence: 0 to 1.
        arousal: 0 to 1.
        mood: The mood of that place.
        tags: Moods that words in its name, title or genre speak of, separated by spaces.
    """

    path: str
    content_hash: str = ""
    bytes: int = 0
    mtime_ns: int = 0
    analysis_version: int = VERSION
    outcome: str = "rejected"
    reason: str = ""
    title: str = ""
    artist: str = ""
    genre: str = ""
    seconds: float = 0.0
    tempo: float = math.nan
    beat_clarity: float = 0.0
    beat_times: list[float] = field(default_factory=list)
    downbeat: int = 0
    onset_rate: float = 0.0
    centroid: float = math.nan
    flux: float = 0.0
    mode: str = ""
    mode_score: float = 0.0
    loudness: float = -math.inf
    true_peak: float = -math.inf
    start: float = 0.0
    end: float = 0.0
    full_from: float = 0.0
    full_until: float = 0.0
    valence: float = math.nan
    arousal: float = math.nan
    mood: str = ""
    tags: str = ""


def analyse_library(
    folder: Path,
    previous: pd.DataFrame | None = None,
    *,
    limits: DecodeLimits | None = None,
    workers: int | None = None,
) -> pd.DataFrame:
    """Analyse every music file below a folder.

    A file whose size and time are those of its row in `previous`, or whose content is that of any row there,
    is not decoded again. Nothing is raised for a bad file: it gets a row with its reason.

    Args:
        folder: The music folder, searched recursively. Missing or empty: an empty table and a warning.
        previous: The table of the last analysis.
        limits: Bounds on decoding.
        workers: Files analysed at once; None for one per processor, at most 8.

    Returns:
        A table with the columns of `TRACK_SCHEMA`, sorted by path.
    """
    files = list(_music_files(folder))
    if not files:
        log.warning(
            "No music in %s: videos will have no sound. Put audio files there to change that.", folder
        )
        return track_table([])
    known = _Known(previous)
    limits = limits or DecodeLimits()
    with task("Analysing music", len(files), "tracks") as running, _pool(workers) as pool:

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
    columns = {name: [getattr(row, name) for row in rows] for name in TRACK_SCHEMA.names}
    return pa.table(columns, schema=TRACK_SCHEMA).to_pandas()


def usable_tracks(tracks: pd.DataFrame) -> pd.DataFrame:
    """The tracks that can be played, each content once, sorted by path."""
    used = tracks[tracks["outcome"] == "used"].sort_values("path")
    return used.drop_duplicates("content_hash").reset_index(drop=True)


def _pool(workers: int | None) -> ThreadPoolExecutor:
    # decoding and spectra run outside the interpreter's lock
    return ThreadPoolExecutor(workers or min(os.cpu_count() or 1, 8), thread_name_prefix="music")


def _music_files(folder: Path) -> Iterator[Path]:
    """Files below `folder` that are music or claim to be, sorted; hidden files and folders are passed over."""
    base = os.path.realpath(folder)
    found = []
    for place, folders, names in os.walk(folder):  # symbolic links to folders are not followed
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            path = Path(place) / name
            if name.startswith(".") or name.endswith(PARTIAL):
                continue
            if path.is_symlink() and not os.path.realpath(path).startswith(base + os.sep):
                log.warning("%s is passed over: it is a link to outside the music folder", path)
                continue
            if path.suffix.lower() in ENDINGS or holds_audio(path):
                found.append(path)
    yield from sorted(found, key=lambda path: path.relative_to(folder).as_posix())


class _Known:
    """Rows of an earlier analysis, by file and by content."""

    def __init__(self, previous: pd.DataFrame | None) -> None:
        self._by_file: dict[tuple[str, int, int], TrackFacts] = {}
        self._by_content: dict[str, TrackFacts] = {}
        if previous is None or "analysis_version" not in previous:
            return
        for row in previous[previous["analysis_version"] == VERSION].to_dict("records"):
            facts = _facts_of_row(row)
            if facts.content_hash:
                self._by_file[facts.path, facts.bytes, facts.mtime_ns] = facts
                self._by_content[facts.content_hash] = facts

    def file(self, path: str, size: int, mtime_ns: int) -> TrackFacts | None:
        return self._by_file.get((path, size, mtime_ns))

    def content(self, content_hash: str) -> TrackFacts | None:
        return self._by_content.get(content_hash)


def _facts_of_row(row: Mapping[Any, Any]) -> TrackFacts:
    values = {name: row[name] for name in TRACK_SCHEMA.names}
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
        return _with_tags(analyse_track(path, bare, limits=limits))
    moved = replace(same, path=name, bytes=bare.bytes, mtime_ns=bare.mtime_ns)
    return _with_tags(replace(moved, title=same.title if same.title != Path(same.path).stem else path.stem))


def _with_tags(facts: TrackFacts) -> TrackFacts:
    """`facts` with the moods that its name, title and genre speak of."""
    # what the folders are called says as much as the name: music/battle/01.ogg
    return replace(facts, tags=" ".join(sorted(mood_words(facts.path, facts.title, facts.genre))))


def analyse_track(
    path: Path, facts: TrackFacts | None = None, *, limits: DecodeLimits | None = None
) -> TrackFacts:
    """Analyse one file; a file that cannot be used comes back as rejected with its reason.

    Args:
        path: The file.
        facts: What is known of it already (path, hash, size and time), taken over unchanged.
        limits: Bounds on decoding.
    """
    facts = facts or TrackFacts(path.name)
    report, meter, spectrum = DecodeReport(), LoudnessMeter(), SpectrumMeter()
    try:
        for block in decode(path, limits=limits, report=report):
            meter.add(block)
            spectrum.add(block)
    except MusicError as problem:
        return replace(facts, reason=problem.reason)
    spectra = spectrum.spectra()
    facts = replace(
        facts,
        title=report.tags.get("title", "") or path.stem,
        artist=report.tags.get("artist", ""),
        genre=report.tags.get("genre", ""),
        seconds=spectra.seconds,
        loudness=meter.integrated,
        true_peak=meter.true_peak,
    )
    problem = _unusable(facts, report)
    return replace(facts, reason=problem) if problem else _heard(facts, report, spectra, meter)


def _unusable(facts: TrackFacts, report: DecodeReport) -> str:
    """Why decoded sound cannot be used; empty if it can."""
    if facts.seconds == 0:
        return "no sound in it"
    if report.damage:
        return report.damage
    if facts.seconds < SHORTEST:
        return f"too short ({facts.seconds:.1f} s)"
    if not facts.loudness > QUIET:
        return "silent"
    return ""


def _heard(facts: TrackFacts, report: DecodeReport, spectra: Spectra, meter: LoudnessMeter) -> TrackFacts:
    """The facts of a usable track."""
    rhythm, tonality = rhythm_of(spectra), tonality_of(spectra.chroma)
    start, end, full_from, full_until = _extent(meter.momentary(), facts.seconds, facts.loudness)
    heard = spectra.centroids[spectra.bands.sum(axis=1) > 0]
    facts = replace(
        facts,
        outcome="used",
        reason="only its beginning is used: it is too long" if report.cut else "",
        tempo=rhythm.tempo,
        beat_clarity=rhythm.clarity,
        beat_times=[round(float(beat), 4) for beat in rhythm.beat_times],
        downbeat=rhythm.downbeat,
        onset_rate=rhythm.onset_rate,
        flux=rhythm.flux,
        centroid=float(np.median(heard)) if heard.size else math.nan,
        mode=tonality.mode,
        mode_score=tonality.score,
        start=start,
        end=end,
        full_from=full_from,
        full_until=full_until,
    )
    emotion = music_emotion(asdict(facts))
    return replace(facts, valence=emotion.valence, arousal=emotion.arousal, mood=emotion.mood)


def _extent(
    momentary: NDArray[np.float64], seconds: float, loudness: float
) -> tuple[float, float, float, float]:
    """Start, end, full_from and full_until of a track, in seconds, from the loudness of its 400 ms blocks."""
    audible = np.flatnonzero(momentary > max(float(np.percentile(momentary, 95)) - AUDIBLE, -70.0))
    full = np.flatnonzero(momentary > loudness - FULL)
    if not audible.size or not full.size:
        return 0.0, seconds, 0.0, seconds
    # a block is heard when its last 100 ms are, so sound begins up to 300 ms into the first one
    start = audible[0] / 10 + 0.3 if audible[0] > 0 else 0.0
    end = min(audible[-1] / 10 + 0.4, seconds)
    full_from = full[0] / 10 + 0.3 if full[0] > 0 else 0.0
    full_until = min(full[-1] / 10 + 0.4, seconds)
    return min(start, full_from), end, full_from, full_until
