"""Who may ask the webserver: requests and websockets of its own pages and of programs, and no others."""

import asyncio
import json

import pytest

from clustering_assets.defs.same_origin import LOCAL, SameOriginOnly

JSON = {"content-type": "application/json"}
OWN = {"origin": "http://localhost:3000"}
BESIDE = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
"""What a page that may do nothing in the name of the UI sends with what it fetches."""


def ask(headers, method="POST", path="/graphql", query="", kind="http", body=b"{}", public=()):
    """What is answered, and the body that arrived behind the check; None where the request did not get there."""
    arrived, answers = [], []

    async def app(scope, receive, send):
        arrived.append((await receive()).get("body", b"") if kind == "http" else b"")
        await send(
            {"type": "http.response.start", "status": 200, "headers": []}
            if kind == "http"
            else {"type": "ok"}
        )

    async def receive():
        return {"type": "http.request", "body": body}

    async def send(message):
        answers.append(message)

    scope = {
        "type": kind,
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [
            (name.encode(), value.encode()) for name, value in {"host": "localhost:3000", **headers}.items()
        ],
    }
    if kind == "websocket":
        del scope["method"]
    asyncio.run(SameOriginOnly(app, own={*LOCAL, "desk"}, public=public)(scope, receive, send))
    return answers, arrived[0] if arrived else None


@pytest.mark.parametrize(
    ("headers", "request_"),
    [
        (JSON, {}),
        ({**JSON, **OWN, "sec-fetch-site": "same-origin"}, {}),
        ({**JSON, "host": "127.0.0.1"}, {}),
        ({**JSON, "host": "[::1]:3000", "origin": "http://[::1]:3000"}, {}),
        ({**JSON, "host": "Desk:80", "origin": "http://Desk:80"}, {}),
        ({"content-type": "Application/JSON; charset=utf-8"}, {}),
        ({"content-type": "multipart/form-data; boundary=x", **OWN}, {}),
        ({}, {"method": "GET", "path": "/assets"}),
        ({"sec-fetch-site": "none"}, {"method": "GET", "path": "/graphql"}),
        (
            {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"},
            {"method": "GET", "path": "/runs"},
        ),
        (
            {**BESIDE, "referer": "http://localhost:3000/"},
            {"method": "GET", "path": "/files/out/gallery/a.js"},
        ),
        ({**BESIDE, "sec-fetch-dest": "video"}, {"method": "GET", "path": "/files/out/videos/a.mp4"}),
        (OWN, {"kind": "websocket"}),
        ({}, {"kind": "websocket"}),
        ({**JSON, "origin": "https://photos.example"}, {"public": ["photos.example"]}),
        (
            {**JSON, "host": "photos.example", "origin": "https://photos.example"},
            {"public": ["photos.example"]},
        ),
    ],
)
def test_own_pages_and_programs_are_answered(headers, request_):
    (answer,), arrived = ask(headers, **request_)
    assert arrived is not None
    if request_.get("kind") != "websocket":
        assert (b"x-frame-options", b"SAMEORIGIN") in answer["headers"]
        assert arrived == b"{}"


@pytest.mark.parametrize(
    ("headers", "request_"),
    [
        ({**JSON, "host": "rebound.example:3000"}, {}),
        ({**JSON, "host": "rebound.example:3000", "origin": "http://rebound.example:3000"}, {}),
        ({"host": "rebound.example:3000"}, {"method": "GET", "path": "/"}),
        ({**JSON, "host": "["}, {}),
        ({**JSON, "host": ""}, {}),
        ({**JSON, "origin": "http://localhost:8000"}, {}),
        ({**JSON, "origin": "https://elsewhere.example"}, {}),
        ({**JSON, "origin": "null"}, {}),
        ({**JSON, "origin": ""}, {}),
        ({**JSON, "sec-fetch-site": "cross-site"}, {}),
        ({**JSON, "sec-fetch-site": "same-site"}, {}),
        ({}, {}),
        ({"content-type": "text/plain"}, {}),
        ({"content-type": "application/x-www-form-urlencoded", **OWN}, {}),
        ({"content-type": "multipart/form-data; boundary=x"}, {}),
        ({}, {"path": "/report_asset_materialization/embeddings"}),
        ({}, {"method": "GET", "query": "query=mutation{a}"}),
        ({}, {"method": "GET", "path": "/graphql/", "query": "query=mutation{a}"}),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, {"method": "GET", "path": "/logs/a"}),
        (BESIDE, {"method": "GET", "path": "/files/out/gallery/a.js"}),
        ({**BESIDE, "sec-fetch-dest": "video"}, {"method": "GET", "path": "/logs/a"}),
        (
            {**BESIDE, "referer": "https://elsewhere.example/"},
            {"method": "GET", "path": "/files/out/gallery/a.js"},
        ),
        ({**BESIDE, "referer": "http://localhost:3000/"}, {"method": "GET", "path": "/logs/a"}),
        ({**BESIDE, "referer": "http://localhost:3000/"}, {"method": "POST", "path": "/files/a.js"}),
        (
            {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
            {"method": "GET", "path": "/runs"},
        ),
        (
            {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"},
            {"method": "GET", "path": "/graphql"},
        ),
        ({"host": "rebound.example"}, {"kind": "websocket"}),
        ({"origin": "https://elsewhere.example"}, {"kind": "websocket"}),
        ({"sec-fetch-site": "cross-site"}, {"kind": "websocket"}),
        ({**JSON, "origin": "https://photos.example.org"}, {"public": ["photos.example"]}),
        (JSON, {"body": b'{"variables": {"config": {"output": "s3://id:secret@bucket/a"}}}'}),
        (JSON, {"body": rb'{"output": "s3:\/\/id:secret@bucket/a"}'}),
        (JSON, {"body": rb'{"output": "s3:\u002F\u002f\u00efd\u003asecret\u0040bucket/a"}'}),
        (
            JSON,
            {
                "body": json.dumps(
                    {"config": json.dumps({"output": "s3://id:secret@b"}).replace("/", r"\/")}
                ).encode()
            },
        ),
        (JSON, {"body": rb'{"config": "output: \"s3:\\x2f\\x2fid\\U0000003asecret@bucket\""}'}),
    ],
)
def test_pages_of_other_places_are_refused_with_words(headers, request_):
    answers, arrived = ask(headers, **request_)
    assert arrived is None
    if request_.get("kind") == "websocket":
        assert answers == [{"type": "websocket.close", "code": 1008}]
    else:
        assert answers[0]["status"] == 403
        assert json.loads(answers[1]["body"])["errors"][0]["message"].startswith("This request is refused: ")
        assert b"secret" not in answers[1]["body"]
