"""Weights: found in the hub cache, or fetched with hash check, resume, limit and lock."""

import hashlib
import os
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from clustering_assets.embedding.weights import WeightsError, WeightsFile, local_file, obtain

CONTENT = bytes(range(256)) * 4096
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class _Server(ThreadingHTTPServer):
    """Serves one file, counts what is asked for, and misbehaves on request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.content = CONTENT
        self.cut_after: int | None = None
        self.ranges = True
        self.pause = 0.0
        self.asked: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/net.pth"


class _Answers(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.asked.append(asked)
        time.sleep(self.server.pause)
        start = int(asked[6:-1]) if asked and self.server.ranges else 0
        body = self.server.content[start:]
        if asked and self.server.ranges and not body:
            self.send_error(416)
            return
        self.send_response(206 if asked and self.server.ranges else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.server.cut_after])

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server():
    with _Server() as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield running
        running.shutdown()


@pytest.fixture
def weights(server):
    return WeightsFile("net.pth", DIGEST[:8], url=server.url)


def test_a_file_in_the_hub_cache_is_taken_as_it_is(tmp_path, server, weights):
    (tmp_path / "net.pth").write_bytes(CONTENT)
    assert obtain(weights, tmp_path) == tmp_path / "net.pth"
    assert server.asked == []


def test_a_missing_file_is_fetched_once(tmp_path, server, weights):
    assert obtain(weights, tmp_path / "hub").read_bytes() == CONTENT
    obtain(weights, tmp_path / "hub")
    assert len(server.asked) == 1


def test_a_damaged_file_in_the_hub_cache_is_fetched_anew(tmp_path, weights, caplog):
    (tmp_path / "net.pth").write_bytes(CONTENT[:1000])
    assert obtain(weights, tmp_path).read_bytes() == CONTENT
    assert "is damaged" in caplog.text


def test_a_broken_off_download_goes_on_where_it_stopped(tmp_path, server, weights):
    server.cut_after = 300_000
    with pytest.raises(WeightsError, match="connection ended"):
        obtain(weights, tmp_path)
    assert not (tmp_path / "net.pth").exists()
    server.cut_after = None
    assert obtain(weights, tmp_path).read_bytes() == CONTENT
    assert server.asked == [None, "bytes=300000-"]


def test_a_server_that_cannot_resume_sends_everything_again(tmp_path, server, weights):
    (tmp_path / ".net.pth.partial").write_bytes(CONTENT[:1000])
    server.ranges = False
    assert obtain(weights, tmp_path).read_bytes() == CONTENT


def test_a_part_of_another_file_is_not_built_upon(tmp_path, server, weights):
    (tmp_path / ".net.pth.partial").write_bytes(b"x" * 1000)
    assert obtain(weights, tmp_path).read_bytes() == CONTENT
    assert server.asked == ["bytes=1000-", None]


def test_a_part_that_was_already_complete_is_used(tmp_path, weights):
    (tmp_path / ".net.pth.partial").write_bytes(CONTENT)
    assert obtain(weights, tmp_path).read_bytes() == CONTENT


def test_a_download_with_a_wrong_hash_is_refused(tmp_path, server, weights):
    server.content = b"another file"
    with pytest.raises(WeightsError, match=r"SHA-256 is .*, not .*put the file at"):
        obtain(weights, tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".lock"] == []


def test_the_error_says_where_to_put_the_file(tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/net.pth"
    with pytest.raises(WeightsError, match="put the file at") as caught:
        obtain(WeightsFile("net.pth", DIGEST[:8], url=url), tmp_path)
    assert str(tmp_path / "net.pth") in str(caught.value)
    assert url in str(caught.value)


def test_a_silent_server_is_given_up(tmp_path):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/net.pth"
        with pytest.raises(WeightsError, match=r"no answer|timed out"):
            obtain(WeightsFile("net.pth", DIGEST[:8], url=url), tmp_path, timeout=0.3)


def test_two_processes_fetch_a_file_once(tmp_path, server, weights):
    server.pause = 0.5
    script = (
        "import sys, pathlib\n"
        "from clustering_assets.embedding.weights import WeightsFile, obtain\n"
        f"obtain(WeightsFile('net.pth', {DIGEST[:8]!r}, url={server.url!r}), pathlib.Path({str(tmp_path)!r}))"
    )
    running = [subprocess.Popen([sys.executable, "-c", script], env=dict(os.environ)) for _ in range(2)]
    assert [process.wait(timeout=60) for process in running] == [0, 0]
    assert len(server.asked) == 1
    assert (tmp_path / "net.pth").read_bytes() == CONTENT


def test_a_file_of_the_users_own_is_known_by_its_hash(tmp_path):
    (tmp_path / "mine.pth").write_bytes(CONTENT)
    mine = local_file(tmp_path / "mine.pth")
    assert mine.digest == DIGEST[:16]
    assert obtain(mine, tmp_path / "hub") == tmp_path / "mine.pth"


def test_a_missing_file_of_the_users_own_is_named(tmp_path):
    with pytest.raises(WeightsError, match=r"nowhere\.pth: cannot be read"):
        local_file(tmp_path / "nowhere.pth")
