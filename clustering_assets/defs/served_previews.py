"""Previews served beside the UI, which shows a picture at once only where it can fetch it from an address."""

import base64
import io
import re

import dagster as dg
from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from clustering_assets.defs.links import PREVIEW, PREVIEWS

COLUMN = 540
"""How many pixels wide the column of values is in a window of 1,500."""


class ServedPreviews:
    """An ASGI application that answers for the previews that are recorded, and lets another one answer for the rest."""

    def __init__(self, app: ASGIApp, instance: dg.DagsterInstance) -> None:
        self._app, self._instance = app, instance

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or not scope["path"].startswith(f"{PREVIEWS}/"):
            await self._app(scope, receive, send)
            return
        found = await run_in_threadpool(self._found, scope["path"]) if scope["method"] == "GET" else None
        await (found or PlainTextResponse("There is no such preview.", 404))(scope, receive, send)

    def _found(self, address: str) -> Response | None:
        """The picture at an address, which stays what it is; None where there is none."""
        run_id, *made = address.removeprefix(f"{PREVIEWS}/").split("/")
        kind = dg.DagsterEventType.ASSET_MATERIALIZATION
        for record in self._instance.get_records_for_run(run_id, of_type=kind).records:
            event = record.event_log_entry.asset_materialization
            if event and [event.asset_key.to_user_string(), *filter(None, [event.partition])] == made:
                held = event.metadata.get(PREVIEW)
                if picture := re.search(r"data:image/\w+;base64,([^)]+)", str(held.value if held else "")):
                    return _fitting(base64.b64decode(picture[1]))
        return None


def _fitting(picture: bytes) -> Response:
    """An answer with a picture no wider than the column in which the UI shows it."""
    from PIL import Image

    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image.thumbnail((COLUMN, 4 * COLUMN))
    target = io.BytesIO()
    image.save(target, "JPEG", quality=85)
    lasting = {"Cache-Control": "private, max-age=86400, immutable"}
    return Response(target.getvalue(), headers=lasting, media_type="image/jpeg")
