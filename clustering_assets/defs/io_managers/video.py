"""Videos and the film of them: a finished file is moved to its place."""

import dataclasses
from typing import TYPE_CHECKING, Any

import dagster as dg
from upath import UPath

from clustering_assets.defs.io_managers.base import OutputIOManager
from clustering_assets.defs.links import link_to
from clustering_assets.defs.records import PUBLISHED
from clustering_assets.films import Film
from clustering_assets.leases import keep_off_others
from clustering_assets.outputs import ALBUM_FILM
from clustering_assets.rendering import Rendered, publish
from clustering_assets.storage import move

if TYPE_CHECKING:
    from clustering_assets.video.encode import VideoFacts


class VideoIO(OutputIOManager):
    """Moves a finished video to its place, unless the one that is there was made from the very same recipe.

    The name says whether there is music: `cluster_0_slideshow_with_music.mp4` or `cluster_0_slideshow.mp4`. When one of
    the two appears the other one goes. Loading gives the path of the file.
    """

    def dump_to_path(self, context: dg.OutputContext, obj: Rendered, path: UPath) -> None:
        """Publish, or find that there is nothing to do."""
        publish(obj, self.outputs)

    def store(self, rendered: Rendered) -> dict[str, Any]:
        """Publish one of several videos of a run; returns the metadata that an output of its own would have.

        Raises:
            OSError: It cannot be stored.
            OutputTaken: The output is another machine's at the time.
        """
        keep_off_others(self.outputs.root)
        publish(rendered, self.outputs)
        hashes = self.outputs.records.publish([self._name(rendered)], self.known_hashes(rendered))
        link = link_to(self.outputs.path(self._name(rendered)))
        return {**self._metadata(rendered), **link, PUBLISHED: dg.MetadataValue.json(hashes)}

    def files(self, context: dg.OutputContext, obj: Rendered) -> list[str]:
        """The name of the video below the output."""
        return [self._name(obj)]

    def known_hashes(self, obj: Rendered) -> dict[str, str]:
        """The hash of a video that has just been made."""
        return {self._name(obj): obj.xxh3_128} if obj.staged else {}

    def load_from_path(self, context: dg.InputContext, path: UPath) -> UPath:
        """Where the video of this partition is.

        Raises:
            FileNotFoundError: There is no video of this cluster.
        """
        found = self.outputs.existing_video(path.name)
        if found is None:
            raise FileNotFoundError(
                f"no video of {path.name} in {path.parent}: materialize cluster_videos first"
            )
        return found

    def get_metadata(self, context: dg.OutputContext, obj: Rendered) -> dict[str, Any]:
        """Path, duration in seconds, size in pixels, frame rate, what had to be left out, and what was written."""
        return self._metadata(obj)

    def _metadata(self, rendered: Rendered) -> dict[str, Any]:
        return {
            "path": dg.MetadataValue.path(str(self.outputs.path(self._name(rendered)))),
            "failures": dg.MetadataValue.json([list(failure) for failure in rendered.failures]),
            "duration_seconds": round(rendered.seconds, 2),
            "resolution": f"{rendered.size[0]}x{rendered.size[1]}",
            "frames_per_second": rendered.fps,
            "rendered": bool(rendered.staged),
            **(_shown(rendered.facts) if rendered.facts else {}),
        }

    def _name(self, rendered: Rendered) -> str:
        return self.outputs.name_of(self.outputs.video(rendered.key, music=rendered.music))


class FilmIO(OutputIOManager):
    """Moves the finished film to its place, unless the one that is there is the same. Loading gives its path."""

    def dump_to_path(self, context: dg.OutputContext, obj: Film, path: UPath) -> None:
        """Publish, or find that there is nothing to do."""
        if obj.staged:
            self.outputs.records.forget(self.outputs.name_of(path))
            move(obj.staged, path)

    def known_hashes(self, obj: Film) -> dict[str, str]:
        """The hash of a film that has just been made."""
        return {ALBUM_FILM: obj.xxh3_128} if obj.staged else {}

    def load_from_path(self, context: dg.InputContext, path: UPath) -> UPath:
        """Where the film is."""
        return path

    def get_metadata(self, context: dg.OutputContext, obj: Film) -> dict[str, Any]:
        """Duration in seconds, and whether it was made anew."""
        return {"duration_seconds": round(obj.seconds, 2), "rendered": bool(obj.staged)}


def _shown(facts: "VideoFacts") -> dict[str, Any]:
    """What the UI shows of the file beside what is known before, with units, and rounded as people read it."""
    units = {"loudness": "loudness_lufs", "true_peak": "true_peak_dbtp"}
    said_already = {"seconds", "width", "height", "fps"}
    return {
        units.get(name, name): round(value, 3) if isinstance(value, float) else value
        for name, value in dataclasses.asdict(facts).items()
        if name not in said_already and value is not None
    }
