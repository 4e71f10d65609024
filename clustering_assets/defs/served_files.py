"""Results, pictures and music served beside the UI, so that what it shows of them opens with a click."""

from collections.abc import Collection
from pathlib import Path

from starlette.responses import FileResponse, PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from clustering_assets.defs.links import FILES, kind_of
from clustering_assets.places import is_below, is_url

SANDBOX = "sandbox allow-scripts allow-popups allow-popups-to-escape-sandbox allow-downloads allow-modals"
"""Policy under which a page is shown: it may do what a page from a disk may, and ask the UI for nothing."""


class ServedFiles:
    """An ASGI application that answers for files below some folders, and lets another one answer for the rest.

    The gallery finds videos, pictures and music by relative addresses, so all lie under the paths that they have on
    the disk. Hidden files, and kinds that no browser shows, are not served.
    """

    def __init__(self, app: ASGIApp, folders: Collection[str]) -> None:
        self._app = app
        self._folders = [folder for folder in folders if folder and not is_url(folder)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or not scope["path"].startswith(f"{FILES}/"):
            await self._app(scope, receive, send)
        elif scope["method"] in ("GET", "HEAD") and (file := self._found(scope["path"])):
            headers = {"Content-Security-Policy": SANDBOX, "Cache-Control": "no-cache"}
            await FileResponse(file, media_type=kind_of(file), headers=headers)(scope, receive, send)
        else:
            await PlainTextResponse("There is no such file among the results.", 404)(scope, receive, send)

    def _found(self, address: str) -> Path | None:
        """The file at an address, links followed; None where there is none that may be shown."""
        path = Path(address.removeprefix(FILES))
        try:
            file = path.resolve()
            if any(part.startswith(".") for part in (*path.parts, *file.parts)) or not kind_of(file):
                return None
            return file if is_below(str(file), self._folders) and file.is_file() else None
        except (OSError, ValueError):  # a name that no file can have
            return None
