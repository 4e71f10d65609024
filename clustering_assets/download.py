"""Downloads over HTTP that survive: resumed, tried again with patience, and published only when complete."""

import email.utils
import http.client
import logging
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from clustering_assets.sources.imported import SourceError
from clustering_assets.storage import PARTIAL

log = logging.getLogger("clustering_assets.sources")

_CHUNK = 1 << 18
_TEMPORARY = frozenset((408, 425, 429, 500, 502, 503, 504))
_LONGEST_WAIT = 120.0  # seconds; a server that asks for more is given up
_USER_AGENT = "clustering_assets (image import)"


class DownloadError(SourceError):
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
    patience: Patience | None = None,
    on_bytes: Callable[[int], None] | None = None,
) -> int:
    """Download `url` to `path`, which appears only when it is complete.

    The bytes go to a hidden partial name beside it. An attempt that breaks off goes on from there with a `Range`
    request, in this run or a later one; `If-Range` makes sure that the file is still the same one. Answers of
    408, 425, 429 and 5xx are tried again, after the seconds or the date in `Retry-After` or with growing waits.

    Args:
        url: What to get, http or https.
        path: Where to put it; its folder is made.
        max_bytes: Largest size that is accepted; None for any.
        patience: How hard to try; None for the defaults.
        on_bytes: Called with the number of new bytes, for progress.

    Returns:
        The size of the file in bytes.

    Raises:
        DownloadError: The file is not there, is too large, or the server did not answer in spite of all attempts.
    """
    patience = patience or Patience()
    if urlsplit(url).scheme not in ("http", "https"):
        raise DownloadError(url, "only http and https are downloaded")
    path = Path(path)
    with _writing(url, path):
        path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}{PARTIAL}")
    tag = path.with_name(f".{path.name}.tag{PARTIAL}")
    failures = 0
    while True:
        before = _size(partial)
        try:
            _attempt(url, partial, tag, max_bytes, patience.timeout, on_bytes)
            break
        except _TryAgain as problem:
            failures = 1 if _size(partial) > before else failures + 1
            wait = patience.first_wait * 2 ** (failures - 1) if problem.after is None else problem.after
            if failures >= patience.attempts:
                reason = f"{problem.reason} ({failures} attempts)"
                raise DownloadError(url, reason, problem.status) from None
            if wait > _LONGEST_WAIT:
                reason = f"{problem.reason}; the server asks to wait {wait:.0f} s, try again later"
                raise DownloadError(url, reason, problem.status) from None
            log.debug("%s: %s, again in %.1f s", url, problem.reason, wait)
            patience.wait(wait)
    with partial.open("rb") as written:
        os.fsync(written.fileno())
    size = _size(partial)
    partial.replace(path)
    tag.unlink(missing_ok=True)
    return size


def _attempt(
    url: str,
    partial: Path,
    tag: Path,
    max_bytes: int | None,
    timeout: float,
    on_bytes: Callable[[int], None] | None,
) -> None:
    """One request that fetches the rest of the file, or all of it."""
    request = urllib.request.Request(url, headers={"User-Agent": _USER_AGENT, "Accept-Encoding": "identity"})
    have = _size(partial)
    known = tag.read_text("utf-8").strip() if have and tag.is_file() else ""
    if have and known:  # without a validator nobody knows whether the rest belongs to the beginning
        request.add_header("Range", f"bytes={have}-")
        request.add_header("If-Range", known)
    try:
        with urllib.request.build_opener(_SafeRedirects).open(request, timeout=timeout) as answer:
            start = have if answer.status == 206 and _starts_at(answer, have) else 0
            expected = _expected_size(answer, start)
            if max_bytes is not None and (expected or 0) > max_bytes:
                raise DownloadError(url, f"{expected:,} bytes are more than the limit of {max_bytes:,}")
            validator = _validator(answer)
            tag.write_text(validator, "utf-8") if validator else tag.unlink(missing_ok=True)
            size = _receive(answer, partial, start, max_bytes, on_bytes)
    except urllib.error.HTTPError as error:
        error.close()
        _explain(url, error, partial)
    except TimeoutError as error:
        raise _TryAgain(f"nothing came for {timeout:g} s") from error
    except urllib.error.URLError as error:
        raise _TryAgain(_readable(error.reason, timeout)) from error
    except (OSError, http.client.HTTPException) as error:
        raise _TryAgain(_readable(error, timeout)) from error
    else:
        if max_bytes is not None and size > max_bytes:
            partial.unlink(missing_ok=True)
            raise DownloadError(url, f"more than the limit of {max_bytes:,} bytes")
        if expected is not None and size < expected:
            raise _TryAgain(f"the connection was lost after {size:,} of {expected:,} bytes")


def _explain(url: str, error: urllib.error.HTTPError, partial: Path) -> None:
    """Raise what an HTTP error means: try again, begin afresh, or give up."""
    if error.code == 416:  # what is there is longer than the file, so it is another file
        partial.unlink(missing_ok=True)
        raise _TryAgain("the file has changed on the server", 416, after=0.0) from None
    if error.code in _TEMPORARY:
        raise _TryAgain(f"HTTP {error.code} {error.reason}", error.code, _retry_after(error)) from None
    partial.unlink(missing_ok=True)
    raise DownloadError(url, f"HTTP {error.code} {error.reason}", error.code) from None


def _receive(
    answer: http.client.HTTPResponse,
    partial: Path,
    start: int,
    max_bytes: int | None,
    on_bytes: Callable[[int], None] | None,
) -> int:
    """Write the body to the partial file from `start` on; what came before a break is kept."""
    size = start
    with _writing(answer.url, partial):
        file = partial.open("r+b" if start else "wb", buffering=0)
    with file:
        if start:
            with _writing(answer.url, partial):
                file.seek(start)
                file.truncate()
        while chunk := answer.read1(_CHUNK):
            with _writing(answer.url, partial):
                file.write(chunk)
            size += len(chunk)
            if on_bytes:
                on_bytes(len(chunk))
            if max_bytes is not None and size > max_bytes:
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
