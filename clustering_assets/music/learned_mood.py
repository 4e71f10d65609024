"""Energy and valence of music as a learned model hears them, where VibeNet is installed.

Of that package, which is under the GPL-3, only the network is read, a file in ONNX format; none of its code is
imported, and it runs in OpenVINO. Light to import.
"""

import importlib.metadata
import importlib.util
import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clustering_assets.audio.decoding import RATE
from clustering_assets.errors import ClusteringError
from clustering_assets.threads import available_cores

PACKAGE = "vibenet"
"""What the extra `mood` installs: EfficientNet distilled on the Free Music Archive, 18.5 MB."""

ENERGY, VALENCE = 2, 6
"""Which of the network's seven outputs are the two that count here."""

WINDOW, HOP, TRANSFORM = 40, 20, 64
"""Milliseconds under a window, between two, and of the transform. The network was trained at 16 kHz; at `RATE` the same
times give the same bins, so nothing needs to be resampled."""

BANDS, HIGHEST = 128, 8000.0
"""Mel bands, up to so many hertz."""

RANGE = 80.0
"""Decibels below the loudest of a passage from which everything counts as silent."""

PASSAGE = 1_499
"""Frames of a passage: 30 s, as long as the clips that it was trained on."""

MOST_PASSAGES = 20
"""Passages that are listened to, from the beginning: ten minutes."""


class LearnedMoodError(ClusteringError):
    """The model was asked for and is not installed."""


def learned_mood(wanted: str = "auto") -> str:
    """Which model will be asked, as name and version; '' for none. What is heard of tracks depends on it.

    Args:
        wanted: The setting `mood_model`: `auto` (where it is installed), `vibenet` or `none`.

    Raises:
        LearnedMoodError: `vibenet` is wanted and not installed.
    """
    installed = "" if wanted == "none" or _network_file() is None else importlib.metadata.version(PACKAGE)
    if wanted == PACKAGE and not installed:
        raise LearnedMoodError(
            f"mood_model = {wanted!r} needs VibeNet: pip install --no-deps vibenet, or set mood_model to auto or none"
        )
    return f"{PACKAGE} {installed}" if installed else ""


def _network_file() -> Path | None:
    """The file of the network; None where it is not installed."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        return None
    file = Path(found.submodule_search_locations[0]) / "artifacts" / "efficientnet_model.onnx"
    return file if file.is_file() else None


class MoodMeter:
    """Gathers what the network listens to from blocks of stereo sound."""

    def __init__(self) -> None:
        self._window = np.hanning(WINDOW * RATE // 1000 + 1)[:-1].astype(np.float32)
        self._rest = np.zeros(0, dtype=np.float32)
        self._bands: list[NDArray[np.float32]] = []
        self._frames = 0

    def add(self, block: NDArray[np.float32]) -> None:
        """Listen on through `block`, shape (2, n)."""
        from scipy.fft import rfft

        if self._frames >= PASSAGE * MOST_PASSAGES:
            return
        sound, hop = np.concatenate([self._rest, block.mean(axis=0)]), HOP * RATE // 1000
        if sound.size >= self._window.size:
            frames = np.lib.stride_tricks.sliding_window_view(sound, self._window.size)[::hop]
            spectrum = np.asarray(rfft(frames * self._window, TRANSFORM * RATE // 1000, axis=1))
            filters = mel_filters()
            power = np.square(np.abs(spectrum[:, : len(filters)])) / (RATE / 16_000) ** 2
            self._bands.append((power @ filters).astype(np.float32))
            self._frames += len(frames)
            sound = sound[len(frames) * hop :]
        self._rest = sound

    def mood(self) -> tuple[float, float]:
        """Energy and valence, 0 to 1 each: the means over the passages; NaN for less than a second of sound."""
        frames = np.concatenate([np.zeros((0, BANDS), np.float32), *self._bands])
        if len(frames) < 1000 // HOP:
            return math.nan, math.nan
        whole = max(len(frames) // PASSAGE, 1)
        passages = [frames[PASSAGE * i : PASSAGE * (i + 1)] for i in range(min(whole, MOST_PASSAGES))]
        energy, valence = np.mean([_asked(decibels(passage)) for passage in passages], axis=0)
        return float(energy), float(valence)


def _asked(passage: NDArray[np.float32]) -> NDArray[np.float64]:
    """Energy and valence of one passage (frames, `BANDS`)."""
    file = _network_file()
    assert file is not None
    request = _network(file).create_infer_request()
    found = request.infer({0: np.ascontiguousarray(passage.T)[None]})[0]
    return np.clip(found[0, [ENERGY, VALENCE]].astype(float), 0, 1)


def decibels(power: NDArray[np.float32]) -> NDArray[np.float32]:
    """Power of bands in decibels, with nothing more than `RANGE` below the loudest."""
    level = 10 * np.log10(np.maximum(power, 1e-10))
    return np.maximum(level, level.max() - RANGE).astype(np.float32)


@cache
def mel_filters() -> NDArray[np.float32]:
    """Triangles of one area on the mel scale of Slaney's Auditory Toolbox (1998), shape (bins up to 8 kHz, `BANDS`).

    The scale is linear below 1000 Hz and logarithmic above.
    """
    step, linear = math.log(6.4) / 27, 1000 / (200 / 3)
    top = linear + math.log(HIGHEST / 1000) / step
    mel = np.linspace(0, top, BANDS + 2)
    edges = np.where(mel < linear, mel * 200 / 3, 1000 * np.exp(step * (mel - linear)))
    bins = np.arange(0, HIGHEST + 1, 1000 / TRANSFORM)[:, None]
    rising = (bins - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - bins) / np.diff(edges)[1:]
    area = 2 / (edges[2:] - edges[:-2])
    return (area * np.maximum(np.minimum(rising, falling), 0)).astype(np.float32)


@cache
def _network(file: Path) -> Any:
    """The network, compiled for the processor in float32, so that it says the same everywhere."""
    from clustering_assets.embedding.openvino_runtime import openvino

    core, threads = openvino().Core(), min(available_cores(), 8)
    options = {"NUM_STREAMS": threads, "INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
    return core.compile_model(str(file), "CPU", options)
