"""The stamp of a generated folder: what it was made from, so that nothing is made twice."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clustering_assets.storage import write_text

_NAME = ".made_{kind}.json"


def is_complete(folder: Path, recipe: Mapping[str, Any]) -> bool:
    """Whether `folder` holds all that `recipe` makes: the same recipe, and every file there in its size."""
    try:
        stamp = json.loads(_path(folder, recipe).read_text("utf-8"))
        if stamp["recipe"] != dict(recipe):
            return False
        return all((folder / name).stat().st_size == size for name, size in stamp["files"].items())
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError, AttributeError):
        return False  # no stamp, or none that can be read: make everything again


def made_before(folder: Path, kind: str) -> list[Path]:
    """The files of an earlier recipe of this kind, whatever it was; empty if there is no stamp."""
    try:
        stamp = json.loads(_path(folder, {"kind": kind}).read_text("utf-8"))
        return [folder / name for name in stamp["files"] if ".." not in Path(name).parts]
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
        return []


def write_stamp(folder: Path, recipe: Mapping[str, Any], files: Sequence[Path]) -> None:
    """Record that `files` in `folder` were made by `recipe`, which has a `kind`."""
    sizes = {file.relative_to(folder).as_posix(): file.stat().st_size for file in files}
    write_text(_path(folder, recipe), json.dumps({"recipe": dict(recipe), "files": sizes}, indent=1) + "\n")


def _path(folder: Path, recipe: Mapping[str, Any]) -> Path:
    """Where the stamp of this kind is."""
    return folder / _NAME.format(kind=recipe["kind"])
