"""Decoding of music: any container and codec that FFmpeg reads, as blocks of 48 kHz stereo.

A file is read through a plain file object, so its format is found by content and never by its ending, and
playlists cannot make the decoder open anything else. Only the first audio stream is demuxed: cover art
and video streams stay untouched. Lengths are counted from decoded samples, because headers lie.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from clustering_assets.errors import ClusteringError
from clustering_assets.files import AnyFile, source_file

if TYPE_CHECKING:
    import av
    from av.audio.stream import AudioStream
    from av.container import InputContainer

log = logging.getLogger("clustering_assets.music")

RATE = 48_000
"""Samples per second of everything decoded: the rate of the soundtracks."""

BLOCK = RATE // 2
"""Samples in the blocks that `decode` yields (the last one may be shorter)."""

LOUDEST_HONEST_SAMPLE = 1.5
"""Decoders overshoot full scale a little; flipped bits give samples far beyond this."""

LARGEST_DAMAGED_SHARE = 0.001
"""Share of samples beyond `LOUDEST_HONEST_SAMPLE` from which a file counts as damaged."""

LARGEST_BAD_PACKET_SHARE = 0.2
"""Share of packets that do not decode from which a file counts as damaged."""

HONEST_RATES = (1_000, 1_000_000)
"""Samples per second that a file may claim: others are damage, and converting from them takes minutes."""

PROTECTED_TAGS = ("drms", "drmi", "enca")
"""Codec tags of encrypted audio in MP4 files."""


class MusicError(ClusteringError):
    """A track that cannot be used.

    Attributes:
        path: The file.
        stage: What was being done: "open", "decode" or "analyse".
        reason: What is wrong, in one short sentence.
    """

    def __init__(self, path: AnyFile, stage: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path, self.stage, self.reason = str(path), stage, reason


@dataclass(frozen=True)
class DecodeLimits:
    """How much of a file is decoded at most.

    Attributes:
        seconds: Length after which decoding stops (the rest of the track is not used).
        work_seconds: Wall-clock seconds after which a file is given up as undecodable. Decoding runs a few
            hundred times faster than playing, so only a file made to be slow comes near this.
    """

    seconds: float = 1800.0
    work_seconds: float = 300.0


@dataclass
class DecodeReport:
    """What `decode` saw on the way; complete when the iteration has ended.

    Attributes:
        samples: Samples yielded per channel.
        cut: True if the track goes on beyond `DecodeLimits.seconds`.
        wild_samples: Samples (over both channels) that were not finite or beyond `LOUDEST_HONEST_SAMPLE`.
        bad_packets: Packets that did not decode.
        packets: Packets read.
        tags: Title, artist, genre and the like, keys in lower case.
    """

    samples: int = 0
    cut: bool = False
    wild_samples: int = 0
    bad_packets: int = 0
    packets: int = 0
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def damage(self) -> str:
        """Why the decoded sound cannot be trusted; empty if it can."""
        if self.wild_samples > LARGEST_DAMAGED_SHARE * 2 * max(self.samples, 1):
            share = self.wild_samples / (2 * max(self.samples, 1))
            return f"damaged: {share:.1%} of the samples are beyond full scale"
        if self.bad_packets > LARGEST_BAD_PACKET_SHARE * max(self.packets, 1):
            if self.packets == 1:
                return "damaged: its only packet does not decode"
            verb = "does" if self.bad_packets == 1 else "do"
            return f"damaged: {self.bad_packets} of {self.packets} packets {verb} not decode"
        return ""


class _ContentOnly:
    """A file without a name, so that the demuxer is chosen by content."""

    def __init__(self, file: IO[bytes]) -> None:
        self.read, self.seek, self.tell = file.read, file.seek, file.tell


def decode(
    path: AnyFile,
    *,
    begin: float = 0.0,
    end: float | None = None,
    limits: DecodeLimits | None = None,
    report: DecodeReport | None = None,
) -> Iterator[NDArray[np.float32]]:
    """Decode a track to 48 kHz stereo, block by block, in constant memory.

    Mono comes out on both channels, surround is mixed down and made quieter so that it does not clip. Samples
    that are not finite become 0 and all are held within +-1.5. Times are counted in decoded samples, so equal
    times give equal samples.

    Args:
        path: A regular file.
        begin: First moment wanted, in seconds.
        end: Moment to stop at, in seconds; None for the end of the track.
        limits: Bounds on length and work.
        report: Filled in while decoding, where given.

    Yields:
        Blocks of shape (2, n), n <= `BLOCK`, float32, nominally within +-1.

    Raises:
        MusicError: Not a regular file, unreadable, no audio in it, protected, or decoding takes too long.
    """
    limits = limits or DecodeLimits()
    report = report if report is not None else DecodeReport()
    first = round(begin * RATE)
    last = round(min(limits.seconds, end if end is not None else limits.seconds) * RATE)
    position = 0
    for block in _blocks(_sound(path, limits, report)):
        stop = position + block.shape[1]
        piece = block[:, max(first - position, 0) : max(last - position, 0)]
        position = stop
        if piece.shape[1]:
            report.samples += piece.shape[1]
            yield _tamed(piece, report)
        if position > last:
            report.cut = end is None or end > limits.seconds
            return


def holds_audio(path: AnyFile) -> bool:
    """Whether there is an audio stream in a file; False for whatever cannot be opened."""
    from av.error import FFmpegError

    try:
        with _opened(path) as container:
            return bool(container.streams.audio)
    except (FFmpegError, OSError, MusicError):
        return False


def _tamed(piece: NDArray[np.float32], report: DecodeReport) -> NDArray[np.float32]:
    """`piece` with finite samples within +-1.5, counting those that were not."""
    if np.abs(piece).max() <= LOUDEST_HONEST_SAMPLE:  # False for NaN as well
        return piece
    wild = ~(np.abs(piece) <= LOUDEST_HONEST_SAMPLE)
    report.wild_samples += int(wild.sum())
    return np.clip(
        np.nan_to_num(piece, nan=0.0, posinf=0.0, neginf=0.0), -LOUDEST_HONEST_SAMPLE, LOUDEST_HONEST_SAMPLE
    )


def _blocks(pieces: Iterator[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
    """Join the small pieces of the decoder to blocks of `BLOCK` samples."""
    held: list[NDArray[np.float32]] = []
    count = 0
    for piece in pieces:
        held.append(piece)
        count += piece.shape[1]
        if count >= BLOCK:
            joined = np.concatenate(held, axis=1)
            whole = count - count % BLOCK
            for start in range(0, whole, BLOCK):
                yield joined[:, start : start + BLOCK]
            held, count = [joined[:, whole:]], count - whole
    if count:
        yield np.concatenate(held, axis=1)


def _sound(path: AnyFile, limits: DecodeLimits, report: DecodeReport) -> Iterator[NDArray[np.float32]]:
    """Decoded pieces of shape (2, n) at `RATE`, as they come."""
    from av.error import FFmpegError

    try:
        with _opened(path) as container:
            yield from _resampled(path, container, limits, report)
    except FFmpegError as problem:
        raise MusicError(path, "decode", f"not readable as audio ({problem.strerror})") from problem
    except OSError as problem:
        raise MusicError(path, "open", f"cannot be read ({problem.strerror or problem})") from problem


@contextmanager
def _opened(path: AnyFile) -> Iterator["InputContainer"]:
    """The container of a regular file, opened by content alone."""
    import av

    from clustering_assets.containers import ANY_ENCODING

    file = source_file(path)
    if file.stat().problem:
        raise MusicError(path, "open", "not a regular file")
    # no protocol may be opened from inside a file: a playlist is not a track
    options = {"protocol_whitelist": "none"}
    with (
        file.open() as opened,
        av.open(_ContentOnly(opened), options=options, **ANY_ENCODING) as container,
    ):
        yield cast("InputContainer", container)


def _resampled(
    path: AnyFile, container: "InputContainer", limits: DecodeLimits, report: DecodeReport
) -> Iterator[NDArray[np.float32]]:
    """Frames of the first audio stream as (2, n) arrays at `RATE`."""
    from av.audio.resampler import AudioResampler

    if not container.streams.audio:
        raise MusicError(path, "open", "no audio in it")
    stream = container.streams.audio[0]
    if stream.codec_context is None:
        raise MusicError(path, "open", "its codec is not known")
    if str(stream.codec_context.codec_tag).lower().rstrip("\0") in PROTECTED_TAGS:
        raise MusicError(path, "open", "protected (DRM)")
    report.tags = _tags(container, stream)
    shape, resampler = None, None
    for frame in _frames(path, container, stream, limits, report):
        # chained streams may change their format in the middle; a resampler serves one format only
        now = (frame.format.name, frame.layout.name, frame.sample_rate)
        if now != shape:
            if not HONEST_RATES[0] <= frame.sample_rate <= HONEST_RATES[1]:
                raise MusicError(path, "decode", f"damaged: it claims {frame.sample_rate} samples a second")
            if resampler is not None:
                for rest in resampler.resample(None):
                    yield _samples(rest)
            shape, resampler = now, AudioResampler(format="fltp", layout="stereo", rate=RATE)
        assert resampler is not None
        frame.pts = None
        # speakers mixed down to two would go beyond full scale where they play the same
        scale = np.float32(min(1.0, 2 / len(frame.layout.channels)))
        for piece in resampler.resample(frame):
            yield _samples(piece) * scale if scale < 1 else _samples(piece)
    if resampler is not None:
        for rest in resampler.resample(None):
            yield _samples(rest)


def _samples(frame: "av.AudioFrame") -> NDArray[np.float32]:
    """The samples of a planar float frame, shape (2, n)."""
    return cast("NDArray[np.float32]", frame.to_ndarray())


def _frames(
    path: AnyFile,
    container: "InputContainer",
    stream: "AudioStream",
    limits: DecodeLimits,
    report: DecodeReport,
) -> Iterator["av.AudioFrame"]:
    """Decoded frames; packets that do not decode are counted and passed over."""
    from av.error import FFmpegError

    deadline = time.monotonic() + limits.work_seconds
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except FFmpegError:
            if not report.packets:
                raise
            report.bad_packets += 1
            return
        report.packets += packet.size > 0
        try:
            yield from packet.decode()
        except FFmpegError:
            report.bad_packets += 1
        if time.monotonic() > deadline:
            raise MusicError(path, "decode", f"decoding takes longer than {limits.work_seconds:.0f} s")


def _tags(container: "InputContainer", stream: "AudioStream") -> dict[str, str]:
    """Tags of the file, keys in lower case; those of the stream count where the file has none."""
    from clustering_assets.containers import readable

    merged = {**stream.metadata, **container.metadata}
    words = {readable(key).lower(): " ".join(readable(value).split())[:200] for key, value in merged.items()}
    return {key: value for key, value in words.items() if value}
