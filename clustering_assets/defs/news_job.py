"""The job that makes a short video of the pictures that came last."""

import dagster as dg
import pandas as pd
from pydantic import Field

from clustering_assets.defs.failures import told
from clustering_assets.defs.links import link_to
from clustering_assets.defs.resources import SettingsResource


class NewsConfig(dg.Config):
    """How long the video lasts, and what counts as new."""

    length: int = Field(default=15, ge=5, le=3600, description="Most seconds that the video lasts.")
    since: str = Field(
        default="",
        description="Show what came since this day, such as 2024-05-31; empty: what came with the last update that "
        "brought pictures.",
    )


@dg.op(
    description="Render videos/whats_new.mp4, with the settings that the output was made with.", pool="render"
)
@told()
def show_whats_new(context: dg.OpExecutionContext, config: NewsConfig, settings: SettingsResource) -> None:
    """Make the video, and show where it opens."""
    from clustering_assets.slideshows import settings_of_output
    from clustering_assets.whats_new import in_words, make_news

    try:
        since = pd.Timestamp(config.since) if config.since else None
    except ValueError:
        raise dg.Failure(f"since = {config.since!r}: must be a day such as 2024-05-31") from None
    try:
        news = make_news(settings_of_output(output=settings.value.output), seconds=config.length, since=since)
    except FileNotFoundError as error:
        raise dg.Failure(
            f"Nothing has been made in {settings.value.output} yet: materialize all assets first."
        ) from error
    context.log.info(in_words(news, since))
    opened = link_to(news.path) if news.path else {}
    context.add_output_metadata({**opened, "pictures": news.pictures, "shown": news.shown})
    if news.flaws and not news.kept:
        raise dg.Failure(f"{news.path} is not as planned: {news.flaws}")


@dg.job(
    description="A short video of the pictures that came with the last update, or since a day; its run opens it."
)
def make_whats_new() -> None:
    """One video."""
    show_whats_new()
