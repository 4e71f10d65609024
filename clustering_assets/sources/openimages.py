"""Pictures from Open Images V7: chosen by class from its public lists, fetched in parallel, resumable.

The lists and the bucket are described at https://storage.googleapis.com/openimages/web/download_v7.html. The
annotations are licensed CC BY 4.0 by Google, the pictures are listed as CC BY 2.0 by their authors.
"""

import csv
import difflib
import io
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice, zip_longest
from pathlib import Path

from PIL import ExifTags, Image

from clustering_assets.download import DownloadError, Patience, download
from clustering_assets.files.source import ATTRIBUTION
from clustering_assets.images.formats.registry import reader_of
from clustering_assets.images.formats.signatures import HEAD_BYTES, describe
from clustering_assets.progress import task
from clustering_assets.sources.imported import Imported, SourceError
from clustering_assets.storage import write_bytes, write_text
from clustering_assets.tables import guarded
from clustering_assets.threads import side_by_side

log = logging.getLogger("clustering_assets.sources")

LISTS_URL = "https://storage.googleapis.com/openimages"
"""Where the lists of classes, labels and pictures are."""
PICTURES_URL = "https://open-images-dataset.s3.amazonaws.com"
"""The public bucket of the pictures, at most 1,024 pixels on the longer side."""
SUBSETS = ("validation", "test", "train")

_CLASSES = "v7/oidv7-class-descriptions.csv"
_LABELS = {
    "validation": "v7/oidv7-val-annotations-human-imagelabels.csv",  # 28 MB
    "test": "v7/oidv7-test-annotations-human-imagelabels.csv",  # 94 MB
    # 377 MB with the 600 classes that have boxes; the list with all classes has 2.7 GB
    "train": "v5/train-annotations-human-imagelabels-boxable.csv",
}
_PICTURES = {
    "validation": "2018_04/validation/validation-images-with-rotation.csv",  # 15 MB
    "test": "2018_04/test/test-images-with-rotation.csv",  # 45 MB
    "train": "2018_04/train/train-images-boxable-with-rotation.csv",  # about 600 MB
}
_ID = re.compile("[0-9A-Za-z]{1,64}")
_LISTS_FOLDER = ".lists"
_CREDITS = ("ImageID", "Title", "Author", "AuthorProfileURL", "License", "OriginalLandingURL", "OriginalURL")
_ROTATION = "Rotation"
_ORIENTATIONS = {90: 8, 180: 3, 270: 6}
"""EXIF orientation for degrees counterclockwise.

In one picture of forty the author meant another side to be up than the bucket's copy shows; the lists say which
(https://storage.googleapis.com/openimages/web/2018-05-17-rotation-information.html).
"""
_LONGEST_NAME = 6  # parts between commas
_MAX_PICTURE = 50_000_000  # bytes; the largest in the bucket are far below


@dataclass(frozen=True)
class _Result:
    """How the fetch of one picture ended."""

    name: str
    bytes: int = 0
    there: bool = False
    problem: str = ""


def import_openimages(
    folder: Path,
    *,
    limit: int,
    classes: Sequence[str] = (),
    subset: str = "validation",
    lists_url: str = LISTS_URL,
    pictures_url: str = PICTURES_URL,
    workers: int = 16,
    patience: Patience | None = None,
) -> Imported:
    """Fetch up to `limit` pictures into `folder/openimages/<subset>`.

    The lists are kept in a hidden folder there, and pictures that are there already are not fetched again, so
    that the same call after an interruption goes on where it was. Each class gets its share of the limit. Pictures
    that the lists say lie on their side get a note (EXIF orientation) that sets them upright.

    Args:
        folder: The folder of pictures.
        limit: Number of pictures, those that are there already included.
        classes: Names of classes such as "Cat", in any case, one or several with commas between them in each string;
            names that have commas themselves are understood. None for pictures of every kind.
        subset: "validation" (41,620 pictures), "test" (125,436) or "train" (1,743,042 with boxes).
        lists_url: Base of the addresses of the lists.
        pictures_url: Base of the addresses of the pictures.
        workers: Number of downloads at once.
        patience: How hard each download tries.

    Raises:
        SourceError: A setting is wrong, a class is not known or has no picture, a list cannot be fetched, or
            not a single picture could be.
    """
    if subset not in SUBSETS:
        raise SourceError(f"subset = {subset!r}: choose one of {', '.join(SUBSETS)}")
    if limit < 1:
        raise SourceError(f"limit = {limit}: must be at least 1")
    target = Path(folder) / "openimages" / subset
    lists = Path(folder) / "openimages" / _LISTS_FOLDER
    if classes:
        labels = _known_classes(_list(lists_url, _CLASSES, lists, patience), classes)
        table = _list(lists_url, _LABELS[subset], lists, patience)
        chosen = _with_classes(table, labels, limit)
        _warn_of_gaps(chosen, labels, subset)
        ids = _alternating(chosen.values(), limit)
    else:
        ids = _first_ids(_list(lists_url, _PICTURES[subset], lists, patience), limit)
    fetch = partial(_fetch, base=f"{pictures_url}/{subset}", target=target, patience=patience)
    results = side_by_side(fetch, ids, "Fetching pictures", "pictures", workers)
    outcome = _outcome(results, target, pictures_url)
    try:
        _name_authors(_list(lists_url, _PICTURES[subset], lists, patience), target)
    except SourceError as error:  # the pictures are there; the next import names their authors
        log.warning("The authors of the pictures in %s could not be named: %s", target, error)
    return outcome


def _list(base: str, name: str, folder: Path, patience: Patience | None) -> Path:
    """One of the public lists, fetched once and then kept."""
    path = folder / Path(name).name
    if path.is_file() and not _is_page(path):
        return path
    try:
        download(f"{base}/{name}", path, patience=patience, title=f"Fetching the list {path.name}")
    except DownloadError as error:
        raise SourceError(
            f"The Open Images list {error.url} cannot be fetched: {error.reason}. Check the network and import again."
        ) from error
    if _is_page(path):
        path.unlink()
        raise SourceError(
            f"{base}/{name} gave a page, not the list of Open Images: this network may ask to log in first. Open it "
            "in a browser, then import again."
        )
    return path


def _is_page(path: Path) -> bool:
    """Whether a file is no list, but a page that a proxy or a hotel's network puts in its place."""
    with path.open("rb") as file:
        head = file.read(1024).lstrip(b"\xef\xbb\xbf \t\r\n")
    return head.startswith((b"<", b"{", b"["))


def _rows(table: Path) -> Iterator[list[str]]:
    """The rows of a list.

    Raises:
        SourceError: It is damaged.
    """
    try:
        with table.open(encoding="utf-8", newline="") as file:
            yield from csv.reader(file)
    except (csv.Error, UnicodeDecodeError) as error:
        raise SourceError(f"{table} is damaged ({error}); delete it and import again") from error


def _known_classes(table: Path, wanted: Sequence[str]) -> dict[str, str]:
    """The label (such as /m/01yrx) of every class that is wanted, with the name as the list writes it.

    Raises:
        SourceError: A class is not in the list; the message names the nearest ones.
    """
    known: dict[str, list[str]] = {}
    written: dict[str, str] = {}
    for row in _rows(table):
        if len(row) >= 2 and row[0].startswith("/"):
            known.setdefault(row[1].casefold(), []).append(row[0])  # some names stand for two things
            written[row[0]] = row[1]
    names = {re.sub(r"\s*,\s*", ", ", name): labels for name, labels in known.items()}
    pieces = [piece.strip() for name in wanted for piece in name.split(",") if piece.strip()]
    found: dict[str, str] = {}
    at = 0
    while at < len(pieces):
        ends = range(min(len(pieces), at + _LONGEST_NAME), at, -1)  # names with commas go first
        end = next((end for end in ends if ", ".join(pieces[at:end]).casefold() in names), None)
        if end is None:
            near = difflib.get_close_matches(pieces[at].casefold(), known, n=3, cutoff=0.6)
            hint = f"; did you mean {', '.join(written[known[match][0]] for match in near)}?" if near else ""
            raise SourceError(f"classes: Open Images has no class {pieces[at]!r}{hint}")
        found |= {label: written[label] for label in names[", ".join(pieces[at:end]).casefold()]}
        at = end
    return found


def _with_classes(table: Path, labels: dict[str, str], limit: int) -> dict[str, list[str]]:
    """The first `limit` pictures of each label that people have confirmed, in the order of the list."""
    chosen: dict[str, list[str]] = {label: [] for label in labels}
    open_labels = set(labels)
    with task("Choosing pictures", unit="labels") as running:
        number = 0
        for number, row in enumerate(_rows(table), start=1):
            if number % 100_000 == 0:
                running.advance(100_000)
            if len(row) < 4 or row[2] not in open_labels or not row[3].startswith("1"):
                continue
            found = chosen[row[2]]
            if not found or found[-1] != row[0]:
                found.append(row[0])
            if len(found) >= limit:
                open_labels.discard(row[2])
                if not open_labels:
                    break
        running.advance(number % 100_000)
    return chosen


def _warn_of_gaps(chosen: dict[str, list[str]], labels: dict[str, str], subset: str) -> None:
    """Say which classes have no picture in this subset.

    Raises:
        SourceError: None of them has.
    """
    empty = [labels[label] for label, found in chosen.items() if not found]
    if len(empty) == len(labels):
        raise SourceError(f"classes: the subset {subset} of Open Images has no picture of {', '.join(empty)}")
    if empty:
        log.warning("The subset %s of Open Images has no picture of %s", subset, ", ".join(empty))


def _alternating(lists: Iterable[list[str]], limit: int) -> list[str]:
    """Up to `limit` different ids, one of each list in turn."""
    turns = chain.from_iterable(zip_longest(*lists))
    return list(dict.fromkeys(name for name in turns if name))[:limit]


def _first_ids(table: Path, limit: int) -> list[str]:
    """The first `limit` ids of a list of pictures; ids are hashes, so that the first ones are any ones."""
    return list(islice((row[0] for row in _rows(table) if row and row[0] != "ImageID"), limit))


def _fetch(name: str, base: str, target: Path, patience: Patience | None) -> _Result:
    """Fetch one picture, unless it is there."""
    if not _ID.fullmatch(name):  # an id is 16 hexadecimal digits; anything else must not become a path
        return _Result(name, problem="not an id of a picture")
    path = target / f"{name}.jpg"
    if path.is_file():
        return _Result(name, there=True)
    try:
        size = download(f"{base}/{name}.jpg", path, max_bytes=_MAX_PICTURE, patience=patience)
    except DownloadError as error:
        return _Result(name, problem=error.reason)
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not reader_of(head):  # a page to log in, say, which a later import must not take for the picture
        path.unlink()
        return _Result(name, problem=f"what came is {describe(head)}" if head else "nothing came")
    return _Result(name, bytes=size)


def _name_authors(table: Path, target: Path) -> None:
    """Write author, licence and origin of every picture in `target` to a list beside them, and turn pictures upright.

    The columns are found by their names, so that a list with more of them, or in another order, will do. The list
    beside the pictures also says how each was turned, since the licence asks that changes are told.
    """
    there = {path.stem for path in target.glob("*.jpg")}
    rows = _rows(table)
    columns = {name: place for place, name in enumerate(next(rows, []))}
    places = [columns.get(name, -1) for name in (*_CREDITS, _ROTATION)]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow((*_CREDITS, _ROTATION))
    for row in rows:
        if row and row[0] in there:
            credits = [row[place] if 0 <= place < len(row) else "" for place in places]
            writer.writerow(map(guarded, credits))
            _turn_upright(target / f"{row[0]}.jpg", credits[-1])
            there.discard(row[0])
            if not there:
                break
    write_text(target / ATTRIBUTION, text.getvalue())


def _turn_upright(path: Path, rotation: str) -> None:
    """Note in a JPEG that it is to be shown turned by `rotation` degrees counterclockwise; its pixels stay as they are.

    A picture that has notes already is left alone: they are those of its author, or of an earlier import.
    """
    turn = re.fullmatch(r"(90|180|270)(\.0+)?", rotation)
    if not turn:
        return
    data = path.read_bytes()
    if not data.startswith(b"\xff\xd8\xff") or b"Exif\0\0" in data[:65536]:
        return
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = _ORIENTATIONS[int(turn[1])]
    notes = exif.tobytes()
    # A JFIF header has to stay the first segment (ITU-T T.871, 10.1).
    at = 4 + int.from_bytes(data[4:6], "big") if data[2:4] == b"\xff\xe0" else 2
    segment = b"\xff\xe1" + (2 + len(notes)).to_bytes(2, "big") + notes
    write_bytes(path, data[:at] + segment + data[at:])


def _outcome(results: Sequence[_Result], target: Path, pictures_url: str) -> Imported:
    """The results as one.

    Raises:
        SourceError: There were pictures to fetch and none of them arrived.
    """
    failures = tuple((f"{result.name}.jpg", result.problem) for result in results if result.problem)
    there = sum(result.there for result in results)
    if results and len(failures) == len(results):
        raise SourceError(
            f"None of {len(results):,} pictures could be fetched from {pictures_url}; "
            f"the first, {failures[0][0]}: {failures[0][1]}"
        )
    for name, problem in failures[:10]:
        log.warning("Open Images: %s: %s", name, problem)
    fetched = len(results) - len(failures) - there
    return Imported(fetched, sum(result.bytes for result in results), there, failures, target)
