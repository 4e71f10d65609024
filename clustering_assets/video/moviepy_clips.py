"""What a slideshow gives to MoviePy: its sound as a clip, and files that play everywhere when it is written."""

import inspect
from pathlib import Path
from typing import Any

import numpy as np
from moviepy import AudioClip, VideoClip
from numpy.typing import NDArray

from clustering_assets.audio.decoding import RATE as SAMPLE_RATE
from clustering_assets.audio.soundtrack import Soundtrack

TAPS = 16
"""Samples on each side that the sound between two samples is made of: errors up to 15 kHz are below -60 dB."""

PLAYABLE: dict[str, Any] = {
    "audio_codec": "aac",
    "audio_fps": SAMPLE_RATE,
    "ffmpeg_params": [
        *("-vf", "scale=trunc(iw/2)*2:trunc(ih/2)*2:out_color_matrix=bt709:out_range=tv,format=yuv420p"),
        *("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"),
        *("-movflags", "+faststart"),
    ],
}
"""Arguments for `write_videofile`. Left alone MoviePy puts MP3 into MP4, which QuickTime plays without sound, and
converts by the matrix of BT.601 without saying so, which players take for BT.709: reds turn to orange. Sides that were
cropped to odd lengths lose a pixel, as players want."""

_ENDINGS = (".mp4", ".m4v", ".mov")


def writing_arguments(*given: Any, **named: Any) -> dict[str, Any]:
    """The arguments of MoviePy's `write_videofile`, by name; for H.264, what is not given is that of `PLAYABLE`."""
    arguments = inspect.signature(VideoClip.write_videofile).bind(None, *given, **named).arguments
    del arguments["self"]
    h264 = arguments.get("codec") in (None, "libx264")
    if h264 and Path(arguments["filename"]).suffix.lower() in _ENDINGS:
        return PLAYABLE | arguments
    return arguments


def audio_clip(sound: Soundtrack) -> AudioClip:
    """A soundtrack as a MoviePy clip, at any rate; its samples are made when the first one is asked for."""
    samples: list[NDArray[np.float32]] = []

    def heard(time: Any) -> NDArray[np.float32]:
        if not samples:
            samples.append(np.concatenate(list(sound.blocks()), axis=1))
        return between(samples[0], np.asarray(time, float) * SAMPLE_RATE).T

    clip = AudioClip(duration=sound.seconds, fps=SAMPLE_RATE)
    clip.frame_function = heard
    clip.nchannels = 2
    return clip


def between(samples: NDArray[np.float32], places: NDArray[np.float64]) -> NDArray[np.float32]:
    """What is heard at places between samples.

    MoviePy asks at 44.1 kHz unless told otherwise; the nearest samples would then be a distorted sound (-28 dB at
    1 kHz). So what lies between them is interpolated by a sinc in a window of Hann.

    Args:
        samples: (channels, n).
        places: Where, counted in samples; any shape.

    Returns:
        (channels, *places.shape); beyond the ends it is silent.
    """
    whole = np.floor(places + 1e-4).astype(np.int64)
    share = places - whole
    reach = np.arange(1 - TAPS, TAPS + 1) if np.any(np.abs(share) > 1e-4) else np.zeros(1, np.int64)
    away = share[..., None] - reach
    weights = np.sinc(away) * np.cos(np.pi * away / (2 * TAPS)) ** 2
    taken = whole[..., None] + reach
    weights[(taken < 0) | (taken >= samples.shape[1])] = 0
    pieces = samples[:, np.clip(taken, 0, samples.shape[1] - 1)]
    return np.einsum("c...t,...t->c...", pieces, weights.astype(np.float32))
