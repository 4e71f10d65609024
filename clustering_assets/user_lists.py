"""Small CSV files that users write by hand: names of clusters, pinned tracks."""

import csv
from pathlib import Path

from upath import UPath

from clustering_assets.errors import ClusteringError

_LARGEST = 10_000_000  # bytes


def read_lines(path: Path | UPath, error: type[ClusteringError], example: str) -> list[tuple[int, list[str]]]:
    """Number and cells of each line that says something; blank lines and those that begin with # do not.

    Args:
        path: The file, in UTF-8 with or without a byte order mark.
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
    found = []
    reader = csv.reader(text.splitlines(), skipinitialspace=True)
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells) and not cells[0].startswith("#"):
                found.append((reader.line_num, cells))
    except csv.Error as problem:
        where = f"{path}, line {reader.line_num}"
        raise error(
            f"{where}: not a line of a CSV file ({problem}). Write lines such as {example}."
        ) from problem
    return found
