"""Troubles of stores: which pass, which are told and how, and that nothing of a key is in what is told."""

import pickle
import time

import pytest
from upath import UPath

from clustering_assets import stores
from clustering_assets.storage import atomic_path, local_copy, move, write_bytes
from clustering_assets.stores import Store, StoreError, open_place
from clustering_assets_tests.object_stores import ENVIRONMENT, REFUSED, answer, reaching

BARE = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    monkeypatch.setattr(stores, "WAITS", (0.01, 0.01))


def told(place: str) -> str:
    with pytest.raises(StoreError) as error:
        (open_place(place, "output") / "a").read_bytes()
    assert place in str(error.value) and str(error.value).startswith("output = ")
    text = f"{error.value} {error.value.__cause__} {pickle.loads(pickle.dumps(error.value))}"
    assert ENVIRONMENT["AWS_SECRET_ACCESS_KEY"] not in text and ENVIRONMENT["AWS_ACCESS_KEY_ID"] not in text
    return str(error.value)


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (answer(403, "InvalidAccessKeyId", f"no {ENVIRONMENT['AWS_ACCESS_KEY_ID']}"), "key, the secret"),
        (answer(403, "SignatureDoesNotMatch"), "key, the secret"),
        (answer(403, "AccessDenied"), "Allow them"),
        (answer(404, "NoSuchBucket"), "Make it"),
        (answer(400, "AuthorizationHeaderMalformed"), "its region"),
    ],
)
def test_what_does_not_pass_is_told_at_once(bucket, trouble, words):
    bucket.trouble = lambda request: trouble
    assert words in told(bucket.place())
    assert len(bucket.requests) <= 2


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (answer(503, "SlowDown"), "too busy"),
        (BARE, "too busy"),
        (answer(500, "InternalError"), "trouble of its own"),
        ("drop", "cannot be reached"),
    ],
)
def test_what_may_pass_is_tried_again_and_then_told(bucket, trouble, words):
    bucket.trouble = lambda request: trouble
    assert words in told(bucket.place())
    assert len(bucket.requests) > len(stores.WAITS)


@pytest.mark.parametrize(
    "trouble", [answer(503, "SlowDown"), BARE, answer(500, "InternalError"), "drop", "cut", 0.2]
)
def test_what_passes_is_not_noticed(bucket, trouble):
    write_bytes(open_place(bucket.place("a")), b"12345678")
    seen = []
    bucket.trouble = lambda request: seen.append(request) or (trouble if len(seen) % 2 else None)
    place = open_place(bucket.place())
    assert (place / "a").read_bytes() == b"12345678"
    write_bytes(place / "b", b"123")
    assert [path.name for path in sorted(place.iterdir())] == ["a", "b"]
    assert bucket.ask("GET", "b") == b"123"


def test_a_store_that_is_out_of_reach_is_never_taken_for_an_empty_one():
    with reaching(REFUSED):
        for ask in ("exists", "is_file", "is_dir"):
            with pytest.raises(StoreError, match="cannot be reached"):
                getattr(open_place("s3://somewhere/a"), ask)()


def test_credentials_that_are_missing_are_asked_for():
    with reaching(REFUSED, AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY=""):
        assert "AWS_ACCESS_KEY_ID" in told("s3://somewhere")


def test_patience_ends(monkeypatch):
    """However long each attempt takes: a store that answers nothing is given up within a minute or two."""
    passed = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: passed[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: passed.__setitem__(0, passed[0] + seconds))
    store = Store("memory://patience")

    def hang(path: str) -> None:
        passed[0] += 30
        raise TimeoutError

    monkeypatch.setattr(type(UPath("memory://").fs), "info", lambda self, path, **given: hang(path))
    with pytest.raises(StoreError, match="cannot be reached"):
        store.info("a")
    assert 60 <= passed[0] <= 120


@pytest.mark.parametrize(("scheme", "package"), [("gs", "gcsfs"), ("az", "adlfs"), ("s3", "s3fs")])
def test_a_missing_package_is_named(scheme, package, monkeypatch):
    import fsspec

    def missing(*_, **__):
        raise ImportError

    stores.disconnect()
    monkeypatch.setattr(fsspec, "filesystem", missing)
    with pytest.raises(StoreError, match=f"pip install {package}"):
        open_place(f"{scheme}://bucket/a", "images")


def test_a_file_that_is_given_up_never_appears(bucket):
    place = open_place(bucket.place("a"))
    with pytest.raises(KeyboardInterrupt), atomic_path(place) as partial:
        partial.write_bytes(b"half of it")
        raise KeyboardInterrupt
    assert not place.exists()


def test_files_are_moved_and_lent(bucket):
    place = open_place(bucket.place())
    write_bytes(place / "a.mp4", b"123")
    move(place / "a.mp4", place / "earlier" / "b.mp4")
    assert not (place / "a.mp4").exists()
    with local_copy(place / "earlier" / "b.mp4") as path:
        assert (path.name, path.read_bytes()) == ("b.mp4", b"123")
    assert not path.exists()
    with pytest.raises(FileNotFoundError):
        (place / "a.mp4").read_bytes()
