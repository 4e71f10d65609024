"""Pictures from a Kaggle dataset, through Kaggle's own client and with its usual credentials."""

import logging
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from clustering_assets.download import DownloadError, Patience, download
from clustering_assets.sources.imported import Imported, SourceError
from clustering_assets.sources.unpack import Caps, unpack

log = logging.getLogger("clustering_assets.sources")

_EXTRA = "Kaggle's client is not installed; install it with: pip install kagglehub"
_CREDENTIALS = (
    "Kaggle needs your credentials. Make a token at https://www.kaggle.com/settings (API, Create New Token), then "
    "set KAGGLE_API_TOKEN to it, or KAGGLE_USERNAME and KAGGLE_KEY, or save it as ~/.kaggle/kaggle.json"
)
_ANSWER_WITHIN = (10.0, 60.0)  # seconds to connect and to answer; the client itself would wait for ever


def import_kaggle(
    dataset: str,
    folder: Path,
    *,
    limit: int | None = None,
    caps: Caps | None = None,
    patience: Patience | None = None,
) -> Imported:
    """Download a Kaggle dataset and unpack its pictures into `folder/kaggle/<owner>/<dataset>`.

    The archive is downloaded under a hidden name, goes on after an interruption, and is deleted when its pictures
    are unpacked. Pictures that are there already are left alone.

    Args:
        dataset: "owner/name", or "owner/name/versions/3" for a version.
        folder: The folder of pictures.
        limit: At most this many pictures, evenly spread over the dataset; None for all.
        caps: What the archive may hold at most; None for the defaults.
        patience: How hard the download tries.

    Raises:
        SourceError: The client or the credentials are missing, the dataset is not there or may not be read, or
            its archive is not safe.
    """
    if limit is not None and limit < 1:
        raise SourceError(f"limit = {limit}: must be at least 1")
    caps = caps or Caps()
    hub = _client_library()
    handle = _handle(dataset)
    _check_credentials(hub)
    target = Path(folder) / "kaggle" / handle.owner / handle.dataset
    version, url = _archive(hub, handle)
    archive = target / f".version_{version}.archive"
    if not archive.is_file():
        try:
            title = f"Downloading {dataset}"
            download(url, archive, max_bytes=caps.bytes, patience=patience, title=title)
        except DownloadError as error:  # the address is signed, so it does not belong into a message
            raise SourceError(f"Kaggle dataset {dataset}: the download failed: {error.reason}") from None
    try:
        imported = unpack(archive, target, limit=limit, caps=caps)
    finally:
        archive.unlink(missing_ok=True)
    if not imported.files and not imported.skipped and not imported.failures:
        raise SourceError(f"Kaggle dataset {dataset}: there are no files in it")
    return replace(imported, folder=target)


def _client_library() -> ModuleType:
    """The kagglehub package.

    Raises:
        SourceError: It is not installed, or too old.
    """
    try:
        import kagglehub
        import kagglehub.clients
        import kagglehub.config
        import kagglehub.handle
        from kagglehub.clients import build_kaggle_client  # noqa: F401
        from kagglesdk.datasets.types.dataset_api_service import ApiDownloadDatasetRequest  # noqa: F401
    except ImportError as error:
        if error.name == "kagglehub":
            raise SourceError(_EXTRA) from None
        raise SourceError(
            f"Kaggle's client is too old or incomplete ({error}); upgrade it: pip install -U kagglehub"
        ) from None
    return kagglehub


def _handle(dataset: str) -> Any:
    """The parsed name of a dataset, with `owner`, `dataset` and `version`.

    Raises:
        SourceError: It is not written as owner/name.
    """
    from kagglehub.handle import parse_dataset_handle

    try:
        handle = parse_dataset_handle(dataset)
    except ValueError:
        handle = None
    parts = (handle.owner, handle.dataset) if handle else ()
    if not parts or not all(part.replace("-", "").replace("_", "").isalnum() for part in parts):
        raise SourceError(
            f"dataset = {dataset!r}: write it as OWNER/DATASET, as in its address on kaggle.com"
        )
    return handle


def _check_credentials(hub: ModuleType) -> None:
    """Fail at once without credentials, rather than after a refusal that does not say why.

    Raises:
        SourceError: There are none, or their file cannot be read.
    """
    try:
        found = hub.config.get_kaggle_credentials()
    except ValueError as error:
        raise SourceError(f"{error}. {_CREDENTIALS}") from None
    if not found:
        raise SourceError(_CREDENTIALS)


def _archive(hub: ModuleType, handle: Any) -> tuple[int, str]:
    """The version of a dataset, and the address that its archive can be fetched from for a while.

    Raises:
        SourceError: Kaggle does not answer, or refuses.
    """
    import requests
    from kagglesdk.datasets.types.dataset_api_service import ApiDownloadDatasetRequest, ApiGetDatasetRequest

    try:
        with hub.clients.build_kaggle_client() as client:
            _set_timeouts(client)
            api = client.datasets.dataset_api_client
            version = handle.version
            if not version:
                question = ApiGetDatasetRequest()
                question.owner_slug, question.dataset_slug = handle.owner, handle.dataset
                version = api.get_dataset(question).current_version_number
            request = ApiDownloadDatasetRequest()
            request.owner_slug, request.dataset_slug = handle.owner, handle.dataset
            request.dataset_version_number = version
            answer = api.download_dataset(request)  # follows the redirect to the storage
            with answer:
                return int(version), str(answer.url)
    except requests.HTTPError as error:
        raise SourceError(_refusal(handle, error)) from None
    except requests.RequestException as error:
        raise SourceError(
            f"Kaggle did not answer ({type(error).__name__}). Check the network and import again."
        ) from None


def _set_timeouts(client: Any) -> None:
    """Give the client's session a time limit, which it has none of."""
    with suppress(AttributeError):  # where a later client keeps its session elsewhere, it works without
        session = client._http_client._session
        session.send = partial(session.send, timeout=_ANSWER_WITHIN)


def _refusal(handle: Any, error: Any) -> str:
    """What a refusal of Kaggle means, in words."""
    status = error.response.status_code if error.response is not None else 0
    name = f"Kaggle dataset {handle.owner}/{handle.dataset}"
    if status in (401, 403):
        return (
            f"{name}: refused (HTTP {status}). The credentials are wrong or may not read it; a dataset that asks for "
            "consent must be accepted on its page first."
        )
    if status == 404:
        return f"{name}: not found (HTTP 404). Check OWNER/DATASET in its address on kaggle.com."
    return f"{name}: Kaggle answered HTTP {status}: {error}"
