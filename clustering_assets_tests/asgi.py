"""ASGI applications asked without a server."""

import asyncio
from typing import Any


async def the_ui(_scope: Any, _receive: Any, send: Any) -> None:
    """The application behind the one that is asked."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"the UI"})


def ask(
    application: Any, address: str, method: str = "GET", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an answer."""
    answers: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: dict[str, Any]) -> None:
        answers.append(message)

    scope = {
        "type": "http",
        "asgi": {"spec_version": "2.4"},
        "method": method,
        "path": address,
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    asyncio.run(application(scope, receive, send))
    head = {name.decode(): value.decode() for name, value in answers[0]["headers"]}
    return answers[0]["status"], head, b"".join(message.get("body", b"") for message in answers[1:])
