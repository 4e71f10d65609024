"""The command that makes a short video of the pictures that came last."""

from datetime import datetime

import click

from clustering_assets.cli.terminal import show_progress
from clustering_assets.errors import ClusteringError


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
    from clustering_assets.whats_new import in_words, make_news

    settings = settings_of_output(output=output)
    moment = pd.Timestamp(since) if since else None
    with show_progress(), output_for_ourselves(settings.output):
        news = make_news(settings, seconds=length, since=moment)
    click.echo(in_words(news, moment))
    if news.path is not None and not news.kept:
        click.echo(
            "The gallery shows it from the next update on; `run --again --only gallery` makes just that."
        )
    if news.flaws and not news.kept:
        raise ClusteringError(f"{news.path} is not as planned: {news.flaws}")
