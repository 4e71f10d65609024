"""The stamp of a generated folder: what it was made from, so that nothing is made twice."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from clustering_assets.storage import write_text

log = logging.getLogger("clustering_assets.demo")


def make_once(
    folder: Path, recipe: Mapping[str, Any], files: Sequence[Path], make: Callable[[], None]
) -> None:
    """Call `make` unless `folder` holds all of `files`, in their sizes, as this recipe made them.

    Files that an earlier recipe of the same kind left there go; others are left alone.

    Args:
        folder: Where the files lie.
        recipe: Everything that decides what is made, and its `kind`.
        files: What `make` makes.
        make: Makes them.
    """
    stamp, before = folder / f".made_{recipe['kind']}.json", {}
    with suppress(FileNotFoundError, NotADirectoryError, ValueError):  # no stamp, or none that can be read
        before = dict(json.loads(stamp.read_text("utf-8")))
    if before == {"recipe": recipe, "files": _sizes(files)}:
        log.info("The sample %s are already in %s", recipe["kind"], folder)
        return
    for name in set(before.get("files", ())) - {file.name for file in files}:
        (folder / Path(name).name).unlink(missing_ok=True)
    make()
    write_text(stamp, json.dumps({"recipe": recipe, "files": _sizes(files)}, indent=1) + "\n")


def _sizes(files: Sequence[Path]) -> dict[str, int]:
    """The size in bytes of each file that is there."""
    return {file.name: file.stat().st_size for file in files if file.is_file()}
