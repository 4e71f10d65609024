"""Files of network weights: found on this machine, or fetched safely and only once."""

import hashlib
import logging
import os
import queue
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clustering_assets.errors import ClusteringError
from clustering_assets.progress import task
from clustering_assets.storage import PARTIAL

log = logging.getLogger("clustering_assets.embedding")

TIMEOUT_SECONDS = 10.0
"""Longest silence of a server before a fetch is given up."""

_BLOCK = 1 << 20


class WeightsError(ClusteringError):
    """Weights that cannot be had or do not fit; the message says how to mend it."""


class _DamagedDownload(Exception):
    """What came does not have the hash it should have."""


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


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
                _fetch(weights, kept, timeout)
    except (OSError, _DamagedDownload) as error:
        raise WeightsError(
            f"the weights {weights.name} are not on this machine and could not be fetched from {weights.url} "
            f"({_reason(error)}). Fetch that address by other means and put the file at {kept}"
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


def _fetch(weights: WeightsFile, kept: Path, timeout: float) -> None:
    """Fetch the file, going on from a part that is there; a part that turns out wrong is fetched anew."""
    part = kept.with_name(f".{kept.name}{PARTIAL}")
    resumed = part.exists() and part.stat().st_size > 0
    _download(weights.url, part, timeout)
    digest = file_digest(part)
    if not digest.startswith(weights.digest) and resumed:
        part.unlink()
        _download(weights.url, part, timeout)
        digest = file_digest(part)
    if not digest.startswith(weights.digest):
        part.unlink()
        raise _DamagedDownload(f"its SHA-256 is {digest[:16]}..., not {weights.digest}...")
    with part.open("rb") as complete:
        os.fsync(complete.fileno())
    part.replace(kept)


def _download(url: str, part: Path, timeout: float) -> None:
    """Append to `part` what it lacks of the file at `url`."""
    done = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "clustering-assets"})
    if done:
        request.add_header("Range", f"bytes={done}-")
    try:
        response = _open(request, timeout)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # nothing after what is there: complete, or wrong, which the hash tells
            return
        raise
    with response:
        if response.status != 206:
            done = 0
        length = response.headers.get("Content-Length")
        total = done + int(length) if length else None
        with part.open("ab" if done else "wb") as file, task(f"Fetching {url}", total, "bytes") as running:
            running.advance(done)
            while block := response.read(_BLOCK):
                file.write(block)
                running.advance(len(block))
        if total is not None and part.stat().st_size < total:
            raise OSError(f"the connection ended after {part.stat().st_size:,} of {total:,} bytes")


def _open(request: urllib.request.Request, timeout: float) -> Any:
    """The server's answer, or an error once `timeout` has passed.

    `urlopen` alone can take longer: its limit does not cover the look-up of the name, and begins anew
    for each address of the server.
    """
    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(urllib.request.urlopen(request, timeout=timeout))
        except (OSError, ValueError) as error:
            answers.put(error)

    threading.Thread(target=ask, daemon=True, name="weights-fetch").start()
    try:
        answer = answers.get(timeout=timeout)
    except queue.Empty:
        raise TimeoutError(f"no answer within {timeout:g} s") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _reason(error: Exception) -> str:
    """Why a fetch failed, in a few words."""
    if isinstance(error, urllib.error.URLError) and not isinstance(error, urllib.error.HTTPError):
        return str(error.reason)
    return str(error) or type(error).__name__
