"""A web server on loopback that misbehaves as told."""

import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Web:
    """What the server serves.

    Attributes:
        files: Body of each path.
        faults: What to do instead, in turn, for the next requests of a path: "404", "429:SECONDS", "503",
            "drop:BYTES" (break the connection after so many), "silent" (no answer), "slow:SECONDS", "redirect:URL",
            "trickle" (a byte every 10 ms), "whole" (the file from its beginning, whatever was asked for).
        tags: Entity tag of a path, where it has one of its own.
        seen: Number of requests for each path.
        ranges: The Range headers that came, with their path.
        posted: Bodies of POST requests for each path.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list[str]] = {}
        self.tags: dict[str, str] = {}
        self.seen: Counter[str] = Counter()
        self.ranges: list[tuple[str, str]] = []
        self.posted: dict[str, list[dict]] = {}
        self.headers: list[dict[str, str]] = []
        self.lock = threading.Lock()
        self.released = threading.Event()
        self.url = ""
        self.api: dict[str, tuple[int, dict | str]] = {}

    def fault(self, path: str) -> str:
        with self.lock:
            self.seen[path] += 1
            waiting = self.faults.get(path, [])
            return waiting.pop(0) if waiting else ""


def _handler(web: Web):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args) -> None:
            """Keep the test output clean."""

        def _plain(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            web.posted.setdefault(self.path, []).append(json.loads(body))
            web.headers.append(dict(self.headers))
            status, answer = web.api.get(self.path, (404, {"code": 404, "message": "no such service"}))
            if isinstance(answer, str):
                self._plain(302, {"Location": answer})
            else:
                self._plain(status, {"Content-Type": "application/json"}, json.dumps(answer).encode())

        def do_GET(self) -> None:
            fault, _, detail = web.fault(self.path).partition(":")
            if self.headers["Range"]:
                web.ranges.append((self.path, self.headers["Range"]))
            if fault == "silent":
                web.released.wait(10)
                self.close_connection = True
                return
            if fault == "redirect":
                self._plain(302, {"Location": detail})
                return
            if fault.isdigit():
                self._plain(int(fault), {"Retry-After": detail} if detail else {})
                return
            if self.path not in web.files:
                self._plain(404)
                return
            if fault == "slow":
                time.sleep(float(detail))
            asked = None if fault == "whole" else self.headers["Range"]
            self._serve(
                web.files[self.path], int(detail) if fault == "drop" else None, asked, fault == "trickle"
            )

        def _serve(self, body: bytes, cut: int | None, asked: str | None, trickle: bool) -> None:
            tag = web.tags.get(self.path, '"one"')
            start = 0
            if asked and self.headers["If-Range"] in (None, tag):
                start = int(asked.removeprefix("bytes=").rstrip("-"))
                if start >= len(body):
                    self._plain(416, {"Content-Range": f"bytes */{len(body)}"})
                    return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            if tag:
                self.send_header("ETag", tag)
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            if trickle:
                for byte in body[start:]:
                    self.wfile.write(bytes([byte]))
                    if web.released.wait(0.01):
                        return
            self.wfile.write(body[start:] if cut is None else body[start:][:cut])
            if cut is not None:
                self.wfile.flush()
                self.close_connection = True

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address) -> None:
        """Clients that hang up are part of the tests; anything else is shown."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def serving() -> Iterator[Web]:
    """A running server; its `url` is its address."""
    web = Web()
    server = _Server(("127.0.0.1", 0), _handler(web))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    web.url = f"http://127.0.0.1:{server.server_port}"
    yield web
    web.released.set()
    server.shutdown()
    server.server_close()
    thread.join()
