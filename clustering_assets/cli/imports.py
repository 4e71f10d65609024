"""The commands that bring pictures in."""

import sys
from typing import TYPE_CHECKING

import click

from clustering_assets.cli.exit_codes import FAILED
from clustering_assets.cli.terminal import show_progress
from clustering_assets.settings import load_settings

if TYPE_CHECKING:
    from clustering_assets.sources.imported import Imported


@click.group("import")
def import_pictures() -> None:
    """Bring pictures in from Kaggle or Open Images."""


IMAGES_FLAG = click.option(
    "--images", default=None, metavar="DIR", help="Folder of the pictures. [default: data/images]"
)


@import_pictures.command()
@click.argument("dataset", metavar="OWNER/DATASET")
@click.option(
    "--limit", type=click.IntRange(1), metavar="N", help="Most pictures, evenly spread over the dataset."
)
@IMAGES_FLAG
def kaggle(dataset: str, limit: int | None, images: str | None) -> None:
    """Download a Kaggle dataset; needs your Kaggle credentials and the extra `kaggle`."""
    from clustering_assets.sources.kaggle import import_kaggle

    with show_progress():
        imported = import_kaggle(dataset, load_settings(images=images).local_images, limit=limit)
    _say_imported(imported)


@import_pictures.command()
@click.option(
    "--limit", type=click.IntRange(1), default=500, show_default=True, metavar="N", help="Number of pictures."
)
@click.option(
    "--classes",
    multiple=True,
    metavar="CAT,DOG",
    help="Names of classes, also given several times; none for pictures of every kind.",
)
@click.option(
    "--subset",
    type=click.Choice(["validation", "test", "train"]),
    default="validation",
    show_default=True,
    help="Part.",
)
@click.option("--lists-url", default=None, metavar="URL", help="Mirror of the lists of Open Images.")
@click.option("--pictures-url", default=None, metavar="URL", help="Mirror of the pictures of Open Images.")
@IMAGES_FLAG
def openimages(
    limit: int,
    classes: tuple[str, ...],
    subset: str,
    lists_url: str | None,
    pictures_url: str | None,
    images: str | None,
) -> None:
    """Fetch pictures of Open Images V7, by class if you like."""
    from clustering_assets.sources.openimages import LISTS_URL, PICTURES_URL, import_openimages

    with show_progress():
        imported = import_openimages(
            load_settings(images=images).local_images,
            limit=limit,
            classes=classes,
            subset=subset,
            lists_url=lists_url or LISTS_URL,
            pictures_url=pictures_url or PICTURES_URL,
        )
    _say_imported(imported)


def _say_imported(imported: "Imported") -> None:
    """What came in, and what to do next."""
    click.echo(imported.summary())
    if imported.failures and not imported.files:
        sys.exit(FAILED)
