"""One film of several slideshows: their pictures copied as they are, their music joined anew, a chapter for each."""

import hashlib
import io
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
from av.stream import Disposition
from numpy.typing import NDArray
from PIL import Image
from upath import UPath

from clustering_assets.audio.aac import AUDIO_FRAME, AacWriter, add_soundtrack
from clustering_assets.audio.decoding import RATE
from clustering_assets.audio.joined import Joined
from clustering_assets.audio.loudness import LoudnessMeter
from clustering_assets.audio.soundtrack import TARGET, Soundtrack, extended
from clustering_assets.containers import ANY_ENCODING, local_address
from clustering_assets.progress import task
from clustering_assets.storage import atomic_path, local_copy
from clustering_assets.video.colour import dim
from clustering_assets.video.encode import (
    KEY_SECONDS,
    MARK,
    QUALITIES,
    add_cover,
    choose_encoder,
    cover_packets,
    read_digest,
    write_pictures,
)
from clustering_assets.video.errors import VideoError
from clustering_assets.video.storyboard import Storyboard
from clustering_assets.video.timeline import lay_out
from clustering_assets.video.titles import title_canvas
from clustering_assets.video.transitions import draw_shot
from clustering_assets.video.verify import PEAK_CEILING, Check, top_level_boxes

FILM_VERSION = 1
"""Goes up whenever the same videos and music would give a different film."""

CARD_SECONDS = 2.4
"""Seconds of the card before a slideshow that does not begin with a title card of its own."""

LOUDNESS_TOLERANCE = 1.0
"""LU by which the loudness of the whole film may miss that of its parts."""


@dataclass(frozen=True)
class Finished:
    """What is known of a finished video without decoding it.

    Attributes:
        path: The file.
        digest: The recipe digest in it.
        size: Width and height.
        frames: Number of frames.
        parameters: What a decoder must know beforehand; pictures of equal ones can follow each other in one stream.
        cover: The JPEG that stands for it; empty where it has none.
    """

    path: Path | UPath
    digest: str
    size: tuple[int, int]
    frames: int
    parameters: bytes
    cover: bytes


def look_at(path: Path | UPath) -> Finished | None:
    """What is known of a finished video; None where it cannot be read."""
    try:
        with _opened(path) as file:
            video = file.streams.video[0]
            covers = [one for one in file.streams.video if one.disposition & Disposition.attached_pic]
            cover = (
                next((bytes(packet) for packet in file.demux(covers) if packet.size), b"") if covers else b""
            )
            return Finished(
                path,
                file.metadata.get("comment", "").removeprefix(MARK),
                (video.codec_context.width, video.codec_context.height),
                video.frames,
                bytes(video.codec_context.extradata or b""),
                cover,
            )
    except (OSError, IndexError, av.error.FFmpegError):
        return None


@dataclass(frozen=True, eq=False)
class Chapter:
    """One slideshow of a film.

    Attributes:
        storyboard: What its video shows and lets hear.
        video: The finished video.
        card: Frames of the card before it; 0 where it begins with a title card of its own.
        start: First frame of the chapter in the film, that of its card.
    """

    storyboard: Storyboard
    video: Finished
    card: int
    start: int

    @property
    def title(self) -> str:
        """The name of the cluster."""
        return self.storyboard.material.title

    @property
    def stop(self) -> int:
        """One past its last frame in the film."""
        return self.start + self.card + self.video.frames


@dataclass(frozen=True, eq=False)
class FilmPlan:
    """A film, before it is written.

    Attributes:
        chapters: Its chapters, at least one, in order.
        sound: Its sound, exactly as long as its pictures; None where no slideshow has any.
    """

    chapters: tuple[Chapter, ...]
    sound: Joined | None

    @property
    def fps(self) -> int:
        """Frames per second."""
        return self.chapters[0].storyboard.timeline.fps

    @property
    def frames(self) -> int:
        """Number of frames."""
        return self.chapters[-1].stop

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.frames / self.fps

    @property
    def digest(self) -> str:
        """Digest of everything that the film is made of, 32 hexadecimal digits."""
        made_of = [
            (one.video.digest, one.card, *([one.title, one.storyboard.subtitle] if one.card else []))
            for one in self.chapters
        ]
        titles = [one.title for one in self.chapters]
        text = json.dumps([FILM_VERSION, made_of, titles])
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def plan_film(parts: Sequence[tuple[Storyboard, Finished]], *, cards: bool = True) -> FilmPlan:
    """The film of some slideshows, in the order given.

    Args:
        parts: The storyboard of each, and its finished video; at least one.
        cards: Whether those without a title card of their own get a card.
    """
    fps = parts[0][0].timeline.fps
    chapters, start = [], 0
    for board, video in parts:
        card = round(CARD_SECONDS * fps) if cards and board.slides[0] is not None else 0
        chapters.append(Chapter(board, video, card, start))
        start = chapters[-1].stop
    sounds = []
    for place, chapter in enumerate(chapters):
        following = chapters[place + 1].card if place + 1 < len(chapters) else 0
        if found := _sound(chapter, first=place == 0, following=following, fps=fps):
            sounds.append(found)
    return FilmPlan(tuple(chapters), Joined(start / fps, tuple(sounds)) if sounds else None)


def _sound(chapter: Chapter, *, first: bool, following: int, fps: int) -> tuple[float, Soundtrack] | None:
    """When the music of a chapter begins, in seconds, and the music: that of its video, on which the cuts lie.

    It fades out under the card that follows, and the first card has music of its own where the track has some to spare.
    One that was fitted to a fixed length ends as it was meant to.
    """
    board = chapter.storyboard
    sound, track = board.soundtrack, board.material.track
    if sound is None or track is None:
        return None
    begin = (chapter.start + chapter.card) / fps
    after = 0.0 if board.material.settings.length else following / fps
    longer = extended(sound, track, before=begin if first else 0.0, after=after)
    return begin - (sound.track_start - longer.track_start), longer


def write_film(film: FilmPlan, path: Path | UPath, *, quality: str, encoder: str) -> None:
    """Write a film to an MP4 file. No picture is encoded but those of cards, and memory does not grow with the length.

    Args:
        film: What to write.
        path: The file, which appears when it is complete.
        quality: `preview`, `standard` or `high`: that of the slideshows.
        encoder: That of the slideshows.

    Raises:
        VideoError: A video or a track cannot be read any more, or the film not be written.
    """
    try:
        with atomic_path(path) as partial:
            _write(film, partial, *choose_encoder(encoder, quality), QUALITIES[quality][1])
    except (OSError, av.error.FFmpegError) as error:
        raise VideoError(f"{path}: could not be written: {error.strerror or error}") from error


def _write(film: FilmPlan, path: Path, codec: str, options: dict[str, str], bit_rate: int) -> None:
    cover, fps = film.chapters[0].video.cover, film.fps
    with (
        task("Joining the film", film.frames, "frames") as progress,
        av.open(local_address(path), "w", format="mp4", options={"movflags": "+faststart"}) as file,
        ExitStack() as opened,
    ):
        template = opened.enter_context(_on_disk(film.chapters[0].video.path))
        video = file.add_stream_from_template(template.streams.video[0])
        audio = add_soundtrack(file, film.sound, bit_rate) if film.sound else None
        picture = add_cover(file, Image.open(io.BytesIO(cover)).size, fps) if cover else None
        file.metadata["comment"] = MARK + film.digest
        file.set_chapters(
            [
                {
                    "id": number,
                    "start": chapter.start,
                    "end": chapter.stop,
                    "time_base": Fraction(1, fps),
                    "metadata": {"title": chapter.title},
                }
                for number, chapter in enumerate(film.chapters)
            ]
        )
        for chapter in film.chapters:
            if chapter.card:
                card = io.BytesIO(card_video(chapter, codec, options))
                with av.open(card) as source:
                    _copy(source, file, video, Fraction(chapter.start, fps), audio)
            with _on_disk(chapter.video.path) as source:
                _copy(source, file, video, Fraction(chapter.start + chapter.card, fps), audio)
            progress.advance(chapter.stop - chapter.start)
        if audio:
            audio.finish()
        if picture:
            file.mux(cover_packets(picture, cover, fps))


def _copy(source: Any, file: Any, stream: Any, begin: Fraction, audio: AacWriter | None) -> None:
    """Copy the pictures of a file to a second of the film, and write what is heard meanwhile."""
    for packet in source.demux(source.streams.video[0]):
        if packet.dts is None:  # the end
            continue
        shift = int(begin / packet.time_base)
        packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
        packet.stream = stream
        until = float(packet.pts * packet.time_base)
        file.mux(packet)
        if audio:
            audio.write_until(until)


def card_video(chapter: Chapter, codec: str, options: dict[str, str]) -> bytes:
    """The card of a chapter as a small MP4 file: its title over the picture that its video opens with."""
    settings, fps = chapter.storyboard.material.settings, chapter.storyboard.timeline.fps
    behind = (
        np.asarray(Image.open(io.BytesIO(chapter.video.cover)).convert("RGB"), np.uint8)
        if chapter.video.cover
        else np.full((90, 160, 3), 60, np.uint8)
    )
    canvas = title_canvas(
        behind, settings.size, chapter.title, chapter.storyboard.subtitle, motion=settings.motion
    )
    plan = lay_out([None], [0, chapter.card], [], fps=fps, transition_seconds=settings.transition_seconds)

    def frames() -> Iterator[NDArray[np.uint8]]:
        for index in range(chapter.card):
            frame = draw_shot((canvas, canvas.view((index + 0.5) / chapter.card)), settings.size)
            if (light := plan.light(index)) < 1:
                dim(frame, light)
            yield frame

    data = io.BytesIO()
    write_pictures(data, frames(), settings.size, fps, codec, options)
    return data.getvalue()


def cards_fit(chapter: Chapter, *, quality: str, encoder: str) -> bool:
    """Whether cards that are encoded here can follow the pictures of a chapter's video in one stream."""
    codec, options = choose_encoder(encoder, quality)
    with av.open(io.BytesIO(card_video(chapter, codec, options))) as card:
        return bytes(card.streams.video[0].codec_context.extradata or b"") == chapter.video.parameters


def verify_film(path: Path, film: FilmPlan) -> list[Check]:
    """Compare a finished film with its plan; the pictures were looked at when their videos were made.

    Args:
        path: The file, on a local disk.
        film: What it shall be.

    Returns:
        One `Check` for each line; a file that cannot be read has a single failed one, `readable`, that says why.
    """
    try:
        with av.open(local_address(path), **ANY_ENCODING) as file:
            checks = [*_picture_checks(file, film)]
        if film.sound:
            with av.open(local_address(path), **ANY_ENCODING) as file:
                checks += _sound_checks(file, film, film.sound)
    except (OSError, IndexError, av.error.FFmpegError) as error:
        return [Check("readable", False, str(error), "a file that can be read from beginning to end")]
    boxes = " ".join(top_level_boxes(path))
    checks.append(
        Check("index_first", re.search(r"\bmoov\b.*\bmdat\b", boxes) is not None, boxes, "moov before mdat")
    )
    return [*checks, _same("digest", read_digest(path), film.digest)]


def _picture_checks(file: Any, film: FilmPlan) -> Iterator[Check]:
    """What the index says of the pictures and the chapters."""
    video, fps = file.streams.video[0], film.fps
    packets = [
        (packet.pts * packet.time_base, packet.dts * packet.time_base, packet.is_keyframe)
        for packet in file.demux(video)
        if packet.dts is not None
    ]
    shown = sorted(time for time, _, _ in packets)
    wanted = [Fraction(number, fps) for number in range(film.frames)]
    yield _same("frames", len(shown), film.frames)
    yield Check(
        "steady", shown == wanted, f"{len({*shown} & {*wanted})} frames in their places", "every frame"
    )
    rising = all(one[1] < other[1] for one, other in pairwise(packets))
    yield Check("in_order", rising, str(rising), "frames in the order in which they are decoded")
    keys = sorted(time for time, _, key in packets if key)
    starts = {
        Fraction(frame, fps)
        for chapter in film.chapters
        for frame in (chapter.start, chapter.start + chapter.card)
    }
    gap = max(
        (float(after - before) for before, after in zip(keys, [*keys[1:], wanted[-1]], strict=True)),
        default=0,
    )
    yield Check(
        "key_frames",
        starts <= set(keys) and gap <= KEY_SECONDS,
        f"at most {gap:.2f} s apart, {len(starts & set(keys))} of {len(starts)} beginnings among them",
        f"at most {KEY_SECONDS} s apart, and at every beginning",
    )
    found = [
        (round(float(one["start"] * one["time_base"]), 2), one["metadata"].get("title", ""))
        for one in file.chapters()
    ]
    planned = [(round(chapter.start / fps, 2), chapter.title) for chapter in film.chapters]
    yield _same("chapters", found, planned)


def _sound_checks(file: Any, film: FilmPlan, sound: Joined) -> Iterator[Check]:
    """What the decoded sound says."""
    stream, meter = file.streams.audio[0], LoudnessMeter()
    for frame in file.decode(stream):
        meter.add(np.asarray(frame.to_ndarray(), np.float32).reshape(2, -1))
    heard = float(stream.duration * stream.time_base) if stream.duration else meter.samples / RATE
    yield Check(
        "same_length",
        abs(heard - film.seconds) <= AUDIO_FRAME / RATE + 1e-3,
        f"sound {heard:.3f} s, pictures {film.seconds:.3f} s",
        f"within {1000 * AUDIO_FRAME / RATE:.1f} ms",
    )
    yield Check(
        "loudness",
        bool(sound.limit) or abs(meter.integrated - TARGET) <= LOUDNESS_TOLERANCE,
        f"{meter.integrated:.1f} LUFS",
        f"{TARGET:g} LUFS within {LOUDNESS_TOLERANCE:g} LU. {sound.limit}".strip(),
    )
    peak = meter.true_peak
    yield Check("true_peak", peak <= PEAK_CEILING, f"{peak:.1f} dBTP", f"at most {PEAK_CEILING:g} dBTP")


def _same(name: str, value: Any, expected: Any) -> Check:
    return Check(name, value == expected, str(value), str(expected))


@contextmanager
def _opened(path: Path | UPath) -> Iterator[Any]:
    """A video, of which only what is asked for is read."""
    with ExitStack() as stack:
        source: Any = local_address(path) if isinstance(path, Path) else stack.enter_context(path.open("rb"))
        yield stack.enter_context(av.open(source, **ANY_ENCODING))


@contextmanager
def _on_disk(path: Path | UPath) -> Iterator[Any]:
    """A video that is read from beginning to end."""
    with local_copy(path) as local, av.open(local_address(local), **ANY_ENCODING) as file:
        yield file
