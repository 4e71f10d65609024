"""Small CSV files that users write by hand: names of clusters, pinned tracks, choices of pictures."""

import csv
import io
from pathlib import Path

from upath import UPath

from clustering_assets.errors import ClusteringError

_LARGEST = 10_000_000  # bytes


def read_lines(path: Path | UPath, error: type[ClusteringError], example: str) -> list[tuple[int, list[str]]]:
    """Number and cells of each line that says something; blank lines and those that begin with # do not.

    Args:
        path: The file, in UTF-8 with or without a byte order mark; its cells lie between commas, or between
            semicolons, as spreadsheets write them in many languages.
        error: What to raise.
        example: A line as it should be.

    Returns:
        Nothing where there is no file. Cells are without spaces around them; there is at least one in each line.

    Raises:
        ClusteringError: An `error`: it is no file, or not one in CSV; the message names file and line.
    """
    try:
        if not path.exists():
            return []
        if not path.is_file():  # a FIFO would be waited for, a device read for ever
            raise error(f"{path}: is no ordinary file. Save the list as a CSV file in UTF-8.")
        if path.stat().st_size > _LARGEST:
            raise error(f"{path}: is larger than {_LARGEST / 1e6:g} MB, which no such list is.")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        raise error(
            f"{path}: cannot be read as text ({problem}). Save it as a CSV file in UTF-8."
        ) from problem
    try:
        by_comma, by_semicolon = _rows(text, ","), _rows(text, ";") if ";" in text else []
    except _NoCsv as problem:
        raise error(
            f"{path}, line {problem.line}: not a line of a CSV file ({problem}). Write lines such as {example}."
        ) from problem
    parted = sum(len(cells) == 2 and ";" not in cells[0] for _, cells in by_comma)
    return by_semicolon if sum(len(cells) == 2 for _, cells in by_semicolon) > parted else by_comma


class _NoCsv(ValueError):
    """Text that is no CSV from a line on."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(reason)
        self.line = line


def _rows(text: str, delimiter: str) -> list[tuple[int, list[str]]]:
    """Number and cells of each line of a text that says something."""
    found = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            while len(cells) > 2 and not cells[-1]:  # spreadsheets write rows of one length
                cells.pop()
            if any(cells) and not cells[0].startswith("#"):
                found.append((reader.line_num, cells))
    except csv.Error as problem:
        raise _NoCsv(str(problem), reader.line_num) from problem
    return found
