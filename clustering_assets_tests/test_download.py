"""Downloads: complete or not there, resumed, patient, bounded."""

import email.utils
import hashlib
import socket
import threading
import time
from pathlib import Path

import pytest

from clustering_assets.download import DownloadError, Patience, download
from clustering_assets.progress import reporting

BODY = bytes(range(256)) * 4_000
DIGEST = hashlib.sha256(BODY).hexdigest()


class Seen:
    """A reporter that keeps title, total and how far each piece of work came."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int | None, int]] = []

    def start(self, title, total, unit):
        self.title, self.total, self.done = title, total, 0
        return self

    def advance(self, count=1):
        self.done += count

    def finish(self):
        self.told.append((self.title, self.total, self.done))


def test_a_file_arrives_whole_with_its_size_and_progress(web, tmp_path, patience):
    web.files["/a.bin"] = BODY
    web.faults["/a.bin"] = ["drop:300000"]
    seen = Seen()
    with reporting(seen):
        size = download(f"{web.url}/a.bin", tmp_path / "in" / "a.bin", patience=patience, title="Fetching")
    assert size == len(BODY)
    assert (tmp_path / "in" / "a.bin").read_bytes() == BODY
    assert seen.told == [("Fetching", len(BODY), 300_000), ("Fetching", len(BODY), len(BODY))]
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["a.bin"]


def test_a_dropped_connection_goes_on_where_it_broke(web, tmp_path, patience):
    web.files["/a.bin"] = BODY
    web.faults["/a.bin"] = ["drop:300000", "drop:100000"]
    download(f"{web.url}/a.bin", tmp_path / "a.bin", patience=patience)
    assert (tmp_path / "a.bin").read_bytes() == BODY
    assert web.ranges == [("/a.bin", "bytes=300000-"), ("/a.bin", "bytes=400000-")]


def test_a_download_that_was_given_up_goes_on_in_the_next_run(web, tmp_path):
    web.files["/a.bin"] = BODY
    web.faults["/a.bin"] = ["drop:500000"]
    with pytest.raises(DownloadError, match="after 500,000 of 1,024,000 bytes"):
        download(f"{web.url}/a.bin", tmp_path / "a.bin", patience=Patience(attempts=1))
    assert not (tmp_path / "a.bin").exists()
    download(f"{web.url}/a.bin", tmp_path / "a.bin", patience=Patience(attempts=1))
    assert (tmp_path / "a.bin").read_bytes() == BODY
    assert web.ranges == [("/a.bin", "bytes=500000-")]


def test_a_file_that_changed_in_between_is_fetched_afresh(web, tmp_path):
    web.files["/a.bin"] = BODY
    web.faults["/a.bin"] = ["drop:500000"]
    with pytest.raises(DownloadError):
        download(f"{web.url}/a.bin", tmp_path / "a.bin", patience=Patience(attempts=1))
    web.files["/a.bin"], web.tags["/a.bin"] = BODY[::-1], '"two"'
    download(f"{web.url}/a.bin", tmp_path / "a.bin", patience=Patience(attempts=1))
    assert (tmp_path / "a.bin").read_bytes() == BODY[::-1]


def test_without_an_entity_tag_a_broken_download_begins_again(web, tmp_path, patience):
    web.files["/a.bin"], web.tags["/a.bin"] = BODY, ""
    web.faults["/a.bin"] = ["drop:300000"]
    download(f"{web.url}/a.bin", tmp_path / "a.bin", patience=patience)
    assert (tmp_path / "a.bin").read_bytes() == BODY
    assert web.ranges == []


def test_a_partial_file_that_is_too_long_is_thrown_away(web, tmp_path, patience):
    web.files["/a.bin"] = BODY
    (tmp_path / ".a.bin.partial").write_bytes(BODY + b"more")
    (tmp_path / ".a.bin.tag.partial").write_text('"one"')
    download(f"{web.url}/a.bin", tmp_path / "a.bin", patience=patience)
    assert (tmp_path / "a.bin").read_bytes() == BODY


def test_a_file_with_a_known_digest_is_built_upon_whatever_the_server_says_of_it(web, tmp_path, patience):
    web.files["/a.bin"], web.tags["/a.bin"] = BODY, ""
    web.faults["/a.bin"] = ["drop:300000"]
    download(f"{web.url}/a.bin", tmp_path / "a.bin", digest=DIGEST[:8], patience=patience)
    assert (tmp_path / "a.bin").read_bytes() == BODY
    assert web.ranges == [("/a.bin", "bytes=300000-")]


@pytest.mark.parametrize("beginning", [b"x" * 1000, BODY + b"more"])
def test_a_beginning_of_another_file_is_thrown_away_when_the_digest_tells(web, tmp_path, beginning):
    web.files["/a.bin"] = BODY
    (tmp_path / ".a.bin.partial").write_bytes(beginning)
    download(f"{web.url}/a.bin", tmp_path / "a.bin", digest=DIGEST, patience=Patience(attempts=1))
    assert (tmp_path / "a.bin").read_bytes() == BODY
    assert web.seen["/a.bin"] == 2


def test_another_file_than_the_one_of_the_digest_is_refused(web, tmp_path, patience):
    web.files["/a.bin"] = b"a page that asks to log in"
    with pytest.raises(DownloadError, match=r"its SHA-256 is \w{16}\.\.\., not "):
        download(f"{web.url}/a.bin", tmp_path / "a.bin", digest=DIGEST, patience=patience)
    assert list(tmp_path.iterdir()) == []


def test_retry_after_in_seconds_is_obeyed(web, tmp_path, patience, waits):
    web.files["/a.bin"] = BODY
    web.faults["/a.bin"] = ["429:7"]
    download(f"{web.url}/a.bin", tmp_path / "a.bin", patience=patience)
    assert waits == [7.0]


def test_retry_after_as_a_date_is_obeyed(web, tmp_path, patience, waits):
    web.files["/a.bin"] = BODY
    web.faults["/a.bin"] = ["503:" + email.utils.formatdate(time.time() + 30, usegmt=True)]
    download(f"{web.url}/a.bin", tmp_path / "a.bin", patience=patience)
    assert len(waits) == 1 and 27 < waits[0] <= 30


def test_a_server_that_asks_for_an_hour_is_given_up_with_that_reason(web, tmp_path, patience, waits):
    web.faults["/a.bin"] = ["429:3600"]
    with pytest.raises(DownloadError, match=r"HTTP 429 .* wait 3600 s"):
        download(f"{web.url}/a.bin", tmp_path / "a.bin", patience=patience)
    assert waits == []


def test_without_retry_after_the_waits_grow(web, tmp_path, patience, waits):
    web.faults["/a.bin"] = ["500", "502", "503", "504"]
    with pytest.raises(DownloadError, match=r"HTTP 504 .*\(4 attempts\)") as raised:
        download(f"{web.url}/a.bin", tmp_path / "a.bin", patience=patience)
    assert raised.value.status == 504
    assert waits == [0.1, 0.2, 0.4]


def test_a_missing_file_is_not_asked_for_twice(web, tmp_path, patience):
    with pytest.raises(DownloadError, match="HTTP 404") as raised:
        download(f"{web.url}/none.bin", tmp_path / "none.bin", patience=patience)
    assert raised.value.status == 404
    assert web.seen["/none.bin"] == 1
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_says_nothing_is_given_up(web, tmp_path):
    web.faults["/a.bin"] = ["silent", "silent"]
    with pytest.raises(DownloadError, match=r"nothing came for 0.2 s"):
        download(f"{web.url}/a.bin", tmp_path / "a.bin", patience=Patience(2, 0.2, 0, lambda seconds: None))


def test_a_file_of_which_a_few_bytes_come_at_a_time_is_given_up_and_goes_on_in_the_next_run(web, tmp_path):
    web.files["/a.bin"] = BODY
    web.faults["/a.bin"] = ["trickle"]
    patience = Patience(first_wait=0, slowest=100_000, window=0.2)
    with pytest.raises(DownloadError, match=r"only \d+ bytes came in 0.2 s; try again later"):
        download(f"{web.url}/a.bin", tmp_path / "a.bin", patience=patience)
    assert web.seen["/a.bin"] == 1
    download(f"{web.url}/a.bin", tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == BODY


def test_a_server_that_drops_the_connection_after_each_byte_is_given_up(web, tmp_path):
    web.files["/a.bin"] = BODY
    web.faults["/a.bin"] = ["drop:1"] * 1_000
    with pytest.raises(DownloadError, match=r"bytes came in 0.2 s"):
        download(
            f"{web.url}/a.bin",
            tmp_path / "a.bin",
            patience=Patience(first_wait=0, window=0.2, slowest=100_000),
        )


def test_a_name_that_nobody_looks_up_is_given_up(tmp_path, monkeypatch):
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(20) and [])
    with pytest.raises(DownloadError, match=r"nothing came for 0.2 s"):
        download("http://nowhere.invalid/a.bin", tmp_path / "a.bin", patience=Patience(1, 0.2))
    over.set()


def test_a_server_that_is_not_there_is_given_up(tmp_path, patience):
    with pytest.raises(DownloadError, match="refused"):
        download("http://127.0.0.1:9/a.bin", tmp_path / "a.bin", patience=patience)


def test_a_file_larger_than_the_limit_is_refused_before_it_is_fetched(web, tmp_path, patience):
    web.files["/a.bin"] = BODY
    with pytest.raises(DownloadError, match="limit of 1,000"):
        download(f"{web.url}/a.bin", tmp_path / "a.bin", max_bytes=1_000, patience=patience)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/a.jpg", "/etc/passwd"])
def test_only_the_web_is_downloaded(tmp_path, url):
    with pytest.raises(DownloadError, match="only http and https"):
        download(url, tmp_path / "a.bin")


def test_a_redirect_is_followed_on_the_web_and_not_to_this_machine(web, tmp_path, patience):
    web.files["/b.bin"] = BODY
    web.faults["/a.bin"] = [
        f"redirect:{web.url}/b.bin",
        "redirect:file:///etc/passwd",
        "redirect:ftp://127.0.0.1/a",
    ]
    download(f"{web.url}/a.bin", tmp_path / "a.bin", patience=patience)
    assert (tmp_path / "a.bin").read_bytes() == BODY
    for reason in ("not allowed", "not on the web"):
        with pytest.raises(DownloadError, match=reason):
            download(f"{web.url}/a.bin", tmp_path / "c.bin", patience=patience)


def test_a_place_that_cannot_be_written_is_named_and_not_tried_again(web, tmp_path, patience, waits):
    web.files["/a.bin"] = BODY
    (tmp_path / "taken").write_text("a file, not a folder")
    with pytest.raises(DownloadError, match=r"taken.* cannot be written"):
        download(f"{web.url}/a.bin", tmp_path / "taken" / "a.bin", patience=patience)
    assert waits == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_ends_the_download_with_that_reason(web, tmp_path, patience, waits):
    """`/dev/full` takes no byte, as a full disk does."""
    web.files["/a.bin"] = BODY
    (tmp_path / ".a.bin.partial").symlink_to("/dev/full")
    with pytest.raises(DownloadError, match="No space left"):
        download(f"{web.url}/a.bin", tmp_path / "a.bin", patience=patience)
    assert waits == []
