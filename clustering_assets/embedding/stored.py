"""The pair that users get: `embeddings.npy`, and `image_paths.txt` whose line i names row i."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from upath import UPath

from clustering_assets.errors import ClusteringError
from clustering_assets.storage import atomic_path

VECTORS = "embeddings.npy"
PATHS = "image_paths.txt"

_BLOCK_ROWS = 4096
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r"}
_PLAIN = {escaped: plain for plain, escaped in _ESCAPES.items()}


class StoredError(ClusteringError):
    """The stored embeddings are missing or do not belong together."""


def save_embeddings(folder: Path | UPath, vectors: NDArray[np.float32], paths: Sequence[str]) -> None:
    """Write the pair into `folder`; both files are complete before either takes its place.

    The vectors are written in blocks, so a memory-mapped array never comes into memory as a whole.

    Args:
        folder: For example `output/embeddings`.
        vectors: Shape (n, d).
        paths: n paths; a line break or backslash inside one is written escaped.

    Raises:
        ValueError: The two have different lengths.
        OSError: The folder cannot be written to.
    """
    if len(vectors) != len(paths):
        raise ValueError(f"{len(vectors)} vectors, but {len(paths)} paths")
    with atomic_path(folder / VECTORS) as array, atomic_path(folder / PATHS) as text:
        with array.open("wb") as file:
            header = {"descr": "<f4", "fortran_order": False, "shape": tuple(vectors.shape)}
            np.lib.format.write_array_header_1_0(file, header)
            for start in range(0, len(vectors), _BLOCK_ROWS):
                rows = np.ascontiguousarray(vectors[start : start + _BLOCK_ROWS], dtype="<f4")
                file.write(rows.tobytes())
        text.write_bytes(format_paths(paths))


def load_embeddings(output: str | Path | UPath, mmap: bool = False) -> tuple[NDArray[np.float32], list[str]]:
    """The embeddings of a run, and which picture each row belongs to.

    Args:
        output: The run's output folder or URL (or the folder inside it that holds the two files).
        mmap: Map a local file into memory instead of reading it.

    Returns:
        The vectors, float32, shape (n, d), and n paths relative to the images folder.

    Raises:
        StoredError: A file is missing or damaged, or the two do not belong together.
    """
    root: Any = UPath(str(output)) if "://" in str(output) else Path(str(output))
    folder = root if (root / VECTORS).exists() else root / "embeddings"
    try:
        paths = parse_paths((folder / PATHS).read_bytes())
        if mmap and isinstance(folder, Path):
            vectors = np.load(folder / VECTORS, mmap_mode="r")
        else:
            with (folder / VECTORS).open("rb") as file:
                vectors = np.load(file)
    except FileNotFoundError as error:
        raise StoredError(
            f"no embeddings in {folder} ({Path(str(error.filename)).name} is missing); run the pipeline first"
        ) from None
    except (ValueError, EOFError) as error:
        raise StoredError(f"{folder / VECTORS} is damaged ({error}); delete it and run again") from error
    if len(vectors) != len(paths):
        raise StoredError(
            f"{folder}: {VECTORS} has {len(vectors)} rows, {PATHS} has {len(paths)} lines; run again to mend it"
        )
    return vectors, paths


def format_paths(paths: Sequence[str]) -> bytes:
    """The paths as the text of `image_paths.txt`: UTF-8, one on each line, line breaks escaped.

    File names that are not valid UTF-8 keep their bytes.
    """
    lines = (re.sub(r"[\\\n\r]", lambda match: _ESCAPES[match[0]], path) + "\n" for path in paths)
    return "".join(lines).encode("utf-8", "surrogateescape")


def parse_paths(text: bytes) -> list[str]:
    """The inverse of `format_paths`."""
    lines = text.decode("utf-8", "surrogateescape").split("\n")[:-1]
    return [re.sub(r"\\[\\nr]", lambda match: _PLAIN[match[0]], line) for line in lines]
