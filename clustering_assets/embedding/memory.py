"""Facts that cost time to find out, kept in JSON files from one run to the next where that is possible."""

import json
import logging
from pathlib import Path
from typing import Any

from clustering_assets.storage import write_text

log = logging.getLogger("clustering_assets.embedding")


def recall(file: Path | None) -> dict[str, Any]:
    """What is kept in a file; nothing if there is none, or it cannot be read."""
    try:
        facts = json.loads(file.read_text(encoding="utf-8")) if file else {}
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def remember(file: Path | None, facts: dict[str, Any]) -> bool:
    """Add facts to those in a file; whether that was possible."""
    if file is None:
        return False
    try:
        write_text(file, json.dumps({**recall(file), **facts}, indent=1))
    except OSError as error:
        log.info("%s is not written (%s): what it would say is found out again next time", file, error)
        return False
    return True
