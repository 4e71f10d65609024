"""A slideshow as an OpenTimelineIO timeline, which video editors open: Kdenlive from 25.04, DaVinci Resolve and others.

Slides, transitions, music and beats are where they are in the video. Motion, fades and the gain of the music, for which
the format has no terms, are noted as metadata under `clustering_assets`.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from clustering_assets.audio.beats import BAR
from clustering_assets.export.folders import ExportError
from clustering_assets.files import source_file
from clustering_assets.files.local import LocalFolder
from clustering_assets.files.source import SourceFile
from clustering_assets.storage import atomic_path

if TYPE_CHECKING:
    from opentimelineio import schema

    from clustering_assets.audio.soundtrack import Soundtrack
    from clustering_assets.video.slideshow import Slideshow

NAMESPACE = "clustering_assets"
"""The key of all metadata."""


def export_timeline(slideshow: "Slideshow", path: Path) -> list[Path]:
    """Write a slideshow as a timeline, and its title card as a picture beside it.

    Args:
        slideshow: What to write; pictures and music are referred to where they lie.
        path: The `.otio` file.

    Returns:
        The files that were written.

    Raises:
        ExportError: OpenTimelineIO is not installed.
        PictureLost: The picture under the title card has vanished.
    """
    card = path.with_name(f"{path.stem}_title.png")
    timeline = make_timeline(slideshow, card)
    with atomic_path(path) as partial:
        partial.write_text(timeline.to_json_string(indent=2), encoding="utf-8")
    if slideshow.storyboard.slides[0] is not None:
        return [path]
    with atomic_path(card) as partial, partial.open("wb") as file:
        Image.fromarray(slideshow.frame(slideshow.timeline.slides[0].middle)).save(file, "PNG")
    return [path, card]


def make_timeline(slideshow: "Slideshow", card: Path) -> "schema.Timeline":
    """The timeline of a slideshow.

    Args:
        slideshow: What it shall show.
        card: Where the picture of its title card is.

    Returns:
        A track with a clip for each slide, as long as it is seen between its cuts, and with transitions between them;
        a track for the music, a clip for each time that it begins again; and a marker for each beat.

    Raises:
        ExportError: OpenTimelineIO is not installed.
    """
    otio = _otio()
    plan, rate = slideshow.timeline, slideshow.fps
    timeline = otio.schema.Timeline(slideshow.title)
    timeline.metadata[NAMESPACE] = {
        "digest": slideshow.digest,
        "width": slideshow.size[0],
        "height": slideshow.size[1],
        "fade_in_frames": plan.fade_in,
        "fade_out_frames": plan.fade_out,
    }
    timeline.tracks.append(_pictures(slideshow, card))
    if (sound := slideshow.soundtrack) is not None:
        timeline.tracks.append(_music(sound, rate))
        downbeat = slideshow.storyboard.downbeat
        for number, second in enumerate(sound.beat_times()):
            timeline.tracks.markers.append(
                otio.schema.Marker(
                    "bar" if (number - downbeat) % BAR == 0 else "beat",
                    otio.opentime.TimeRange(_frames(second * rate, rate), _frames(0, rate)),
                )
            )
    return timeline


def _pictures(slideshow: "Slideshow", card: Path) -> "schema.Track":
    """The track of the slides."""
    otio = _otio()
    plan, rate, board = slideshow.timeline, slideshow.fps, slideshow.storyboard
    track = otio.schema.Track("pictures", kind=otio.schema.TrackKind.Video)
    for number, (place, still, move) in enumerate(zip(plan.slides, board.slides, board.moves, strict=True)):
        if number:
            crossing = plan.transitions[number - 1]
            track.append(
                otio.schema.Transition(
                    crossing.kind,
                    otio.schema.TransitionTypes.SMPTE_Dissolve,
                    _frames(place.cut - crossing.start, rate),
                    _frames(crossing.stop - place.cut, rate),
                    {NAMESPACE: {"kind": crossing.kind}},
                )
            )
        track.append(
            otio.schema.Clip(
                " and ".join(still.paths) if still else slideshow.title,
                otio.schema.ExternalReference(
                    _url(board.material.source / still.path) if still else card.absolute().as_uri(),
                    _range(0, place.stop - place.start, rate),
                ),
                _range(place.cut - place.start, place.until - place.cut, rate),
                {NAMESPACE: {"motion": move if slideshow.settings.motion and still else "none"}},
            )
        )
    return track


def _music(sound: "Soundtrack", rate: int) -> "schema.Track":
    """The track of the music; where it begins again, the crossfade has the cut in its middle."""
    otio = _otio()
    track = otio.schema.Track("music", kind=otio.schema.TrackKind.Audio)
    heard = max(run.source + run.length for run in sound.passes) * rate
    starts = [run.at + run.fade_in / 2 for run in sound.passes]
    for run, begin, until in zip(sound.passes, starts, [*starts[1:], sound.seconds], strict=True):
        if run.fade_in:
            half = _frames(run.fade_in / 2 * rate, rate)
            track.append(
                otio.schema.Transition("crossfade", otio.schema.TransitionTypes.SMPTE_Dissolve, half, half)
            )
        track.append(
            otio.schema.Clip(
                source_file(sound.track_path).name,
                otio.schema.ExternalReference(_url(source_file(sound.track_path)), _range(0, heard, rate)),
                _range((run.source + begin - run.at) * rate, (until - begin) * rate, rate),
                {NAMESPACE: {"gain_db": round(sound.gain, 2)}},
            )
        )
    return track


def _frames(count: float, rate: int) -> Any:
    """A length in frames, which may lie between two of them."""
    return _otio().opentime.RationalTime(count, rate)


def _range(start: float, count: float, rate: int) -> Any:
    """A range in frames."""
    return _otio().opentime.TimeRange(_frames(start, rate), _frames(count, rate))


def _url(file: SourceFile) -> str:
    """The URL of a file, on this machine or elsewhere."""
    if isinstance(file.source, LocalFolder):
        return (file.source.folder / file.path).absolute().as_uri()
    return str(file)


def _otio() -> Any:
    """OpenTimelineIO, imported only when it is used.

    Raises:
        ExportError: It is not installed.
    """
    try:
        import opentimelineio
    except ImportError:
        raise ExportError(
            "timelines need OpenTimelineIO, which is not installed: pip install opentimelineio"
        ) from None
    return opentimelineio
