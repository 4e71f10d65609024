"""The storyboard of a video: everything that is decided before its first frame is drawn."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clustering_assets.audio.beats import beat_is_clear
from clustering_assets.audio.soundtrack import (
    Soundtrack,
    SoundtrackError,
    Track,
    beginning,
    make_soundtrack,
    window,
)
from clustering_assets.clustering.choices import COVER, EXCLUDE, MUST, chosen
from clustering_assets.files import AnyFile, file_source, source_file
from clustering_assets.files.source import FileSource
from clustering_assets.settings import DEFAULT_LIMITS, Limits, VideoSettings
from clustering_assets.video.captions import caption_of
from clustering_assets.video.errors import Failure, VideoError
from clustering_assets.video.faces import SEARCHED_SIDE, Box, find_dlib, find_heads
from clustering_assets.video.framing import MOVES
from clustering_assets.video.omissions import SOUNDTRACK, digest_of_what_is_left, picture_failure
from clustering_assets.video.pairs import in_pairs, stands_against
from clustering_assets.video.recipe import MOST_STRETCHED, recipe_digest
from clustering_assets.video.selection import Choice, choose
from clustering_assets.video.strength import LEAST_SPREAD, correlation, face_bonus, loudness_at, strengths
from clustering_assets.video.timeline import Timeline, beat_cuts, cut_error, cuts_within, fixed_cuts, lay_out
from clustering_assets.video.titles import describe
from clustering_assets.video.transitions import choose_kinds, tempo

log = logging.getLogger("clustering_assets.video")

OPENINGS = 6
"""Strongest pictures whose faces are looked for, to choose the first and the last from."""

LOUD, REST = 75, 8.0
"""Percentile of a track's loudness that is that of its loud parts, and LU below those from which on it rests."""


@dataclass(frozen=True, eq=False)
class Material:
    """What a slideshow is made from.

    Attributes:
        images: The cluster's rows: `path`, `content_hash`, `duplicate_of`; `width`, `height`, `bytes`, `mtime_ns`,
            `taken_at`, `typicality`, `sharpness`, `brightness`, `contrast` and `cluster_hint` where known.
        folder: Where the paths are.
        settings: How the video shall look.
        vectors: Embeddings (n, d), row i for row i of `images`; None: choice and order go without.
        track: The music; None: no sound.
        title: Name of the cluster.
        cluster: Number of the cluster, -1 for the unclustered.
        called: What it is called while it is rendered; empty: the key of the cluster.
        limits: What the picture loader refuses.

    Raises:
        VideoError: There are not as many vectors as pictures.
    """

    images: pd.DataFrame
    folder: str | Path | FileSource
    settings: VideoSettings
    _: KW_ONLY
    vectors: NDArray[np.floating] | None = None
    track: Track | None = None
    title: str = ""
    cluster: int = 0
    called: str = ""
    limits: Limits = DEFAULT_LIMITS

    def __post_init__(self) -> None:
        if self.vectors is not None and len(self.vectors) != len(self.images):
            raise VideoError(
                f"{len(self.vectors)} vectors for {len(self.images)} pictures of cluster {self.cluster}"
            )

    @cached_property
    def source(self) -> FileSource:
        """The source of the pictures."""
        return file_source(self.folder)

    @cached_property
    def digest(self) -> str:
        """Recipe digest of the video that has everything in it."""
        track_hash = self.track.content_hash if self.track else ""
        return recipe_digest(self.images, track_hash, self.title, self.settings)

    def random(self, purpose: int) -> np.random.Generator:
        """Random numbers that depend on the seed, the cluster and what they are for."""
        return np.random.default_rng([self.settings.seed, self.cluster + 1, purpose])


@dataclass(frozen=True)
class Still:
    """One picture to show, or two that share a slide, which `images.load.Picture` is when it is decoded.

    Attributes:
        path: Where it is below the folder.
        size: Its width and height as the scan saw them; None where they are not known.
        scanned: Its bytes and time of change (nanoseconds) as the scan saw them.
        beside: The other picture of the slide; None where it has one alone.
    """

    path: str
    size: tuple[int, int] | None
    scanned: tuple[Any, Any]
    beside: "Still | None" = None

    @property
    def paths(self) -> tuple[str, ...]:
        """Where the pictures of the slide are below the folder."""
        return (self.path, self.beside.path) if self.beside else (self.path,)

    @classmethod
    def of(cls, row: Any) -> "Still":
        """The still of a row, a named tuple, of a material's table."""
        width, height = getattr(row, "width", 0), getattr(row, "height", 0)
        size = (int(width), int(height)) if width > 0 and height > 0 else None
        return cls(str(row.path), size, (getattr(row, "bytes", None), getattr(row, "mtime_ns", None)))

    def failure(self, material: Material) -> Failure | None:
        """Why it or what stands beside it cannot be shown, None if both can.

        A file whose size and time are still those of the scan has been decoded before; any other is decoded.
        """
        try:
            facts = (material.source / self.path).stat()
        except OSError as error:
            return Failure(self.path, "video", error.strerror or type(error).__name__)
        found = None
        if self.scanned != (facts.bytes, facts.mtime_ns):
            found = picture_failure(material.source, self.path, material.limits)
        return found or (self.beside.failure(material) if self.beside else None)


@dataclass(frozen=True, eq=False)
class Storyboard:
    """What a video shows and lets hear, frame by frame, and what had to be left out of it.

    Attributes:
        material: What it was made from.
        choice: Which pictures are shown and how well the order flows.
        slides: The picture of each slide of the timeline; None is the title card, which lies on the next one.
        moves: How the view of each slide moves, one of `framing.MOVES`.
        timeline: Which slide is seen when, in frames.
        soundtrack: The music, exactly as long as the video; None without.
        subtitle: What stands below the title on the title card.
        captions: What stands in a corner of each slide; empty for nothing.
        strengths: How strong the picture of each slide is, 0 to 1; half for the title card.
        failures: The pictures and tracks that could not be used.
    """

    material: Material
    choice: Choice
    slides: tuple[Still | None, ...]
    moves: tuple[str, ...]
    timeline: Timeline
    soundtrack: Soundtrack | None
    subtitle: str
    captions: tuple[str, ...]
    strengths: tuple[float, ...]
    failures: tuple[Failure, ...]

    @property
    def music_fit(self) -> float | None:
        """How well strong pictures meet the loud parts of the music, -1 to 1; None where there are none to meet."""
        if self.material.track is None or self.soundtrack is None:
            return None
        shown = [number for number, still in enumerate(self.slides) if still]
        middles = np.array([self.timeline.slides[number].middle for number in shown]) / self.timeline.fps
        loud = _loudness(self.material.track, self.soundtrack, middles)
        if loud is None or np.ptp(loud) < LEAST_SPREAD or len(shown) < 3:
            return None
        return correlation(np.array(self.strengths)[shown], loud)

    @property
    def digest(self) -> str:
        """Digest of what is shown: that of its recipe, unless something had to be left out."""
        return digest_of_what_is_left(self.material.digest, self.failures)

    @property
    def downbeat(self) -> int:
        """Index, among the beats of the soundtrack, of one that begins a bar; 0 without music."""
        track = self.material.track
        return _downbeat(track, self.soundtrack) if track and self.soundtrack else 0

    def without(self, lost: Failure) -> "Storyboard":
        """The storyboard from the same material without a picture that was lost.

        Raises:
            VideoError: No usable picture is left.
        """
        _warn(self.material, [lost])
        return make_storyboard(self.material, (*self.failures, lost))


def make_storyboard(material: Material, failures: Sequence[Failure] = ()) -> Storyboard:
    """The storyboard of what can be used of a material. Nothing is decoded but pictures that changed since the scan.

    Args:
        material: What the video is made from.
        failures: What is known to be unusable.

    Raises:
        VideoError: There is no usable picture.
    """
    known = tuple(failures)
    while found := _unusable(storyboard := plan(material, known)):
        known += found
    _warn(material, storyboard.failures[len(failures) :])
    faces = _face_bonuses(storyboard)
    return plan(material, storyboard.failures, faces) if any(faces.values()) else storyboard


def plan(
    material: Material, failures: Sequence[Failure] = (), faces: Mapping[str, float] | None = None
) -> Storyboard:
    """The storyboard of a material without what failed. No file is looked at.

    Args:
        material: What the video is made from.
        failures: What cannot be used.
        faces: What faces add to the strength of a picture, by path.

    Raises:
        VideoError: There is no picture that has not failed.
    """
    settings, images = material.settings, material.images
    usable = _usable(images, {failure.path for failure in failures})
    rows = images.iloc[usable].assign(duplicate_of="")
    vectors = None if material.vectors is None else np.asarray(material.vectors)[usable]
    strength = strengths(rows, vectors) + rows["path"].map(dict(faces or {})).fillna(0.0).to_numpy(float)
    choosing = partial(
        choose,
        rows,
        vectors,
        order=settings.order,
        strength=strength,
        loudness=lambda count: _expected_loudness(material, count),
        sociable=np.array(
            [stands_against(Still.of(row).size, settings.size) for row in rows.itertuples()], bool
        ),
    )
    choice = choosing(most=settings.max_images_per_video)
    if not choice.rows:
        reasons = "; ".join(f"{failure.path}: {failure.reason}" for failure in failures[:5])
        raise VideoError(
            f"cluster {material.cluster} has no usable picture in {material.source}"
            + (f" ({reasons})" if reasons else "")
            + "; if its pictures are elsewhere, name their folder with the setting images"
        )
    slides, captions, strong = _slides(rows, choice, strength, material)
    card = int(settings.titles and bool(material.title))
    counts = min(max(int(chosen(rows, MUST, COVER).sum()), 1) + card, len(slides)), len(slides)
    known_failures = tuple(failures)
    track = material.track
    if any(failure.stage == SOUNDTRACK for failure in failures):
        track = None
    try:
        cuts, soundtrack = _cut(*counts, track, settings)
    except SoundtrackError as error:
        assert track is not None
        known_failures += (Failure(str(track.path), SOUNDTRACK, str(error)),)
        cuts, soundtrack = _cut(*counts, None, settings)
    if (shown := len(cuts.frames) - 1) < len(slides):
        choice = choosing(most=shown - card)
        slides, captions, strong = _slides(rows, choice, strength, material, pairs=False)
    energy = material.track.arousal if material.track else None
    return Storyboard(
        material=material,
        choice=choice,
        slides=slides,
        moves=tuple(_moves(len(slides), material.random(1))),
        timeline=lay_out(
            [picture.path if picture else None for picture in slides],
            cuts.frames,
            choose_kinds(len(slides) - 1, energy, material.random(2)),
            fps=settings.fps,
            transition_seconds=settings.transition_seconds * tempo(energy),
            beats_per_slide=cuts.beats_per_slide,
            cut_error_ms=cuts.error_ms,
        ),
        soundtrack=soundtrack,
        subtitle=describe(
            sum(len(still.paths) for still in slides if still),
            len(usable),
            images["taken_at"].iloc[usable] if "taken_at" in images else None,
            material.title,
        ),
        captions=captions,
        strengths=strong,
        failures=known_failures,
    )


@dataclass(frozen=True)
class _Cuts:
    """The frames at which slides begin and the last one ends, beats a slide, and how well they fit the beats."""

    frames: list[int]
    beats_per_slide: int | None = None
    error_ms: float | None = None


def _cut(
    least: int, count: int, track: Track | None, settings: VideoSettings
) -> tuple[_Cuts, Soundtrack | None]:
    """The cuts of `count` slides, on the beat where there is a clear one, and a soundtrack as long as they need.

    Where the settings say how long the video is, there may be fewer slides, but not fewer than `least`.

    How long the video becomes depends on the beats, and which beats are heard on how long it is: a track that is looped
    jumps. So a first plan is made on more music than needed and checked on the real one.

    Raises:
        SoundtrackError: There is no sound in the track.
    """
    seconds, fps = settings.seconds_per_image, settings.fps
    if settings.length:
        return _cut_to_length(least, count, track, settings)
    clock = fixed_cuts(count, seconds, fps)
    if track is None:
        return _Cuts(clock), None
    begin = beginning(track, clock[-1] / fps)
    longer = make_soundtrack(track, 2 * clock[-1] / fps, begin=begin)
    beats = longer.beat_times()
    if not settings.beat_sync or not beat_is_clear(beats, track.beat_clarity):
        return _Cuts(clock), make_soundtrack(track, clock[-1] / fps, begin=begin)
    frames, stride = _on_beats(count, settings, track, longer)
    for _ in range(4):
        sound = make_soundtrack(track, frames[-1] / fps, begin=begin)
        beats = sound.beat_times()
        if len(beats) < 2:
            return _Cuts(frames, stride), sound
        again, stride = _on_beats(count, settings, track, sound)
        if again[:-1] == frames[:-1]:
            return _Cuts(frames, stride, cut_error(frames, beats, fps)), sound
        frames = again
    # never seen to settle: the last plan stands
    sound = make_soundtrack(track, frames[-1] / fps, begin=begin)
    return _Cuts(frames, stride, cut_error(frames, beats, fps)), sound


def _on_beats(count: int, settings: VideoSettings, track: Track, sound: Soundtrack) -> tuple[list[int], int]:
    """The cuts of `count` slides on the beats of a soundtrack, and the beats a slide."""
    return beat_cuts(
        count,
        settings.seconds_per_image,
        settings.fps,
        sound.beat_times(),
        _downbeat(track, sound),
        track.bar,
        resting=_resting(track, sound),
    )


def _resting(track: Track, sound: Soundtrack) -> Callable[[float], bool]:
    """Whether the music rests at a second of the video: far below its loud parts."""
    curve = track.loudness_curve
    if not len(curve):
        return lambda seconds: False
    least = float(np.percentile(curve, LOUD)) - REST
    return lambda seconds: bool(loudness_at(curve, sound.track_time, np.array([seconds]))[0] < least)


def _cut_to_length(
    least: int, most: int, track: Track | None, settings: VideoSettings
) -> tuple[_Cuts, Soundtrack | None]:
    """The cuts of a video that is as long as the settings say, as far as its pictures go, and its soundtrack.

    Raises:
        SoundtrackError: There is no sound in the track.
    """
    fps, wanted = settings.fps, settings.seconds_per_image
    seconds = min(float(settings.length), MOST_STRETCHED * wanted * most)
    begin, seconds = window(track, seconds) if track else (0.0, seconds)
    frames = max(int(seconds * fps + 1e-6), 1)
    sound = make_soundtrack(track, frames / fps, begin=begin) if track else None
    beats = sound.beat_times() if sound else np.zeros(0)
    if track and sound and settings.beat_sync and beat_is_clear(beats, track.beat_clarity):
        cuts, stride = cuts_within(
            most,
            wanted,
            frames / fps,
            fps,
            beats,
            _downbeat(track, sound),
            track.bar,
            resting=_resting(track, sound),
        )
        if len(cuts) > least:
            return _Cuts(cuts, stride, cut_error(cuts, beats, fps)), sound
    count = min(max(least, round(frames / fps / wanted)), max(least, most))
    return _Cuts(fixed_cuts(count, frames / fps / count, fps)), sound


def _downbeat(track: Track, sound: Soundtrack) -> int:
    """Index, among the beats in video time, of one that begins a bar."""
    skipped = int(np.searchsorted(track.beat_times, sound.track_start - 1e-6))
    return (track.downbeat - skipped) % track.bar


def _slides(
    rows: pd.DataFrame,
    choice: Choice,
    strength: NDArray[np.floating],
    material: Material,
    *,
    pairs: bool = True,
) -> tuple[tuple[Still | None, ...], tuple[str, ...], tuple[float, ...]]:
    """The slides of chosen pictures, with their captions and strengths, a title card before them."""
    settings = material.settings
    shown, strength = rows.iloc[list(choice.rows)], strength[list(choice.rows)]
    pictures = [Still.of(row) for row in shown.itertuples()]
    said = [caption_of(row, material.title, settings.captions) for row in shown.itertuples()]
    slides: list[Still | None] = []
    captions, strong = [], []
    if settings.titles and material.title:
        slides.append(None)
        captions.append("")
        strong.append(0.5)
    for numbers in in_pairs([picture.size if pairs else None for picture in pictures], settings.size):
        first, *others = (pictures[number] for number in numbers)
        slides.append(replace(first, beside=others[0]) if others else first)
        captions.append(" · ".join(dict.fromkeys(filter(None, (said[number] for number in numbers)))))
        strong.append(float(strength[list(numbers)].mean()))
    return tuple(slides), tuple(captions), tuple(strong)


def _expected_loudness(material: Material, count: int) -> NDArray[np.float64] | None:
    """About how loud the music is at each of so many pictures, in LUFS; None where that is not known."""
    if material.track is None:
        return None
    seconds = material.settings.seconds_per_image
    try:
        begin = beginning(material.track, count * seconds)
        sound = make_soundtrack(material.track, count * seconds, begin=begin)
    except SoundtrackError:
        return None
    return _loudness(material.track, sound, (np.arange(count) + 0.5) * seconds)


def _loudness(track: Track, sound: Soundtrack, times: NDArray[np.floating]) -> NDArray[np.float64] | None:
    """Loudness of the music, in LUFS, at seconds of the video; None where that is not known."""
    return loudness_at(track.loudness_curve, sound.track_time, times) if len(track.loudness_curve) else None


def _face_bonuses(storyboard: Storyboard) -> dict[str, float]:
    """What faces add to the strongest pictures of a storyboard, by path; nothing where faces are not looked for."""
    material = storyboard.material
    if find_dlib() is None or storyboard.choice.order != "visual":
        return {}
    strongest = sorted(
        (-strength, still.path)
        for strength, still in zip(storyboard.strengths, storyboard.slides, strict=True)
        if still
    )[:OPENINGS]
    return {path: face_bonus(_heads(material, path)) for _, path in strongest}


def _heads(material: Material, path: str) -> tuple[Box, ...] | None:
    """The heads in a picture; None where it cannot be read."""
    from clustering_assets.images.errors import ImageError
    from clustering_assets.images.load import read_picture

    try:
        picture = read_picture(material.source / path, min_side=SEARCHED_SIDE // 2, limits=material.limits)
    except ImageError:
        return None
    return find_heads(np.asarray(picture.image, np.uint8))


def _usable(images: pd.DataFrame, failed: set[str]) -> list[int]:
    """Positions of the rows that may be shown: of near-duplicates the sharpest that has not failed; none excluded."""
    usable, stood_in_for = [], set()
    excluded = chosen(images, EXCLUDE)
    for position, (path, sharper) in enumerate(zip(images["path"], images["duplicate_of"], strict=True)):
        sharper = sharper if isinstance(sharper, str) else ""
        if (
            excluded[position]
            or path in failed
            or (sharper and (sharper not in failed or sharper in stood_in_for))
        ):
            continue
        stood_in_for.add(sharper)
        usable.append(position)
    return usable


def _unusable(storyboard: Storyboard) -> tuple[Failure, ...]:
    """The pictures of a storyboard that cannot be shown; where all can, its track if that is gone."""
    material = storyboard.material
    failures = [picture.failure(material) for picture in storyboard.slides if picture]
    if not any(failures) and storyboard.soundtrack is not None:
        failures.append(_track_failure(storyboard.soundtrack.track_path))
    return tuple(failure for failure in failures if failure)


def _track_failure(path: AnyFile) -> Failure | None:
    """Why there is no such track, None if there is."""
    try:
        source_file(path).stat()
    except OSError as error:
        return Failure(str(path), SOUNDTRACK, error.strerror or str(error))
    return None


def _warn(material: Material, failures: Iterable[Failure]) -> None:
    """Log what a video goes without."""
    for path, stage, reason in failures:
        if stage == SOUNDTRACK:
            log.warning("The video of cluster %s is made without music: %s", material.cluster, reason)
        else:
            log.warning("%s is left out of the video of cluster %s: %s", path, material.cluster, reason)


def _moves(count: int, rng: np.random.Generator) -> list[str]:
    """A way to move for each slide, drawn from bags of all ways, no two alike in a row."""
    moves: list[str] = []
    while len(moves) < count:
        bag = [MOVES[position] for position in rng.permutation(len(MOVES))]
        if moves and bag[0] == moves[-1]:
            bag.append(bag.pop(0))
        moves.extend(bag)
    return moves[:count]
