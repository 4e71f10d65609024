"""Writing a slideshow to an MP4 file: H.264 and AAC, encoded and interleaved in one pass."""

import contextlib
import errno
import io
import logging
import shutil
import time
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import av
import av.codec.codec
import av.error
import numpy as np
from av.stream import Disposition
from av.video.frame import PictureType
from numpy.typing import NDArray
from PIL import Image
from upath import UPath

from clustering_assets.audio.aac import add_soundtrack
from clustering_assets.clustering.keys import partition_key
from clustering_assets.containers import ANY_ENCODING, local_address
from clustering_assets.progress import task
from clustering_assets.storage import atomic_path
from clustering_assets.threads import available_cores, opencv_on_one_thread
from clustering_assets.video.errors import PictureLost, VideoError
from clustering_assets.video.slideshow import Slideshow
from clustering_assets.work.engine import Engine, Lost, Task
from clustering_assets.work.threads import Threads

log = logging.getLogger("clustering_assets.video")

KEY_SECONDS = 2
"""Longest time between two frames that a player can jump to."""

BT709 = 1
"""Code of BT.709 for matrix, primaries and transfer in ITU-T H.273."""

LIMITED = 1
"""FFmpeg's code of the limited (video) range."""

COVER = 640
"""Pixels across of the picture that stands for the file."""

MARK = "clustering_assets recipe "
"""What the comment of a file begins with; the digest follows."""

X264_THREADS = 4
"""Threads of libx264: the bytes that it writes depend on their number, so it is the same on every machine. Each costs
1 % more CPU; four of them and what draws keep up to six cores busy, and more videos at once the others."""

USUAL_BYTES = 0.012
"""Bytes for each pixel of each frame that videos of photos have, for a guess where nothing was written yet."""

_SLOW_MOVES = "partitions=i8x8:me=dia:scenecut=0:b-adapt=0:bframes=4"
"""Pictures that move as one piece need neither small blocks predicted from other frames nor a wide search for them.
Where the cuts are is known, so they are not searched for, and everything in between moves so evenly that four B-frames
in a row are right everywhere: 40 % less work for a smaller file of the same quality, but for pictures of pure noise
(`benchmarks/video.py --encoder-options` measures it)."""

QUALITIES: dict[str, tuple[dict[str, str], int]] = {
    "preview": ({"preset": "superfast", "crf": "26"}, 128_000),
    "standard": ({"preset": "veryfast", "crf": "18", "x264-params": _SLOW_MOVES}, 192_000),
    "high": ({"preset": "medium", "crf": "16"}, 256_000),
}
"""Options of libx264 and bits per second of AAC for each quality."""

_HARDWARE: dict[str, tuple[str, dict[str, dict[str, str]]]] = {
    "nvenc": (
        "h264_nvenc",
        {
            "preview": {"preset": "p2", "rc": "vbr", "cq": "28", "b": "0"},
            "standard": {"preset": "p5", "rc": "vbr", "cq": "20", "b": "0"},
            "high": {"preset": "p7", "rc": "vbr", "cq": "17", "b": "0"},
        },
    ),
    "videotoolbox": (
        "h264_videotoolbox",
        {"preview": {"q": "45"}, "standard": {"q": "65"}, "high": {"q": "75"}},
    ),
    "vaapi": ("h264_vaapi", {"preview": {"qp": "28"}, "standard": {"qp": "20"}, "high": {"qp": "17"}}),
}


@dataclass(frozen=True)
class VideoFacts:
    """What was written.

    Attributes:
        seconds: Length in seconds.
        frames: Number of frames.
        width: Pixels across.
        height: Pixels down.
        fps: Frames per second.
        bytes: Size of the file.
        encoder: Name of the encoder used.
        slides: Number of slides, a title card included.
        loudness: Integrated loudness of the sound in LUFS; None without sound.
        true_peak: True peak of the sound in dBTP; None without sound.
        beats_per_slide: Beats between cuts; None where the cuts follow the clock.
        cut_error_ms: Mean distance of a cut from the nearest beat; None where the cuts follow the clock.
        kept_saliency: Mean share of the pictures' saliency that stays in view, 0 to 1.
        heads: Number of heads found in the pictures; None where faces are not looked for.
        kept_head: Share of the head that is cut off most that stays in view, 0 to 1; None without heads.
        mean_step: Mean cosine distance between neighbouring pictures; None without embeddings.
        file_order_step: The same in the order of the file names.
        music_fit: How well strong pictures meet the loud parts of the music, -1 to 1; None where it has none.
        music_from: Second of the track at which the video starts; None without sound.
        render_seconds: How long drawing and encoding took.
        digest: Recipe digest, as stored in the file.
    """

    seconds: float
    frames: int
    width: int
    height: int
    fps: int
    bytes: int
    encoder: str
    slides: int
    loudness: float | None
    true_peak: float | None
    beats_per_slide: int | None
    cut_error_ms: float | None
    kept_saliency: float | None
    heads: int | None
    kept_head: float | None
    mean_step: float | None
    file_order_step: float | None
    music_fit: float | None
    music_from: float | None
    render_seconds: float
    digest: str


def write_video(
    slideshow: Slideshow,
    path: Path | UPath,
    *,
    quality: str = "standard",
    encoder: str = "x264",
    engine: Engine | None = None,
) -> VideoFacts:
    """Write a slideshow to an MP4 file that plays everywhere and begins to play before it is loaded.

    The file appears only when it is complete. A picture that vanishes or breaks on the way is left out (see
    `Slideshow.drop`) and the video is begun again without it. Memory does not grow with the length.

    Args:
        slideshow: What to write.
        path: The file, on a local disk or an object store.
        quality: `preview`, `standard` or `high`.
        encoder: `x264`, or `nvenc`, `videotoolbox`, `vaapi`, which fall back to x264 with a warning where they
            do not work.
        engine: What draws the frames, in this process; None: a few threads.

    Raises:
        VideoError: The file cannot be written (disk full, no permission, ...), the soundtrack breaks off, or no
            usable picture is left. Nothing is left behind.
    """
    if quality not in QUALITIES:
        raise VideoError(f"quality = {quality!r}: must be one of {', '.join(QUALITIES)}")
    begun = time.monotonic()
    codec, options = choose_encoder(encoder, quality)
    engine = engine or Threads(_drawers())
    try:
        with opencv_on_one_thread(), atomic_path(path) as partial:
            _encode_all(slideshow, partial, codec, options, QUALITIES[quality][1], engine)
            size = partial.stat().st_size
    except _DiskFull as full:
        raise VideoError(f"{path}: could not be written: {full}") from full
    except OSError as error:
        raise VideoError(f"{path}: could not be written: {error.strerror or error}") from error
    finally:
        slideshow.close()
    timeline, sound = slideshow.timeline, slideshow.soundtrack
    return VideoFacts(
        seconds=timeline.seconds,
        frames=timeline.frames,
        width=slideshow.size[0],
        height=slideshow.size[1],
        fps=timeline.fps,
        bytes=size,
        encoder=codec,
        slides=len(timeline.slides),
        loudness=sound.loudness if sound else None,
        true_peak=sound.true_peak if sound else None,
        beats_per_slide=timeline.beats_per_slide,
        cut_error_ms=timeline.cut_error_ms,
        kept_saliency=float(np.mean(list(slideshow.kept.values()))) if slideshow.kept else None,
        heads=slideshow.heads,
        kept_head=round(min(slideshow.kept_heads.values()), 4) if slideshow.kept_heads else None,
        mean_step=slideshow.storyboard.choice.mean_step,
        file_order_step=slideshow.storyboard.choice.file_order_step,
        music_fit=slideshow.storyboard.music_fit,
        music_from=round(sound.track_start, 1) if sound else None,
        render_seconds=time.monotonic() - begun,
        digest=slideshow.digest,
    )


def read_digest(path: Path | UPath) -> str | None:
    """The recipe digest stored in a video file; None where there is no such file, or none of ours."""
    try:
        if not isinstance(path, Path):
            return _stored_digest(path)
        facts = path.stat()
        return _remembered_digest(path, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)
    except OSError:
        return None


@lru_cache(maxsize=4096)
def _remembered_digest(path: Path, *facts: int) -> str | None:
    """The digest in a local file that has these facts."""
    return _stored_digest(path)


def _stored_digest(path: Path | UPath) -> str | None:
    """The digest as the file has it."""
    try:
        with contextlib.ExitStack() as stack:
            source: Any = (
                local_address(path) if isinstance(path, Path) else stack.enter_context(path.open("rb"))
            )
            comment = stack.enter_context(av.open(source, **ANY_ENCODING)).metadata.get("comment", "")
    except (OSError, av.error.FFmpegError) as error:
        log.debug("%s has no digest that can be read: %s", path, error)
        return None
    return comment.removeprefix(MARK) if comment.startswith(MARK) else None


def choose_encoder(encoder: str, quality: str) -> tuple[str, dict[str, str]]:
    """FFmpeg's name and the options of the encoder that will be used, after trying a hardware one.

    Raises:
        VideoError: There is no such encoder, or this FFmpeg has no libx264.
    """
    if encoder in _HARDWARE:
        name, presets = _HARDWARE[encoder]
        if (reason := _encoder_fails(name)) is None:
            return name, presets[quality]
        log.warning("encoder = %s does not work here (%s); x264 is used instead", encoder, reason)
    elif encoder != "x264":
        raise VideoError(f"encoder = {encoder!r}: must be one of x264, {', '.join(_HARDWARE)}")
    if (reason := _encoder_fails("libx264")) is not None:
        raise VideoError(
            f"this FFmpeg cannot encode H.264 with libx264 ({reason}); install the wheel of PyAV"
        )
    return "libx264", QUALITIES[quality][0]


@lru_cache(maxsize=8)
def _encoder_fails(name: str) -> str | None:
    """Why an encoder does not work, found by encoding one frame; None if it does.

    Being listed proves nothing: the wheels list encoders of hardware that is not there.
    """
    try:
        context = av.CodecContext.create(name, "w", **_device(name))
        assert isinstance(context, av.VideoCodecContext)
        context.width = context.height = 256
        context.pix_fmt = _pixels(name)
        context.time_base = Fraction(1, 25)
        frame = av.VideoFrame.from_ndarray(np.full((384, 256), 128, np.uint8), format="yuv420p")
        frame.pts = 0
        context.encode(frame)
        context.encode(None)
    except av.codec.codec.UnknownCodecError:
        return f"this FFmpeg was built without {name}"
    except (OSError, ValueError, RuntimeError, ImportError, av.error.FFmpegError) as error:
        return str(error) or type(error).__name__
    return None


def _device(codec: str) -> dict[str, Any]:
    """What PyAV must be told about the device of an encoder that takes its frames from a graphics card's memory."""
    if codec != "h264_vaapi":
        return {}
    from av.codec.hwaccel import HWAccel

    return {"hwaccel": HWAccel("vaapi")}


def _pixels(codec: str) -> str:
    """The pixel format that an encoder is set up with; PyAV converts frames for those that upload them."""
    return "nv12" if codec == "h264_vaapi" else "yuv420p"


class _DiskFull(Exception):
    """There is no room for a video; the message says how much it needs and how much there is."""


def _encode_all(
    slideshow: Slideshow, path: Path, codec: str, options: dict[str, str], bit_rate: int, engine: Engine
) -> None:
    """Encode the slideshow, again from the beginning whenever a picture is lost on the way.

    Raises:
        _DiskFull: There is not enough room for it.
    """
    drawn = _Count()
    while True:
        try:
            return _encode(slideshow, path, codec, options, bit_rate, engine, drawn)
        except PictureLost as lost:
            slideshow.drop(lost.failure)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise _DiskFull(_room(slideshow, path, bit_rate, drawn.frames)) from error


@dataclass
class _Count:
    """How many frames have been encoded."""

    frames: int = 0


def needed_bytes(slideshow: Slideshow, bit_rate: int, *, frames: int, written: int) -> float:
    """About how large a video becomes, judged by what was `written` of its first `frames`."""
    width, height = slideshow.settings.size
    usual = (
        USUAL_BYTES * width * height * slideshow.timeline.frames + bit_rate / 8 * slideshow.timeline.seconds
    )
    share = frames / slideshow.timeline.frames
    return max(written / share if share >= 0.2 else usual, written * 1.1)


def _room(slideshow: Slideshow, path: Path, bit_rate: int, frames: int) -> str:
    """How much room a video needs, judged by what was written of it to `path`, and how much there is."""
    written = path.stat().st_size if path.is_file() else 0
    needed = needed_bytes(slideshow, bit_rate, frames=frames, written=written)
    free = shutil.disk_usage(path.parent).free + written
    return (
        f"no space left on the disk of {path.parent}, where the video needs about {max(needed / 1e6, 0.1):.1f} MB "
        f"and {free / 1e6:.1f} MB are free"
    )


def _encode(
    slideshow: Slideshow,
    path: Path,
    codec: str,
    options: dict[str, str],
    bit_rate: int,
    engine: Engine,
    drawn: _Count,
) -> None:
    """Draw, encode and interleave everything into one file; `drawn` counts the frames."""
    drawn.frames = 0
    fps = slideshow.timeline.fps
    material = slideshow.storyboard.material
    name = material.called or partition_key(material.cluster)
    with (
        task(f"Rendering {name}", total=slideshow.timeline.frames, unit="frames") as progress,
        av.open(local_address(path), "w", format="mp4", options={"movflags": "+faststart"}) as file,
        contextlib.closing(_drawn(slideshow, engine)) as frames,
    ):
        file.metadata["title"] = slideshow.title
        file.metadata["comment"] = MARK + slideshow.digest
        video = _video_stream(file, slideshow.settings.size, fps, codec, options)
        audio = add_soundtrack(file, slideshow.soundtrack, bit_rate) if slideshow.soundtrack else None
        cover = add_cover(file, slideshow.glance_size(COVER), fps)
        keys = {0, *slideshow.timeline.cuts}
        for index, planes in enumerate(frames):
            frame = _stamped(planes, index, fps)
            if index in keys:
                frame.pict_type = PictureType.I
            file.mux(video.encode(frame))
            if audio:
                audio.write_until((index + 1) / fps)
            drawn.frames = index + 1
            progress.advance()
        file.mux(video.encode(None))
        if audio:
            audio.finish()
        file.mux(cover_packets(cover, _cover(slideshow), fps))


def write_pictures(
    file: BinaryIO,
    frames: Iterable[NDArray[np.uint8]],
    size: tuple[int, int],
    fps: int,
    codec: str,
    options: dict[str, str],
) -> None:
    """Write frames (height * 3 / 2, width), I420, as an MP4 file without sound, encoded as those of slideshows are."""
    with av.open(file, "w", format="mp4") as container:
        video = _video_stream(container, size, fps, codec, options)
        for index, planes in enumerate(frames):
            container.mux(video.encode(_stamped(planes, index, fps)))
        container.mux(video.encode(None))


def add_cover(file: Any, size: tuple[int, int], fps: int) -> Any:
    """A stream for the picture that players and file managers show of a file, instead of its first frame: black."""
    stream = file.add_stream("mjpeg", rate=fps)
    stream.width, stream.height = size
    stream.pix_fmt = "yuvj420p"
    stream.disposition = Disposition.attached_pic
    return stream


def cover_packets(stream: Any, cover: bytes, fps: int) -> list[av.Packet]:
    """What goes into the stream of a cover, a JPEG; nothing where there is none."""
    if not cover:
        return []
    packet = av.Packet(cover)
    packet.stream, packet.is_keyframe = stream, True
    packet.pts = packet.dts = 0
    packet.time_base = Fraction(1, fps)
    return [packet]


def _cover(slideshow: Slideshow) -> bytes:
    """The middle of the first slide as a JPEG; empty where its picture has vanished meanwhile."""
    data = io.BytesIO()
    try:
        Image.fromarray(slideshow.glance(0, COVER)).save(data, "JPEG", quality=85)
    except PictureLost as lost:
        log.debug("no cover for %s: %s", slideshow.title, lost)
    return data.getvalue()


def _stamped(planes: NDArray[np.uint8], index: int, fps: int) -> av.VideoFrame:
    """The frame of an I420 array as the encoder takes it: with its time and its colours."""
    frame = _video_frame(planes)
    frame.pts, frame.time_base = index, Fraction(1, fps)
    frame.colorspace, frame.color_range = BT709, LIMITED
    return frame


def _video_frame(planes: NDArray[np.uint8]) -> av.VideoFrame:
    """The frame of an I420 array, without copying it where a chroma plane is a whole number of the array's rows.

    PyAV takes the array for a stack of such rows; with any other height it would point to memory of something else.
    """
    if planes.shape[0] % 6 == 0:
        return av.VideoFrame.from_numpy_buffer(planes, format="yuv420p")
    return av.VideoFrame.from_ndarray(planes, format="yuv420p")


def _drawn(slideshow: Slideshow, engine: Engine) -> Generator[NDArray[np.uint8], None, None]:
    """All frames in order, drawn a few ahead of the encoder: a frame depends on no other."""

    def draw(indices: list[int]) -> list[NDArray[np.uint8]]:
        return [slideshow.planes(index) for index in indices]

    work = Task(draw, ahead=_drawers() + 1)
    with contextlib.closing(engine.run(work, range(slideshow.timeline.frames))) as frames:
        for index, frame in enumerate(frames):
            if isinstance(frame, Lost):
                raise VideoError(
                    f"{slideshow.storyboard.material.title}: frame {index} cannot be drawn: drawing {frame.reason}"
                )
            yield frame


def _drawers() -> int:
    """How many threads draw; the encoder has the other cores."""
    return min(4, max(1, available_cores() // 2))


def _video_stream(file: Any, size: tuple[int, int], fps: int, codec: str, options: dict[str, str]) -> Any:
    """The H.264 stream of a file, tagged BT.709 limited range."""
    stream = file.add_stream(codec, rate=fps, **_device(codec))
    stream.width, stream.height = size
    stream.pix_fmt = _pixels(codec)
    stream.time_base = Fraction(1, fps)
    context = stream.codec_context
    context.time_base = Fraction(1, fps)
    context.gop_size = KEY_SECONDS * fps
    context.colorspace = context.color_primaries = context.color_trc = BT709
    context.color_range = LIMITED
    context.options = {**options, "forced-idr": "1"} if codec in ("libx264", "h264_nvenc") else dict(options)
    if codec == "libx264":
        # chroma is averaged over 2x2 pixels, so it lies in their middle
        own = ":".join(filter(None, ["chromaloc=1", options.get("x264-params")]))
        context.options = {**context.options, "x264-params": own}
        context.thread_count = X264_THREADS
    return stream
