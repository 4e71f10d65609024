"""Weights: found in the hub cache, or fetched with hash check, resume, limit and lock."""

import hashlib
import os
import socket
import subprocess
import sys

import pytest

from clustering_assets.embedding.weights import WeightsError, WeightsFile, local_file, obtain

CONTENT = bytes(range(256)) * 4096
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def weights(web):
    web.files["/net.pth"] = CONTENT
    return WeightsFile("net.pth", DIGEST[:8], url=f"{web.url}/net.pth")


def test_a_file_in_the_hub_cache_is_taken_as_it_is(tmp_path, web, weights):
    (tmp_path / "net.pth").write_bytes(CONTENT)
    assert obtain(weights, tmp_path) == tmp_path / "net.pth"
    assert not web.seen


def test_a_missing_file_is_fetched_once(tmp_path, web, weights):
    assert obtain(weights, tmp_path / "hub").read_bytes() == CONTENT
    obtain(weights, tmp_path / "hub")
    assert web.seen["/net.pth"] == 1


def test_a_damaged_file_in_the_hub_cache_is_fetched_anew(tmp_path, weights, caplog):
    (tmp_path / "net.pth").write_bytes(CONTENT[:1000])
    assert obtain(weights, tmp_path).read_bytes() == CONTENT
    assert "is damaged" in caplog.text


def test_a_broken_off_download_goes_on_where_it_stopped(tmp_path, web, weights):
    web.faults["/net.pth"] = ["drop:300000"]
    with pytest.raises(WeightsError, match="connection was lost"):
        obtain(weights, tmp_path)
    assert not (tmp_path / "net.pth").exists()
    assert obtain(weights, tmp_path).read_bytes() == CONTENT
    assert web.ranges == [("/net.pth", "bytes=300000-")]


def test_a_server_that_cannot_resume_sends_everything_again(tmp_path, web, weights):
    (tmp_path / ".net.pth.partial").write_bytes(CONTENT[:1000])
    web.faults["/net.pth"] = ["whole"]
    assert obtain(weights, tmp_path).read_bytes() == CONTENT


def test_a_part_that_was_already_complete_is_used(tmp_path, web, weights):
    (tmp_path / ".net.pth.partial").write_bytes(CONTENT)
    assert obtain(weights, tmp_path).read_bytes() == CONTENT
    assert web.seen["/net.pth"] == 1


def test_a_download_with_a_wrong_hash_is_refused(tmp_path, web, weights):
    web.files["/net.pth"] = b"another file"
    with pytest.raises(WeightsError, match=r"SHA-256 is .*, not .*To put the file at its place: curl"):
        obtain(weights, tmp_path)
    assert not (tmp_path / "net.pth").exists()


def test_the_error_says_where_to_put_the_file(tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/net.pth"
    with pytest.raises(WeightsError, match="To put the file at its place: curl") as caught:
        obtain(WeightsFile("net.pth", DIGEST[:8], url=url), tmp_path)
    assert str(tmp_path / "net.pth") in str(caught.value)
    assert url in str(caught.value)


def test_a_silent_server_is_given_up(tmp_path):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/net.pth"
        with pytest.raises(WeightsError, match=r"nothing came for 0\.3 s"):
            obtain(WeightsFile("net.pth", DIGEST[:8], url=url), tmp_path, timeout=0.3)


def test_two_processes_fetch_a_file_once(tmp_path, web, weights):
    web.faults["/net.pth"] = ["slow:0.5"]
    script = (
        "import sys, pathlib\n"
        "from clustering_assets.embedding.weights import WeightsFile, obtain\n"
        f"obtain(WeightsFile('net.pth', {DIGEST[:8]!r}, url={weights.url!r}), pathlib.Path({str(tmp_path)!r}))"
    )
    running = [subprocess.Popen([sys.executable, "-c", script], env=dict(os.environ)) for _ in range(2)]
    assert [process.wait(timeout=60) for process in running] == [0, 0]
    assert web.seen["/net.pth"] == 1
    assert (tmp_path / "net.pth").read_bytes() == CONTENT


def test_a_file_of_the_users_own_is_known_by_its_hash(tmp_path):
    (tmp_path / "mine.pth").write_bytes(CONTENT)
    mine = local_file(tmp_path / "mine.pth")
    assert mine.digest == DIGEST[:16]
    assert obtain(mine, tmp_path / "hub") == tmp_path / "mine.pth"


def test_a_missing_file_of_the_users_own_is_named(tmp_path):
    with pytest.raises(WeightsError, match=r"nowhere\.pth: cannot be read"):
        local_file(tmp_path / "nowhere.pth")
