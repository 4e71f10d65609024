"""Videos: a lazy slideshow goes in, an MP4 file comes out."""

import dataclasses
from typing import TYPE_CHECKING, Any

import dagster as dg
from upath import UPath

from clustering_assets.defs.io_managers.base import OutputIOManager

if TYPE_CHECKING:
    from clustering_assets.video.encode import VideoFacts
    from clustering_assets.video.slideshow import Slideshow


class VideoIO(OutputIOManager):
    """Renders a slideshow into its file, unless the file that is there was made from the very same recipe.

    The name says whether there is music: `cluster_0_slideshow_with_music.mp4` or `cluster_0_slideshow.mp4`. When one of
    the two appears the other one goes. Loading gives the path of the file.
    """

    def dump_to_path(self, context: dg.OutputContext, obj: "Slideshow", path: UPath) -> None:
        """Render, or find that there is nothing to do."""
        from clustering_assets.video.encode import write_video
        from clustering_assets.video.verify import is_whole

        final, outputs, values = self._file(context, obj), self.outputs, self.settings.value
        if is_whole(final, obj.digest, outputs):
            context.log.info("%s is up to date and is kept.", final)
            context.add_output_metadata({"rendered": False})
            return
        # a new file without a record is looked at, not made again
        outputs.records.forget(outputs.name_of(final))
        facts = write_video(obj, final, quality=values.quality, encoder=values.encoder)
        other = outputs.video(context.partition_key, music=obj.soundtrack is None)
        other.unlink(missing_ok=True)
        outputs.records.forget(outputs.name_of(other))
        context.add_output_metadata({"rendered": True, **_shown(facts)})

    def files(self, context: dg.OutputContext, obj: "Slideshow") -> list[str]:
        """The name of the video below the output."""
        return [self.outputs.name_of(self._file(context, obj))]

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

    def get_metadata(self, context: dg.OutputContext, obj: "Slideshow") -> dict[str, Any]:
        """Path, duration in seconds, size in pixels, frame rate, and the pictures that had to be left out."""
        return {
            "path": dg.MetadataValue.path(str(self._file(context, obj))),
            "failures": dg.MetadataValue.json([list(failure) for failure in obj.failures]),
            "duration_seconds": round(float(obj.duration), 2),
            "resolution": f"{obj.size[0]}x{obj.size[1]}",
            "frames_per_second": obj.fps,
        }

    def _file(self, context: dg.OutputContext, obj: "Slideshow") -> UPath:
        return self.outputs.video(context.partition_key, music=obj.soundtrack is not None)


def _shown(facts: "VideoFacts") -> dict[str, Any]:
    """What the UI shows of the file beside what is known before, with units, and rounded as people read it."""
    units = {"loudness": "loudness_lufs", "true_peak": "true_peak_dbtp"}
    said_already = {"seconds", "width", "height", "fps"}
    return {
        units.get(name, name): round(value, 3) if isinstance(value, float) else value
        for name, value in dataclasses.asdict(facts).items()
        if name not in said_already and value is not None
    }
