"""Soundtracks: a track of the music library laid under a video of a given length, as a stream of samples.

A long track is started where it has come to its strength, or where it is fullest, and faded out; a short one is looped
from bar to bar with crossfades that keep the power. One gain, measured beforehand on the finished sound, brings it to
the loudness of other media without touching its dynamics; where single peaks are in the way, a limiter presses these
down.
"""

import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clustering_assets.audio.beats import BAR
from clustering_assets.audio.decoding import BLOCK, RATE, DecodeLimits, MusicError, decode
from clustering_assets.audio.limiter import PeakMeter, limited, limiting
from clustering_assets.audio.loudness import SILENCE, LoudnessMeter, amplitude, gated
from clustering_assets.errors import ClusteringError
from clustering_assets.files import AnyFile

log = logging.getLogger("clustering_assets.video")

TARGET = -16.0
"""Integrated loudness that is aimed at, in LUFS: what Apple plays at, between YouTube (-14) and broadcast (-23)."""

CEILING = -1.8
"""Highest true peak before it is encoded, in dBTP. AAC at 192 kbit/s raises that of 136 of 137 tracks of games by
0.2 dB at most, and the finished file shall stay below -1.5; where it would not, it is lowered when it is written."""

TOLERANCE = 0.7
"""LU by which the loudness may miss the target unsaid, and that of the finished file what was planned."""

SHORTEST_MEASURED = 0.4
"""Seconds below which there is no integrated loudness: the length of a gating block of BS.1770."""

MOST_LIMITED = 12.0
"""Decibels by which the highest peak may be pressed down to reach the target."""

MOST_GAIN = 30.0
"""Largest gain, in dB; more would lift the hiss of a near-silent recording."""

FADE_IN = 0.05
"""Seconds of the fade at the beginning."""

FADE_OUT = 2.5
"""Seconds of the fade at the end, or a quarter of the video if that is less."""

LONG_INTRO = 4.0
"""Seconds of quiet beginning that are kept, or a tenth of the video if that is more; with a longer one the video starts
where the music is at full strength."""

LEAD = 0.06
"""Seconds before a bar at which such a start is made, so that the fade-in leaves its first beat alone."""

PHRASE = 4
"""Bars in a phrase: loops are whole phrases long where that wastes little."""

FULLER = 1.0
"""LU by which a later part of a track must be louder in the mean than the first for a video to be laid under it."""

ROOM = 1.5
"""How many times as long as the video the music from there on must be, as cuts on beats may make a video longer."""

GIVEN = 0.15
"""Largest part of a length that is given up so that the music ends with a phrase, a bar or the track."""

OWN_END = 1.5
"""How many times as long as wanted a track may be for its own end to be heard rather than its beginning."""

LEAST_LOOP = 4.0
"""Seconds below which a loop is not cut to bars."""

CROSSFADE = 3.0
"""Most seconds of a crossfade where there is no beat to keep."""

SHIFT = 0.012
"""Most seconds by which a pass is moved against the one before, to where both swing together. Beats are heard to about
10 ms: of 137 tracks of games five come again sample for sample, up to 10.7 ms beside them."""

SHIFT_PRICE = 0.15
"""Correlation that the largest shift must bring, so that sounds which are not alike stay in their place."""

MOST_OPPOSED = -0.75
"""Least correlation that a crossfade is evened out for: more opposed sounds cancel, and no gain brings them back."""


class SoundtrackError(ClusteringError):
    """The track cannot be laid under the video: it is gone, has changed, or cannot be decoded."""


@dataclass(frozen=True, eq=False)
class Track:
    """What is known of a music file that a soundtrack can be made from.

    Attributes:
        path: The file.
        content_hash: SHA-256 of it; empty where it is not known.
        start: Second of the track where silence ends.
        end: Second where the last silence begins.
        full_from: Second at which the music has come to its full strength; None where it is not known.
        full_until: Second at which it leaves that for good.
        beat_times: Seconds of the beats, (n,); empty without a clear beat.
        bar: Beats in a bar.
        downbeat: Index of the first beat that begins one.
        beat_clarity: 0 to 1; None where it is not known.
        arousal: How energetic it is, 0 to 1; None where it is not known.
        loudness_curve: Loudness of each second, in LUFS, (n,); empty where it is not known.
    """

    path: AnyFile
    content_hash: str = ""
    start: float = 0.0
    end: float = 0.0
    full_from: float | None = None
    full_until: float | None = None
    beat_times: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    bar: int = BAR
    downbeat: int = 0
    beat_clarity: float | None = None
    arousal: float | None = None
    loudness_curve: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    @classmethod
    def of(cls, path: AnyFile, row: Mapping[Any, Any]) -> "Track":
        """The track of a file, from what its row of `music_tracks` has of the columns named like the attributes.

        Numbers that are missing or not finite count as not known; without an end, it is that of the file (`seconds`).
        """
        beats = _numbers(row, "beat_times")
        return cls(
            path,
            str(row.get("content_hash", "")),
            start=_number(row, "start") or 0.0,
            end=_number(row, "end") or _number(row, "seconds") or 0.0,
            full_from=_number(row, "full_from"),
            full_until=_number(row, "full_until"),
            beat_times=beats[np.isfinite(beats)],
            bar=int(_number(row, "bar") or BAR),
            downbeat=int(_number(row, "downbeat") or 0),
            beat_clarity=_number(row, "beat_clarity"),
            arousal=_number(row, "arousal"),
            loudness_curve=np.nan_to_num(_numbers(row, "loudness_curve"), nan=-np.inf),
        )

    @property
    def bars(self) -> NDArray[np.float64]:
        """Seconds at which bars begin, (n,)."""
        return self.beat_times[self.downbeat :: self.bar]

    @property
    def strong_from(self) -> float:
        """Second at which the music has come to its full strength; that of its start where it is not known."""
        return self.start if self.full_from is None else min(max(self.full_from, self.start), self.end)


@dataclass(frozen=True)
class Pass:
    """One run over a part of the track.

    Attributes:
        source: First moment of the track that is heard, in seconds.
        length: Seconds that are heard, both crossfades included.
        at: Moment of the video at which it begins, in seconds.
        fade_in: Seconds of its crossfade with the pass before; 0 for the first.
        fade_out: Seconds of its crossfade with the pass after; 0 for the last.
    """

    source: float
    length: float
    at: float
    fade_in: float = 0.0
    fade_out: float = 0.0


@dataclass(frozen=True)
class _Loop:
    """The part of a track that is played again and again: from `begin` to `end`, then `fade` seconds of overlap."""

    begin: float
    end: float
    fade: float


@dataclass(frozen=True, eq=False)
class _Mastering:
    """Gain in dB, loudness in LUFS and true peak in dBTP after it, and the limiter's gain for each millisecond."""

    gain: float
    loudness: float
    true_peak: float
    limiting: NDArray[np.float64] | None = None


class Soundtrack:
    """The sound of one video. Made by `make_soundtrack`; nothing is decoded before it is needed.

    Attributes:
        track_path: The music file.
        seconds: Length.
        samples: Length in samples at 48 kHz.
        passes: Which part of the track is heard when.
        track_start: Second of the track at which the video starts.
    """

    def __init__(
        self,
        track_path: AnyFile,
        seconds: float,
        passes: tuple[Pass, ...],
        beats: NDArray[np.float64],
        *,
        target: float = TARGET,
        ceiling: float = CEILING,
    ) -> None:
        self.track_path = track_path
        self.seconds = seconds
        self.samples = round(seconds * RATE)
        self.passes = passes
        self.track_start = passes[0].source
        self._beats = beats
        self._target, self._ceiling = target, ceiling

    @property
    def gain(self) -> float:
        """The gain, in dB, before peaks are limited. Decodes the track, three times where they must be.

        Raises:
            SoundtrackError: The track cannot be decoded.
        """
        return self._mastered.gain

    @property
    def loudness(self) -> float:
        """Integrated loudness of the finished sound, in LUFS; -inf where it is silent or under 0.4 s.

        It is the target, or less where that would take too much gain.
        """
        return self._mastered.loudness

    @property
    def true_peak(self) -> float:
        """True peak of the finished sound, in dBTP."""
        return self._mastered.true_peak

    @property
    def limiting(self) -> NDArray[np.float64] | None:
        """The limiter's gain (0 to 1) for each millisecond; None where no peak is in the way."""
        return self._mastered.limiting

    @property
    def limit(self) -> str:
        """What keeps it more than `TOLERANCE` below the target, in one sentence; empty where nothing does."""
        if not self.loudness < self._target - TOLERANCE:
            return ""
        if not math.isfinite(self.loudness):
            short = self.seconds < SHORTEST_MEASURED and math.isfinite(self.true_peak)
            return (
                "It is too short for its loudness to be measured."
                if short
                else "There is nothing to be heard in it."
            )
        cause = (
            f"more gain would press its peaks down by more than {MOST_LIMITED:g} dB"
            if self.gain < MOST_GAIN
            else f"more than {MOST_GAIN:g} dB of gain would lift the hiss"
        )
        return f"It stays at {self.loudness:.1f} LUFS instead of {self._target:g}, as {cause}."

    def beat_times(self, seconds: float | None = None) -> NDArray[np.float64]:
        """The beats in the time of the video, through all loops; empty where the track has no clear beat.

        Before the first beat that is heard the bars are counted back, and after the last one the beats are counted on.

        Args:
            seconds: Moment up to which beats are wanted; None for the whole soundtrack.
        """
        until = self.seconds if seconds is None else seconds
        heard = []
        for run in self.passes:
            # in a crossfade the beats of the pass that comes in are the ones that stay
            inside = (self._beats >= run.source - 1e-6) & (
                self._beats < run.source + run.length - run.fade_out - 1e-3
            )
            heard.append(self._beats[inside] - run.source + run.at)
        times = np.concatenate(heard)
        return times[(times >= 0) & (times < until)]

    def track_time(self, seconds: float) -> float:
        """Second of the track that is heard at a second of the video, of the pass that comes in where two cross."""
        run = next((run for run in reversed(self.passes) if run.at <= seconds), self.passes[0])
        return run.source + seconds - run.at

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """The sound as float32 blocks of shape (2, n) at 48 kHz, `samples` samples in all.

        Measures first where that has not been done, so the track is decoded twice; memory stays constant.

        Raises:
            SoundtrackError: The track cannot be decoded or is shorter than when it was analysed.
        """
        if self.limit:
            log.info("Sound from %s: %s", self.track_path, self.limit)
        yield from self._played(self._mastered.gain, self._mastered.limiting)

    def _played(self, gain: float, gains: NDArray[np.float64] | None) -> Iterator[NDArray[np.float32]]:
        """The mixed sound with a gain in dB, and then with those of a limiter, where there is one."""
        position, factor = 0, np.float32(amplitude(gain))
        for block in self._mixed():
            yield block * factor if gains is None else limited(block * factor, position, gains)
            position += block.shape[1]

    @cached_property
    def _mastered(self) -> "_Mastering":
        """How the sound is brought to its loudness: by one gain, and by a limiter where peaks are in the way."""
        meter = LoudnessMeter()
        for block in self._mixed():
            meter.add(block)
        loudness, peak = meter.integrated, meter.true_peak
        wanted = min(self._target - loudness, MOST_GAIN) if math.isfinite(loudness) else 0.0
        room = self._ceiling - peak if math.isfinite(peak) else 0.0
        if wanted <= room or not math.isfinite(loudness):
            gain = min(wanted, room)
            return _Mastering(gain, loudness + gain, peak + gain)
        curve = PeakMeter()
        for block in self._mixed():
            curve.add(block)
        peaks, ceiling = curve.peaks, amplitude(self._ceiling)
        # where in each 100 ms its power lies
        squares = np.square(peaks[: 100 * len(meter.powers)], dtype=np.float64).reshape(-1, 100) + 1e-12

        def heard(gain: float) -> float:
            """About how loud the sound is with a gain in dB, once limited."""
            after = np.square(limiting(peaks * amplitude(gain), ceiling)[: squares.size]).reshape(
                squares.shape
            )
            left = (squares * after).sum(axis=1) / squares.sum(axis=1)
            return gated(meter.powers * 10 ** (gain / 10) * left)

        aim, most, tries = self._target, min(room + MOST_LIMITED, MOST_GAIN), 0
        while True:
            low, high = wanted, most
            while high - low > 0.02:
                middle = (low + high) / 2
                low, high = (middle, high) if heard(middle) < aim else (low, middle)
            gains = limiting(peaks * amplitude(high), ceiling)
            finished = LoudnessMeter()
            for block in self._played(high, gains):
                finished.add(block)
            missing, tries = self._target - finished.integrated, tries + 1
            if abs(missing) < 0.1 or high >= most - 0.02 or tries == 3:
                return _Mastering(high, finished.integrated, finished.true_peak, gains)
            aim += missing  # what was reckoned is a little off

    def _mixed(self) -> Iterator[NDArray[np.float32]]:
        """The sound with crossfades and fades, before the gain."""
        fade_in = round(min(FADE_IN, self.seconds / 4) * RATE)
        fade_out = round(min(FADE_OUT, self.seconds / 4) * RATE)
        waiting = [_Reader(self.track_path, run) for run in reversed(self.passes)]
        playing: list[_Reader] = []
        for position in range(0, self.samples, BLOCK):
            stop = min(position + BLOCK, self.samples)
            while waiting and waiting[-1].first < stop:
                coming = waiting.pop()
                if playing:
                    coming.meet(playing[-1], position)
                playing.append(coming)
            block = np.zeros((2, stop - position), dtype=np.float32)
            for reader in playing:
                reader.add_to(block, position)
            playing = [reader for reader in playing if reader.last > stop]
            at = np.arange(position, stop)
            block *= _rising(at, 0, fade_in) ** 2
            block *= _rising(self.samples - 1 - at, 0, fade_out) ** 2
            yield block


class _Reader:
    """Reads one pass from the file, piece by piece, with its crossfades."""

    def __init__(self, path: AnyFile, run: Pass) -> None:
        self._path, self._run = path, run
        self.first = round(run.at * RATE)
        self.last = self.first + round(run.length * RATE)
        self._slack = 0  # samples that are read before and after the pass, to find where it fits best
        self._blocks: Iterator[NDArray[np.float32]] | None = None
        self._held = np.zeros((2, 0), dtype=np.float32)
        self._evened: list[tuple[int, NDArray[np.float32]]] = []

    def add_to(self, block: NDArray[np.float32], position: int) -> None:
        """Add what is heard in the `block` that begins at sample `position` of the video."""
        begin, stop = max(self.first, position), min(self.last, position + block.shape[1])
        sound = self._ahead(stop - begin)
        self._held = self._held[:, stop - begin :]
        block[:, begin - position : stop - position] += sound * self._gain(begin, stop)

    def meet(self, before: "_Reader", position: int) -> None:
        """Prepare the crossfade with the pass before, which has been read up to sample `position` of the video.

        This pass is moved by up to `SHIFT` to where it is most like the other, and the gains of both are made to fit
        how alike they are, so that the crossfade is neither a bump nor a hole.
        """
        stop = min(self.last, before.last)
        length = stop - self.first
        if self._run.fade_in <= 0 or length <= 0:
            return
        self._slack = round(min(SHIFT, self._run.source) * RATE)
        read = self.first - max(before.first, position)
        other = before._ahead(read + length)[:, read:]
        shift = _likest(self._ahead(length + 2 * self._slack), other, self._slack)
        self._held = self._held[:, shift:]
        own = self._ahead(length)
        gains = before._gain(self.first, stop), self._gain(self.first, stop)
        factors = _evening(other, own, *gains)
        for reader in (before, self):
            reader._evened.append((self.first, factors))

    def _gain(self, begin: int, stop: int) -> NDArray[np.float32]:
        """The gain of the samples of the video from `begin` to `stop`."""
        at = np.arange(begin, stop)
        gain = _rising(at, self.first, round(self._run.fade_in * RATE))
        gain = gain * _rising(self.last - 1 - at, 0, round(self._run.fade_out * RATE))
        for first, factors in self._evened:
            inside = (at >= first) & (at < first + factors.size)
            gain[inside] *= factors[at[inside] - first]
        return gain

    def _ahead(self, count: int) -> NDArray[np.float32]:
        """The next `count` samples of the track, which stay to be read."""
        if self._blocks is None:
            begin = self._run.source - self._slack / RATE
            # a moment more than needed, so that neither rounding nor moving leaves the pass a sample short
            end = self._run.source + self._run.length + SHIFT + 0.01
            limits = DecodeLimits(seconds=end)
            self._blocks = decode(self._path, begin=begin, end=end, limits=limits)
        parts, have = [self._held], self._held.shape[1]
        try:
            while have < count:
                part = next(self._blocks, None)
                if part is None:
                    break
                parts.append(part)
                have += part.shape[1]
        except MusicError as problem:
            raise SoundtrackError(f"The soundtrack cannot be made from {problem}") from problem
        missing = count - have
        if missing > RATE // 10:
            raise SoundtrackError(
                f"{self._path}: the track is shorter than when it was analysed; run the music analysis again"
            )
        if missing > 0:
            parts.append(np.zeros((2, missing), dtype=np.float32))
        self._held = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
        return self._held[:, :count]


def _likest(sound: NDArray[np.float32], other: NDArray[np.float32], middle: int) -> int:
    """Sample of `sound`, shape (2, m), at which it goes on most like `other`, shape (2, n).

    It is near `middle` unless another is clearly better.
    """
    from scipy.signal import fftconvolve

    length = other.shape[1]
    alike = fftconvolve(sound, other[:, ::-1], mode="valid", axes=1).sum(axis=0)
    powers = np.concatenate([[0.0], np.cumsum(np.square(sound, dtype=np.float64).sum(axis=0))])
    power = np.maximum(powers[length:] - powers[:-length], 0) * np.square(other, dtype=np.float64).sum()
    correlation = np.divide(alike, np.sqrt(power), out=np.zeros(len(power)), where=power > 1e-12)
    away = np.abs(np.arange(len(correlation)) - middle)
    return int(np.argmax(correlation - SHIFT_PRICE / (SHIFT * RATE) * away))


def _evening(
    out: NDArray[np.float32],
    into: NDArray[np.float32],
    falling: NDArray[np.float32],
    rising: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Factors for both gains of a crossfade, so that its power is that of sounds which have nothing in common.

    Like sounds add up to twice the power and opposed ones cancel (Fink, Holters & Zölzer 2016, "Signal-matched
    power-complementary cross-fading and dry-wet mixing", DAFx-16).

    Args:
        out: The sound that goes, shape (2, n).
        into: The sound that comes, shape (2, n).
        falling: Gain of the first, shape (n,).
        rising: Gain of the second, shape (n,).
    """
    one, two = (float(np.mean(np.square(sound, dtype=np.float64))) for sound in (out, into))
    shared = float(np.mean(np.multiply(out, into, dtype=np.float64)))
    shared = max(shared, MOST_OPPOSED * math.sqrt(one * two))
    apart = one * np.square(falling, dtype=np.float64) + two * np.square(rising, dtype=np.float64)
    together = apart + 2 * shared * falling.astype(np.float64) * rising
    return np.sqrt(np.divide(apart, together, out=np.ones(len(apart)), where=together > 1e-12)).astype(
        np.float32
    )


def _rising(at: NDArray[np.integer], first: int, length: int) -> NDArray[np.float32]:
    """A quarter sine from 0 at `first` to 1 after `length` samples; two of them crossed keep the power."""
    if length <= 0:
        return np.ones(at.size, dtype=np.float32)
    return np.sin(np.clip((at - first + 0.5) / length, 0, 1) * (np.pi / 2)).astype(np.float32)


def window(track: Track, seconds: float) -> tuple[float, float]:
    """The part of a track that is laid under a video of at most `seconds`, and ends as music does.

    It begins where `beginning` says, and ends with a phrase, or else a bar. Where the track is little longer, it begins
    later and ends with the track itself; where that is little shorter, the whole is taken.

    Args:
        track: The music.
        seconds: Most seconds.

    Returns:
        Second of the track at which it begins, and its length: `seconds`, or up to a `GIVEN` part less. More than is
        left of the track means that it is looped.
    """
    end, bars, begin = track.end, track.bars, beginning(track, seconds)
    least = (1 - GIVEN) * seconds
    if end - begin <= seconds:
        return begin, end - begin if end - begin >= least else seconds
    if end - begin <= OWN_END * seconds:
        firsts = bars[(bars >= end - seconds + LEAD) & (bars <= end - least)]
        begin = float(firsts[0]) - LEAD if firsts.size else end - seconds
        return begin, end - begin
    first = int(np.searchsorted(bars, begin))
    for step in (PHRASE, 1):
        lasts = bars[first::step]
        lasts = lasts[(lasts >= begin + least) & (lasts <= begin + seconds)]
        if lasts.size:
            return begin, float(lasts[-1]) - begin
    return begin, seconds


def beginning(track: Track, seconds: float) -> float:
    """Second of a track at which a video of so many seconds starts.

    Where the music has come to its strength; of a long track with bars the phrase from which on it is fullest, which is
    loudest in the mean, if that is clearly more than from there on. Of several that are as full the first.
    """
    first = _beginning(track, seconds)
    curve = np.maximum(track.loudness_curve, SILENCE)
    last = (track.end if track.full_until is None else min(track.full_until, track.end)) - ROOM * seconds
    later = track.bars[track.bars >= first][::PHRASE] - LEAD
    begins = np.concatenate([[first], later[(later > first) & (later <= last)]])
    if len(begins) == 1 or len(curve) < 2:
        return first
    # the loudness heard up to each moment, so that differences are what is heard between two
    heard = np.concatenate([[0.0], np.cumsum(curve)])
    at = np.arange(len(heard))
    fullness = (np.interp(begins + seconds, at, heard) - np.interp(begins, at, heard)) / seconds
    fullest = int(np.argmax(np.round(fullness, 1)))
    return float(begins[fullest]) if fullness[fullest] >= fullness[0] + FULLER else first


def make_soundtrack(
    track: Track,
    seconds: float,
    *,
    begin: float | None = None,
    target: float = TARGET,
    ceiling: float = CEILING,
) -> Soundtrack:
    """Plan the soundtrack of a video. Cheap: the track is decoded when its sound or its gain is asked for.

    Args:
        track: The music.
        seconds: Length of the video.
        begin: Second of the track at which it starts; None: its `beginning` for a video of that length.
        target: Integrated loudness aimed at, in LUFS.
        ceiling: Highest true peak, in dBTP.

    Raises:
        SoundtrackError: The length is not positive, or there is no sound in the track.
    """
    if not (math.isfinite(seconds) and seconds > 0):
        raise SoundtrackError(f"A soundtrack needs a length above 0 s, not {seconds}")
    end, beats, full_from = track.end, track.beat_times, track.strong_from
    if end - track.start < 0.1:
        raise SoundtrackError(f"{track.path}: there is no sound to make a soundtrack from")
    full_until = end if track.full_until is None else min(track.full_until, end)
    if begin is None:
        begin = beginning(track, seconds)
    if seconds <= end - begin:
        passes: tuple[Pass, ...] = (Pass(begin, seconds, 0.0),)
    else:
        loop = _bar_loop(beats, track.bars, max(begin, full_from - 0.35), end, full_until) or _plain_loop(
            begin, end, full_from, full_until
        )
        passes = tuple(_looped(begin, loop, seconds))
    counted = _counted(beats, begin, end, track.bar)
    return Soundtrack(track.path, seconds, passes, counted, target=target, ceiling=ceiling)


def extended(sound: Soundtrack, track: Track, *, before: float = 0.0, after: float = 0.0) -> Soundtrack:
    """A soundtrack that begins earlier and ends later, in what its track has there.

    Args:
        sound: A soundtrack of the track.
        track: The track.
        before: Most seconds by which it begins earlier.
        after: Most seconds by which it goes on.
    """
    first = sound.passes[0]
    before = min(before, max(first.source - track.start, 0.0))
    passes = [replace(run, at=run.at + before) for run in sound.passes]
    passes[0] = replace(first, source=first.source - before, length=first.length + before)
    after = min(after, max(track.end - passes[-1].source - passes[-1].length, 0.0))
    passes[-1] = replace(passes[-1], length=passes[-1].length + after)
    return Soundtrack(
        sound.track_path,
        before + sound.seconds + after,
        tuple(passes),
        sound._beats,
        target=sound._target,
        ceiling=sound._ceiling,
    )


def _counted(beats: NDArray[np.float64], begin: float, end: float, bar: int) -> NDArray[np.float64]:
    """`beats` with whole bars counted back to `begin` and beats counted on to `end`, where nothing is struck."""
    if len(beats) < 2 * BAR:
        return beats
    first, last = (float(np.median(np.diff(few))) for few in (beats[: 2 * BAR], beats[-2 * BAR :]))
    back = max(math.floor((beats[0] - begin) / (bar * first)), 0) * bar
    on = max(math.floor((end - beats[-1]) / last), 0)
    return np.concatenate(
        [beats[0] - first * np.arange(back, 0, -1), beats, beats[-1] + last * np.arange(1, on + 1)]
    )


def _numbers(row: Mapping[Any, Any], name: str) -> NDArray[np.float64]:
    """The numbers of a row, none where they are missing."""
    values = row.get(name)
    return np.zeros(0) if values is None or np.ndim(values) != 1 else np.asarray(values, dtype=np.float64)


def _number(row: Mapping[Any, Any], name: str) -> float | None:
    """A finite number of a row, None where it is missing."""
    value = row.get(name)
    return float(value) if isinstance(value, (int, float, np.number)) and math.isfinite(value) else None


def _beginning(track: Track, seconds: float) -> float:
    """Second at which the music has come to its strength, or at which the track begins if that is not long before."""
    start, end, full_from, bars = track.start, track.end, track.strong_from, track.bars
    enough = min(seconds, 20.0)
    if full_from - start <= max(LONG_INTRO, seconds / 10) or end - full_from < enough:
        return start
    strong = bars[(bars >= full_from - 0.35) & (bars <= end - enough)]
    return max(float(strong[0]) - LEAD, start) if strong.size else full_from


def _bar_loop(
    beats: NDArray[np.float64], bars: NDArray[np.float64], earliest: float, end: float, full_until: float
) -> _Loop | None:
    """The longest loop from bar to bar after `earliest`; None without bars.

    It is made of whole phrases where that wastes at most a fifth.
    """
    if len(bars) < 2:
        return None
    beat = float(np.median(np.diff(beats)))
    firsts = bars[bars >= earliest - 1e-6]
    lasts = bars[(bars + beat <= end) & (bars <= full_until + beat)]
    if not firsts.size or not lasts.size:
        return None
    first = int(np.searchsorted(bars, firsts[0]))
    last = int(np.searchsorted(bars, lasts[-1]))
    whole = (last - first) // PHRASE * PHRASE
    if whole >= 0.8 * (last - first):
        last = first + whole
    if bars[last] - bars[first] < LEAST_LOOP:
        return None
    return _Loop(float(bars[first]), float(bars[last]), beat)


def _plain_loop(begin: float, end: float, full_from: float, full_until: float) -> _Loop:
    """A loop over nearly everything, where there are no bars to cut at."""
    first = full_from if full_until - full_from >= LEAST_LOOP else begin
    last = full_until if full_until - first >= LEAST_LOOP else end
    fade = min(CROSSFADE, (last - first) / 4)
    return _Loop(first, min(last, end - fade), fade)


def _looped(begin: float, loop: _Loop, seconds: float) -> Iterator[Pass]:
    """Passes that fill `seconds`: from `begin` to the end of the loop, then the loop again and again."""
    at, source, fade_in = 0.0, begin, 0.0
    while True:
        body = loop.end - source
        if at + body >= seconds:
            # also where a joint would fall into the last moment: the tail past it is there to be faded out
            yield Pass(source, seconds - at, at, fade_in, 0.0)
            return
        yield Pass(
            source, min(body + loop.fade, seconds - at), at, fade_in, min(loop.fade, seconds - at - body)
        )
        at, source, fade_in = at + body, loop.begin, loop.fade
