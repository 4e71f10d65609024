"""Stores behind URLs: each request is tried again where that may help, and fails in words that a user can act on.

Errors of stores arise here and nowhere else. An object that there is not is a `FileNotFoundError`, as on a disk, which
many places expect; everything else is a `StoreError`, which none of them takes for a missing or damaged file.
"""

import errno
import functools
import hashlib
import io
import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

from clustering_assets.errors import ClusteringError
from clustering_assets.places import is_url, masked
from clustering_assets.storage import scratch_folder

if TYPE_CHECKING:
    from upath import UPath

log = logging.getLogger("clustering_assets.stores")

Result = TypeVar("Result")

WAITS = (0.5, 1.0, 2.0, 4.0, 8.0, 8.0)
"""Seconds before each further attempt of a request that failed for a reason that may pass."""

LONGEST = 60.0
"""Seconds after which a request that fails is not tried again."""

_PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "az": "adlfs", "abfs": "adlfs"}
"""The package that brings the file system of each scheme."""

_CREDENTIALS = {
    "s3": "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    "gs": "Set GOOGLE_APPLICATION_CREDENTIALS to a file with the key of a service account",
    "az": "Set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or AZURE_STORAGE_CONNECTION_STRING",
}
_ENDPOINT = {"s3": "AWS_ENDPOINT_URL", "gs": "STORAGE_EMULATOR_HOST"}

_NO_CREDENTIALS = frozenset(
    [
        "NoCredentialsError",
        "PartialCredentialsError",
        "CredentialRetrievalError",
        "ProfileNotFound",
        "TokenRetrievalError",
        "SSOError",
        "DefaultCredentialsError",
        "RefreshError",
        "CredentialUnavailableError",
    ]
)
_NETWORK = frozenset(
    [
        "HTTPClientError",
        "ConnectionError",
        "ClientConnectionError",
        "ClientPayloadError",
        "IncompleteRead",
        "TimeoutError",
        "FSTimeoutError",
        "gaierror",
        "ServiceRequestError",
        "ServiceResponseError",
        "TransportError",
    ]
)
"""Names of the classes of errors that the libraries of stores raise, found anywhere among an error's bases: the
libraries themselves need not be installed."""

_WRONG_KEY = frozenset(
    [
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "ExpiredToken",
        "InvalidToken",
        "RequestTimeTooSkewed",
        "AuthenticationFailed",
        "401",
    ]
)
_ELSE_WRITTEN = frozenset(("PreconditionFailed", "ConditionalRequestConflict", "412"))
_NO_BUCKET = frozenset(("NoSuchBucket", "InvalidBucketName", "ContainerNotFound"))
_BUSY = frozenset(("SlowDown", "ServiceUnavailable", "Throttling", "RequestLimitExceeded", "429", "503"))
_TROUBLE = frozenset(("InternalError", "RequestTimeout", "IncompleteBody", "500", "502", "504"))
_PASSING = frozenset((errno.EBUSY, getattr(errno, "EREMOTEIO", errno.EIO), errno.EIO, errno.ETIMEDOUT))


_TIMES = ("LastModified", "last_modified", "updated", "mtime", "created")
_STAMPS = ("ETag", "etag", "VersionId", "generation", "md5Hash", "content_md5", *_TIMES)


class StoreError(ClusteringError):
    """A store that cannot be used.

    Attributes:
        passes: Whether the same may go well a little later.
    """

    def __init__(self, message: str, *, passes: bool = False) -> None:
        super().__init__(message)
        self.passes = passes

    def __reduce__(self) -> Any:
        """Pickled as a whole, since it may arise in another process."""
        return functools.partial(type(self), passes=self.passes), self.args


class _NotWritten(StoreError):
    """A condition of a conditional write did not hold."""


def open_place(place: str, setting: str = "") -> "UPath":
    """What a setting names: a path of this machine, or one of a store that is asked with patience.

    Args:
        place: A path or URL.
        setting: Name of the setting that it comes from, for messages.

    Raises:
        StoreError: The package that reaches such stores is missing.
    """
    from upath import UPath

    if not is_url(place):
        return UPath(place)
    path = UPath(place)
    path._fs_cached = Store(place, setting)  # type: ignore[assignment] - all that a path asks of its file system
    return path


_TURN = threading.Lock()
"""For stores in memory, which look whether there is an object and write it in two steps."""


class Store:
    """A file system of fsspec with patience, and with errors in words.

    Its methods are those of the file system; none of them believes an earlier listing. What is opened to be read is a
    copy on the local disk that goes when it is closed, so that a connection that breaks is no half-read file.

    Attributes:
        url: The place that a setting names.
        setting: Name of that setting; empty if it is not known.
    """

    def __init__(self, url: str, setting: str = "") -> None:
        self.url, self.setting = url, setting
        self._inner = self._patiently(_file_system, _scheme(url))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_inner":
            raise AttributeError(name)
        found = getattr(self._inner, name)
        if name.startswith("_") or not callable(found):
            return found
        return functools.partial(self._patiently, found)

    def open(self, path: str, mode: str = "rb", **given: Any) -> IO[Any]:
        """A copy of an object to read from, as bytes or as text."""
        if set(mode) - set("rbt"):
            return self._patiently(self._inner.open, path, mode, **given)
        with scratch_folder() as folder:
            self._patiently(self._inner.get_file, path, str(folder / "copy"))
            opened = (folder / "copy").open("rb")  # whoever asked closes it
        return opened if "b" in mode else io.TextIOWrapper(opened, given.get("encoding"))

    def pieces(self, path: str) -> IO[bytes]:
        """An object of which only some is fetched, as it is read."""
        return self._patiently(self._inner.open, path, "rb", block_size=1 << 20, cache_type="readahead")

    def state(self, path: str) -> str:
        """What tells one state of an object from another.

        Raises:
            FileNotFoundError: There is none.
        """
        return object_stamp(self.info(path))

    def write_if(self, path: str, content: bytes, state: str | None) -> bool:
        """Write an object whole, unless somebody else did so first.

        S3 checks that itself (`If-None-Match`, `If-Match`). Other stores do so for a new object; of an object that is
        there the state is looked at just before it is removed, and of two that do so at once one makes the new one.

        Args:
            path: Where.
            content: What.
            state: As `state` gave it, if an object shall be written anew; None if there shall be none.

        Returns:
            Whether it was written.
        """
        given: dict[str, Any] = {"mode": "create"}
        try:
            if state is not None and _scheme(self.url) == "s3":
                given = {"IfMatch": state}
            elif state is not None:
                if self.state(path) != state:
                    return False
                self.rm_file(path)
            with _TURN if _scheme(self.url) == "memory" else nullcontext():
                self._patiently(self._inner.pipe_file, path, content, **given)
        except (FileExistsError, FileNotFoundError, _NotWritten):
            return False
        return True

    def exists(self, path: str) -> bool:
        """Whether there is an object, or any below that name."""
        return self._type(path) != ""

    def isfile(self, path: str) -> bool:
        """Whether there is an object."""
        return self._type(path) == "file"

    def isdir(self, path: str) -> bool:
        """Whether there are objects below that name."""
        return self._type(path) == "directory"

    def _type(self, path: str) -> str:
        # those of fsspec take a failure of the network for an answer
        try:
            return str(self.info(path)["type"])
        except (FileNotFoundError, NotADirectoryError):
            return ""

    def _patiently(self, call: Callable[..., Result], *given: Any, **named: Any) -> Result:
        """The result of a request, tried again as often as it may help."""
        begun = time.monotonic()
        for wait in (*WAITS, None):
            try:
                if (inner := self.__dict__.get("_inner")) is not None:
                    inner.invalidate_cache()
                return call(*given, **named)
            except Exception as error:
                problem = _in_words(error, self.url, self.setting)
                if problem is None:
                    raise
                if not problem.passes or wait is None or time.monotonic() - begun + wait > LONGEST:
                    raise problem from None  # what the library says may hold keys and signed addresses
                log.info("%s Trying again in %g s.", problem, wait)
                time.sleep(wait)
        raise AssertionError("the last attempt returns or raises")


def object_stamp(facts: Mapping[str, Any]) -> str:
    """What a store notes of an object that changes with its content, the best of it; empty if it notes nothing."""
    return str(next((facts[name] for name in _STAMPS if facts.get(name)), ""))


def changed_ns(facts: Mapping[str, Any]) -> int:
    """When an object was last changed, in nanoseconds since 1970: to the second, and from there a digest of its stamp.

    A store's times are often whole seconds. Whole microseconds are kept by every disk.
    """
    when = next((facts[name] for name in _TIMES if facts.get(name)), 0)
    if isinstance(when, str):
        when = datetime.fromisoformat(when)
    seconds = int(when.timestamp() if isinstance(when, datetime) else when)
    digest = hashlib.blake2b(object_stamp(facts).encode(), digest_size=8).digest()
    return seconds * 10**9 + int.from_bytes(digest) % 10**6 * 1000


def last_change(path: "Path | UPath") -> int:
    """When a file or object was last changed, in nanoseconds since 1970; see `changed_ns`.

    Raises:
        OSError: There is none, or it cannot be examined.
    """
    return path.stat().st_mtime_ns if isinstance(path, Path) else changed_ns(path.fs.info(path.path))


@functools.cache
def _file_system(scheme: str) -> Any:
    import fsspec

    file_system = fsspec.filesystem(scheme, **_options(scheme))
    if scheme == "s3":
        file_system.retries = 2  # of each page of a listing; those of whole requests are ours
    return file_system


def disconnect() -> None:
    """Forget every connection, so that the next request reads the environment's addresses and credentials anew."""
    _file_system.cache_clear()


def _options(scheme: str) -> dict[str, Any]:
    """What the file system of a scheme is told."""
    once = {"retries": {"max_attempts": 1, "mode": "standard"}}
    return {"config_kwargs": once} if scheme == "s3" else {}


def _in_words(error: Exception, url: str, setting: str) -> StoreError | None:
    """What went wrong with a store; None for what is no trouble of a store, such as an object that there is not."""
    scheme = _scheme(url)
    bucket = url.partition("://")[2].partition("/")[0]
    named = f"{setting} = {masked(url)!r}" if setting else masked(url)
    another = f"name another with {setting}" if setting else "name another"
    names = {kind.__name__ for kind in type(error).__mro__}
    noted = _codes(error)
    codes, why = set(noted), f"({next(iter(noted), type(error).__name__)})"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:  # on the disk that a copy goes to
        return None
    if isinstance(error, ImportError) and (package := _PACKAGES.get(scheme)):
        return StoreError(f"{named}: needs {package}. Install it: pip install {package}")
    if names & _NO_CREDENTIALS:
        hint = _CREDENTIALS.get("az" if scheme == "abfs" else scheme, "Give them")
        return StoreError(f"{named}: there are no credentials for this store {why}. {hint}.")
    if codes & _WRONG_KEY:
        return StoreError(
            f"{named}: the store does not accept the credentials {why}. Check the key, the secret and whether they "
            "have expired."
        )
    if codes & _NO_BUCKET:
        return StoreError(f"{named}: there is no bucket {bucket}. Make it, or {another}.")
    if codes & _BUSY:
        return StoreError(
            f"{named}: the store answers that it is too busy {why}. Try again later, or with fewer programs at once.",
            passes=True,
        )
    if codes & _ELSE_WRITTEN:
        return _NotWritten(f"{named}: somebody else has written this object")
    if (
        next(iter(noted), "") == "403"
    ):  # the answer to a question for the head of an object, which has no body
        return StoreError(
            f"{named}: the store does not accept the credentials, or they may not do that in the bucket {bucket} {why}."
            f" Check the key and the secret, and what they are allowed to do there, or {another}."
        )
    if isinstance(error, PermissionError) or codes & {"403", "AccessDenied"}:
        return StoreError(
            f"{named}: these credentials may not do that in the bucket {bucket} {why}. Allow them to list, read and, "
            f"for results, write and delete there, or {another}."
        )
    if isinstance(error, FileNotFoundError | FileExistsError | NotADirectoryError | IsADirectoryError):
        return None
    if codes & _TROUBLE or (isinstance(error, OSError) and error.errno in _PASSING and not names & _NETWORK):
        return StoreError(f"{named}: the store has trouble of its own {why}. Try again later.", passes=True)
    if names & _NETWORK:
        where = (
            f", and {_ENDPOINT[scheme]} where the store is not the usual one" if scheme in _ENDPOINT else ""
        )
        return StoreError(
            f"{named}: the store cannot be reached {why}. Check the network{where}; then run again.",
            passes=True,
        )
    if isinstance(error, OSError) and scheme in _PACKAGES:
        return StoreError(
            f"{named}: the store refuses {why}. Check the bucket {bucket} and its region, or {another}."
        )
    return None


def _codes(error: BaseException | None) -> list[str]:
    """What a store's answer was called, and its HTTP status, as the libraries note them on their errors."""
    found: list[Any] = []
    while error is not None:
        response = getattr(error, "response", None)
        if isinstance(response, dict):
            found.append(response.get("Error", {}).get("Code"))
            found.append(response.get("ResponseMetadata", {}).get("HTTPStatusCode"))
        found += [getattr(error, name, None) for name in ("error_code", "code", "status_code", "status")]
        error = error.__cause__
    plain = (getattr(code, "value", code) for code in found)
    return [str(code) for code in plain if isinstance(code, str | int) and code]


def _scheme(url: str) -> str:
    return url.partition(":")[0].lower()
