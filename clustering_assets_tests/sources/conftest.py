"""A web server on loopback that misbehaves as told, and small pictures to serve."""

import io
import json
import sys
import threading
import zipfile
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image

from clustering_assets.download import Patience


class Web:
    """What the server serves.

    Attributes:
        files: Body of each path.
        faults: What to do instead, in turn, for the next requests of a path: "404", "429:SECONDS", "503",
            "drop:BYTES" (break the connection after so many), "silent" (no answer), "redirect:URL".
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
            self._serve(web.files[self.path], int(detail) if fault == "drop" else None)

        def _serve(self, body: bytes, cut: int | None) -> None:
            tag = web.tags.get(self.path, '"one"')
            start, asked = 0, self.headers["Range"]
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


@pytest.fixture
def web():
    """A running server; `web.url` is its address."""
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


@pytest.fixture
def waits():
    """The seconds that downloads waited, which pass at once."""
    return []


@pytest.fixture
def patience(waits):
    return Patience(attempts=4, timeout=0.5, first_wait=0.1, wait=waits.append)


@pytest.fixture(scope="session")
def picture():
    """Makes a small JPEG, a different one for each number."""

    def make(number: int = 0) -> bytes:
        pixels = np.random.default_rng(number).integers(0, 256, (24, 32, 3), dtype=np.uint8)
        data = io.BytesIO()
        Image.fromarray(pixels).save(data, "JPEG", quality=80)
        return data.getvalue()

    return make


@pytest.fixture(scope="session")
def zipped():
    """Makes a zip archive of names and contents, names as they are."""

    def make(contents: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w", compression) as archive:
            for name, body in contents.items():
                info = zipfile.ZipInfo("x")
                info.filename, info.compress_type = name, compression
                archive.writestr(info, body)
        return data.getvalue()

    return make
