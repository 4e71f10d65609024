"""The slideshow of one cluster: a lazy clip that draws any of its frames on demand."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from moviepy import AudioClip, VideoClip
from numpy.typing import NDArray

from clustering_assets.audio.soundtrack import Soundtrack
from clustering_assets.images.errors import ImageError
from clustering_assets.images.load import read_picture
from clustering_assets.settings import VideoSettings
from clustering_assets.video.canvas import Canvas, lay
from clustering_assets.video.captions import Caption, make_caption
from clustering_assets.video.colour import dim, split, to_rgb
from clustering_assets.video.errors import Failure, PictureLost
from clustering_assets.video.faces import Box, find_heads
from clustering_assets.video.framing import frame_picture, needed_side, shrunk
from clustering_assets.video.moviepy_clips import audio_clip, writing_arguments
from clustering_assets.video.omissions import picture_failure
from clustering_assets.video.pairs import joined, joined_size
from clustering_assets.video.saliency import saliency
from clustering_assets.video.storyboard import Still, Storyboard
from clustering_assets.video.timeline import Timeline, ease
from clustering_assets.video.titles import title_canvas
from clustering_assets.video.transitions import Shot, draw_shot, draw_transition

KEPT_CANVASES = 3
"""Pictures held ready at a time: the two of a transition and the next one."""


class Slideshow(VideoClip):
    """The slideshow of one cluster, drawn frame by frame when asked, as its storyboard has it.

    It is a `moviepy.VideoClip`, with sound, that can be cut, captioned and concatenated like any other; what is made of
    it that way is written well with `moviepy_clips.PLAYABLE`. The pictures it holds in memory do not grow in number
    with its length.

    Attributes:
        storyboard: What it shows; another one as soon as a picture is lost.
        kept: Share of the saliency that stays in view, for each picture drawn so far.
        kept_heads: The same of the head that is cut off most, for each picture drawn so far that shows any.
    """

    def __init__(self, storyboard: Storyboard) -> None:
        self.storyboard = storyboard
        self.kept: dict[str, float] = {}
        self.kept_heads: dict[str, float] = {}
        self._heads: dict[str, tuple[Box, ...] | None] = {}
        self._captions: dict[str, Caption | None] = {}
        self._shelf = _Shelf(self._lay)
        super().__init__(duration=self.timeline.seconds)
        self.size = self.settings.size
        self.fps = self.settings.fps
        self.frame_function = self._frame_at

    @property
    def settings(self) -> VideoSettings:
        """The settings it was made with."""
        return self.storyboard.material.settings

    @property
    def title(self) -> str:
        """The name of the cluster."""
        return self.storyboard.material.title

    @property
    def timeline(self) -> Timeline:
        """The plan, in frames."""
        return self.storyboard.timeline

    @property
    def soundtrack(self) -> Soundtrack | None:
        """The music, exactly as long as the video; None without."""
        return self.storyboard.soundtrack

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Each picture or track that could not be used."""
        return self.storyboard.failures

    @property
    def digest(self) -> str:
        """Recipe digest, stored in the file; another one where something had to be left out."""
        return self.storyboard.digest

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
            frame = draw_shot(self.shot(slide, index), self.settings.size)
        else:
            frame = draw_transition(
                transition.kind,
                transition.progress(index),
                self.shot(slide, index),
                self.shot(slide + 1, index),
                self.settings.size,
            )
        ahead = slide + (1 if transition is None else 2)
        if ahead < len(self.timeline.slides):
            self._shelf.expect(ahead)
        self._write_captions(frame, slide, 0.0 if transition is None else ease(transition.progress(index)))
        light = self.timeline.light(index)
        if light < 1:
            dim(frame, light)
        return frame

    def glance(self, slide: int, width: int) -> NDArray[np.uint8]:
        """A small RGB picture of the middle of a slide, `width` pixels across; much cheaper than its frame.

        Raises:
            PictureLost: The picture has vanished since the slideshow was made.
        """
        canvas = self._lay(slide, min(1.0, width / self.settings.size[0]))
        return to_rgb(split(draw_shot((canvas, canvas.view(0.5)), self.glance_size(width))))

    def glance_size(self, width: int) -> tuple[int, int]:
        """Width and height of a `glance` about `width` pixels across."""
        full = self.settings.size
        share = min(1.0, width / full[0])
        return max(2, 2 * round(full[0] * share / 2)), max(2, 2 * round(full[1] * share / 2))

    def drop(self, lost: Failure) -> None:
        """Go on with the storyboard that is made without a picture that was lost; it is noted in `failures`.

        Raises:
            VideoError: No usable picture is left.
        """
        self.storyboard = self.storyboard.without(lost)
        self._shelf.clear()
        self.duration = self.end = self.timeline.seconds
        self._audio = None

    def drop_damaged(self) -> bool:
        """Decode every picture that is planned, leave out those that cannot be drawn; whether there were any.

        A file that was damaged without a trace, its size and time unchanged, is not noticed when a video is
        planned, only when it is drawn; whoever did not draw the video does not know what was left out of it.

        Raises:
            VideoError: No usable picture is left.
        """
        material = self.storyboard.material
        paths = [path for still in self.storyboard.slides if still for path in still.paths]
        lost = [picture_failure(material.source, path, material.limits) for path in paths]
        for failure in filter(None, lost):
            self.drop(failure)
        if any(lost):
            self.drop_damaged()  # others may have taken their places
        return any(lost)

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
        return self.frame(min(max(index, 0), self.timeline.frames - 1))

    def shot(self, slide: int, index: int) -> Shot:
        """What is seen of a slide in a frame."""
        place = self.timeline.slides[slide]
        canvas = self._shelf.take(slide)
        share = (index - place.start + 0.5) / (place.stop - place.start)
        return canvas, canvas.view(share)

    def _write_captions(self, frame: NDArray[np.uint8], slide: int, gone: float) -> None:
        """Write the caption of a slide, which goes as the next one comes; one that both have stays.

        Args:
            frame: The frame, which is written to.
            slide: The slide.
            gone: How much of the next slide is seen, 0 to 1.
        """
        here, *after = self.storyboard.captions[slide : slide + 2]
        shares = {here: 1.0 - gone}
        if gone:
            shares[after[0]] = shares.get(after[0], 0.0) + gone
        for text, strength in shares.items():
            if text not in self._captions:
                self._captions[text] = make_caption(text, self.settings.size)
            if (caption := self._captions[text]) is not None:
                caption.write(frame, strength)

    def _lay(self, slide: int, share: float = 1.0) -> Canvas:
        """Decode a slide's picture and put it on its canvas, which is `share` as large as usual."""
        storyboard, frame, motion = self.storyboard, self.settings.size, self.settings.motion
        still = storyboard.slides[slide]
        place = self.timeline.slides[slide]
        seconds = (place.stop - place.start) / self.settings.fps
        if still is None:
            behind = storyboard.slides[slide + 1]
            assert behind is not None
            rgb, _ = self._read(behind, seconds, share)
            card = (round(frame[0] * share), round(frame[1] * share))
            return title_canvas(rgb, card, self.title, storyboard.subtitle, motion=motion)
        # heads are looked for once, in the picture as it is drawn in the video
        rgb, size = self._read(still, seconds, share if still.path in self._heads else 1.0)
        if still.path not in self._heads:
            self._heads[still.path] = find_heads(rgb)
        framing = frame_picture(
            size,
            frame,
            saliency(rgb),
            seconds=seconds,
            move=storyboard.moves[slide],
            motion=motion,
            heads=self._heads[still.path] or (),
        )
        if share < 1:
            return lay(rgb, shrunk(framing, share))
        self.kept[still.path] = framing.kept
        if framing.kept_head is not None:
            self.kept_heads[still.path] = framing.kept_head
        return lay(rgb, framing, frame)

    def _read(self, still: Still, seconds: float, share: float) -> tuple[NDArray[np.uint8], tuple[int, int]]:
        """What is seen of a slide for so many seconds, as large as it needs to be, and its size in the files."""
        frame = self.settings.size
        if still.beside is None or still.size is None or still.beside.size is None:
            side = needed_side(still.size, frame, seconds) * share if still.size else None
            return self._decode(still, side)
        size = joined_size(still.size, still.beside.size, frame)
        side = needed_side(size, frame, seconds) * share
        (one, _), (other, _) = (self._decode(each, side) for each in (still, still.beside))
        return joined(one, other, frame), size

    def _decode(self, still: Still, side: float | None) -> tuple[NDArray[np.uint8], tuple[int, int]]:
        """A picture whose shorter side has at least so many pixels, where it has them, and its size in the file."""
        material = self.storyboard.material
        try:
            picture = read_picture(
                material.source / still.path, min_side=int(side) + 1 if side else None, limits=material.limits
            )
        except ImageError as error:
            raise PictureLost(Failure(still.path, error.stage, error.reason)) from error
        return np.asarray(picture.image, np.uint8), (picture.width, picture.height)


class _Shelf:
    """The few canvases in use, made when needed, the next one made ahead in a thread."""

    def __init__(self, make: Callable[[int], Canvas]) -> None:
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
