"""Rendering videos: several at once where there are cores for it, each aside until it is looked at and published."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clustering_assets import progress
from clustering_assets.embedding.files import EmbeddingPair
from clustering_assets.errors import ClusteringError
from clustering_assets.files import image_source, music_source
from clustering_assets.images.budget import decode_beside_others, memory
from clustering_assets.images.reach import check_reach
from clustering_assets.integrity import content_hash
from clustering_assets.memory import free_bytes
from clustering_assets.outputs import VIDEOS, Outputs
from clustering_assets.places import is_url
from clustering_assets.process_identity import mark
from clustering_assets.settings import Settings
from clustering_assets.slideshows import make_clip
from clustering_assets.storage import PARTIAL, local_copy, move, scratch_folder, send
from clustering_assets.stores import open_place
from clustering_assets.threads import available_cores
from clustering_assets.video.recipe import Recipe
from clustering_assets.work.choice import make_engine
from clustering_assets.work.engine import Cluster, Engine, Lost, Task
from clustering_assets.work.processes import Processes
from clustering_assets.work.threads import Here

if TYPE_CHECKING:
    from clustering_assets.video.encode import VideoFacts
    from clustering_assets.video.errors import Failure
    from clustering_assets.video.verify import Check

CORES = 2
"""Cores for each of several videos at once. A video alone keeps up to six busy, two of them at next to no loss."""

BYTES, BYTES_PER_PIXEL = 450_000_000, 170
"""Memory of a process that renders and looks at what it wrote, and beside it for each pixel of a frame: 0.61 GB at
720p, where 0.60 was measured, and 1.9 GB at 2160p."""

PIXELS = 200_000_000
"""Pixels of all frames together that make a process worth its start, which costs as much as half of them."""

PATIENCE = 600.0
"""Seconds that a video may take, and one more for each million pixels of its frames, which take a sixtieth."""


@dataclass(frozen=True)
class Order:
    """What one video is made of, to be handed to whatever renders it.

    Attributes:
        recipe: What it shows and plays.
        settings: The settings in force.
        embeddings: Vectors and paths of its pictures.
        tracks: The rows of `music_tracks` for its track.
    """

    recipe: Recipe
    settings: Settings
    embeddings: EmbeddingPair
    tracks: pd.DataFrame

    @classmethod
    def of(
        cls, recipe: Recipe, settings: Settings, embeddings: EmbeddingPair, tracks: pd.DataFrame
    ) -> "Order":
        """The order of a recipe, with what it needs of all vectors and of the table `music_tracks`."""
        rows = pd.Index(embeddings.paths).get_indexer(pd.Index(recipe.images["path"]))
        rows = rows[rows >= 0]
        own = EmbeddingPair(np.asarray(embeddings.vectors[rows]), [embeddings.paths[row] for row in rows])
        return cls(recipe, settings, own, tracks[tracks["path"] == recipe.track])

    @property
    def pixels(self) -> int:
        """About how many pixels all its frames have together."""
        video = self.settings.video
        shown = min(len(self.recipe.images), video.max_images_per_video)
        width, height = video.size
        return int(shown * video.seconds_per_image * video.fps) * width * height


@dataclass(frozen=True)
class Rendered:
    """A finished video.

    Attributes:
        key: Partition key of its cluster.
        music: Whether it has music.
        staged: Path or URL of the file that is to be moved to its place; empty where the one there is kept.
        xxh3_128: Hash of that file, in hexadecimal.
        digest: Recipe digest of the file.
        seconds: Length.
        size: Width and height in pixels.
        fps: Frames per second.
        limit: Why the sound is not as loud as meant; empty if it is.
        failures: Each picture or track that had to be left out.
        facts: What was written; None where a file that was there is kept.
        checks: Whether the file is as planned.
        sheet: A small JPEG of its slides.
    """

    key: str
    music: bool
    staged: str
    xxh3_128: str
    digest: str
    seconds: float
    size: tuple[int, int]
    fps: int
    limit: str
    failures: tuple["Failure", ...]
    facts: "VideoFacts | None"
    checks: tuple["Check", ...]
    sheet: bytes

    @property
    def flaws(self) -> str:
        """In what the file is not as planned; empty if it is."""
        return "; ".join(
            f"{check.name} is {check.value}, expected {check.expected}"
            for check in self.checks
            if not check.passed
        )


@dataclass(frozen=True)
class Refused:
    """A video that could not be made, and why."""

    reason: str


def render(
    orders: Sequence[Order], engine: Engine | None = None
) -> Generator[tuple[str, Rendered | Refused], None, None]:
    """Each video with its key, in order, as soon as it and all before it are done.

    A video whose file in the output is as its recipe describes is not rendered again. A staged file is there until the
    next video is asked for: publish it, or it goes. It lies beside its place on a local disk; for a store it lies in a
    local folder for the time, so that it is sent once and complete, unless other machines render: theirs lie beside
    their place, where all reach them. Closing the generator ends all that is under way and leaves nothing behind.

    Args:
        orders: What the videos are made of.
        engine: What renders; None: what the settings ask for.

    Raises:
        WorkError: A cluster cannot do it, or not go on.
    """
    if not orders:
        return
    engine = engine or _engine(orders)
    if isinstance(engine, Cluster):
        orders = [replace(order, settings=_from_anywhere(order.settings)) for order in orders]
    beside = isinstance(engine, Cluster) or not is_url(orders[0].settings.output)
    with scratch_folder() if not beside else nullcontext() as folder:
        yield from _render(orders, engine, folder)


def _render(
    orders: Sequence[Order], engine: Engine, folder: Path | None
) -> Generator[tuple[str, Rendered | Refused], None, None]:
    """As `render`, with the folder that files lie in until they are published; None: beside their place."""
    task = Task(
        partial(_make_all, mark(), folder),
        lambda order: order.recipe.key,
        lambda order: order.pixels,
        patience=PATIENCE,
        begin=decode_beside_others,
        memory=memory,
    )
    with ExitStack() as stack:
        stack.callback(_clear, orders, folder)
        stack.enter_context(_ready(engine, orders))
        done = stack.enter_context(progress.task("All videos", len(orders), "videos"))
        run = engine.run_in_workers if isinstance(engine, Cluster) else engine.run
        for order, made in zip(orders, stack.enter_context(closing(run(task, orders))), strict=True):
            done.advance()
            yield order.recipe.key, _refused(made) if isinstance(made, Lost) else made
            _clear([order], folder)


def at_once(orders: Sequence[Order]) -> int:
    """How many videos are rendered at once, from the cores, the free memory and how much work there is."""
    if not orders:
        return 1
    width, height = orders[0].settings.video.size
    room = free_bytes() // (BYTES + BYTES_PER_PIXEL * width * height)
    worth = sum(order.pixels for order in orders) // PIXELS
    return max(1, min(len(orders), available_cores() // CORES, room, worth))


def publish(rendered: Rendered, outputs: Outputs) -> None:
    """Move a staged video to its place, where it takes that of the one with or without music.

    Raises:
        OSError: It cannot be moved.
    """
    if not rendered.staged:
        return
    final, other = (
        outputs.video(rendered.key, music=music) for music in (rendered.music, not rendered.music)
    )
    outputs.records.forget(outputs.name_of(final))  # a new file without a record is looked at, not made again
    move(open_place(rendered.staged, "output"), final)
    other.unlink(missing_ok=True)
    outputs.records.forget(outputs.name_of(other))


def _engine(orders: Sequence[Order]) -> Engine:
    """A cluster, processes, or this thread where there is no room or too little work for several."""
    settings = orders[0].settings
    if settings.engine != "local":
        return make_engine(settings.work)
    count = at_once(orders)
    return Processes(count, otherwise=Here()) if count > 1 else Here()


def _from_anywhere(settings: Settings) -> Settings:
    """Settings whose folders a process that stands in another one finds."""
    places = {name: getattr(settings, name) for name in ("images", "music", "output")}
    return settings.model_copy(
        update={
            name: place if is_url(place) else str(Path(place).absolute()) for name, place in places.items()
        }
    )


@contextmanager
def _ready(engine: Engine, orders: Sequence[Order]) -> Iterator[None]:
    """Be connected to a cluster inside the block, after all its machines were found to see what they need.

    Raises:
        WorkError: They do not.
    """
    if not isinstance(engine, Cluster):
        yield
        return
    settings = orders[0].settings
    pictures = [path for order in orders for path in order.recipe.images["path"]]
    tracks = [path for order in orders for path in order.tracks["path"]]
    with engine.connected():
        check_reach(engine, image_source(settings), pictures, settings.output)
        if tracks:
            check_reach(engine, music_source(settings), tracks)
        yield


def _refused(lost: Lost) -> Refused:
    return Refused(f"the process that rendered it {lost.reason}")


def _make_all(owner: str, folder: Path | None, orders: list[Order]) -> list[Rendered | Refused]:
    return [_make(owner, folder, order) for order in orders]


def _make(owner: str, folder: Path | None, order: Order) -> Rendered | Refused:
    """One video for the process that is marked so, or why there is none."""
    try:
        return _stage(owner, folder, order)
    except (ClusteringError, OSError) as error:
        return Refused(str(error))
    except Exception as error:  # noqa: BLE001 - the other videos shall be rendered whatever is wrong with this one
        return Refused(f"{type(error).__name__}: {error}")


def _stage(owner: str, folder: Path | None, order: Order) -> Rendered:
    """Render a video aside, unless it is in its place, and look at the file.

    Args:
        owner: Mark of the process that publishes it.
        folder: Where the file is put; None: beside its place.
        order: What it is made of.

    Raises:
        VideoError: It cannot be rendered.
        OSError: It cannot be read, or not be sent.
    """
    from clustering_assets.video.contact_sheet import contact_sheet
    from clustering_assets.video.encode import write_video
    from clustering_assets.video.verify import is_whole, verify

    values, outputs = order.settings, Outputs(order.settings.output)
    with (
        closing(make_clip(order.recipe, values, order.embeddings, order.tracks)) as slideshow,
        ExitStack() as stack,
    ):
        music = slideshow.soundtrack is not None
        place = outputs.video(order.recipe.key, music=music)
        sheet, facts, staged = contact_sheet(slideshow), None, None
        if is_whole(place, slideshow.digest, outputs):
            file = stack.enter_context(local_copy(place))
        else:
            staged = (folder or place.parent) / f".{place.name}{_ending(owner, order)}"
            file = staged if isinstance(staged, Path) else stack.enter_context(scratch_folder()) / place.name
            facts = write_video(slideshow, file, quality=values.quality, encoder=values.encoder)
        checks = verify(file, slideshow)
        if staged and not isinstance(staged, Path):
            send(file, staged)
        return Rendered(
            key=order.recipe.key,
            music=music,
            staged=str(staged or ""),
            xxh3_128=content_hash(file) if staged else "",
            digest=slideshow.digest,
            seconds=float(slideshow.duration),
            size=slideshow.size,
            fps=slideshow.fps,
            limit=slideshow.soundtrack.limit if slideshow.soundtrack else "",
            failures=slideshow.failures,
            facts=facts,
            checks=tuple(checks),
            sheet=sheet,
        )


def _ending(owner: str, order: Order) -> str:
    """What the names of staged files end with; if the process is killed, they are found by it as leftovers."""
    return f".{owner}-{order.recipe.digest[:8]}{PARTIAL}"


def _clear(orders: Sequence[Order], folder: Path | None) -> None:
    """Remove what was staged of these videos, finished or not."""
    for order in orders:
        place = folder or Outputs(order.settings.output).path(VIDEOS)
        with suppress(FileNotFoundError):
            for path in list(place.glob(f".*{order.recipe.key}_*{_ending(mark(), order)}*")):
                path.unlink()
