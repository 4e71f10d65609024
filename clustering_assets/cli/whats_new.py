"""The command that makes a short video of the pictures that came last."""

from datetime import datetime

import click

from clustering_assets.cli.terminal import show_progress
from clustering_assets.errors import ClusteringError
from clustering_assets.words import counted


@click.command(name="whats-new")
@click.option("--output", default=None, metavar="DIR-OR-URL", help="Which output. [default: output]")
@click.option(
    "--length",
    type=click.IntRange(5, 3600),
    default=15,
    show_default=True,
    metavar="SECONDS",
    help="Most seconds that the video lasts.",
)
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%d %H:%M"]),
    help="Show what came since this day (2024-05-31) rather than with the last update that brought pictures.",
)
def whats_new(output: str | None, length: int, since: datetime | None) -> None:
    """Make a short video, whats_new.mp4, of the pictures that came with the last update.

    It looks and sounds like the videos of the clusters. Pictures of the first update are not new.
    """
    import pandas as pd

    from clustering_assets.leases import output_for_ourselves
    from clustering_assets.slideshows import settings_of_output
    from clustering_assets.whats_new import make_news

    settings = settings_of_output(output=output)
    with show_progress(), output_for_ourselves(settings.output):
        news = make_news(settings, seconds=length, since=pd.Timestamp(since) if since else None)
    if news.path is None:
        when = f"since {since:%Y-%m-%d %H:%M}" if since else "since the first update"
        click.echo(f"Nothing is new: no picture came {when}.")
        return
    came = f"{counted(news.pictures, 'picture')} that came {'since' if since else 'on'} {news.since:%Y-%m-%d, %H:%M}"
    if news.kept:
        click.echo(f"Nothing new since then: {news.path} shows {news.shown:,} of {came}.")
        return
    click.echo(f"{news.path}: {news.shown:,} of {came}, {news.seconds:.1f} s")
    click.echo("The gallery shows it from the next update on; `run --again --only gallery` makes just that.")
    if news.flaws:
        raise ClusteringError(f"{news.path} is not as planned: {news.flaws}")
