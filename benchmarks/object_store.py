"""What pictures and results on an S3 store cost, beside the local disk; and what the listing of many objects costs.

    PYTHONPATH=. python benchmarks/object_store.py [--files 60 1000] [--listed 100000] [--delay 0.0] [--json FILE]

The sample pictures of the demo are put on a store (moto's server, on loopback, in this process) and into a folder.
Then `python -m clustering_assets run` goes over each, twice, in turn: wall time, CPU time and peak memory of
the command and its processes, what was asked of the store, and how many pictures were fetched. `--delay` holds every
answer up by so many seconds, as a store far away does. The listing is asked of a server that makes its pages up.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from clustering_assets.demo.music import make_music
from clustering_assets.demo.pictures import make_pictures
from clustering_assets.files import file_source
from clustering_assets_tests.object_stores import gate_to, reaching, store_server

PAGE = 1000
FLAGS = [
    *("--min-images", "20", "--clusters", "4", "--backbone", "efficientnet_lite0"),
    *("--resolution", "640x360", "--quality", "preview", "--max-images-per-video", "6"),
]


def run(folder: Path, places: dict[str, str], **variables: str) -> dict[str, Any]:
    """One run of the command: its wall and CPU seconds, and megabytes of its largest process."""
    flags = [word for name, place in places.items() for word in (f"--{name}", place)]
    begun = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "clustering_assets", "run", *FLAGS, *flags],
        cwd=folder,
        env={**os.environ, **variables},
        stdout=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"the run over {places['images']} failed")
    cpu = used.ru_utime + used.ru_stime
    return {
        "wall": round(time.monotonic() - begun, 1),
        "cpu": round(cpu, 1),
        "peak_mb": round(used.ru_maxrss / 1e3),
    }


def compare(files: int, delay: float) -> dict[str, Any]:
    """First and second runs over `files` pictures in a folder and on a store."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name, store_server() as server, gate_to(server) as gate:
        folder = Path(name)
        make_pictures(folder / "images", count=files, seed=0)
        make_music(folder / "music", seed=0)
        gate.fill(folder / "images", "images")
        gate.fill(folder / "music", "music")
        size = sum(path.stat().st_size for path in (folder / "images").iterdir())
        gate.trouble = lambda request: delay or None
        local = {place: str(folder / place) for place in ("images", "music", "output")}
        remote = {place: gate.place(place) for place in ("images", "music", "output")}
        for which in ("first", "second"):
            found[f"disk, {which}"] = run(folder, local)
            gate.forget()
            measured = run(folder, remote, TMPDIR=name)
            pictures = [key for key in gate.of_objects("GET") if key.startswith("images/")]
            asked = [request for request in gate.requests if request.path.split("/")[2:3] == ["images"]]
            found[f"store, {which}"] = {
                **measured,
                "pictures_fetched": len(pictures),
                "most_often_one": max((pictures.count(key) for key in set(pictures)), default=0),
                "requests_per_picture": round(len(asked) / files, 3),
                "requests": len(gate.requests),
                "mb_of_objects": round(gate.bytes_sent / 1e6, 1),
            }
        found["mb_of_pictures"] = round(size / 1e6, 1)
    return found


def listing(count: int) -> dict[str, Any]:
    """What listing `count` objects costs."""
    asked = []

    class Pages(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            start = int(query.get("continuation-token", ["0"])[0])
            stop = min(start + PAGE, count)
            asked.append(self.command)
            body = "".join(
                f"<Contents><Key>pics/{number:07}.jpg</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
                f"<ETag>&quot;{number:032x}&quot;</ETag><Size>{number}</Size><StorageClass>STANDARD</StorageClass></Contents>"
                for number in range(start, stop)
            )
            more = f"<NextContinuationToken>{stop}</NextContinuationToken>" if stop < count else ""
            text = (
                '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
                f"<Name>b</Name><IsTruncated>{str(bool(more)).lower()}</IsTruncated>{more}{body}</ListBucketResult>"
            ).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *given: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with reaching(f"http://127.0.0.1:{server.server_port}"):
        begun, cpu = time.monotonic(), time.process_time()
        files = file_source("s3://b/pics").files()
        found = {
            "objects": len(files),
            "requests": len(asked),
            "wall": round(time.monotonic() - begun, 1),
            "cpu_with_the_server": round(time.process_time() - cpu, 1),
        }
    server.shutdown()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, nargs="*", default=[60, 1000])
    parser.add_argument("--listed", type=int, default=100_000)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found: dict[str, Any] = {"listing": listing(given.listed)} if given.listed else {}
    for files in given.files:
        found[str(files)] = compare(files, given.delay)
    text = json.dumps(found, indent=1)
    print(text)
    if given.json:
        given.json.write_text(text)


if __name__ == "__main__":
    main()
