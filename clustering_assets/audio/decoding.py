"""Decoding of music: any container and codec that FFmpeg reads, as blocks of 48 kHz stereo.

A file is read through a plain file object, so its format is found by content and never by its ending, and
playlists cannot make the decoder open anything else. Only the first audio stream is demuxed: cover art
and video streams stay untouched. Lengths are counted from decoded samples, because headers lie.
"""

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from clustering_assets.errors import ClusteringError
from clustering_assets.files import AnyFile, source_file
from clustering_assets.words import one_line

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

LOUDEST_FLOAT = 128.0
"""The same of files that hold floating-point numbers, which are whole however loud they are: 42 dB."""

LARGEST_DAMAGED_SHARE = 0.001
"""Share of samples beyond the loudest honest one from which a file counts as damaged."""

LARGEST_BAD_PACKET_SHARE = 0.2
"""Share of packets that do not decode from which a file counts as damaged."""

LARGEST_PROBED = 1 << 20
"""Bytes of ID3 tags behind which FFmpeg does not look to learn what a file is; large covers take a few million."""

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
        loudest: Largest sample that this kind of file may honestly have.
        wild_samples: Samples (over both channels) that were not finite or beyond that.
        bad_packets: Packets that did not decode.
        packets: Packets read.
        tags: Title, artist, genre and the like, keys in lower case.
    """

    samples: int = 0
    cut: bool = False
    loudest: float = LOUDEST_HONEST_SAMPLE
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
    """A file without a name, so that the demuxer is chosen by content; what lies before `start` is not seen."""

    def __init__(self, file: IO[bytes], start: int = 0) -> None:
        self.read, self._file, self._start = file.read, file, start
        self.seek(0)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place."""
        return self._file.seek(offset + self._start * (whence == os.SEEK_SET), whence) - self._start

    def tell(self) -> int:
        """The place."""
        return self._file.tell() - self._start


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
    that are not finite become 0, and all are held within +-1.5; only files of floating-point numbers go beyond.
    Times are counted in decoded samples, so equal times give equal samples.

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
    for block in _sound(path, limits, report):
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
    """`piece` with honest samples only, counting the others: decoders overshoot, floating-point numbers are broken."""
    if np.abs(piece).max() <= report.loudest:  # False for NaN as well
        return piece
    wild = ~(np.abs(piece) <= report.loudest)
    report.wild_samples += int(wild.sum())
    if report.loudest > LOUDEST_HONEST_SAMPLE:
        return np.where(wild, np.float32(0), piece)
    return np.clip(np.nan_to_num(piece, posinf=0.0, neginf=0.0), -report.loudest, report.loudest)


def _sound(path: AnyFile, limits: DecodeLimits, report: DecodeReport) -> Iterator[NDArray[np.float32]]:
    """Decoded blocks of shape (2, n) at `RATE`."""
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
    with file.open() as opened:
        # no protocol may be opened from inside a file: a playlist is not a track
        options, kind, tags = {"protocol_whitelist": "none"}, None, _tag_length(opened)
        if tags >= LARGEST_PROBED:
            with av.open(_ContentOnly(opened, tags), options=options, **ANY_ENCODING) as bare:
                kind = bare.format.name.split(",")[0]
        with av.open(_ContentOnly(opened), format=kind, options=options, **ANY_ENCODING) as container:
            yield cast("InputContainer", container)


def _tag_length(file: IO[bytes]) -> int:
    """Bytes of the ID3v2 tags that a file begins with."""
    length = 0
    while len(head := file.read(10)) == 10 and head.startswith(b"ID3"):
        length += 10 + sum(
            (byte & 127) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True)
        )
        file.seek(length)
    return length


def _resampled(
    path: AnyFile, container: "InputContainer", limits: DecodeLimits, report: DecodeReport
) -> Iterator[NDArray[np.float32]]:
    """The first audio stream as arrays (2, n) at `RATE`, n being `BLOCK` but where the stream ends or changes."""
    from av.audio.resampler import AudioResampler

    if not container.streams.audio:
        raise MusicError(path, "open", "no audio in it")
    stream = container.streams.audio[0]
    if stream.codec_context is None:
        raise MusicError(path, "open", "its codec is not known")
    if str(stream.codec_context.codec_tag).lower().rstrip("\0") in PROTECTED_TAGS:
        raise MusicError(path, "open", "protected (DRM)")
    report.tags = _tags(container, stream)
    shape, resampler, scale = None, None, np.float32(1)
    for frame in _frames(path, container, stream, limits, report):
        # chained streams may change their format in the middle; a resampler serves one format only
        now = (frame.format.name, frame.layout.name, frame.sample_rate)
        if now != shape:
            if not HONEST_RATES[0] <= frame.sample_rate <= HONEST_RATES[1]:
                raise MusicError(path, "decode", f"damaged: it claims {frame.sample_rate} samples a second")
            if resampler is not None:
                yield from _samples(resampler.resample(None), scale)
            shape, resampler = now, AudioResampler("fltp", "stereo", RATE, frame_size=BLOCK)
            exact = stream.codec_context.codec.lossless and now[0].startswith(("flt", "dbl"))
            report.loudest = LOUDEST_FLOAT if exact else LOUDEST_HONEST_SAMPLE
            # speakers mixed down to two would go beyond full scale where they play the same
            scale = np.float32(min(1.0, 2 / len(frame.layout.channels)))
        assert resampler is not None
        frame.pts = None
        yield from _samples(resampler.resample(frame), scale)
    if resampler is not None:
        yield from _samples(resampler.resample(None), scale)


def _samples(frames: "list[av.AudioFrame]", scale: np.float32) -> Iterator[NDArray[np.float32]]:
    """The samples of planar float frames, each (2, n), scaled."""
    for frame in frames:
        yield cast("NDArray[np.float32]", frame.to_ndarray()) * scale


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
    words = {
        one_line(readable(key)).lower(): one_line(readable(value))[:200] for key, value in merged.items()
    }
    return {key: value for key, value in words.items() if value}
