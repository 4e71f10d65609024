"""An S3 server of this machine, behind a gate that counts what passes and makes trouble when it is told to."""

import http.client
import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import fsspec

REFUSED = "http://127.0.0.1:9"
"""An address where nothing listens."""

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIATESTTESTTESTTEST",
    "AWS_SECRET_ACCESS_KEY": "a-secret-that-no-message-shows",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


def answer(status: int, code: str, message: str = "Because.") -> bytes:
    """An error as S3 words it, as a whole HTTP answer."""
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
    ).encode()
    head = f"HTTP/1.1 {status} {code}\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@dataclass(frozen=True)
class Request:
    """What a client asked for.

    Attributes:
        method: Such as GET.
        path: Bucket and key, without the query.
        query: What stands behind the question mark.
    """

    method: str
    path: str
    query: str

    @property
    def is_of_object(self) -> bool:
        """Whether it is about one object and not about a bucket."""
        return self.path.count("/") > 1


@dataclass
class Gate:
    """The way to the server.

    Attributes:
        bucket: A bucket of its own.
        trouble: Is asked about each request: None lets it pass, bytes are the answer instead, `drop` closes the
            connection, `cut` closes it in the middle of the answer, a number of seconds holds it up.
        requests: What passed.
        bytes_sent: Bytes of objects that clients got.
    """

    bucket: str = ""
    url: str = ""
    trouble: Callable[[Request], Any] = lambda request: None
    requests: list[Request] = field(default_factory=list)
    bytes_sent: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def place(self, *names: str) -> str:
        return "/".join([f"s3://{self.bucket}", *names])

    def put(self, name: str, content: bytes) -> None:
        self.ask("PUT", name, content)

    def remove(self, name: str) -> None:
        self.ask("DELETE", name)

    def fill(self, folder: Path, below: str) -> None:
        """Put every file of a folder into the bucket."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.put(f"{below}/{path.relative_to(folder).as_posix()}", path.read_bytes())

    def ask(self, method: str, name: str, content: bytes | None = None) -> bytes:
        """A request past the gate."""
        server = urlsplit(self.server)
        connection = http.client.HTTPConnection(str(server.hostname), server.port, timeout=30)
        headers = {"Authorization": "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request"}
        connection.request(method, f"/{self.bucket}/{name}" if name else f"/{self.bucket}", content, headers)
        found = connection.getresponse()
        body = found.read()
        assert found.status < 300, (method, name, found.status, body)
        return body

    def of_objects(self, method: str) -> list[str]:
        """Keys that were asked for with a method."""
        asked = (request for request in list(self.requests) if request.is_of_object)
        return [request.path.split("/", 2)[2] for request in asked if request.method == method]

    def forget(self) -> None:
        """Count from now on."""
        self.requests.clear()
        self.bytes_sent = 0

    server: str = ""


def _handler(gate: Gate) -> type[BaseHTTPRequestHandler]:
    server = urlsplit(gate.server)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            request = Request(self.command, parts.path, parts.query)
            content = self._content()
            with gate.lock:
                gate.requests.append(request)
                trouble = gate.trouble(request)
            if trouble == "drop":
                self.close_connection = True
            elif isinstance(trouble, bytes):
                self.wfile.write(
                    trouble if self.command != "HEAD" else trouble.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
                )
            else:
                if trouble and trouble != "cut":
                    time.sleep(trouble)
                self._pass_on(content, cut=trouble == "cut")

        do_PUT = do_POST = do_DELETE = do_HEAD = do_GET

        def _content(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            found = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                found += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return found

        def _pass_on(self, content: bytes, *, cut: bool) -> None:
            connection = http.client.HTTPConnection(str(server.hostname), server.port, timeout=60)
            headers = {
                name: value
                for name, value in self.headers.items()
                if name.lower() not in ("transfer-encoding", "content-length", "connection", "expect")
            }
            connection.request(self.command, self.path, content or None, headers)
            found = connection.getresponse()
            body = found.read()
            connection.close()
            lines = [f"HTTP/1.1 {found.status} {found.reason}"]
            lines += [
                f"{name}: {value}"
                for name, value in found.getheaders()
                if name.lower() not in ("transfer-encoding", "content-length", "connection", "date", "server")
            ]
            size = len(body) if self.command != "HEAD" else int(found.getheader("Content-Length") or 0)
            self.wfile.write("\r\n".join([*lines, f"Content-Length: {size}", "", ""]).encode())
            with suppress(ConnectionError):
                self.wfile.write(body[: len(body) // 2] if cut else body)
            if cut:
                self.close_connection = True
            if self.command == "GET" and self.path.split("?")[0].count("/") > 1:
                with gate.lock:
                    gate.bytes_sent += len(body)

        def log_message(self, format: str, *given: Any) -> None:
            """Nothing."""

    return Handler


@contextmanager
def store_server() -> Iterator[str]:
    """An S3 server; gives its address."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@contextmanager
def gate_to(server: str) -> Iterator[Gate]:
    """A gate to the server with an empty bucket behind it, which this process and its children reach."""
    gate = Gate(bucket=f"photos-{uuid.uuid4().hex[:8]}", server=server)
    gate.ask("PUT", "")
    listening = ThreadingHTTPServer(("127.0.0.1", 0), _handler(gate))
    listening.daemon_threads = True
    thread = threading.Thread(target=listening.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    gate.url = f"http://127.0.0.1:{listening.server_port}"
    try:
        with reaching(gate.url):
            yield gate
    finally:
        listening.shutdown()
        listening.server_close()


@contextmanager
def reaching(address: str, **variables: str) -> Iterator[None]:
    """Let S3 be at this address, for this process and its children."""
    from clustering_assets import stores

    given = {**ENVIRONMENT, "AWS_ENDPOINT_URL": address, **variables}
    with mock.patch.dict(os.environ, {name: value for name, value in given.items() if value}):
        for name, value in given.items():
            if not value:
                os.environ.pop(name, None)
        _connect_anew(stores)
        try:
            yield
        finally:
            _connect_anew(stores)


def _connect_anew(stores: Any) -> None:
    """Forget which addresses and credentials file systems were made with."""
    stores.disconnect()
    fsspec.get_filesystem_class("s3").clear_instance_cache()
