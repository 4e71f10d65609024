"""Why a picture cannot be used."""

from clustering_assets.errors import ClusteringError
from clustering_assets.work.engine import Lost


class ImageError(ClusteringError):
    """A picture that cannot be used.

    Attributes:
        path: The file, as it was named to the loader.
        stage: Where it failed: "find", "read", "limits", "format", "decode", or "other" for a file that is no
            picture and does not claim to be one.
        reason: What is wrong, in words, without the path.
    """

    def __init__(self, path: object, stage: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = str(path)
        self.stage = stage
        self.reason = reason

    def __reduce__(self) -> tuple[type["ImageError"], tuple[str, str, str]]:
        """Pickled by its three parts, so that it survives the way out of a worker process."""
        return type(self), (self.path, self.stage, self.reason)


def lost_in_decoding(path: str, lost: Lost) -> ImageError:
    """What is wrong with a picture that ends whatever decodes it."""
    stage = "limits" if lost.cause == "killed" else "decode"
    return ImageError(path, stage, f"{'the decoder' if lost.cause == 'crash' else 'decoding'} {lost.reason}")
