"""The commands that answer questions about an output, and change nothing."""

import json
import webbrowser
from pathlib import Path

import click

from clustering_assets.errors import ClusteringError

_output = click.option("--output", default=None, metavar="DIR-OR-URL", help="Which output. [default: output]")


@click.command()
@click.argument("picture")
@_output
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
def why(picture: str, output: str | None, as_json: bool) -> None:
    """Say what became of PICTURE at every stage, and what keeps it out where it is not shown.

    PICTURE is a path, a path below the folder of pictures, or a name that only one picture has.
    """
    from clustering_assets.clustering.keys import partition_key
    from clustering_assets.files import image_source
    from clustering_assets.outputs import Outputs
    from clustering_assets.report.why import find_picture
    from clustering_assets.report.why import why as sentences
    from clustering_assets.slideshows import open_slideshow, settings_of_output
    from clustering_assets.tables import CLUSTER_ASSIGNMENTS, LEDGER

    settings = settings_of_output(output=output)
    read = Outputs(settings.output).read_table
    ledger, assignments = read(LEDGER), read(CLUSTER_ASSIGNMENTS)
    path = find_picture(picture, ledger["path"].tolist(), image_source(settings))
    clusters = assignments.loc[assignments["path"] == path, "cluster"]
    slideshow = (
        None if clusters.empty else open_slideshow(partition_key(clusters.iloc[0]), output=settings.output)
    )
    lines = sentences(path, ledger, assignments, slideshow.storyboard if slideshow else None)
    if as_json:
        click.echo(json.dumps({"path": path, "why": lines}, indent=2, ensure_ascii=False))
        return
    click.echo(path)
    for line in lines:
        click.echo(f"  {line}")


@click.command(name="open")
@_output
@click.option("--print", "only_print", is_flag=True, help="Say where it is, and open nothing.")
def open_gallery(output: str | None, only_print: bool) -> None:
    """Open the gallery of an output in a browser."""
    from clustering_assets.outputs import GALLERY, Outputs
    from clustering_assets.settings import load_settings

    page = Outputs(load_settings(output=output).output).path(GALLERY)
    if not page.is_file():
        raise ClusteringError(f"{page} is not there: run makes it")
    url = Path(page).absolute().as_uri() if isinstance(page, Path) else str(page)
    click.echo(url)
    if not only_print and not webbrowser.open(url):
        click.echo("No browser could be opened here: open this address in one.", err=True)
