"""Small sounds with known beats, and files of them in many formats."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np

RATE = 44_100

Writer = Callable[..., Path]


def write_sound(
    path: Path, sound: np.ndarray, rate: int = RATE, codec: str = "", layout: str = "", **tags: str
) -> Path:
    """Write float sound of shape (channels, n) with the codec that the ending stands for, or another."""
    codecs = {".wav": "pcm_s16le", ".flac": "flac", ".ogg": "libopus", ".mp3": "libmp3lame", ".m4a": "aac"}
    codecs |= {".opus": "libopus", ".mp4": "aac", ".aiff": "pcm_s16be", ".mka": "libopus"}
    codec = codec or codecs[path.suffix]
    sound = np.atleast_2d(np.asarray(sound, dtype=np.float32))
    layout = layout or {1: "mono", 2: "stereo", 6: "5.1"}[len(sound)]
    forms = {"mp4": "mp4", "m4a": "mp4", "aiff": "aiff", "mka": "matroska"}
    kind = path.suffix[1:]
    with av.open(str(path), "w", format=forms.get(kind, kind)) as file:
        file.metadata.update(tags)
        stream = file.add_stream(codec, rate=rate, layout=layout)
        form = stream.codec_context.format.name if codec != "pcm_s16le" else "s16"
        resampler = av.AudioResampler(
            format=form, layout=layout, rate=rate, frame_size=stream.frame_size or 4096
        )
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound), format="fltp", layout=layout)
        frame.sample_rate = rate
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            file.mux(stream.encode(piece))
        file.mux(stream.encode(None))
    return path


def sine(seconds: float, frequency: float = 440.0, level: float = 0.3, rate: int = RATE) -> np.ndarray:
    """A mono tone."""
    return level * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


def drums(
    tempo: float, seconds: float, *, first: float = 0.5, seed: int = 0, rate: int = RATE
) -> tuple[np.ndarray, np.ndarray]:
    """A plain beat in 4/4, and the times of its beats: bass drum on 1 and 3, snare on 2 and 4, soft hats between."""
    rng = np.random.default_rng(seed)
    sound = 0.001 * rng.standard_normal(round(seconds * rate))
    time = np.arange(round(0.15 * rate)) / rate
    kick = np.sin(2 * np.pi * (50 * time + 4 * (1 - np.exp(-30 * time)))) * np.exp(-18 * time)
    snare = 0.5 * rng.standard_normal(time.size) * np.exp(-30 * time)
    hat = 0.12 * np.diff(rng.standard_normal(time.size + 1)) * np.exp(-80 * time)
    beats = np.arange(first, seconds - 0.2, 60 / tempo)
    for index, beat in enumerate(beats):
        hits = [
            (beat, 1.3 * kick if index % 4 == 0 else kick if index % 2 == 0 else snare),
            (beat + 30 / tempo, hat),
        ]
        for at, hit in hits:
            place = round(at * rate)
            piece = hit[: max(sound.size - place, 0)]
            sound[place : place + piece.size] += 0.5 * piece
    return sound, beats
