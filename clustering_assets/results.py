"""Whether the results of earlier runs are there and as they were written."""

import logging
from collections.abc import Mapping

from clustering_assets.embedding.files import StoredError, are_of, load_embeddings
from clustering_assets.integrity import State, content_hash
from clustering_assets.outputs import EMBEDDINGS, Outputs, files_of
from clustering_assets.tables import IMAGE_MANIFEST, TABLES, DamagedTable

log = logging.getLogger("clustering_assets.outputs")


def is_whole(
    outputs: Outputs, name: str, rows: int | None = None, hashes: Mapping[str, str] | None = None
) -> bool:
    """Whether a result is there with all its files, as they were written; says in the log why not.

    What an older version wrote without a record is believed, and recorded, where it can be checked: tables and
    the embeddings.

    Args:
        outputs: Where results lie.
        name: The name below the output.
        rows: Rows that it had when it was written; None if that is not known.
        hashes: Hash that each file had when it was written; None or empty if that is not known.
    """
    files = tuple(dict.fromkeys((*files_of(name), *(hashes or ()))))
    states = {file: outputs.records.state(file) for file in files}
    for file, state in states.items():
        if state in (State.DAMAGED, State.MISSING):
            log.warning("%s %s: it is made anew", outputs.path(file), state.value)
            return False
    if State.UNRECORDED in states.values():
        found = {file: content_hash(outputs.path(file)) for file in files} if hashes else None
        if found != hashes if found else not _reads_well(outputs, name, rows):
            return False
        outputs.records.publish(files)
    if hashes and hashes != outputs.records.hashes(files):
        log.warning("%s is not the one that was made last: it is made anew", outputs.path(name))
        return False
    return True


def _reads_well(outputs: Outputs, name: str, rows: int | None) -> bool:
    """Whether a table or the embeddings can be read, and have as many rows as when they were written."""
    try:
        if name == EMBEDDINGS:
            paths = load_embeddings(outputs.root, mmap=True)[1]
            manifest = outputs.read_table(IMAGE_MANIFEST)
            if not are_of(
                outputs.root, paths, dict(zip(manifest["path"], manifest["content_hash"], strict=True))
            ):
                log.warning("%s is of other pictures than the manifest: it is made anew", outputs.path(name))
                return False
            found = len(paths)
        elif table := next((table for table in TABLES if table.file == name), None):
            found = len(outputs.read_table(table))
        else:
            return False
    except (FileNotFoundError, StoredError, DamagedTable) as error:
        log.warning("%s", error)
        return False
    return rows in (None, found)
