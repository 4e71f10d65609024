"""The command that shows everything on pictures and music that it makes."""

import time
from pathlib import Path
from typing import Any

import click

from clustering_assets.cli.closing import close
from clustering_assets.cli.last_flags import remember
from clustering_assets.cli.options import GroupedCommand, settings_options
from clustering_assets.cli.run import bring_up_to_date
from clustering_assets.cli.terminal import show_progress
from clustering_assets.settings import load_settings

DEMO = Path("data/demo")
DEMO_SETTINGS: dict[str, Any] = {
    "images": str(DEMO / "images"),
    "music": str(DEMO / "music"),
    "output": str(DEMO / "output"),
    "clusters": 7,
    "backbone": "efficientnet_lite0",
    "resolution": "1280x720",
    "max_images_per_video": 12,
    "seconds_per_image": 2.0,
    "transition_seconds": 0.6,
}
"""Settings of the demo: a cluster for each theme, a dozen pictures per video, 720p: minutes on two cores."""


@click.command(cls=GroupedCommand)
@click.option(
    "--count",
    default=98,
    show_default=True,
    metavar="N",
    type=click.IntRange(24),
    help="Number of pictures.",
)
@settings_options(DEMO_SETTINGS, without=("sensors", "images", "music"))
def demo(count: int, **flags: Any) -> None:
    """Generate sample pictures and music into data/demo and run everything on them."""
    begun = time.monotonic()
    given = {name: value for name, value in flags.items() if value is not None}
    flags = {**DEMO_SETTINGS, "min_images": min(count, 200), **given}
    settings = load_settings(**flags)
    remember(settings.output, flags)
    with show_progress() as say:
        from clustering_assets.demo.music import make_music
        from clustering_assets.demo.pictures import make_pictures

        say("Making sample pictures and music")
        make_pictures(Path(settings.images), count=count, seed=settings.seed)
        make_music(Path(settings.music), seed=settings.seed)
        result = bring_up_to_date(settings, say)
    close(result, settings, time.monotonic() - begun, warned=say.warned)
