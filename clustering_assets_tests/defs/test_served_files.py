"""Which files the UI opens, and as what."""

import pytest

from clustering_assets.defs.links import link_to
from clustering_assets.defs.served_files import ServedFiles
from clustering_assets_tests import asgi


def ask(folders, address, method="GET", **headers):
    """Status, headers and body of an answer; "the UI" where the request went on to it."""
    served = ServedFiles(asgi.the_ui, [str(folder) for folder in folders])
    return asgi.ask(served, address, method, **headers)


@pytest.fixture
def output(tmp_path):
    folder = tmp_path / "my output"
    (folder / "gallery").mkdir(parents=True)
    (folder / "gallery/index.html").write_text("<p>page")
    (folder / "film.mp4").write_bytes(bytes(range(100)))
    (folder / "table.parquet").write_bytes(b"PAR1")
    (folder / ".published").mkdir()
    (folder / ".published/a.json").write_text("{}")
    (folder / "film link.mp4").symlink_to(folder / "film.mp4")
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "out.txt").symlink_to(tmp_path / "secret.txt")
    return folder


def test_a_page_is_shown_and_may_do_nothing_in_the_name_of_the_ui(output):
    status, head, body = ask([output], f"/files{output}/gallery/index.html")
    assert (status, body) == (200, b"<p>page") and head["content-type"].startswith("text/html")
    policy = head["content-security-policy"].split()
    assert policy[0] == "sandbox" and "allow-scripts" in policy and "allow-same-origin" not in policy


def test_a_film_can_be_sought_in_and_links_within_are_followed(output):
    status, head, body = ask([output], f"/files{output}/film link.mp4", range="bytes=10-19")
    assert (status, head["content-type"], body) == (206, "video/mp4", bytes(range(10, 20)))


@pytest.mark.parametrize(
    "name",
    [
        "../secret.txt",
        "gallery/../../secret.txt",
        "out.txt",
        ".published/a.json",
        "table.parquet",
        "gallery",
        "not there.html",
        "nul\0.html",
        "long" * 100 + ".html",
    ],
)
def test_nothing_else_is_shown(output, name):
    assert ask([output], f"/files{output}/{name}")[0] == 404
    assert ask([output], f"/files{output}/gallery/index.html", "POST")[0] == 404
    assert ask(["", "s3://bucket"], f"/files{output}/gallery/index.html")[0] == 404


def test_all_other_addresses_are_those_of_the_ui(output):
    assert ask([output], "/assets")[2] == ask([output], "/files")[2] == b"the UI"


def test_what_a_browser_shows_has_a_link_that_leads_there(output):
    link = link_to(output / "gallery/index.html")["open"].value
    assert "my%20output" in link and link_to(output / "table.parquet") == {}
    assert ask([output], link.replace("%20", " "))[0] == 200
