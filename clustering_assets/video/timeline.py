"""The timeline of a video: which frames each slide is seen in, where the cuts lie, how they are crossed.

Everything is counted in whole frames, so nothing drifts, and everything is a pure function of its arguments.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clustering_assets.audio.beats import BAR


@dataclass(frozen=True)
class Slide:
    """One picture's place on the timeline.

    Attributes:
        path: The picture, relative to the images folder; None for the title card.
        start: First frame in which it is seen, the transition into it included.
        stop: One past the last frame in which it is seen.
        cut: Frame at whose beginning it takes over from the slide before (0 for the first).
        until: Frame at whose beginning the next slide takes over (the video's end for the last).
    """

    path: str | None
    start: int
    stop: int
    cut: int
    until: int

    @property
    def middle(self) -> int:
        """The frame half-way between its two cuts."""
        return (self.cut + self.until) // 2


@dataclass(frozen=True)
class Transition:
    """The frames `start` to `stop` (exclusive) that two neighbouring slides share."""

    kind: str
    start: int
    stop: int

    def progress(self, frame: int) -> float:
        """How far the transition has gone in this frame, between 0 and 1, both exclusive."""
        return (frame - self.start + 0.5) / (self.stop - self.start)


@dataclass(frozen=True)
class Timeline:
    """A whole video in frames.

    Attributes:
        fps: Frames per second.
        frames: Number of frames.
        slides: The slides in order.
        transitions: What leads from slide k to slide k + 1; one fewer than slides.
        fade_in: Frames over which the video rises from black.
        fade_out: Frames over which it sinks to black.
        beats_per_slide: Beats between cuts; None where the cuts follow the clock.
        cut_error_ms: Mean distance of a cut from the nearest beat, in milliseconds; None without beats or cuts.
    """

    fps: int
    frames: int
    slides: tuple[Slide, ...]
    transitions: tuple[Transition, ...]
    fade_in: int = 0
    fade_out: int = 0
    beats_per_slide: int | None = None
    cut_error_ms: float | None = None

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.frames / self.fps

    @property
    def cuts(self) -> tuple[int, ...]:
        """The frames at which one slide takes over from another."""
        return tuple(slide.cut for slide in self.slides[1:])

    def shown(self, frame: int) -> tuple[int, Transition | None]:
        """The slide of a frame and, where the next one shares it, the transition to that.

        Raises:
            IndexError: There is no such frame.
        """
        if not 0 <= frame < self.frames:
            raise IndexError(f"frame {frame} of a video of {self.frames} frames")
        index = int(np.searchsorted([slide.cut for slide in self.slides], frame, side="right")) - 1
        for first in (index - 1, index):
            if 0 <= first < len(self.transitions):
                transition = self.transitions[first]
                if transition.start <= frame < transition.stop:
                    return first, transition
        return index, None

    def light(self, frame: int) -> float:
        """How bright the frame is between black (0) and full (1), eased at both ends."""
        light = 1.0
        if frame < self.fade_in:
            light = min(light, ease((frame + 1) / (self.fade_in + 1)))
        left = self.frames - 1 - frame
        if left < self.fade_out:
            light = min(light, ease((left + 0.5) / (self.fade_out + 0.5)) if left else 0.0)
        return light


def ease(share: float) -> float:
    """Smoothstep: 0 to 1 with no speed at either end."""
    share = min(max(share, 0.0), 1.0)
    return share * share * (3 - 2 * share)


def beats_a_slide(period: float, seconds: float, bar: int = BAR) -> int:
    """The beats whose length is nearest to `seconds` in ratio: a power of two, in waltzes three times one.

    Args:
        period: Seconds from beat to beat.
        seconds: Wanted length.
        bar: Beats in a bar.
    """
    doubled = 2 ** np.arange(max(7, math.ceil(np.log2(seconds / period)) + 1))
    choices = doubled if bar % 3 else np.array([1, *3 * doubled])
    return int(min(choices, key=lambda beats: abs(np.log(beats * period / seconds))))


def fixed_cuts(count: int, seconds: float, fps: int) -> list[int]:
    """The `count + 1` frames at which `count` slides of `seconds` begin, and the last one ends."""
    cuts = [0]
    for index in range(1, count + 1):
        cuts.append(max(round(index * seconds * fps), cuts[-1] + 1))
    return cuts


def beat_cuts(
    count: int,
    seconds: float,
    fps: int,
    beats: NDArray[np.floating],
    downbeat: int = 0,
    bar: int = BAR,
    *,
    resting: Callable[[float], bool] = lambda seconds: False,
) -> tuple[list[int], int]:
    """Cuts that lie on beats, and on the first ones of bars where slides are whole bars long.

    Args:
        count: Number of slides.
        seconds: Wanted seconds a slide.
        fps: Frames per second.
        beats: Times of the beats in the video, in seconds, rising; the last period goes on past the last beat.
        downbeat: Index of a beat on which a bar begins.
        bar: Beats in a bar.
        resting: Whether the music rests at a second of the video. A slide in the middle of which it does is seen twice
            as long, so slides are longest there.

    Returns:
        The `count + 1` cut frames and the beats a slide. The times are those of the beats themselves, so a
        tempo that wanders is followed.
    """
    period = float(np.median(np.diff(beats)))
    stride = beats_a_slide(period, seconds, bar)
    grid = min(stride, bar)
    wanted = stride * period
    eligible = [j for j in range(len(beats)) if (j - downbeat) % grid == 0 and beats[j] >= 0.6 * wanted]
    first = min(eligible, key=lambda j: abs(beats[j] - wanted)) if eligible else len(beats) - 1
    missing = max(first + 2 * (count - 1) * stride - (len(beats) - 1), 0)
    counted_on = np.concatenate([beats, beats[-1] + period * np.arange(1, missing + 1)]).tolist()
    cuts, at = [0], first
    for _ in range(count):
        cuts.append(max(round(counted_on[at] * fps), cuts[-1] + 1))
        at += stride * (1 + resting(counted_on[at] + wanted / 2))
    return cuts, stride


def cuts_within(
    most: int,
    seconds: float,
    length: float,
    fps: int,
    beats: NDArray[np.floating],
    downbeat: int = 0,
    bar: int = BAR,
    *,
    resting: Callable[[float], bool] = lambda seconds: False,
) -> tuple[list[int], int]:
    """Cuts on beats in a video whose end is given.

    Args:
        most: Most slides.
        seconds: Wanted seconds a slide; more where there are too few slides.
        length: Seconds of the video.
        fps: Frames per second.
        beats: Times of the beats in the video, in seconds, rising, at least two.
        downbeat: Index of a beat on which a bar begins.
        bar: Beats in a bar.
        resting: Whether the music rests at a second of the video, as in `beat_cuts`.

    Returns:
        The cut frames, 0 and the end among them, and the beats a slide. The last slide is seen for 0.6 to 1.6 times as
        long as the others, where the music rests up to 2.6 times.
    """
    period = float(np.median(np.diff(beats)))
    stride = beats_a_slide(period, seconds, bar)
    while True:
        wanted, unit = stride * period, min(stride, bar)
        grid = [float(beats[j]) for j in range(len(beats)) if (j - downbeat) % unit == 0]
        steps = stride // unit
        eligible = [place for place, time in enumerate(grid) if time >= 0.6 * wanted]
        first = min(eligible, key=lambda place: abs(grid[place] - wanted), default=len(grid))
        cuts: list[float] = []
        while first < len(grid) and grid[first] <= length - 0.6 * wanted:
            cuts.append(grid[first])
            first += steps * (1 + resting(grid[first] + wanted / 2))
        if len(cuts) < most:
            return [0, *(round(time * fps) for time in cuts), round(length * fps)], stride
        stride *= 3 if stride == 1 and bar % 3 == 0 else 2


def cut_error(cuts: Sequence[int], beats: NDArray[np.floating], fps: int) -> float | None:
    """Mean distance of the inner cuts from the beat nearest to each, in milliseconds; None without any."""
    if len(cuts) < 3 or not len(beats):
        return None
    times = np.asarray(cuts[1:-1]) / fps
    return 1000 * float(np.abs(times[:, None] - beats[None, :]).min(axis=1).mean())


def lay_out(
    paths: Sequence[str | None],
    cuts: Sequence[int],
    kinds: Sequence[str],
    *,
    fps: int,
    transition_seconds: float,
    beats_per_slide: int | None = None,
    cut_error_ms: float | None = None,
) -> Timeline:
    """The timeline of slides between given cuts.

    A transition is centred on its cut and takes at most half of the shorter of the two slides, so that no
    frame ever shows more than two slides.

    Args:
        paths: One for each slide; None is the title card.
        cuts: One more than slides, from 0 to the number of frames.
        kinds: Kind of each transition, at least one fewer than slides.
        fps: Frames per second.
        transition_seconds: Wanted length of a transition.
        beats_per_slide: Noted in the timeline.
        cut_error_ms: Noted in the timeline.
    """
    wanted = round(transition_seconds * fps)
    transitions = []
    for index, cut in enumerate(cuts[1:-1], start=1):
        shorter = min(cut - cuts[index - 1], cuts[index + 1] - cut)
        frames = min(wanted, shorter // 2)
        transitions.append(Transition(kinds[index - 1], cut - frames // 2, cut - frames // 2 + frames))
    total = cuts[-1]
    slides = []
    for index, path in enumerate(paths):
        start = transitions[index - 1].start if index else 0
        stop = transitions[index].stop if index < len(transitions) else total
        slides.append(Slide(path, start, stop, cuts[index], cuts[index + 1]))
    return Timeline(
        fps=fps,
        frames=total,
        slides=tuple(slides),
        transitions=tuple(transitions),
        fade_in=min(round(0.5 * fps), cuts[1] // 4) if wanted else 0,
        fade_out=min(round(1.2 * fps), (total - cuts[-2]) // 3) if wanted else 0,
        beats_per_slide=beats_per_slide,
        cut_error_ms=cut_error_ms,
    )
