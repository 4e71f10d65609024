"""The pair that users get: `embeddings.npy`, and `image_paths.txt` whose line i names row i.

Beside the two lies `embeddings.json` with the hash of each, the network that made them and what it made them of. It
takes its place before they do, so a run that is killed between them leaves files that do not match it, and a pair that
does not belong together is never read.
"""

import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray
from upath import UPath

from clustering_assets.errors import ClusteringError
from clustering_assets.integrity import content_hash
from clustering_assets.places import leaves_folder
from clustering_assets.storage import atomic_path
from clustering_assets.stores import open_place

VECTORS = "embeddings.npy"
PATHS = "image_paths.txt"
SEAL = "embeddings.json"

_BLOCK_ROWS = 4096
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r"}
_PLAIN = {escaped: plain for plain, escaped in _ESCAPES.items()}


class Network(NamedTuple):
    """What made vectors.

    Attributes:
        backbone: Its name; never `auto`.
        weights_id: Beginning of the SHA-256 of its weights file.
    """

    backbone: str
    weights_id: str


class EmbeddingPair(NamedTuple):
    """What the asset `embeddings` hands on.

    Attributes:
        vectors: float32, shape (n, d); may be mapped from disk.
        paths: n paths relative to the folder of the pictures; row i belongs to path i.
        network: What made the vectors; None where that is not known.
        contents: Digest of what was in the pictures (`contents_digest`); empty where that is not known.
    """

    vectors: NDArray[np.float32]
    paths: list[str]
    network: Network | None = None
    contents: str = ""


class StoredError(ClusteringError):
    """The stored embeddings are missing or do not belong together."""


def contents_digest(content_hashes: Iterable[str]) -> str:
    """Digest of the content hashes of the rows' pictures, in hexadecimal."""
    return xxhash.xxh3_128_hexdigest("\n".join(content_hashes).encode())


def save_embeddings(
    folder: Path | UPath,
    vectors: NDArray[np.float32],
    paths: Sequence[str],
    network: Network | None = None,
    contents: str = "",
) -> None:
    """Write the pair into `folder`; both files are complete before either takes its place.

    The vectors are written in blocks, so a memory-mapped array never comes into memory as a whole.

    Args:
        folder: For example `output/embeddings`.
        vectors: Shape (n, d).
        paths: n paths; a line break or backslash inside one is written escaped.
        network: What made the vectors, if that is known.
        contents: Digest of what was in the pictures (`contents_digest`), if that is known.

    Raises:
        ValueError: The two have different lengths.
        OSError: The folder cannot be written to.
    """
    if len(vectors) != len(paths):
        raise ValueError(f"{len(vectors)} vectors, but {len(paths)} paths")
    text = format_paths(paths)
    # the block's files take their places in the reverse of this order
    with (
        atomic_path(folder / PATHS) as names,
        atomic_path(folder / VECTORS) as array,
        atomic_path(folder / SEAL) as seal,
    ):
        hasher = xxhash.xxh3_128()
        with array.open("wb") as file:
            for piece in _pieces(vectors):
                hasher.update(piece)
                file.write(piece)
        names.write_bytes(text)
        hashes = {VECTORS: hasher.hexdigest(), PATHS: xxhash.xxh3_128_hexdigest(text)}
        facts = {"rows": len(vectors), "xxh3_128": hashes, **(network._asdict() if network else {})}
        facts |= {"contents": contents} if contents else {}
        seal.write_text(json.dumps(facts, indent=1))


def _pieces(vectors: NDArray[np.float32]) -> Iterator[bytes]:
    """The content of an `.npy` file, block by block."""
    header = io.BytesIO()
    facts = {"descr": "<f4", "fortran_order": False, "shape": tuple(vectors.shape)}
    np.lib.format.write_array_header_1_0(header, facts)
    yield header.getvalue()
    for start in range(0, len(vectors), _BLOCK_ROWS):
        yield np.ascontiguousarray(vectors[start : start + _BLOCK_ROWS], dtype="<f4").tobytes()


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
    folder = _folder(output)
    try:
        text = (folder / PATHS).read_bytes()
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
    paths = parse_paths(text)
    if vectors.ndim != 2 or vectors.dtype != np.float32 or any(map(leaves_folder, paths)):
        raise StoredError(
            f"{folder}: what is in {VECTORS} and {PATHS} was not written there; run again to mend it"
        )
    if len(vectors) != len(paths):
        raise StoredError(
            f"{folder}: {VECTORS} has {len(vectors)} rows, {PATHS} has {len(paths)} lines; run again to mend it"
        )
    _check_seal(folder, text)
    return vectors, paths


def load_network(output: str | Path | UPath) -> Network | None:
    """What made the embeddings of a run; None where that is not known.

    Args:
        output: As in `load_embeddings`.
    """
    try:
        facts = json.loads((_folder(output) / SEAL).read_text())
        return Network(str(facts["backbone"]), str(facts["weights_id"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def are_of(output: str | Path | UPath, paths: Sequence[str], content_hashes: Mapping[str, str]) -> bool:
    """Whether the embeddings of a run were made from these pictures, as far as that is known.

    Args:
        output: As in `load_embeddings`.
        paths: Paths of the rows.
        content_hashes: Hash of the content of each picture of the manifest by path.
    """
    if not set(paths) <= set(content_hashes):
        return False
    try:
        wanted = json.loads((_folder(output) / SEAL).read_text()).get("contents")
    except (OSError, ValueError, AttributeError):
        return True
    return not wanted or wanted == contents_digest(content_hashes[path] for path in paths)


def _folder(output: str | Path | UPath) -> Any:
    """The folder of the files, given it or the output around it."""
    root: Any = open_place(output, "output") if isinstance(output, str) else output
    return root if (root / VECTORS).exists() else root / "embeddings"


def _check_seal(folder: Any, text: bytes) -> None:
    """Refuse files that are not the ones that were written together; a pair without a seal is taken as it is.

    Raises:
        StoredError: A run was stopped between the two files, or one was changed since.
    """
    try:
        hashes = json.loads((folder / SEAL).read_text())["xxh3_128"]
        wanted = str(hashes[VECTORS]), str(hashes[PATHS])
    except FileNotFoundError:
        return
    except (ValueError, KeyError, TypeError):
        raise StoredError(f"{folder / SEAL} is damaged; run again to mend it") from None
    if wanted != (content_hash(folder / VECTORS), xxhash.xxh3_128_hexdigest(text)):
        raise StoredError(
            f"{folder}: {VECTORS} and {PATHS} were not written together, or one was changed since; run again to mend "
            f"them, or delete {SEAL} if the change is yours"
        )


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
