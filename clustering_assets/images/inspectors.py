"""All files looked at, by an engine: files that must not be opened, and files that end whatever opens them, too."""

from collections.abc import Generator, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from clustering_assets.files import file_source
from clustering_assets.files.source import FileSource, FoundFile
from clustering_assets.images.budget import memory
from clustering_assets.images.errors import lost_in_decoding
from clustering_assets.images.inspection import Look, begin, look
from clustering_assets.images.load import as_sent
from clustering_assets.images.reach import check_reach
from clustering_assets.work.engine import Cluster, Engine, Lost, Task

if TYPE_CHECKING:
    from clustering_assets.settings import Limits

_TOGETHER = 16


def look_at_all(
    source: Path | FileSource, files: Sequence[FoundFile], limits: "Limits", engine: Engine
) -> Generator[Look, None, None]:
    """Look at any number of files, in order; only a few thousand results wait to be fetched.

    Closing the generator ends the work at once.

    Args:
        source: Where the files are.
        files: As the source lists them.
        limits: What is refused before it is decoded.
        engine: What looks at them.

    Raises:
        WorkError: The engine cannot go on.
    """
    sizes = {file.path: file.bytes for file in files if not file.problem}
    source = file_source(source)
    task = Task(
        partial(look, source, limits=as_sent(limits)),
        size=sizes.__getitem__,
        together=_TOGETHER,
        begin=begin,
        memory=memory,
        ahead=source.most_ahead,
        feed=source.feed([file for file in files if not file.problem]),
    )
    with ExitStack() as stack:
        if isinstance(engine, Cluster) and sizes:
            stack.enter_context(engine.connected())
            check_reach(engine, file_source(source), sizes)
        looks = stack.enter_context(closing(engine.run(task, list(sizes))))
        for file in files:
            if file.problem:
                yield Look(stage="find", reason=file.problem)
                continue
            seen = next(looks)
            if isinstance(seen, Lost):
                error = lost_in_decoding(file.path, seen)
                seen = Look(stage=error.stage, reason=error.reason)
            yield seen
