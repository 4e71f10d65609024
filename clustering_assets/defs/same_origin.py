"""Who may ask the webserver for something: its own pages and programs of this machine, and no page of another place.

Dagster's webserver answers whoever reaches it. A page that is open in the user's browser reaches it too, and a run
that it starts may read and write files.
"""

import re
import sys
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clustering_assets.defs.links import FILES
from clustering_assets.places import holds_password
from clustering_assets.settings import HOSTS_VARIABLE

LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
"""Names under which a browser of this machine reaches it."""

_ESCAPE = re.compile(rb"\\+(?:/|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|U([0-9a-fA-F]{8}))")
"""How strings of JSON and YAML write a slash or any character; inside another string with more backslashes."""

NESTED = 3
"""How deep strings lie in strings at most: YAML in a variable of GraphQL in JSON."""


def refusal(connection: HTTPConnection, own: Collection[str], public: Collection[str] = ()) -> str:
    """Why a request or a websocket is refused, judged by where it comes from and by its form; empty if it is not.

    Args:
        connection: The request.
        own: Names of the server itself. A page has to come from the very address that it asks.
        public: Names that a proxy before the server has; pages of these may ask, whatever name the proxy passes on.
    """
    headers = connection.headers
    host, origin, site = headers.get("host", ""), headers.get("origin"), headers.get("sec-fetch-site")
    if _name(f"//{host}") not in {*own, *public}:
        return f"it does not go by this name; name it in {HOSTS_VARIABLE} if it should"
    if origin is not None and urlsplit(origin).netloc != host and _name(origin) not in public:
        return "a page of another place asks"
    if site not in (None, "none", "same-origin") and not (
        _is_link(connection) or _is_part_of_results(connection, public)
    ):
        return "a page of another place asks"
    if connection.scope["type"] == "websocket":
        return ""
    if connection.scope["method"] in ("GET", "HEAD"):
        changes = _is_graphql(connection) and "query" in connection.query_params
        return "a query has to be a POST" if changes else ""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    from_own_page = origin is not None or site == "same-origin"
    if kind == "application/json" or (kind == "multipart/form-data" and from_own_page):
        return ""
    return "it has to be application/json"


def _name(address: str) -> str:
    """The host in an address, without its port; empty if there is none."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _is_graphql(connection: HTTPConnection) -> bool:
    """Whether it goes to where runs are started and read."""
    return connection.url.path.rstrip("/").endswith("/graphql")


def _is_link(connection: HTTPConnection) -> bool:
    """Whether somebody followed a link to a page, which opens in a tab of its own."""
    how = (connection.headers.get("sec-fetch-mode"), connection.headers.get("sec-fetch-dest"))
    return (
        how == ("navigate", "document")
        and connection.scope.get("method") == "GET"
        and not _is_graphql(connection)
    )


def _is_part_of_results(connection: HTTPConnection, public: Collection[str]) -> bool:
    """Whether a page among the results, which counts as one of another place, fetches what lies beside it.

    What it plays it asks for without saying who it is; another page could play that too, and read nothing of it.
    """
    page, played = connection.headers.get("referer", ""), connection.headers.get("sec-fetch-dest")
    return (
        connection.url.path.startswith(f"{FILES}/")
        and connection.scope.get("method") in ("GET", "HEAD")
        and (
            urlsplit(page).netloc == connection.headers.get("host")
            or _name(page) in public
            or (not page and played in ("video", "audio"))
        )
    )


class SameOriginOnly:
    """An ASGI application that lets only requests through to another one that `refusal` has nothing against.

    A request with a password in a URL is refused too, because Dagster would keep it with the run for ever.
    """

    def __init__(self, app: ASGIApp, own: Collection[str], public: Collection[str] = ()) -> None:
        self._app, self._own, self._public = app, own, public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it: 403, or a websocket that is closed before it is open."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        reason = refusal(HTTPConnection(scope), self._own, self._public)
        if not reason and scope["type"] == "http" and scope["method"] not in ("GET", "HEAD"):
            body = await Request(scope, receive).body()
            receive = _after({"type": "http.request", "body": body}, receive)
            secret = holds_password(_unescaped(body))
            reason = "there is a password in a URL, which would be stored" if secret else ""
        if reason and scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif reason:
            answer = JSONResponse(
                {"errors": [{"message": f"This request is refused: {reason}."}]}, status_code=403
            )
            await answer(scope, receive, send)
        else:
            await self._app(scope, receive, _unframed(send))


def _unescaped(text: bytes) -> bytes:
    r"""A text without the escapes of JSON and YAML, such as `\/` and `\u003a`, also of strings in strings."""
    for _ in range(NESTED):
        text = _ESCAPE.sub(_plain, text)
    return text


def _plain(escape: re.Match[bytes]) -> bytes:
    """The character that an escape stands for."""
    code = next(filter(None, escape.groups()), b"2f")
    return chr(min(int(code, 16), sys.maxunicode)).encode("utf-8", "surrogatepass")


def _after(first: Message, receive: Receive) -> Receive:
    """Gives `first`, then what `receive` gives."""
    messages = iter([first])

    async def replayed() -> Message:
        """The next message."""
        return next(messages, None) or await receive()

    return replayed


def _unframed(send: Send) -> Send:
    """Tells browsers not to show the page inside one of another place, where a person may click without knowing."""

    async def sent(message: Message) -> None:
        """Pass a message on; the first has the headers."""
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["X-Frame-Options"] = "SAMEORIGIN"
        await send(message)

    return sent
