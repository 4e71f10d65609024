"""Every stored table once: where it lies, what its columns hold and mean, and how it is written and read.

A new column is entered here and filled where its rows are made; readers, writers and Dagster's UI take it from here.
"""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pandas as pd
import pyarrow as pa
from upath import UPath

from clustering_assets.errors import ClusteringError
from clustering_assets.places import leaves_folder
from clustering_assets.storage import atomic_path

TEXT, WHOLE, SMALL, NUMBER, FLAG = pa.string(), pa.int64(), pa.int32(), pa.float64(), pa.bool_()
TIME, NUMBERS = pa.timestamp("ns"), pa.list_(pa.float64())

_LARGEST = 2**63 - 1
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_GUARDED = re.compile(r"^'('*[=+\-@\t\r])")

_IDS = (-1, 999_999_999)
"""Least and largest number of a cluster; files of names and pins know no larger ones."""


class DamagedTable(ClusteringError):
    """A stored table that cannot be read any more."""


class Column(NamedTuple):
    """What a column holds and what that means.

    Attributes:
        type: Its type in Arrow.
        meaning: What it means, for people.
        needed: Whether a table without it, or with gaps in its numbers, is not the one that was written.
        limits: Least and largest number, if there are any.
        is_place: Whether it holds paths, which must lie below the folder that they are relative to.
    """

    type: pa.DataType
    meaning: str
    needed: bool = False
    limits: tuple[float, float] | None = None
    is_place: bool = False


@dataclass(frozen=True)
class Table:
    """One stored table.

    Attributes:
        asset: Name of the asset that it is.
        file: Its place below the output; the ending says the format.
        columns: Its columns by name, in order. A name means text in every table or in none.
    """

    asset: str
    file: str
    columns: Mapping[str, Column]

    @cached_property
    def schema(self) -> pa.Schema:
        """The columns as Arrow knows them."""
        return pa.schema([(name, column.type) for name, column in self.columns.items()])

    def read(self, path: Path | UPath) -> pd.DataFrame:
        """Its rows from a file, which may be of an older version, or of somebody who has changed it.

        Columns that it does not have are left out.

        Raises:
            FileNotFoundError: It has not been made yet.
            DamagedTable: It cannot be read, lacks columns, or has a value that its column cannot hold.
        """
        table = read_table(path)
        if missing := [name for name, column in self.columns.items() if column.needed and name not in table]:
            raise DamagedTable(f"{path} has no column {', '.join(missing)}; run again to make it anew")
        table = table[[name for name in self.columns if name in table]]
        for name, column in self.columns.items():
            if name in table and (odd := _oddity(table[name], column)):
                raise DamagedTable(f"{path}, column {name}: {odd}; run again to make it anew")
        return table

    def arrow(self, values: Mapping[str, Sequence[Any]]) -> pa.Table:
        """Its rows in Arrow, given by columns; others than its own are left out.

        An integer that no file format holds, such as the time of a file in the year 2400, becomes the largest that
        one does.

        Raises:
            KeyError: A column is missing.
        """
        return pa.table([_array(values[name], kind.type) for name, kind in self.columns.items()], self.schema)


_LOOKS = {
    "brightness": Column(NUMBER, "Mean lightness, CIE L*, 0 to 100."),
    "colourfulness": Column(NUMBER, "After Hasler and Suesstrunk: 15 is slight, 45 average, 82 high."),
    "contrast": Column(NUMBER, "Standard deviation of the brightness, from 0 to 1."),
    "chroma": Column(NUMBER, "Mean CIE C*ab; unlike saturation it does not rise in noisy shadows."),
    "saturation": Column(NUMBER, "Mean HSV saturation, 0 to 1."),
    "warmth": Column(NUMBER, "Share of the chroma at hues from red to yellow, 0 to 1."),
}

_MOOD = {
    "valence": Column(NUMBER, "From sad (0) to happy (1)."),
    "arousal": Column(NUMBER, "From calm (0) to excited (1)."),
    "mood": Column(TEXT, "upbeat, calm, energetic or neutral: the region of valence and arousal."),
}

_FILE = {
    "bytes": Column(WHOLE, "Size of the file."),
    "mtime_ns": Column(WHOLE, "When the file was last changed, in nanoseconds since 1970."),
}

IMAGE_MANIFEST = Table(
    "image_manifest",
    "manifest/image_manifest.parquet",
    {
        "path": Column(
            TEXT, "Below the folder of pictures, with forward slashes.", needed=True, is_place=True
        ),
        "content_hash": Column(
            TEXT,
            "xxh3-128 of size and pixels, in hex; empty if rejected.",
            needed=True,
        ),
        **_FILE,
        "format": Column(TEXT, "What the file is by its content, in Pillow's names."),
        "mode": Column(TEXT, "Kind of pixels, in Pillow's names."),
        "width": Column(SMALL, "Pixels across, as seen after EXIF orientation; 0 if rejected."),
        "height": Column(SMALL, "Pixels down, likewise."),
        "taken_at": Column(TIME, "Local time of the camera; empty if unknown."),
        "camera": Column(TEXT, "Make and model; empty if unknown."),
        "latitude": Column(NUMBER, "Where it was taken, degrees north; empty if unknown.", limits=(-90, 90)),
        "longitude": Column(NUMBER, "The same, degrees east.", limits=(-180, 180)),
        "outcome": Column(TEXT, "used, duplicate (the same pixels as another) or rejected.", needed=True),
        "stage": Column(TEXT, "Stage that rejected the file; empty if none did.", needed=True),
        "reason": Column(TEXT, "Why it was rejected or is a near-duplicate; empty otherwise.", needed=True),
        "duplicate_of": Column(TEXT, "Path of the picture that this one is a copy of."),
        "sharpness": Column(NUMBER, "Variance of the Laplacian; higher is sharper."),
        **_LOOKS,
        "phash": Column(TEXT, "Perceptual hash, in hex: pictures that look alike have nearly the same."),
        "dominant_colours": Column(TEXT, "Main colours, the commonest first."),
        "scan_version": Column(
            SMALL, "Version of the scan that wrote the row; rows of others are made anew."
        ),
        "added_at": Column(
            TIME, "When a scan first found these pixels, in local time; empty: there from the first."
        ),
    },
)

LEDGER = Table(
    "ledger",
    "manifest/ledger.csv",
    {
        **{
            name: IMAGE_MANIFEST.columns[name]
            for name in ("path", "outcome", "stage", "reason", "duplicate_of")
        },
        "outcome": Column(
            TEXT, "As in image_manifest, or pending: good, and in no cluster yet.", needed=True
        ),
    },
)

CLUSTER_ASSIGNMENTS = Table(
    "cluster_assignments",
    "clusters/cluster_assignments.csv",
    {
        "path": Column(TEXT, "Below the folder of pictures.", needed=True, is_place=True),
        "content_hash": Column(TEXT, "As in image_manifest."),
        "cluster": Column(
            WHOLE, "Number of the cluster; -1 for pictures that belong to none.", needed=True, limits=_IDS
        ),
        "cluster_name": Column(
            TEXT, "Your own name for it, or a hint at what its pictures show.", needed=True
        ),
        "distance_to_center": Column(
            NUMBER, "Distance to the centre of the cluster in the feature space, 0 to 2."
        ),
        "silhouette": Column(NUMBER, "How much nearer its own cluster is than the next, -1 to 1."),
        "is_representative": Column(FLAG, "Whether the picture stands for its cluster."),
        "typicality": Column(
            NUMBER, "From 1 for the picture nearest to the centre down to 0 for the farthest."
        ),
        "duplicate_of": Column(
            TEXT,
            "Path of the sharper picture that looks the same; it takes this one's place in the video.",
            needed=True,
        ),
        "x": Column(NUMBER, "First coordinate on the map, where pictures that look alike are neighbours."),
        "y": Column(NUMBER, "Second coordinate on the map."),
        "earlier_clusters": Column(
            TEXT, "Numbers of clusters that are gone and that the picture was in, the newest first."
        ),
        "cluster_hint": Column(TEXT, "What the cluster is called where you have not named it."),
        "component_1": Column(NUMBER, "First principal component of the feature space."),
        "component_2": Column(NUMBER, "Second principal component."),
        "choice": Column(TEXT, "Your choice of the picture: exclude, must or cover; empty: none."),
        "found_cluster": Column(
            WHOLE, "Number of its cluster without your choices; empty: the same.", limits=_IDS
        ),
    },
)

MUSIC_TRACKS = Table(
    "music_tracks",
    "music/music_tracks.parquet",
    {
        "path": Column(TEXT, "Below the music folder.", needed=True, is_place=True),
        "content_hash": Column(TEXT, "SHA-256 of the file.", needed=True),
        **_FILE,
        "analysis_version": Column(SMALL, "Version of the analysis; rows of others are made anew."),
        "outcome": Column(TEXT, "used or rejected.", needed=True),
        "reason": Column(TEXT, "Why it was rejected, or what is special about it."),
        "title": Column(TEXT, "From the file's tags, or its name."),
        "artist": Column(TEXT, "From the file's tags."),
        "genre": Column(TEXT, "From the file's tags."),
        "seconds": Column(NUMBER, "Length as decoded."),
        "tempo": Column(NUMBER, "Beats per minute; empty without a clear beat."),
        "other_tempo": Column(
            NUMBER, "Half or double of it, where the beat may be felt at that speed as well."
        ),
        "beat_clarity": Column(NUMBER, "How clear the beat is, 0 to 1."),
        "beat_times": Column(NUMBERS, "When the beats are, in seconds."),
        "bar": Column(SMALL, "Beats in a bar: 4, or 3 or 6 in a waltz."),
        "downbeat": Column(SMALL, "Which of the first beats begins a bar, from 0."),
        "onset_rate": Column(NUMBER, "Notes that begin each second."),
        "centroid": Column(NUMBER, "Mean spectral centroid below 3.5 kHz, in hertz: how bright it sounds."),
        "fullness": Column(NUMBER, "Share of the spectrum that sounds at once, 0 to 1."),
        "flux": Column(NUMBER, "Mean rise of the spectrum, in dB."),
        "tonic": Column(TEXT, "Keynote, C to B; a guess."),
        "mode": Column(TEXT, "major or minor; a guess."),
        "mode_score": Column(NUMBER, "From minor (-1) to major (1)."),
        "mood_model": Column(TEXT, "Learned model that was asked beside what is measured; empty for none."),
        "learned_energy": Column(NUMBER, "Energy that it heard, 0 to 1."),
        "learned_valence": Column(NUMBER, "Valence that it heard, 0 to 1."),
        "loudness": Column(NUMBER, "Integrated, in LUFS."),
        "true_peak": Column(NUMBER, "In dBTP."),
        "start": Column(NUMBER, "Second where the silence ends."),
        "end": Column(NUMBER, "Second where the last silence begins."),
        "full_from": Column(NUMBER, "Second from which it has its full strength."),
        "full_until": Column(NUMBER, "Second until which it has its full strength."),
        "loudness_curve": Column(NUMBERS, "Loudness of each second, in LUFS."),
        **_MOOD,
        "tags": Column(TEXT, "Moods that words in its name, title or genre speak of."),
    },
)

MUSIC_CHOICE = Table(
    "music_choice",
    "music/music_choice.csv",
    {
        "cluster": Column(WHOLE, "Number of the cluster.", needed=True, limits=_IDS),
        "key": Column(TEXT, "Its partition of cluster_videos.", needed=True),
        "name": Column(TEXT, "Its name."),
        "size": Column(WHOLE, "Number of its pictures."),
        **{
            name: _LOOKS[name]
            for name in ("brightness", "colourfulness", "contrast", "saturation", "chroma", "warmth")
        },
        **_MOOD,
        "track": Column(
            TEXT, "Path of the track below the music folder; empty: silent.", needed=True, is_place=True
        ),
        "track_hash": Column(TEXT, "SHA-256 of its file.", needed=True),
        "track_title": Column(TEXT, "Its title."),
        "track_mood": Column(TEXT, "Its own mood."),
        "track_valence": Column(NUMBER, "From sad (0) to happy (1)."),
        "track_arousal": Column(NUMBER, "From calm (0) to excited (1)."),
        "distance": Column(NUMBER, "Between cluster and track in the plane of valence and arousal."),
        "second": Column(TEXT, "The next best track."),
        "second_distance": Column(NUMBER, "Its distance."),
        "third": Column(TEXT, "The one after that."),
        "third_distance": Column(NUMBER, "Its distance."),
        "pinned": Column(FLAG, "Whether you pinned the track, to the cluster or to its mood."),
        "why": Column(TEXT, "The reason in one sentence."),
    },
)

TABLES = (IMAGE_MANIFEST, LEDGER, CLUSTER_ASSIGNMENTS, MUSIC_TRACKS, MUSIC_CHOICE)

_TEXTS = {name for table in TABLES for name, column in table.columns.items() if column.type == TEXT}


def _array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """A column in Arrow, integers that no format holds cut to the largest that one does."""
    try:
        return pa.array(values, kind)
    except OverflowError:
        return pa.array([max(-_LARGEST, min(value, _LARGEST)) for value in values], kind)


def _oddity(values: pd.Series, column: Column) -> str:
    """What is in a column that it cannot hold; empty if nothing is."""
    try:
        pa.array(values, column.type, from_pandas=True)
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        return str(error)
    if column.needed and column.type != TEXT and values.isna().any():
        return "a cell is empty"
    if column.limits and len(values) and not values.dropna().between(*column.limits).all():
        return f"a number is not from {column.limits[0]:,} to {column.limits[1]:,}"
    if column.is_place and (strange := [text for text in values if leaves_folder(text)]):
        return f"{strange[0]!r} is no place below its folder"
    return ""


def read_table(path: Path | UPath) -> pd.DataFrame:
    """Read a table that `write_table` wrote; the ending of the name says the format.

    Raises:
        FileNotFoundError: It has not been made yet.
        DamagedTable: It cannot be read.
    """
    try:
        if path.suffix == ".parquet":
            with path.open("rb") as file:
                return pd.read_parquet(file)
        return _read_csv(path)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, OverflowError, RecursionError) as error:
        raise DamagedTable(f"{path} cannot be read ({error}); run again to make it anew") from error


def _read_csv(path: Path | UPath) -> pd.DataFrame:
    """A table from CSV; text stays text even where it looks like a number."""
    with path.open("r", encoding="utf-8", newline="") as file:
        table = pd.read_csv(file, dtype=dict.fromkeys(_TEXTS, str), keep_default_na=False, na_values=[""])
    for column in table.columns:
        if column in _TEXTS or table[column].dtype.kind not in "biufc":
            table[column] = table[column].fillna("")
        if column in _TEXTS:
            table[column] = table[column].str.replace(_GUARDED, r"\1", regex=True)
    return table


def write_table(path: Path | UPath, table: pd.DataFrame) -> None:
    """Write a table atomically, as Parquet or CSV after the ending of the name."""
    with atomic_path(path) as partial:
        if path.suffix == ".parquet":
            with partial.open("wb") as file:
                table.to_parquet(file, index=False)
        else:
            with partial.open("w", encoding="utf-8", newline="") as file:
                texts = {str(name): table[name].map(guarded) for name in table if name in _TEXTS}
                written = table.assign(**texts)
                written.to_csv(file, index=False, float_format="%.6g", quoting=_quoting(written))


def guarded(text: Any) -> Any:
    """A text for a cell of a CSV file that no spreadsheet takes for a formula: ' before what begins like one."""
    return f"'{text}" if isinstance(text, str) and _FORMULA.match(text) else text


def _quoting(table: pd.DataFrame) -> Literal[0, 2]:
    """What of a table is put in quotes in CSV.

    Python before 3.11.9 and 3.12.3 leaves a lone carriage return without them, and whoever reads it ends the row there.
    """
    texts = (table[name].astype(str) for name in table if table[name].dtype.kind not in "biufcM")
    broken = any(text.str.contains("\r", regex=False).any() for text in texts)
    return csv.QUOTE_NONNUMERIC if broken else csv.QUOTE_MINIMAL
