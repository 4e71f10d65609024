"""Places that settings name: which URLs are taken, what is never shown, and where runs of the UI may go."""

import os
from pathlib import Path

import dagster as dg
import pytest

from clustering_assets.defs.resources import settings_type
from clustering_assets.places import holds_password, is_below, leaves_folder, masked, roots
from clustering_assets.preflight import check_named
from clustering_assets.settings import SettingsError, load_settings
from clustering_assets.stores import StoreError


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CLUSTERING_ROOTS", raising=False)


@pytest.mark.parametrize(
    "place",
    [
        "s3://bucket/a",
        "gs://bucket",
        "az://box/a",
        "abfs://box@account.dfs.core.windows.net/a",
        "memory://a",
        "a:b",
    ],
)
def test_object_stores_and_odd_folders_are_taken_as_they_are(place):
    assert load_settings(output=place).output == place


@pytest.mark.parametrize(
    "url",
    ["file:///photos/a%20b", "file:/photos/a b", "file://localhost/photos/a%20b/", "FILE:///photos/./a b"],
)
@pytest.mark.parametrize("name", ["images", "music", "output"])
def test_a_file_url_is_the_path_that_it_names(name, url):
    assert getattr(load_settings(**{name: url}), name) == "/photos/a b"


@pytest.mark.parametrize("path", ["/etc/passwd", "../a", "a/../../b", "..", "a/..", "a\0b", "a\nb/../../c"])
def test_paths_that_leave_their_folder_are_told(path):
    assert leaves_folder(path)


@pytest.mark.parametrize("path", ["a/b.jpg", "..a/b..", "a/...", "", ".../x", "C:\\x", "a\nb"])
def test_odd_names_stay_below_their_folder(path):
    assert not leaves_folder(path)


@pytest.mark.parametrize(
    "place",
    [
        "ftp://host/a",
        "FTP://host/a",
        "ftp:/host/a",
        "ftp::host/a",
        "https://host/a",
        "sftp://host/a",
        "github://o:r@main/a",
        "data:,a",
        "simplecache::s3://bucket/a",
        "memory://a::ftp://host/a",
    ],
)
@pytest.mark.parametrize("name", ["images", "output", "weights"])
def test_other_urls_are_refused(name, place):
    with pytest.raises(SettingsError, match=name):
        load_settings(**{name: place})


@pytest.mark.parametrize(
    "place", ["s3://id:s3cret@bucket/a", "s3://id:s3/cret@bucket", "ftp://id:s3cret@host/a"]
)
def test_a_password_in_a_url_is_refused_and_never_shown(place):
    with pytest.raises(SettingsError, match="password") as error:
        load_settings(output=place)
    assert "output" in str(error.value) and "***@" in str(error.value)
    assert "cret" not in str(error.value) and "id:" not in str(error.value)
    assert holds_password(b'{"config": {"output": "%s"}}' % place.encode())
    assert masked(f"a {place} b").count("***@") == 1


def test_what_is_below_a_root_is_told_with_links_and_dots_followed(tmp_path):
    (tmp_path / "in/deep").mkdir(parents=True)
    (tmp_path / "in/out").symlink_to(tmp_path)
    assert is_below("in/deep", [str(tmp_path / "in")]) and is_below(f"file://{tmp_path}/in", ["in"])
    assert not is_below("in/../other", ["in"]) and not is_below("inside", ["in"])
    assert not is_below("in/out/other", ["in"])
    assert is_below("s3://b/a/c", ["s3://b/a"]) and is_below("S3://b/a/", ["s3://b/a"])
    assert not is_below("s3://b/a/../c", ["s3://b/a"]) and not is_below("s3://b/ab", ["s3://b/a"])
    assert not is_below("gs://b/a", ["s3://b/a"]) and not is_below(str(Path("/s3:/b/a")), ["s3://b/a"])


def test_roots_are_those_of_the_environment_or_the_folder_of_the_start(monkeypatch, tmp_path):
    assert roots(["/pictures", ""]) == [str(tmp_path), "/pictures"]
    monkeypatch.setenv("CLUSTERING_ROOTS", os.pathsep.join(["/a", "s3://b/c", "/d"]))
    assert roots(["/pictures"]) == ["/a", "s3://b/c", "/d", "/pictures"]


def test_a_store_that_cannot_be_asked_is_refused_before_any_work(monkeypatch):
    def fail(*_, **__):
        raise PermissionError(13, "denied")

    check_named(load_settings(output="memory://nothing/there/yet"))
    monkeypatch.setattr("fsspec.implementations.memory.MemoryFileSystem.info", fail)
    with pytest.raises(StoreError, match=r"output = 'memory://a': .*may not do that"):
        check_named(load_settings(output="memory://a"))


@pytest.mark.parametrize(
    ("start", "given", "taken"),
    [
        ({}, {"output": "elsewhere"}, True),
        ({}, {"output": "/elsewhere"}, False),
        ({}, {"images": "../pictures"}, False),
        ({}, {"output": "s3://bucket/theirs"}, False),
        ({"output": "memory://mine"}, {"output": "memory://mine/again"}, True),
        ({"images": "/pictures"}, {}, True),
        ({"images": "/pictures"}, {"images": "/pictures/summer"}, True),
        ({"images": "/pictures"}, {"names_file": "/etc/passwd"}, False),
    ],
)
def test_run_config_names_only_places_below_the_roots(start, given, taken):
    worked = []

    @dg.asset
    def first(settings: settings_type(load_settings())):
        worked.append(settings.value)

    settings = settings_type(load_settings(**start))(**given)
    result = dg.materialize([first], resources={"settings": settings}, raise_on_error=False)
    assert (result.success, bool(worked)) == (taken, taken)
    assert taken or "CLUSTERING_ROOTS" in str(result.all_events)
