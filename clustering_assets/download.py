"""Downloads over HTTP that survive: resumed, tried again with patience, and published only when complete."""

import email.utils
import http.client
import logging
import os
import queue
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

from clustering_assets.errors import ClusteringError
from clustering_assets.progress import task
from clustering_assets.storage import PARTIAL, file_digest
from clustering_assets.words import counted

log = logging.getLogger("clustering_assets.download")

_CHUNK = 1 << 18
_TEMPORARY = frozenset((408, 425, 429, 500, 502, 503, 504))
_LONGEST_WAIT = 120.0  # seconds; a server that asks for more is given up
_USER_AGENT = "clustering_assets"


class DownloadError(ClusteringError):
    """A file that could not be downloaded.

    Attributes:
        url: What was asked for.
        status: HTTP status of the last answer; 0 when there was none.
    """

    def __init__(self, url: str, reason: str, status: int = 0) -> None:
        super().__init__(f"{url}: {reason}")
        self.url, self.reason, self.status = url, reason, status


class _TryAgain(Exception):
    """An attempt that failed in a way that passes; `after` is what the server asked for, in seconds."""

    def __init__(self, reason: str, status: int = 0, after: float | None = None) -> None:
        super().__init__(reason)
        self.reason, self.status, self.after = reason, status, after


@dataclass(frozen=True)
class Patience:
    """How hard a download tries.

    Attributes:
        attempts: Failures in a row, without a single byte in between, after which it gives up.
        timeout: Seconds without an answer or a byte.
        slowest: Bytes a second, on average over `window`, below which it gives up at once.
        window: Seconds.
        first_wait: Seconds before the second attempt; doubled for each further one.
        wait: What waits; tests put something faster here.
    """

    attempts: int = 4
    timeout: float = 15.0
    first_wait: float = 0.5
    wait: Callable[[float], None] = time.sleep
    slowest: float = 1_000.0
    window: float = 60.0


class _Pace:
    """Whether bytes come fast enough to wait for the rest, in this attempt and over all of them."""

    def __init__(self, wanted: "_Wanted", patience: Patience) -> None:
        self._wanted, self._patience = wanted, patience
        self.since, self._size = time.monotonic(), _size(wanted.partial)

    def check(self, size: int) -> None:
        """Give up where fewer bytes came than `Patience` asks for; called as often as anything happens.

        Raises:
            DownloadError: They came too slowly.
        """
        now, window = time.monotonic(), self._patience.window
        if now - self.since < window:
            return
        if size - self._size < self._patience.slowest * window:
            came = f"only {max(0, size - self._size):,} bytes came in {window:g} s"
            raise DownloadError(self._wanted.url, f"{came}; try again later")
        self.since, self._size = now, size


class _WebOnly(urllib.request.FTPHandler):
    """Refuses the only way off the web that urllib lets a redirect take."""

    def ftp_open(self, req: urllib.request.Request) -> NoReturn:
        """Nothing is fetched by FTP."""
        raise DownloadError(req.full_url, "redirected there, which is not on the web")


def download(
    url: str,
    path: Path,
    *,
    max_bytes: int | None = None,
    digest: str = "",
    patience: Patience | None = None,
    title: str = "",
) -> int:
    """Download `url` to `path`, which appears only when it is complete.

    The bytes go to a hidden partial name beside it. An attempt that breaks off goes on from there with a `Range`
    request, in this run or a later one; `digest` or else `If-Range` makes sure that the file is still the same one.
    Answers of 408, 425, 429 and 5xx are tried again, after the seconds or the date in `Retry-After` or with growing
    waits.

    Args:
        url: What to get, http or https.
        path: Where to put it; its folder is made.
        max_bytes: Largest size that is accepted; None for any.
        digest: Beginning of the SHA-256 that the file must have, in hexadecimal; empty for any.
        patience: How hard to try; None for the defaults.
        title: What is being done, to report its progress; empty for none.

    Returns:
        The size of the file in bytes.

    Raises:
        DownloadError: The file is not there, is too large or another one, comes too slowly, or the server did not
            answer in spite of all attempts.
    """
    patience = patience or Patience()
    if urlsplit(url).scheme not in ("http", "https"):
        raise DownloadError(url, "only http and https are downloaded")
    wanted = _Wanted(url, Path(path), max_bytes, digest, title)
    with _writing(wanted, wanted.path):
        wanted.path.parent.mkdir(parents=True, exist_ok=True)
    pace, failures = _Pace(wanted, patience), 0
    while True:
        before = _size(wanted.partial)
        try:
            _attempt(wanted, patience.timeout, pace)
            if not (found := wanted.strange_digest()):
                break
            wanted.partial.unlink()
            if not before:  # otherwise the beginning that was there may have been that of another file
                raise DownloadError(url, f"its SHA-256 is {found[:16]}..., not {digest}...")
        except _TryAgain as problem:
            failures = 1 if _size(wanted.partial) > before else failures + 1
            wait = patience.first_wait * 2 ** (failures - 1) if problem.after is None else problem.after
            if failures >= patience.attempts:
                reason = f"{problem.reason} ({counted(failures, 'attempt')})"
                raise DownloadError(url, reason, problem.status) from None
            if wait > _LONGEST_WAIT:
                reason = f"{problem.reason}; the server asks to wait {wait:.0f} s, try again later"
                raise DownloadError(url, reason, problem.status) from None
            log.debug("%s: %s, again in %.1f s", url, problem.reason, wait)
            pace.check(_size(wanted.partial))
            patience.wait(wait)
            pace.since += problem.after or 0  # what the server asked for is not its slowness
    with wanted.partial.open("rb") as written:
        os.fsync(written.fileno())
    size = _size(wanted.partial)
    wanted.partial.replace(path)
    wanted.tag.unlink(missing_ok=True)
    return size


@dataclass(frozen=True)
class _Wanted:
    """What is asked for, as `download` is told, and the files beside its place that hold what has come of it."""

    url: str
    path: Path
    max_bytes: int | None
    digest: str
    title: str

    @property
    def partial(self) -> Path:
        """What has come so far."""
        return self.path.with_name(f".{self.path.name}{PARTIAL}")

    @property
    def tag(self) -> Path:
        """What tells whether the file on the server is still the one that this is the beginning of."""
        return self.path.with_name(f".{self.path.name}.tag{PARTIAL}")

    def check_size(self, size: int) -> None:
        """Refuse a file that is, or says that it is, larger than the limit; what has come of it goes."""
        if self.max_bytes is not None and size > self.max_bytes:
            self.partial.unlink(missing_ok=True)
            raise DownloadError(self.url, f"{size:,} bytes are more than the limit of {self.max_bytes:,}")

    def strange_digest(self) -> str:
        """The digest of what came, if it is not the one it should have; else empty."""
        found = file_digest(self.partial) if self.digest else ""
        return "" if found.startswith(self.digest) else found


def _attempt(wanted: _Wanted, timeout: float, pace: _Pace) -> None:
    """One request that fetches the rest of the file, or all of it."""
    request = _request(wanted)
    try:
        with _answer(request, timeout) as answer:
            start = _size(wanted.partial) if answer.status == 206 else 0
            if start and not answer.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
                wanted.partial.unlink()
                raise _TryAgain("the server sent another part of the file", after=0.0)
            length = answer.headers.get("Content-Length", "")
            expected = start + int(length) if length.isdigit() else None
            wanted.check_size(expected or 0)
            validator = "" if wanted.digest else _validator(answer)
            wanted.tag.write_text(validator, "utf-8") if validator else wanted.tag.unlink(missing_ok=True)
            size = _receive(answer, wanted, start, expected, pace)
    except urllib.error.HTTPError as error:
        error.close()
        if not (error.code == 416 and wanted.digest):  # nothing comes after what is there: the digest tells
            _explain(wanted, error)
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        silent = isinstance(reason, TimeoutError)
        words = f"nothing came for {timeout:g} s" if silent else str(reason) or type(reason).__name__
        raise _TryAgain(words) from error
    else:
        if expected is not None and size < expected:
            raise _TryAgain(f"the connection was lost after {size:,} of {expected:,} bytes")


def _request(wanted: _Wanted) -> urllib.request.Request:
    """The question for what is not there yet."""
    headers = {"User-Agent": _USER_AGENT, "Accept-Encoding": "identity"}
    request = urllib.request.Request(wanted.url, headers=headers)
    have = _size(wanted.partial)
    known = wanted.tag.read_text("utf-8").strip() if wanted.tag.is_file() and not wanted.digest else ""
    if have and (known or wanted.digest):  # else nobody knows whether the rest belongs to the beginning
        request.add_header("Range", f"bytes={have}-")
        if known:
            request.add_header("If-Range", known)
    return request


def _answer(request: urllib.request.Request, timeout: float) -> http.client.HTTPResponse:
    """The server's answer, or an error once `timeout` has passed.

    The opener alone can take longer: its limit does not cover the look-up of the name, and begins anew for each address
    of the server.
    """
    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def ask() -> None:
        """Put the answer, or what came instead, where the other thread waits for it."""
        try:
            answers.put(urllib.request.build_opener(_WebOnly).open(request, timeout=timeout))
        except (OSError, ValueError, http.client.HTTPException, DownloadError) as error:
            answers.put(error)

    threading.Thread(target=ask, daemon=True, name="download").start()
    try:
        answer = answers.get(timeout=timeout)
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _explain(wanted: _Wanted, error: urllib.error.HTTPError) -> NoReturn:
    """Raise what an HTTP error means: try again, begin afresh, or give up."""
    reason = f"HTTP {error.code} {error.reason}"
    if error.code in _TEMPORARY:
        raise _TryAgain(reason, error.code, _retry_after(error)) from None
    wanted.partial.unlink(missing_ok=True)
    if error.code == 416:  # what is there is longer than the file, so it is another file
        raise _TryAgain("the file has changed on the server", 416, after=0.0) from None
    raise DownloadError(wanted.url, reason, error.code) from None


def _receive(
    answer: http.client.HTTPResponse, wanted: _Wanted, start: int, expected: int | None, pace: _Pace
) -> int:
    """Write the body to the partial file, at its end unless `start` is 0; what comes before a break is kept."""
    size = start
    with _writing(wanted, wanted.partial):
        file = wanted.partial.open("ab" if start else "wb", buffering=0)
    with file, task(wanted.title, expected, "bytes") if wanted.title else nullcontext() as running:
        if running:
            running.advance(start)
        while chunk := answer.read1(_CHUNK):
            with _writing(wanted, wanted.partial):
                file.write(chunk)
            size += len(chunk)
            if running:
                running.advance(len(chunk))
            wanted.check_size(size)
            pace.check(size)
    return size


@contextmanager
def _writing(wanted: _Wanted, path: Path) -> Iterator[None]:
    """Tell a full disk or a missing right, which no further attempt mends, from a problem of the network."""
    try:
        yield
    except OSError as error:
        raise DownloadError(wanted.url, f"{path} cannot be written: {error.strerror}") from error


def _validator(answer: http.client.HTTPResponse) -> str:
    """What identifies this state of the file: a strong entity tag, or else its date; empty for neither."""
    tag = answer.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified", "")


def _retry_after(error: urllib.error.HTTPError) -> float | None:
    """Seconds that the server asks to wait, given as a number or as a date; None if it does not."""
    value = (error.headers.get("Retry-After") or "").strip()
    if value.isdigit():
        return float(value)
    with suppress(ValueError, TypeError):
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    return None


def _size(path: Path) -> int:
    """Size of a file, 0 if there is none."""
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0
