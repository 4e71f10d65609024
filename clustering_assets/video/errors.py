"""What goes wrong with videos. Light to import."""

from typing import NamedTuple

from clustering_assets.errors import ClusteringError


class Failure(NamedTuple):
    """A picture or track that cannot be used.

    Attributes:
        path: The picture, relative to the images folder, or the track.
        stage: What was being done to it (`omissions.SOUNDTRACK` for a track).
        reason: What is wrong, in one sentence.
    """

    path: str
    stage: str
    reason: str


class VideoError(ClusteringError):
    """A video that cannot be made or written; the message says which and what would mend it."""


class PictureLost(VideoError):
    """A picture that was there when the video was planned cannot be drawn any more.

    Attributes:
        failure: Which, and why.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.path}: {failure.reason}")
        self.failure = failure
