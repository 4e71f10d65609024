"""The flags of the last run of each output in a folder, so that the UI starts on the settings of that run."""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from clustering_assets.storage import write_text

FLAGS = Path(".dagster/flags.json")


def remember(output: str, flags: Mapping[str, Any]) -> None:
    """Keep the flags of a run; those that were not given are None. A folder that is only to be read keeps nothing."""
    kept = _read()
    kept.pop(output, None)  # the last run comes last
    kept[output] = {name: value for name, value in flags.items() if value is not None}
    with suppress(OSError):
        FLAGS.parent.mkdir(exist_ok=True)
        write_text(FLAGS, json.dumps(kept, indent=1))


def recall(output: str | None = None) -> dict[str, Any]:
    """The flags of the last run into an output, or of the last run; empty where there was none.

    Args:
        output: The output, as its setting says it; None for that of the last run.
    """
    kept = _read()
    found = kept.get(output if output is not None else next(reversed(kept), ""))
    return found if isinstance(found, dict) else {}


def _read() -> dict[str, Any]:
    """The flags by output, the last run last."""
    try:
        kept = json.loads(FLAGS.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}
