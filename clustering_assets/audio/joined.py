"""The sound of a film: soundtracks that follow each other, with silence between them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clustering_assets.audio.decoding import BLOCK, RATE
from clustering_assets.audio.soundtrack import Soundtrack


@dataclass(frozen=True, eq=False)
class Joined:
    """Soundtracks one after the other, each as loud as it is in its own video and none over another.

    Attributes:
        seconds: Length of the whole.
        parts: Second at which each soundtrack begins, and the soundtrack, in order.
    """

    seconds: float
    parts: tuple[tuple[float, Soundtrack], ...]

    @property
    def true_peak(self) -> float:
        """The highest true peak of all, in dBTP."""
        return max(sound.true_peak for _, sound in self.parts)

    @property
    def limit(self) -> str:
        """What keeps some of it below the target, in words; empty where nothing does."""
        return " ".join(dict.fromkeys(sound.limit for _, sound in self.parts if sound.limit))

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """The sound as float32 blocks of shape (2, n) at 48 kHz.

        Raises:
            SoundtrackError: A track cannot be decoded.
        """
        position = 0
        for begin, sound in self.parts:
            yield from _silence(round(begin * RATE) - position)
            position = max(position, round(begin * RATE))
            for block in sound.blocks():
                yield block
                position += block.shape[1]
        yield from _silence(round(self.seconds * RATE) - position)


def _silence(samples: int) -> Iterator[NDArray[np.float32]]:
    for begin in range(0, samples, BLOCK):
        yield np.zeros((2, min(BLOCK, samples - begin)), np.float32)
