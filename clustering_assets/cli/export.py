"""The commands that give results to other programs."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clustering_assets.errors import ClusteringError
from clustering_assets.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clustering_assets.video.slideshow import Slideshow

_output = click.option(
    "--output", default=None, metavar="DIR-OR-URL", help="Whose results. [default: output]"
)
_clusters = click.argument("clusters", nargs=-1, metavar="[CLUSTER]...")
_into = click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("export"),
    show_default=True,
    help="Folder to write to.",
)


@click.group()
def export() -> None:
    """Give results to other programs: folders, a table, editable timelines, moving previews."""


@export.command()
@_output
@_into
@click.option(
    "--how",
    type=click.Choice(["links", "hardlinks", "copies"]),
    default="links",
    show_default=True,
    help="Symbolic links take no room and show the originals; copies can be given away.",
)
def folders(output: str | None, into: Path, how: Any) -> None:
    """A folder for each cluster, named like it, with its pictures. The originals are never touched.

    Run it again after an update: what is in another cluster now moves, and what is there already stays.
    """
    from clustering_assets.cli.terminal import show_progress
    from clustering_assets.export.folders import export_folders
    from clustering_assets.files import image_source
    from clustering_assets.outputs import Outputs
    from clustering_assets.slideshows import settings_of_output
    from clustering_assets.tables import CLUSTER_ASSIGNMENTS

    settings = settings_of_output(output=output)
    assignments = Outputs(settings.output).read_table(CLUSTER_ASSIGNMENTS)
    with show_progress():
        done = export_folders(assignments, image_source(settings), into, how)
    for path, reason in done.failures:
        click.echo(f"{path}: {reason}", err=True)
    click.echo(
        f"{into}: {counted(done.folders, 'folder')}, {counted(done.made, 'picture')} put there, "
        f"{done.kept:,} there already, {done.removed:,} of an earlier export removed."
    )
    if done.failures:
        raise ClusteringError(f"{counted(len(done.failures), 'picture')} could not be exported")


@export.command()
@_output
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), default=Path("clusters.csv"))
def csv(output: str | None, file: Path) -> None:
    """Write one table of all pictures with their clusters to FILE, by default clusters.csv."""
    from clustering_assets.export.listing import listing
    from clustering_assets.files import image_source
    from clustering_assets.outputs import Outputs
    from clustering_assets.slideshows import settings_of_output
    from clustering_assets.tables import CLUSTER_ASSIGNMENTS, IMAGE_MANIFEST, MUSIC_CHOICE, write_table

    settings = settings_of_output(output=output)
    read = Outputs(settings.output).read_table
    table = listing(
        read(CLUSTER_ASSIGNMENTS), read(IMAGE_MANIFEST), read(MUSIC_CHOICE), image_source(settings)
    )
    write_table(file, table)
    click.echo(f"{file}: {counted(len(table), 'picture')}")


@export.command()
@_output
@_into
@_clusters
def otio(output: str | None, into: Path, clusters: tuple[str, ...]) -> None:
    """The slideshows as OpenTimelineIO timelines, which Kdenlive, DaVinci Resolve and others open.

    CLUSTER is a key such as cluster_0; without any, all are written. Pictures and music are referred to where they
    lie. Needs the package opentimelineio.
    """
    from clustering_assets.export.timeline import export_timeline

    for key, slideshow in _slideshows(output, clusters):
        for file in export_timeline(slideshow, into / f"{key}.otio"):
            click.echo(file)


@export.command()
@_output
@_into
@_clusters
@click.option("--kind", type=click.Choice(["webp", "gif"]), default="webp", show_default=True)
@click.option("--width", type=click.IntRange(32, 1920), default=480, show_default=True, help="Pixels across.")
def previews(output: str | None, into: Path, clusters: tuple[str, ...], kind: str, width: int) -> None:
    """Small moving pictures of the slideshows, for pages and messages that show no video.

    CLUSTER is a key such as cluster_0; without any, all are written.
    """
    from clustering_assets.export.preview import write_preview

    for key, slideshow in _slideshows(output, clusters):
        write_preview(slideshow, file := into / f"{key}.{kind}", width)
        click.echo(file)


def _slideshows(output: str | None, keys: tuple[str, ...]) -> "Iterator[tuple[str, Slideshow]]":
    """The slideshows of some clusters, or of all, each closed when the next is asked for."""
    from clustering_assets.clustering.keys import in_order, partition_key
    from clustering_assets.outputs import Outputs
    from clustering_assets.slideshows import open_slideshow, settings_of_output
    from clustering_assets.tables import CLUSTER_ASSIGNMENTS

    where = settings_of_output(output=output).output
    known = in_order(Outputs(where).read_table(CLUSTER_ASSIGNMENTS)["cluster"])
    for key in keys or map(partition_key, known):
        slideshow = open_slideshow(key, output=where)
        try:
            yield key, slideshow
        finally:
            slideshow.close()
