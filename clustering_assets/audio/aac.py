"""A soundtrack as AAC, encoded in step with pictures and lowered where its peaks would come out too high."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, Protocol

import av
import numpy as np
from numpy.typing import NDArray

from clustering_assets.audio.decoding import RATE
from clustering_assets.audio.loudness import LoudnessMeter, amplitude

AUDIO_FRAME = 1024
"""Samples in one AAC frame."""

PEAK = -1.5
"""Highest true peak of the finished sound, in dBTP."""

NEAR, MOST_CUT = 0.6, 0.5
"""Decibels: how near to `PEAK` a soundtrack is tried in AAC beforehand, and by how much it is lowered at most, which is
less than its loudness may miss (`soundtrack.TOLERANCE`)."""


class Sound(Protocol):
    """What can be encoded: the soundtrack of one video, or that of a film."""

    @property
    def true_peak(self) -> float:
        """True peak in dBTP."""
        ...

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """The sound as float32 blocks of shape (2, n) at 48 kHz."""
        ...


class AacWriter:
    """Feeds a soundtrack to an encoder, in step with the pictures.

    Args:
        encode: Takes the next frame of the sound, None at its end.
        sound: The soundtrack.
        cut: Decibels by which it is lowered.
    """

    def __init__(
        self, encode: Callable[[av.AudioFrame | None], None], sound: Sound, cut: float = 0.0
    ) -> None:
        self._encode = encode
        self._gain = np.float32(amplitude(-cut))
        self._blocks = sound.blocks()
        self._written = 0

    def write_until(self, seconds: float) -> None:
        """Write what is heard before this time, and up to half a second more."""
        while self._written < seconds * RATE and (block := next(self._blocks, None)) is not None:
            frame = av.AudioFrame.from_ndarray(block * self._gain, format="fltp", layout="stereo")
            frame.sample_rate = RATE
            frame.pts, frame.time_base = self._written, Fraction(1, RATE)
            self._written += block.shape[1]
            self._encode(frame)

    def finish(self) -> None:
        """Write what is left."""
        self.write_until(float("inf"))
        self._encode(None)


def add_soundtrack(file: Any, sound: Sound, bit_rate: int) -> AacWriter:
    """A new AAC stream of an open container, and what writes the soundtrack into it.

    Raises:
        SoundtrackError: The track cannot be decoded.
    """
    stream = file.add_stream("aac", rate=RATE, layout="stereo")
    _set_up(stream, bit_rate)
    return AacWriter(lambda frame: file.mux(stream.encode(frame)), sound, needed_cut(sound, bit_rate))


def needed_cut(sound: Sound, bit_rate: int) -> float:
    """By how many decibels a soundtrack must be lowered for its true peak to stay below `PEAK` in AAC.

    What AAC adds depends on the sound and its level, so a soundtrack that comes near is encoded and decoded to see,
    again when it was lowered. It is `MOST_CUT` at most.
    """
    cut = 0.0
    while sound.true_peak > PEAK - NEAR and cut < MOST_CUT:
        excess = _encoded_peak(sound, bit_rate, cut) - PEAK
        if excess <= 0:
            break
        cut = min(cut + excess + 0.05, MOST_CUT)
    return cut


def _encoded_peak(sound: Sound, bit_rate: int, cut: float) -> float:
    """True peak of a soundtrack, lowered by `cut` decibels, when it has been AAC; in dBTP."""
    coder, decoder = av.CodecContext.create("aac", "w"), av.CodecContext.create("aac", "r")
    meter = LoudnessMeter()
    assert isinstance(coder, av.AudioCodecContext)
    coder.sample_rate, coder.layout, coder.format = RATE, "stereo", "fltp"  # type: ignore[assignment]
    _set_up(coder, bit_rate)
    coder.open()
    decoder.extradata = coder.extradata

    def listen(frame: av.AudioFrame | None) -> None:
        for packet in coder.encode(frame):
            for heard in decoder.decode(packet):
                meter.add(np.asarray(heard.to_ndarray(), np.float32))  # type: ignore[union-attr]

    AacWriter(listen, sound, cut).finish()
    return meter.true_peak


def _set_up(coder: Any, bit_rate: int) -> None:
    """Settings of an AAC encoder.

    FFmpeg's default search for coefficients can raise the true peak by 1.2 dB and intensity stereo by 3; without them
    136 of 137 real tracks gain 0.2 dB at most.
    """
    coder.bit_rate = bit_rate
    coder.options = {"aac_coder": "fast", "aac_is": "0"}
