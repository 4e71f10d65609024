"""The slideshow of one cluster: a lazy clip that draws any of its frames on demand."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from moviepy import AudioClip, VideoClip
from numpy.typing import NDArray

from clustering_assets.errors import ClusteringError
from clustering_assets.files import file_source
from clustering_assets.files.source import FileSource, SourceFile
from clustering_assets.images.errors import ImageError
from clustering_assets.images.load import read_picture
from clustering_assets.settings import DEFAULT_LIMITS, Limits, VideoSettings
from clustering_assets.video.canvas import Canvas, lay
from clustering_assets.video.captions import Caption, make_caption
from clustering_assets.video.colour import dim, split, to_rgb
from clustering_assets.video.faces import Box, find_heads
from clustering_assets.video.framing import MOVES, frame_picture, needed_side, shrunk
from clustering_assets.video.moviepy_clips import audio_clip, writing_arguments
from clustering_assets.video.omissions import SOUNDTRACK, digest_of_what_is_left
from clustering_assets.video.recipe import VideoError, recipe_digest
from clustering_assets.video.saliency import saliency
from clustering_assets.video.selection import Choice, choose
from clustering_assets.video.timeline import (
    Timeline,
    beat_cuts,
    beat_is_clear,
    cut_error,
    ease,
    fixed_cuts,
    lay_out,
)
from clustering_assets.video.titles import describe, title_canvas
from clustering_assets.video.transitions import Shot, choose_kinds, draw_shot, draw_transition, tempo

log = logging.getLogger("clustering_assets.video")

KEPT_CANVASES = 3
"""Pictures held ready at a time: the two of a transition and the next one."""


class Sound(Protocol):
    """What a slideshow needs of a soundtrack (`clustering_assets.audio.soundtrack`)."""

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        ...

    @property
    def samples(self) -> int:
        """Length in samples a channel, at 48 kHz."""
        ...

    @property
    def loudness(self) -> float:
        """Integrated loudness in LUFS."""
        ...

    @property
    def true_peak(self) -> float:
        """True peak in dBTP."""
        ...

    @property
    def limit(self) -> str:
        """What keeps it quieter than meant, in one sentence; empty where nothing does."""
        ...

    @property
    def track_start(self) -> float:
        """Where in the track the soundtrack begins, in seconds."""
        ...

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """The sound in pieces (2, n)."""
        ...

    def beat_times(self, seconds: float) -> NDArray[np.float64]:
        """The beats of the first `seconds`, in seconds from the beginning of the video."""
        ...


class PictureLost(VideoError):
    """A picture that was there when the video was planned cannot be drawn any more."""

    def __init__(self, path: str, stage: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.stage = stage
        self.reason = reason


@dataclass(frozen=True)
class _Source:
    """One picture to show: where it is and how large it is said to be (None: not known)."""

    path: str
    size: tuple[int, int] | None


class Slideshow(VideoClip):
    """The slideshow of one cluster, drawn frame by frame when asked.

    It is a `moviepy.VideoClip`, with sound, that can be cut, captioned and concatenated like any other; what is made of
    it that way is written well with `editing.PLAYABLE`. The pictures it holds in memory do not grow in number with its
    length.

    Attributes:
        timeline: The plan, in frames.
        choice: Which pictures are shown and how well the order flows.
        failures: `(path, stage, reason)` of each picture or track that could not be used.
        digest: Recipe digest, stored in the file; another one where something had to be left out.
        settings: The settings it was made with.
        title: Its title.
        cluster: Number of the cluster.
        soundtrack: The music, exactly as long as the video; None without.
        kept: Share of the saliency that stays in view, for each picture drawn so far.
        kept_heads: The same of the head that is cut off most, for each picture drawn so far that shows any.
    """

    def __init__(
        self,
        images: pd.DataFrame,
        folder: Path | FileSource,
        *,
        vectors: NDArray[np.floating] | None,
        track: Mapping[str, Any] | None,
        track_path: Path | SourceFile | None,
        title: str,
        cluster: int,
        settings: VideoSettings,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        if vectors is not None and len(vectors) != len(images):
            raise VideoError(f"{len(vectors)} vectors for {len(images)} pictures of cluster {cluster}")
        self._images = images.reset_index(drop=True)
        self._source = file_source(folder)
        self._vectors = vectors
        self._track, self._track_path = track, track_path
        self._limits = limits
        self.settings = settings
        self.title, self.cluster = title, cluster
        self.failures: list[tuple[str, str, str]] = []
        self.kept: dict[str, float] = {}
        self.kept_heads: dict[str, float] = {}
        self._heads: dict[str, tuple[Box, ...] | None] = {}
        self._recipe = recipe_digest(images, _text(track, "content_hash"), title, settings)
        self._caption: Caption | None = make_caption(title, settings.size) if settings.captions else None
        self._shelf = _Shelf(self._lay)
        self._plan()
        super().__init__(duration=self.timeline.seconds)
        self.size = settings.size
        self.fps = settings.fps
        self.frame_function = self._frame_at

    @property
    def digest(self) -> str:
        """Digest of what it shows: that of its recipe, unless something had to be left out."""
        return digest_of_what_is_left(self._recipe, self.failures)

    @property
    def frame_count(self) -> int:
        """Number of frames."""
        return self.timeline.frames

    @property
    def heads(self) -> int | None:
        """Number of heads found in the pictures drawn so far; None where faces are not looked for."""
        counts = [len(found) for path in self.kept if (found := self._heads.get(path)) is not None]
        return sum(counts) if counts or not self.kept else None

    @property
    def audio(self) -> AudioClip | None:
        """The soundtrack as MoviePy knows it, or what was put in its place; decoded when first heard."""
        if self._audio is None and self.soundtrack is not None and not self._muted:
            self._audio = audio_clip(self.soundtrack)
        return self._audio

    @audio.setter
    def audio(self, clip: AudioClip | None) -> None:
        # MoviePy's constructor sets None before anything can be heard; a user who does so means silence.
        self._muted = clip is None and hasattr(self, "_audio")
        self._audio = clip

    def frame(self, index: int) -> NDArray[np.uint8]:
        """Frame `index` as RGB (height, width, 3), as a player shows it; the same whenever it is asked for.

        Raises:
            IndexError: There is no such frame.
            PictureLost: A picture has vanished since the slideshow was made.
        """
        return to_rgb(split(self.planes(index)))

    def planes(self, index: int) -> NDArray[np.uint8]:
        """Frame `index` as I420 (height * 3 / 2, width), BT.709 limited range; errors as in `frame`."""
        slide, transition = self.timeline.shown(index)
        if transition is None:
            frame = draw_shot(self._shot(slide, index), self.settings.size)
        else:
            frame = draw_transition(
                transition.kind,
                transition.progress(index),
                self._shot(slide, index),
                self._shot(slide + 1, index),
                self.settings.size,
            )
        ahead = slide + (1 if transition is None else 2)
        if ahead < len(self.timeline.slides):
            self._shelf.expect(ahead)
        if self._caption is not None:
            self._caption.write(frame, self._captioned(slide, index))
        light = self.timeline.light(index)
        if light < 1:
            dim(frame, light)
        return frame

    def glance(self, slide: int, width: int) -> NDArray[np.uint8]:
        """A small RGB picture of the middle of a slide, `width` pixels across; much cheaper than its frame.

        Raises:
            PictureLost: The picture has vanished since the slideshow was made.
        """
        full = self.settings.size
        share = min(1.0, width / full[0])
        size = (max(2, 2 * round(full[0] * share / 2)), max(2, 2 * round(full[1] * share / 2)))
        canvas = self._lay(slide, share)
        return to_rgb(split(draw_shot((canvas, canvas.view(0.5)), size)))

    def drop(self, lost: PictureLost) -> None:
        """Plan the video anew without a picture that was lost; it is noted in `failures`.

        Raises:
            VideoError: No usable picture is left.
        """
        log.warning("%s is left out of the video of cluster %s: %s", lost.path, self.cluster, lost.reason)
        self.failures.append((lost.path, lost.stage, lost.reason))
        self._shelf.clear()
        self._plan()
        self.duration = self.end = self.timeline.seconds
        self._audio = None

    def drop_damaged(self) -> bool:
        """Decode every picture that is planned, leave out those that cannot be drawn; whether there were any.

        A file that was damaged without a trace, its size and time unchanged, is not noticed when a video is
        planned, only when it is drawn; whoever did not draw the video does not know what was left out of it.

        Raises:
            VideoError: No usable picture is left.
        """
        lost: dict[str, PictureLost] = {}
        for source in filter(None, self._sources):
            try:
                read_picture(self._source / source.path, min_side=64, limits=self._limits)
            except ImageError as error:
                lost[source.path] = PictureLost(source.path, error.stage, error.reason)
        for found in lost.values():
            self.drop(found)
        if lost:
            self.drop_damaged()  # others may have taken their places
        return bool(lost)

    def write_videofile(self, *given: Any, **named: Any) -> None:
        """MoviePy's own way of writing, for clips that were cut or changed; arguments as there.

        What is not given is chosen so that MP4 files play everywhere, with the colours that were drawn.
        """
        super().write_videofile(**writing_arguments(*given, **named))

    def close(self) -> None:
        """Let go of the pictures held in memory."""
        self._shelf.close()

    def _frame_at(self, time: float) -> NDArray[np.uint8]:
        """The frame shown at `time` seconds; before and after, the first and the last."""
        index = int(np.floor(time * self.settings.fps + 1e-6))
        return self.frame(min(max(index, 0), self.frame_count - 1))

    # planning

    def _plan(self) -> None:
        """Choose the pictures, the soundtrack and the timeline, from everything that has not failed."""
        failed = {path for path, _, _ in self.failures}
        while True:
            usable = self._usable(failed)
            rows = self._images.iloc[usable].assign(duplicate_of="")
            vectors = None if self._vectors is None else np.asarray(self._vectors)[usable]
            choice = choose(rows, vectors, most=self.settings.max_images_per_video, order=self.settings.order)
            chosen = rows.iloc[list(choice.rows)]
            found = [failure for row in _records(chosen) if (failure := self._problem(row))]
            if not found:
                break
            for failure in found:
                log.warning(
                    "%s is left out of the video of cluster %s: %s", failure[0], self.cluster, failure[2]
                )
            self.failures.extend(found)
            failed.update(path for path, _, _ in found)
        if not len(chosen):
            reasons = "; ".join(f"{path}: {reason}" for path, _, reason in self.failures[:5])
            raise VideoError(
                f"cluster {self.cluster} has no usable picture in {self._source}"
                + (f" ({reasons})" if reasons else "")
                + "; if its pictures are elsewhere, name their folder with the setting images"
            )
        self.choice: Choice = choice
        sources = [_source(row) for row in _records(chosen)]
        self._sources: list[_Source | None] = [None, *sources] if self._titled else list(sources)
        self._subtitle = describe(
            len(usable), self._images["taken_at"].iloc[usable] if "taken_at" in self._images else None
        )
        self._moves = _moves(len(self._sources), self._random(1))
        self.soundtrack: Sound | None = None
        self.timeline = self._schedule()

    @property
    def _titled(self) -> bool:
        """Whether the video begins with a title card."""
        return self.settings.titles and bool(self.title)

    def _captioned(self, slide: int, index: int) -> float:
        """How much of the caption a frame shows: nothing on the title card, then it comes with the first picture."""
        if self._sources[slide] is not None:
            return 1.0
        _, transition = self.timeline.shown(index)
        return 0.0 if transition is None else ease(transition.progress(index))

    def _random(self, purpose: int) -> np.random.Generator:
        """Random numbers that depend on the seed, the cluster and what they are for."""
        return np.random.default_rng([self.settings.seed, self.cluster + 1, purpose])

    def _usable(self, failed: set[str]) -> list[int]:
        """Positions of the rows that may be shown: of near-duplicates the sharpest that has not failed."""
        usable, stood_in_for = [], set()
        for position, row in enumerate(_records(self._images)):
            sharper = _text(row, "duplicate_of")
            if row["path"] in failed or (sharper and (sharper not in failed or sharper in stood_in_for)):
                continue
            stood_in_for.add(sharper)
            usable.append(position)
        return usable

    def _problem(self, row: Mapping[str, Any]) -> tuple[str, str, str] | None:
        """Why a picture cannot be shown, None if it can.

        A file whose size and time are still those of the scan has been decoded before; any other is decoded.
        """
        path = self._source / str(row["path"])
        try:
            facts = path.stat()
        except OSError as error:
            return str(row["path"]), "video", error.strerror or type(error).__name__
        if row.get("bytes") == facts.bytes and row.get("mtime_ns") == facts.mtime_ns:
            return None
        try:
            read_picture(path, min_side=64, limits=self._limits)
        except ImageError as error:
            return str(row["path"]), error.stage, error.reason
        return None

    def _schedule(self) -> Timeline:
        """The timeline, and with it the soundtrack: on the beat where there is a clear one."""
        settings = self.settings
        count = len(self._sources)
        energy = _number(self._track, "arousal")
        cuts, stride, error = fixed_cuts(count, settings.seconds_per_image, settings.fps), None, None
        self.soundtrack = self._sound(cuts[-1])
        if self.soundtrack is not None and (plan := self._on_the_beat(cuts[-1])) is not None:
            cuts, stride, error = plan
        return lay_out(
            [source.path if source else None for source in self._sources],
            cuts,
            choose_kinds(count - 1, energy, self._random(2)),
            fps=settings.fps,
            transition_seconds=settings.transition_seconds * tempo(energy),
            beats_per_slide=stride,
            cut_error_ms=error,
        )

    def _on_the_beat(self, frames: int) -> tuple[list[int], int, float | None] | None:
        """Cuts on the beats of a soundtrack that is as long as they need, beats a slide, and how well they fit.

        How long the video becomes depends on the beats, and which beats are heard on how long it is: a track
        that is looped jumps. So a first plan is made on more music than needed and checked on the real one.
        None, and the soundtrack stays as it is, where cuts shall not follow the beat.
        """
        longer = self._sound(2 * frames)
        if longer is None or not self.settings.beat_sync:
            return None
        beats = longer.beat_times(longer.seconds)
        if not beat_is_clear(beats, _number(self._track, "beat_clarity")):
            return None
        count, seconds, fps = len(self._sources), self.settings.seconds_per_image, self.settings.fps
        cuts, stride = beat_cuts(count, seconds, fps, beats, self._downbeat(longer))
        for _ in range(4):
            sound = self._sound(cuts[-1])
            if sound is None:
                return None
            self.soundtrack, beats = sound, sound.beat_times(sound.seconds)
            if len(beats) < 2:
                return cuts, stride, None
            again, stride = beat_cuts(count, seconds, fps, beats, self._downbeat(sound))
            if again[:-1] == cuts[:-1]:
                break
            cuts = again
        else:  # never seen to settle: the last plan stands
            self.soundtrack = self._sound(cuts[-1])
        return cuts, stride, cut_error(cuts, beats, fps)

    def _sound(self, frames: int) -> Sound | None:
        """The soundtrack for so many frames; None, noted in `failures`, where the track is no use."""
        if self._track_path is None or self._track is None:
            return None
        from clustering_assets.audio.soundtrack import make_soundtrack

        try:
            self._track_path.stat()
            return make_soundtrack(self._track_path, self._track, frames / self.settings.fps)
        except (ClusteringError, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            log.warning("The video of cluster %s is made without music: %s", self.cluster, reason)
            self.failures.append((str(self._track_path), SOUNDTRACK, reason))
            self._track_path = None
            return None

    def _downbeat(self, sound: Sound) -> int:
        """Index, among the beats in video time, of one that begins a bar."""
        assert self._track is not None
        times = np.asarray(self._track.get("beat_times", ()), float)
        skipped = int(np.searchsorted(times, sound.track_start - 1e-6))
        return (int(_number(self._track, "downbeat") or 0) - skipped) % 4

    # drawing

    def _shot(self, slide: int, index: int) -> Shot:
        """What is seen of a slide in a frame."""
        place = self.timeline.slides[slide]
        canvas = self._shelf.take(slide)
        share = (index - place.start + 0.5) / (place.stop - place.start)
        return canvas, canvas.view(share)

    def _lay(self, slide: int, share: float = 1.0) -> Canvas:
        """Decode a slide's picture and put it on its canvas, which is `share` as large as usual."""
        source = self._sources[slide]
        frame = self.settings.size
        place = self.timeline.slides[slide]
        seconds = (place.stop - place.start) / self.settings.fps
        if source is None:
            behind = self._sources[slide + 1]
            assert behind is not None
            rgb, _ = self._read(behind, seconds, share)
            card = (round(frame[0] * share), round(frame[1] * share))
            return title_canvas(rgb, card, self.title, self._subtitle, motion=self.settings.motion)
        # heads are looked for once, in the picture as it is drawn in the video
        rgb, size = self._read(source, seconds, share if source.path in self._heads else 1.0)
        if source.path not in self._heads:
            self._heads[source.path] = find_heads(rgb)
        framing = frame_picture(
            size,
            frame,
            saliency(rgb),
            seconds=seconds,
            move=self._moves[slide],
            motion=self.settings.motion,
            heads=self._heads[source.path] or (),
        )
        if share < 1:
            return lay(rgb, shrunk(framing, share))
        self.kept[source.path] = framing.kept
        if framing.kept_head is not None:
            self.kept_heads[source.path] = framing.kept_head
        return lay(rgb, framing, frame)

    def _read(
        self, source: _Source, seconds: float, share: float
    ) -> tuple[NDArray[np.uint8], tuple[int, int]]:
        """A picture that is seen for so many seconds, as large as it needs to be, and its size in the file."""
        side = needed_side(source.size, self.settings.size, seconds) * share if source.size else None
        try:
            picture = read_picture(
                self._source / source.path, min_side=int(side) + 1 if side else None, limits=self._limits
            )
        except ImageError as error:
            raise PictureLost(source.path, error.stage, error.reason) from error
        return np.asarray(picture.image, np.uint8), (picture.width, picture.height)


def make_slideshow(
    images: pd.DataFrame,
    folder: Path | FileSource,
    *,
    vectors: NDArray[np.floating] | None,
    track: Mapping[str, Any] | None,
    track_path: Path | SourceFile | None,
    title: str,
    cluster: int,
    settings: VideoSettings,
    limits: Limits = DEFAULT_LIMITS,
) -> Slideshow:
    """The slideshow of one cluster. Nothing is decoded yet but pictures that changed since the scan.

    Args:
        images: The cluster's rows: `path`, `content_hash`, `duplicate_of`; `width`, `height`, `bytes`,
            `mtime_ns`, `taken_at` and `typicality` where known.
        folder: Folder that the paths are relative to.
        vectors: Embeddings (n, d), row i for row i of `images`; None: choice and order go without.
        track: The facts of the music (`beat_times`, `downbeat`, `beat_clarity`, `arousal`, `content_hash`, ...).
        track_path: The music file; None: no sound.
        title: Name of the cluster.
        cluster: Number of the cluster, -1 for the unclustered.
        settings: How the video shall look.
        limits: What the picture loader refuses; None: its own limits.

    Raises:
        VideoError: The cluster has no usable picture.
    """
    return Slideshow(
        images,
        folder,
        vectors=vectors,
        track=track,
        track_path=track_path,
        title=title,
        cluster=cluster,
        settings=settings,
        limits=limits,
    )


class _Shelf:
    """The few canvases in use, made when needed, the next one made ahead in a thread."""

    def __init__(self, make: Any) -> None:
        self._make = make
        self._held: OrderedDict[int, Future[Canvas]] = OrderedDict()
        self._lock = threading.Lock()
        self._thread: ThreadPoolExecutor | None = None

    def take(self, index: int) -> Canvas:
        """The canvas of a slide; waits for it where it is being made."""
        future = self._order(index, ahead=False)
        try:
            return future.result()
        except BaseException:
            with self._lock:
                self._held.pop(index, None)
            raise

    def expect(self, index: int) -> None:
        """Begin to make a canvas that will be asked for soon."""
        self._order(index, ahead=True)

    def clear(self) -> None:
        """Forget every canvas."""
        with self._lock:
            self._held.clear()

    def close(self) -> None:
        """Forget every canvas and end the thread."""
        self.clear()
        if self._thread is not None:
            self._thread.shutdown(wait=True)
            self._thread = None

    def _order(self, index: int, *, ahead: bool) -> "Future[Canvas]":
        """The canvas of a slide, made or being made; the one not used for longest goes."""
        with self._lock:
            future = self._held.get(index)
            if future is None:
                if self._thread is None:
                    self._thread = ThreadPoolExecutor(1, thread_name_prefix="next picture")
                future = self._held[index] = self._thread.submit(self._make, index)
            if not ahead:
                self._held.move_to_end(index)
            while len(self._held) > KEPT_CANVASES:
                self._held.pop(next(iter(self._held)))
            return future


def _moves(count: int, rng: np.random.Generator) -> list[str]:
    """A way to move for each slide, drawn from bags of all ways, no two alike in a row."""
    moves: list[str] = []
    while len(moves) < count:
        bag = [MOVES[position] for position in rng.permutation(len(MOVES))]
        if moves and bag[0] == moves[-1]:
            bag.append(bag.pop(0))
        moves.extend(bag)
    return moves[:count]


def _records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table as dictionaries."""
    return [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]


def _source(row: Mapping[str, Any]) -> _Source:
    """The picture of a row."""
    width, height = row.get("width"), row.get("height")
    known = width is not None and height is not None and width > 0 and height > 0
    return _Source(str(row["path"]), (int(width), int(height)) if known else None)  # type: ignore[arg-type]


def _text(row: Mapping[str, Any] | None, name: str) -> str:
    """A text of a row, '' where it is missing."""
    value = row.get(name) if row is not None else None
    return value if isinstance(value, str) else ""


def _number(row: Mapping[str, Any] | None, name: str) -> float | None:
    """A finite number of a row, None where it is missing."""
    value = row.get(name) if row is not None else None
    return float(value) if isinstance(value, (int, float, np.number)) and np.isfinite(value) else None
