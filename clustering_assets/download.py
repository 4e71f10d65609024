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
from typing import IO, Any
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
        first_wait: Seconds before the second attempt; doubled for each further one.
        wait: What waits; tests put something faster here.
    """

    attempts: int = 4
    timeout: float = 15.0
    first_wait: float = 0.5
    wait: Callable[[float], None] = time.sleep


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to the web only, never to a file of this machine."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """The request that follows a redirect; the base class lets ftp pass as well."""
        if urlsplit(newurl).scheme not in ("http", "https"):
            raise DownloadError(req.full_url, f"redirected to {newurl}, which is not on the web", code)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


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
        DownloadError: The file is not there, is too large or another one, or the server did not answer in spite of all
            attempts.
    """
    patience = patience or Patience()
    if urlsplit(url).scheme not in ("http", "https"):
        raise DownloadError(url, "only http and https are downloaded")
    path = Path(path)
    with _writing(url, path):
        path.parent.mkdir(parents=True, exist_ok=True)
    wanted = _Wanted(url, path, max_bytes, digest, title)
    failures = 0
    while True:
        before = _size(wanted.partial)
        try:
            _attempt(wanted, patience.timeout)
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
            patience.wait(wait)
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

    def strange_digest(self) -> str:
        """The digest of what came, if it is not the one it should have; else empty."""
        found = file_digest(self.partial) if self.digest else ""
        return "" if found.startswith(self.digest) else found


def _attempt(wanted: _Wanted, timeout: float) -> None:
    """One request that fetches the rest of the file, or all of it."""
    request = _request(wanted)
    try:
        with _answer(request, timeout) as answer:
            start = _size(wanted.partial) if answer.status == 206 else 0
            if start and not _starts_at(answer, start):
                wanted.partial.unlink()
                raise _TryAgain("the server sent another part of the file", after=0.0)
            expected = _expected_size(answer, start)
            if wanted.max_bytes is not None and (expected or 0) > wanted.max_bytes:
                limit = f"the limit of {wanted.max_bytes:,}"
                raise DownloadError(wanted.url, f"{expected:,} bytes are more than {limit}")
            validator = "" if wanted.digest else _validator(answer)
            wanted.tag.write_text(validator, "utf-8") if validator else wanted.tag.unlink(missing_ok=True)
            size = _receive(answer, wanted, start, expected)
    except urllib.error.HTTPError as error:
        error.close()
        if not (error.code == 416 and wanted.digest):  # nothing comes after what is there: the digest tells
            _explain(wanted.url, error, wanted.partial)
    except TimeoutError as error:
        raise _TryAgain(f"nothing came for {timeout:g} s") from error
    except urllib.error.URLError as error:
        raise _TryAgain(_readable(error.reason, timeout)) from error
    except (OSError, http.client.HTTPException) as error:
        raise _TryAgain(_readable(error, timeout)) from error
    else:
        if wanted.max_bytes is not None and size > wanted.max_bytes:
            wanted.partial.unlink(missing_ok=True)
            raise DownloadError(wanted.url, f"more than the limit of {wanted.max_bytes:,} bytes")
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
        try:
            answers.put(urllib.request.build_opener(_SafeRedirects).open(request, timeout=timeout))
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


def _explain(url: str, error: urllib.error.HTTPError, partial: Path) -> None:
    """Raise what an HTTP error means: try again, begin afresh, or give up."""
    if error.code == 416:  # what is there is longer than the file, so it is another file
        partial.unlink(missing_ok=True)
        raise _TryAgain("the file has changed on the server", 416, after=0.0) from None
    if error.code in _TEMPORARY:
        raise _TryAgain(f"HTTP {error.code} {error.reason}", error.code, _retry_after(error)) from None
    partial.unlink(missing_ok=True)
    raise DownloadError(url, f"HTTP {error.code} {error.reason}", error.code) from None


def _receive(answer: http.client.HTTPResponse, wanted: _Wanted, start: int, expected: int | None) -> int:
    """Write the body to the partial file from `start` on; what came before a break is kept."""
    size = start
    with _writing(wanted.url, wanted.partial):
        file = wanted.partial.open("r+b" if start else "wb", buffering=0)
    with file, task(wanted.title, expected, "bytes") if wanted.title else nullcontext() as running:
        if start:
            with _writing(wanted.url, wanted.partial):
                file.seek(start)
                file.truncate()
        if running:
            running.advance(start)
        while chunk := answer.read1(_CHUNK):
            with _writing(wanted.url, wanted.partial):
                file.write(chunk)
            size += len(chunk)
            if running:
                running.advance(len(chunk))
            if wanted.max_bytes is not None and size > wanted.max_bytes:
                break
    return size


@contextmanager
def _writing(url: str, path: Path) -> Iterator[None]:
    """Tell a full disk or a missing right, which no further attempt mends, from a problem of the network."""
    try:
        yield
    except OSError as error:
        raise DownloadError(url, f"{path} cannot be written: {error.strerror}") from error


def _expected_size(answer: http.client.HTTPResponse, start: int) -> int | None:
    """Size that the whole file must have; None when the server does not say."""
    length = answer.headers.get("Content-Length", "")
    return start + int(length) if length.isdigit() else None


def _starts_at(answer: http.client.HTTPResponse, offset: int) -> bool:
    """Whether a partial answer begins where it was asked to."""
    return answer.headers.get("Content-Range", "").startswith(f"bytes {offset}-")


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


def _readable(reason: object, timeout: float) -> str:
    """A connection problem in words."""
    if isinstance(reason, TimeoutError):
        return f"nothing came for {timeout:g} s"
    return str(reason) or type(reason).__name__


def _size(path: Path) -> int:
    """Size of a file, 0 if there is none."""
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0
