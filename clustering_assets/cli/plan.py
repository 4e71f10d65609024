"""What each video would be, before anything is rendered."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clustering_assets.progress import track
from clustering_assets.settings import Settings
from clustering_assets.words import counted, duration

if TYPE_CHECKING:
    from clustering_assets.video.recipe import Recipe


@dataclass(frozen=True)
class VideoPlan:
    """The plan of one video.

    Attributes:
        key: Partition key of its cluster.
        name: Name of its cluster.
        size: Number of pictures of the cluster.
        shown: The pictures that it shows, in order.
        track: Its track; empty for none.
        seconds: Its length.
        resolution: Width and height in pixels.
        there: Whether this very video is there already.
    """

    key: str
    name: str
    size: int
    shown: tuple[str, ...]
    track: str
    seconds: float
    resolution: str
    there: bool

    def __str__(self) -> str:
        """The plan in words, the pictures on lines of their own."""
        facts = [
            f"{len(self.shown):,} of {counted(self.size, 'picture')}",
            duration(self.seconds),
            self.resolution,
            self.track or "no music",
            *(["is there already"] if self.there else []),
        ]
        return "\n".join(
            [f"{self.key}  {self.name}: {', '.join(facts)}", *(f"    {path}" for path in self.shown)]
        )


def plan_videos(recipes: "Mapping[str, Recipe]", settings: Settings) -> list[VideoPlan]:
    """The plan of each video, as it will be rendered.

    Args:
        recipes: What each is made of, by partition key.
        settings: The settings in force.

    Raises:
        VideoError: Not one picture of a cluster can be read.
    """
    from clustering_assets.defs.staleness import holds_video
    from clustering_assets.embedding.files import EmbeddingPair, load_embeddings
    from clustering_assets.outputs import Outputs
    from clustering_assets.slideshows import make_clip
    from clustering_assets.tables import MUSIC_TRACKS

    outputs = Outputs(settings.output)
    pair = EmbeddingPair(*load_embeddings(settings.output, mmap=True))
    tracks = outputs.read_table(MUSIC_TRACKS)
    plans = []
    for recipe in track(recipes.values(), "Planning videos", len(recipes), "videos"):
        with closing(make_clip(recipe, settings, pair, tracks)) as slideshow:
            shown = tuple(slide.path for slide in slideshow.timeline.slides if slide.path)
            plans.append(
                VideoPlan(
                    recipe.key,
                    recipe.title,
                    len(recipe.images),
                    shown,
                    recipe.track if slideshow.soundtrack else "",
                    round(float(slideshow.duration), 2),
                    "x".join(map(str, slideshow.size)),
                    holds_video(recipe, outputs),
                )
            )
    return plans
