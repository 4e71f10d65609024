"""The output contract: what a finished video file must be, checked by decoding it."""

import contextlib
import logging
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import av.error
import cv2
import numpy as np
from av.stream import Disposition
from numpy.typing import NDArray
from upath import UPath

from clustering_assets.audio.aac import AUDIO_FRAME, PEAK
from clustering_assets.audio.decoding import RATE as SAMPLE_RATE
from clustering_assets.audio.loudness import LoudnessMeter
from clustering_assets.audio.soundtrack import TOLERANCE
from clustering_assets.containers import ANY_ENCODING, local_address
from clustering_assets.integrity import State
from clustering_assets.outputs import Outputs
from clustering_assets.video.colour import BLACK, pairs, split
from clustering_assets.video.encode import BT709, KEY_SECONDS, LIMITED, read_digest
from clustering_assets.video.errors import PictureLost, VideoError
from clustering_assets.video.selection import even_sample
from clustering_assets.video.slideshow import Slideshow

log = logging.getLogger("clustering_assets.video")

MIN_PSNR = {"preview": 28.0, "standard": 32.0, "high": 34.0}
"""Least PSNR of each plane of a slide against the renderer's own frame, in dB: photos have 10 dB more, noise 3."""

SAMPLED_SLIDES = 12
"""Most slides whose frames are compared; each costs the decoding of a picture."""

SAMPLED_CUTS = 4
"""Most cuts whose frame, half-way from one slide to the next, is compared; each costs two pictures."""

PEAK_CEILING = PEAK + 0.1
"""Highest true peak of the decoded sound, in dBTP: what is aimed at, and what decoders differ by."""

SAME = 0.25
"""Mean difference in levels up to which two frames show the same; an encoder goes on improving a still picture."""

STRETCH_SECONDS = 1.0
"""How long a black or motionless stretch may last that the plan does not have."""


@dataclass(frozen=True)
class Check:
    """One line of the contract.

    Attributes:
        name: What was checked.
        passed: Whether it holds.
        value: What the file has.
        expected: What it shall have.
    """

    name: str
    passed: bool
    value: str
    expected: str


@dataclass
class _Seen:
    """What went by while the pictures of a file were decoded."""

    frames: int = 0
    corrupt: int = 0
    key_frames: list[int] = field(default_factory=list)
    last: float = 0.0
    errors: dict[int, float] = field(default_factory=dict)
    black: list[tuple[int, int]] = field(default_factory=list)
    frozen: list[tuple[int, int]] = field(default_factory=list)


def verify(path: Path, slideshow: Slideshow) -> list[Check]:
    """Decode a finished file and compare it with the slideshow that it was written from.

    Args:
        path: The file, on a local disk.
        slideshow: What was written to it.

    A picture that cannot be drawn was left out of the video by whoever wrote it, and is left out of the plan
    here too, as soon as the two differ in length.

    Returns:
        One `Check` for each line of the contract; a file that cannot be opened or decoded has a single
        failed one, `readable`, that says why.
    """
    try:
        with av.open(local_address(path), **ANY_ENCODING) as file:
            checks = [*_stream_checks(file, slideshow)]
            if not file.streams.video:
                return checks
            seen = _watch(file, slideshow)
        if seen.frames != slideshow.timeline.frames and slideshow.drop_damaged():
            with av.open(local_address(path), **ANY_ENCODING) as file:
                checks = [*_stream_checks(file, slideshow)]
                seen = _watch(file, slideshow)
        checks += _picture_checks(seen, slideshow)
        with av.open(local_address(path), **ANY_ENCODING) as file:
            if file.streams.audio:
                checks += _sound_checks(file, seen, slideshow)
    except (OSError, VideoError, av.error.FFmpegError) as error:
        return [Check("readable", False, str(error), "a file that decodes from beginning to end")]
    finally:
        slideshow.close()
    boxes = " ".join(top_level_boxes(path))
    index_first = re.search(r"\bmoov\b.*\bmdat\b", boxes) is not None
    checks.append(Check("index_first", index_first, boxes, "moov before mdat"))
    return [*checks, _same("recipe_digest", read_digest(path), slideshow.digest)]


def is_whole(path: UPath, digest: str, outputs: Outputs) -> bool:
    """Whether a stored video has this recipe digest and is as it was written.

    A video without a record, of an older version or of a run that was killed just then, is decoded from beginning to
    end, and recorded if nothing is wrong with it.
    """
    name = outputs.name_of(path)
    state = outputs.records.state(name)
    if state not in (State.WHOLE, State.UNRECORDED) or read_digest(path) != digest:
        return False
    if state is State.UNRECORDED:
        if not plays_through(path):
            return False
        outputs.records.publish([name])
    return True


def plays_through(path: Path | UPath) -> bool:
    """Whether all pictures and all sound of a video file are there and can be decoded."""
    try:
        with contextlib.ExitStack() as stack:
            source: Any = (
                local_address(path) if isinstance(path, Path) else stack.enter_context(path.open("rb"))
            )
            file = stack.enter_context(av.open(source, **ANY_ENCODING))
            streams = [*file.streams.video, *file.streams.audio]  # and no chapters, which are a stream too
            counts = {stream.index: 0 for stream in streams}
            for stream in streams:
                stream.thread_type = "AUTO"
                stream.codec_context.options = {"err_detect": "explode"}
            for packet in file.demux(streams):
                for frame in packet.decode():
                    if getattr(frame, "is_corrupt", False):
                        return False
                    counts[packet.stream.index] += 1
            missing = [stream.frames - counts[stream.index] for stream in streams]
    except (OSError, av.error.FFmpegError) as error:
        log.warning("%s cannot be decoded: %s", path, error)
        return False
    return max(missing) <= 1  # what an AAC encoder puts before the beginning


def top_level_boxes(path: Path) -> Iterator[str]:
    """The names of the outermost boxes of an MP4 file, in order (ISO/IEC 14496-12, section 4.2)."""
    size = path.stat().st_size
    with path.open("rb") as file:
        place = 0
        while place + 8 <= size:
            file.seek(place)
            length, name = struct.unpack(">I4s", file.read(8))
            if length == 1:
                (length,) = struct.unpack(">Q", file.read(8))
            yield name.decode("latin-1")
            if length < 8:
                return
            place += length


def _stream_checks(file: Any, slideshow: Slideshow) -> Iterator[Check]:
    """What the headers say."""
    wanted = f"1 video, {int(slideshow.soundtrack is not None)} audio"
    films = [stream for stream in file.streams.video if not stream.disposition & Disposition.attached_pic]
    found = f"{len(films)} video, {len(file.streams.audio)} audio"
    yield _same("streams", found, wanted)
    if not file.streams.video:
        return
    stream = file.streams.video[0]
    context = stream.codec_context
    width, height = slideshow.settings.size
    shape = f"{context.name} {context.pix_fmt} {context.width}x{context.height}"
    yield _same("picture_format", shape, f"h264 yuv420p {width}x{height}")
    tags = (context.colorspace, context.color_primaries, context.color_trc, context.color_range)
    words = "matrix {} primaries {} transfer {} range {}"
    yield _same("colour_tags", words.format(*map(int, tags)), words.format(BT709, BT709, BT709, LIMITED))
    yield _same("frame_rate", stream.average_rate, slideshow.timeline.fps)
    yield Check("start", not stream.start_time, f"{stream.start_time or 0}", "0")
    for audio in file.streams.audio:
        sound = audio.codec_context
        shape = f"{sound.name} {sound.sample_rate} Hz {sound.layout.name}"
        yield _same("sound_format", shape, f"aac {SAMPLE_RATE} Hz stereo")


def _same(name: str, value: Any, expected: Any) -> Check:
    """The check that a value is the one that is expected."""
    return Check(name, value == expected, str(value), str(expected))


def _watch(file: Any, slideshow: Slideshow) -> _Seen:
    """Decode every picture; compare some with the renderer's, note black and motionless stretches."""
    stream = file.streams.video[0]
    stream.thread_type = "AUTO"
    seen = _Seen()
    sampled = _sampled(slideshow)
    still: NDArray[np.uint8] | None = None
    black_from = frozen_from = 0
    for index, frame in enumerate(file.decode(stream)):
        plane = frame.planes[0]
        luma = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: frame.height, : frame.width]
        seen.corrupt += bool(frame.is_corrupt)
        if frame.key_frame:
            seen.key_frames.append(index)
        if index in sampled:
            try:
                seen.errors[index] = _least_psnr(frame, slideshow.planes(index))
            except PictureLost:  # gone since the video was written, which says nothing about the video
                sampled.discard(index)
        small = luma[::8, ::8].copy()
        if np.quantile(small, 0.99) > BLACK + 8:
            _note(seen.black, black_from, index, slideshow)
            black_from = index + 1
        if still is None or small.shape != still.shape or _difference(small, still) > SAME:
            _note(seen.frozen, frozen_from, index, slideshow)
            frozen_from, still = index, small
        seen.frames = index + 1
        seen.last = float(frame.time or 0)
    _note(seen.black, black_from, seen.frames, slideshow)
    _note(seen.frozen, frozen_from, seen.frames, slideshow)
    return seen


def _note(stretches: list[tuple[int, int]], start: int, stop: int, slideshow: Slideshow) -> None:
    """Keep a stretch of frames that is long enough to matter."""
    if stop - start > STRETCH_SECONDS * slideshow.timeline.fps:
        stretches.append((start, stop))


def _picture_checks(seen: _Seen, slideshow: Slideshow) -> Iterator[Check]:
    """What the decoded pictures say."""
    timeline = slideshow.timeline
    yield _same("frames", seen.frames, timeline.frames)
    yield Check("undamaged", not seen.corrupt, f"{seen.corrupt} damaged frames", "none")
    gaps = np.diff([*seen.key_frames, seen.frames]) if seen.key_frames else np.array([seen.frames])
    yield Check(
        "key_frames",
        bool(seen.key_frames[:1] == [0] and gaps.max() <= KEY_SECONDS * timeline.fps),
        f"at most {gaps.max()} frames apart",
        f"at most {KEY_SECONDS * timeline.fps} frames apart",
    )
    least = MIN_PSNR[slideshow.settings.quality]
    worst = min(seen.errors.values(), default=float("inf"))
    yield Check(
        "slides",
        worst >= least,
        f"PSNR at least {worst:.1f} dB in {len(seen.errors)} frames",
        f"at least {least:g} dB",
    )
    black = [stretch for stretch in seen.black if not _planned_black(slideshow, stretch)]
    yield Check("no_black_stretch", not black, _describe(black, timeline.fps), "none that is not planned")
    frozen = [stretch for stretch in seen.frozen if not _planned_still(slideshow, stretch)]
    yield Check("no_frozen_stretch", not frozen, _describe(frozen, timeline.fps), "none that is not planned")


def _sound_checks(file: Any, seen: _Seen, slideshow: Slideshow) -> Iterator[Check]:
    """What the decoded sound says."""
    meter = LoudnessMeter()
    for frame in file.decode(file.streams.audio[0]):
        meter.add(np.asarray(frame.to_ndarray(), np.float32).reshape(2, -1))
    # The decoder hands out whole frames; the container's own length of the track leaves the padding out.
    stream = file.streams.audio[0]
    heard = float(stream.duration * stream.time_base) if stream.duration else meter.samples / SAMPLE_RATE
    shown = seen.last + 1 / slideshow.timeline.fps
    yield Check(
        "same_length",
        abs(heard - shown) <= AUDIO_FRAME / SAMPLE_RATE + 1e-6,
        f"sound {heard:.3f} s, pictures {shown:.3f} s",
        f"within {1000 * AUDIO_FRAME / SAMPLE_RATE:.1f} ms",
    )
    sound = slideshow.soundtrack
    if sound is None:
        return
    wanted, measured = sound.loudness, meter.integrated
    if np.isfinite(wanted) and np.isfinite(measured):
        fits = abs(measured - wanted) <= TOLERANCE
    else:
        fits = np.isfinite(wanted) == np.isfinite(measured)
    expected = f"{wanted:.1f} LUFS within {TOLERANCE} LU"
    if sound.limit:
        expected += f". {sound.limit}"
    yield Check("loudness", bool(fits), f"{measured:.1f} LUFS", expected)
    peak = meter.true_peak
    yield Check("true_peak", peak <= PEAK_CEILING, f"{peak:.1f} dBTP", f"at most {PEAK_CEILING:g} dBTP")


def _sampled(slideshow: Slideshow) -> set[int]:
    """The frames that are compared: the middles of some slides, evenly spread, and some cuts."""
    slides, cuts = slideshow.timeline.slides, slideshow.timeline.cuts
    return {slides[index].middle for index in even_sample(len(slides), SAMPLED_SLIDES)} | {
        cuts[index] for index in even_sample(len(cuts), SAMPLED_CUTS)
    }


def _least_psnr(frame: Any, planes: NDArray[np.uint8]) -> float:
    """The PSNR of the worst of the three planes of a decoded frame; 0 where it is no frame of this shape."""
    if frame.format.name != "yuv420p" or (frame.width, frame.height) != split(planes).size:
        return 0.0
    decoded, drawn = split(np.ascontiguousarray(frame.to_ndarray())), split(planes)
    return min(cv2.PSNR(*planes) for planes in pairs(decoded, drawn))


def _planned_black(slideshow: Slideshow, stretch: tuple[int, int]) -> bool:
    """Whether the plan is black there too."""
    try:
        luma = split(slideshow.planes((stretch[0] + stretch[1]) // 2)).y
    except (PictureLost, IndexError):
        return False
    return bool(np.quantile(luma[::8, ::8], 0.99) <= BLACK + 10)


def _planned_still(slideshow: Slideshow, stretch: tuple[int, int]) -> bool:
    """Whether next to nothing moves there in the plan either (no motion, or a picture of one colour)."""
    try:
        first, last = (split(slideshow.planes(index)).y for index in (stretch[0], stretch[1] - 1))
    except (PictureLost, IndexError):
        return False
    return _difference(first[::8, ::8], last[::8, ::8]) <= 2 * SAME


def _difference(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    """Mean absolute difference of two planes, in levels."""
    return float(np.mean(cv2.absdiff(first, second)))


def _describe(stretches: list[tuple[int, int]], fps: int) -> str:
    """Stretches of frames in seconds."""
    return ", ".join(f"{start / fps:.1f} to {stop / fps:.1f} s" for start, stop in stretches) or "none"
