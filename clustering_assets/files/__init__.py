"""Where pictures and music lie: sources of files, found by what a setting or an argument says.

Another kind of place is a class like `LocalFolder`, and a line in `file_source`.
"""

from pathlib import Path

from clustering_assets.files.local import LocalFolder
from clustering_assets.files.source import FileSource, SourceFile

AnyFile = str | Path | SourceFile
"""What an argument may name a file by: its place, or as the file of a source."""


def file_source(place: str | Path | FileSource) -> FileSource:
    """The source that a setting or an argument names: a folder of this machine, unless it is a source already."""
    return place if isinstance(place, FileSource) else LocalFolder(Path(place))


def source_file(place: AnyFile) -> SourceFile:
    """The file that an argument names."""
    if isinstance(place, SourceFile):
        return place
    path = Path(place)
    return file_source(path.parent) / path.name
