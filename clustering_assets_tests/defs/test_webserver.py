"""The UI as `make dev` starts it, and a page of another place that wants something from it."""

import functools
import http.server
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from urllib.parse import quote

import psutil
import pytest

from clustering_assets_tests.browsers import needs_a_browser, opened
from clustering_assets_tests.servers import Server, configure, serving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

LAUNCH = """mutation ($p: ExecutionParams!) { launchRun(executionParams: $p) { __typename } }"""

ATTEMPTS = {
    "a plain POST": "fetch(`${ui}/graphql?query=${query}&variables=${variables}`, {method: 'POST', mode: 'no-cors',"
    " headers: {'content-type': 'text/plain'}})",
    "a JSON POST": "fetch(`${ui}/graphql`, {method: 'POST', headers: {'content-type': 'application/json'}, body})",
    "a JSON POST in disguise": "fetch(`${ui}/graphql`, {method: 'POST', mode: 'no-cors', body})",
    "a picture": "new Promise(done => { const image = new Image(); image.onload = image.onerror = done;"
    " image.src = `${ui}/graphql?query=${query}&variables=${variables}`; })",
    "a form": "new Promise(done => { const form = document.createElement('form'), frame ="
    " document.createElement('iframe'); frame.name = 'f'; document.body.append(form, frame); form.method = 'post';"
    " form.target = 'f'; form.action = `${ui}/graphql?query=${query}&variables=${variables}`; frame.onload = done;"
    " form.submit(); setTimeout(done, 2000); })",
    "a websocket": "new Promise(done => { const s = new WebSocket(`${ui.replace('http', 'ws')}/graphql`, 'graphql-ws');"
    " s.onclose = done; s.onopen = () => { s.send(JSON.stringify({type: 'connection_init'}));"
    " s.send(JSON.stringify({type: 'start', id: '1', payload: JSON.parse(body)})); setTimeout(done, 2000); }; })",
}
"""Ways in which a page can make a browser ask another server for something."""


def launch(**config: str) -> dict[str, object]:
    job = {
        "repositoryName": "__repository__",
        "repositoryLocationName": "clustering_assets",
        "jobName": "cluster_images",
    }
    settings = {"resources": {"settings": {"config": config}}}
    return {"query": LAUNCH, "variables": {"p": {"selector": job, "runConfigData": settings}}}


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    with serving(configure(tmp_path_factory.mktemp("ui"))) as server:
        yield server


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory) -> Iterator[str]:
    """The address of a page of another place."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "page.html").write_text("<!doctype html><title>elsewhere</title>")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{other.server_port}/page.html"
        other.shutdown()


def status(server, body, **headers):
    request = urllib.request.Request(f"{server.url}/graphql", json.dumps(body).encode(), headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_names_that_are_not_its_own_and_pages_of_other_places_are_refused(server):
    kind = {"Content-Type": "application/json"}
    question = {"query": "{ version }"}
    assert status(server, question, **kind) == 200
    assert status(server, question, **kind, Origin=server.url) == 200
    assert status(server, question, **kind, Host="rebound.example") == 403
    assert status(server, question, **kind, Origin="http://rebound.example", Host="rebound.example") == 403
    assert status(server, question, **kind, Origin="http://localhost:1") == 403
    assert status(server, question, **{"Content-Type": "text/plain"}) == 403
    assert status(server, launch(output="s3://id:secret@bucket/a"), **kind) == 403
    assert server.runs() == []


def test_websockets_are_for_its_own_pages(server):
    from websockets.exceptions import InvalidStatus
    from websockets.sync.client import connect

    address = f"{server.url.replace('http', 'ws')}/graphql"
    with connect(address, origin=server.url, subprotocols=["graphql-ws"]) as socket:
        socket.send('{"type": "connection_init"}')
        assert json.loads(socket.recv())["type"] == "connection_ack"
    with pytest.raises(InvalidStatus, match="403"):
        connect(address, origin="http://rebound.example", subprotocols=["graphql-ws"])


def test_the_process_with_the_code_comes_back_when_it_is_killed_alone(server):
    assert "no pictures" in server.tick("new_images_sensor") or "cannot be listed" in server.tick(
        "new_images_sensor"
    )
    below = psutil.Process(server.process).children(recursive=True)
    (code,) = [process for process in below if {"api", "grpc"} <= set(process.cmdline())]
    code.kill()
    server.wait_until(lambda: "started anew" in server.log.read_text(), 60)
    server.wait_until(lambda: "cannot be listed" in server.tick("new_images_sensor"), 120)


@needs_a_browser
def test_a_page_of_another_place_starts_nothing_and_the_ui_itself_works(server, elsewhere, tmp_path):
    body = launch(output="ftp://127.0.0.1/theirs")
    prelude = (
        f"const ui = {json.dumps(server.url)}, body = {json.dumps(json.dumps(body))}, query = "
        f"{json.dumps(quote(LAUNCH))}, variables = {json.dumps(quote(json.dumps(body['variables'])))};"
    )
    ended = "const done = arguments[0]; Promise.resolve({attempt}).then(() => done(''), error => done(`${{error}}`));"
    with opened(tmp_path) as browser:
        browser.set_script_timeout(20)
        browser.get(elsewhere)
        for name, attempt in ATTEMPTS.items():
            browser.execute_async_script(prelude + ended.format(attempt=attempt))
            assert server.runs() == [], name
        browser.execute_script(f"document.body.innerHTML = '<iframe src={server.url}/runs></iframe>'")

        browser.get_log("browser")
        browser.get(f"{server.url}/jobs")
        server.wait_until(lambda: "cluster_images" in browser.page_source, 60)
        assert not [entry for entry in browser.get_log("browser") if "403" in entry["message"]]
        browser.execute_async_script(prelude + ended.format(attempt=ATTEMPTS["a JSON POST"]))
    server.wait_until(server.runs, 30)
    server.wait_until(server.settled, 120)
    assert server.runs() == [("cluster_images", "FAILURE")], "its own page may ask, and the output is refused"
