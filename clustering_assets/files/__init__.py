"""Where pictures and music lie: sources of files, found by what a setting or an argument says.

Another kind of place is a class like `LocalFolder`, and a line in `file_source`.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from clustering_assets.files.local import LocalFolder
from clustering_assets.files.source import FileSource, SourceFile
from clustering_assets.places import is_url

if TYPE_CHECKING:
    from clustering_assets.settings import Folders

AnyFile = str | Path | SourceFile
"""What an argument may name a file by: its place, or as the file of a source."""


def image_source(settings: "Folders") -> FileSource:
    """Where the pictures are."""
    return file_source(settings.images, "images", follow_links=settings.follow_links)


def music_source(settings: "Folders") -> FileSource:
    """Where the music is."""
    return file_source(settings.music, "music", follow_links=settings.follow_links)


def file_source(
    place: str | Path | FileSource, setting: str = "", *, follow_links: bool = False
) -> FileSource:
    """The source that a setting or an argument names.

    Args:
        place: A folder of this machine, the URL of a folder on a store, or a source already.
        setting: Name of the setting that says so, for messages.
        follow_links: Whether links that leave a folder of this machine are followed.
    """
    if isinstance(place, FileSource):
        return place
    if isinstance(place, str) and is_url(place):
        from clustering_assets.files.remote import RemoteFolder

        return RemoteFolder(place, setting)
    return LocalFolder(Path(place), follow_links)


def source_file(place: AnyFile) -> SourceFile:
    """The file that an argument names."""
    if isinstance(place, SourceFile):
        return place
    if isinstance(place, str) and is_url(place):
        folder, _, name = place.rpartition("/")
        return file_source(folder) / name
    path = Path(place)
    return file_source(path.parent) / path.name
