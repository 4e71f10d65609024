"""Files of network weights: found on this machine, or fetched safely and only once."""

import logging
from dataclasses import dataclass
from pathlib import Path

from clustering_assets.download import DownloadError, Patience, download
from clustering_assets.errors import ClusteringError
from clustering_assets.storage import file_digest

log = logging.getLogger("clustering_assets.embedding")

TIMEOUT_SECONDS = 10.0
"""Longest silence of a server before a fetch is given up."""


class WeightsError(ClusteringError):
    """Weights that cannot be had or do not fit; the message says how to mend it."""


@dataclass(frozen=True)
class WeightsFile:
    """Where the weights of a network are, and which ones they are.

    Attributes:
        name: File name, for example `resnet50-11ad3fa6.pth`.
        digest: Beginning of the file's SHA-256, in hexadecimal; empty where the publisher tells none.
        url: Where they are published, or empty.
        path: Where they are on this machine, if they are not in torch's hub cache.
    """

    name: str
    digest: str
    url: str = ""
    path: Path | None = None

    @property
    def identity(self) -> str:
        """What tells these weights from others: the hash, or the published name where there is none."""
        return self.digest or self.name


def hub_folder() -> Path:
    """The folder in which torch and torchvision keep the weights they fetch (see `torch.hub`)."""
    import torch.hub

    return Path(torch.hub.get_dir()) / "checkpoints"


def local_file(path: Path) -> WeightsFile:
    """A weights file of the user's own; its hash becomes its identity.

    Raises:
        WeightsError: There is no such file, or it cannot be read.
    """
    try:
        digest = file_digest(path)
    except OSError as error:
        raise WeightsError(f"weights = {path}: cannot be read ({error.strerror or error})") from None
    return WeightsFile(name=path.name, digest=digest[:16], path=path)


def obtain(weights: WeightsFile, folder: Path, timeout: float = TIMEOUT_SECONDS) -> Path:
    """The path of a weights file whose hash is right, fetched into `folder` if it is not on this machine.

    Two processes never fetch the same file at once: the second waits and finds it there. A fetch that was
    broken off goes on where it stopped.

    Args:
        weights: The file.
        folder: Where fetched weights are kept.
        timeout: Longest silence of the server, in seconds.

    Raises:
        WeightsError: The file is damaged or cannot be had; the message says where to put it.
    """
    if weights.path is not None:
        return _checked(weights, weights.path)
    kept = folder / weights.name
    if _is_intact(weights, kept):
        return kept
    if not weights.url:
        raise WeightsError(f"{weights.name} is not on this machine; put it at {kept}")
    import filelock

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(folder / f".{weights.name}.lock"):
            if not _is_intact(weights, kept):
                download(
                    weights.url,
                    kept,
                    digest=weights.digest,
                    patience=Patience(attempts=1, timeout=timeout),
                    title=f"Fetching {weights.url}",
                )
    except (OSError, DownloadError) as error:
        reason = error.reason if isinstance(error, DownloadError) else error
        raise WeightsError(
            f"the weights {weights.name} are not on this machine and could not be fetched ({reason}). "
            f"To put the file at its place: curl -L --create-dirs -o {kept} {weights.url}"
        ) from error
    return kept


def _checked(weights: WeightsFile, path: Path) -> Path:
    """`path`, if it is there and has the right hash."""
    try:
        digest = file_digest(path)
    except OSError as error:
        raise WeightsError(f"weights {path}: cannot be read ({error.strerror or error})") from None
    if not digest.startswith(weights.digest):
        raise WeightsError(
            f"weights {path}: the file is damaged or another one (SHA-256 {digest[:16]}..., "
            f"expected {weights.digest}...)"
        )
    return path


def _is_intact(weights: WeightsFile, path: Path) -> bool:
    """Whether the file is there with the right hash; one with a wrong hash is reported."""
    if not path.is_file():
        return False
    digest = file_digest(path)
    if digest.startswith(weights.digest):
        return True
    log.warning("%s is damaged (SHA-256 %s..., expected %s...)", path, digest[:16], weights.digest)
    return False
