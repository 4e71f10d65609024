"""A Dagster server as `make dev` starts it, asked through GraphQL as the UI does."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from clustering_assets_tests.projects import SMALL

ROOT = Path(__file__).parents[1]


def configure(folder: Path) -> Path:
    """Give a folder the configuration of a checkout."""
    for name in ("dagster.yaml", "workspace.yaml"):
        shutil.copy(ROOT / name, folder)
    return folder


def environment(**changed: object) -> dict[str, str]:
    settings = {f"CLUSTERING_{name.upper()}": str(value) for name, value in {**SMALL, **changed}.items()}
    return {**{k: v for k, v in os.environ.items() if not k.startswith("DAGSTER_")}, **settings}


class Server:
    """The webserver."""

    def __init__(self, port: int, log: Path, process: int = 0) -> None:
        self.port, self.log, self.process = port, log, process
        self.url = f"http://localhost:{port}"

    def post(self, body: dict[str, Any]) -> dict:
        request = urllib.request.Request(
            f"{self.url}/graphql", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["data"]

    def sensors(self) -> dict[str, str]:
        query = (
            '{ sensorsOrError(repositorySelector: {repositoryName: "__repository__", repositoryLocationName: '
            '"clustering_assets"}) { ... on Sensors { results { name sensorState { status } } } } }'
        )
        results = self.post({"query": query})["sensorsOrError"]["results"]
        return {sensor["name"]: sensor["sensorState"]["status"] for sensor in results}

    def tick(self, sensor: str) -> str:
        """Have a sensor look; what it says."""
        query = """mutation ($s: SensorSelector!) { sensorDryRun(selectorData: $s, cursor: null) { __typename
            ... on DryRunInstigationTick { evaluationResult { skipReason error { message } } } } }"""
        place = {"repositoryName": "__repository__", "repositoryLocationName": "clustering_assets"}
        body = {"query": query, "variables": {"s": {**place, "sensorName": sensor}}}
        try:
            return json.dumps(self.post(body)["sensorDryRun"])
        except urllib.error.HTTPError as error:  # what the UI answers while the code is away
            return str(error)

    def runs(self) -> list[tuple[str, str]]:
        query = "{ runsOrError { ... on Runs { results { jobName status } } } }"
        results = self.post({"query": query})["runsOrError"]["results"]
        return [(run["jobName"], run["status"]) for run in results]

    def backfill(self, *assets: str) -> str:
        """Ask for all partitions of assets, as "Materialize all" does; returns the id."""
        query = (
            "mutation($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) "
            "{ ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"
        )
        params: dict[str, Any] = {"assetSelection": [{"path": [asset]} for asset in assets]}
        params |= {"partitionNames": self.partitions()} if len(assets) > 1 else {"allPartitions": True}
        answer = self.post({"query": query, "variables": {"params": params}})
        return answer["launchPartitionBackfill"]["backfillId"]

    def partitions(self) -> list[str]:
        """The partitions of the videos."""
        query = '{ assetNodeOrError(assetKey: {path: ["cluster_videos"]}) { ... on AssetNode { partitionKeys } } }'
        return self.post({"query": query})["assetNodeOrError"]["partitionKeys"]

    def backfill_status(self, backfill: str) -> str:
        query = f'{{ partitionBackfillOrError(backfillId: "{backfill}") {{ ... on PartitionBackfill {{ status }} }} }}'
        return self.post({"query": query})["partitionBackfillOrError"]["status"]

    def settled(self) -> bool:
        return all(status in {"SUCCESS", "FAILURE"} for _, status in self.runs())

    def wait_until(self, condition: Callable[[], object], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"not within {seconds} s; the end of the log:\n{self.log.read_text()[-3000:]}"
                )
            time.sleep(0.5)


@contextmanager
def serving(folder: Path, **settings: object) -> Iterator[Server]:
    """`python -m clustering_assets ui` in a folder; it has to end by itself when it is told to."""
    log = folder / "dev.log"
    with log.open("w") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "clustering_assets", "ui", "--port", "0"],
            cwd=folder,
            env={**environment(**settings), "PYTHONUNBUFFERED": "1"},
            stdout=written,
            stderr=subprocess.STDOUT,
        )
        try:
            server = Server(0, log)
            server.wait_until(lambda: process.poll() is not None or port_told(log), 180)
            server = Server(port_told(log), log, process.pid)
            server.wait_until(lambda: is_up(server), 60)
            yield server
            process.terminate()
            assert process.wait(90) == 0, log.read_text()[-3000:]
        finally:
            process.terminate()  # which ends its daemon, too; nothing where it has ended
            with suppress(subprocess.TimeoutExpired):
                process.wait(60)
            process.kill()


def port_told(log: Path) -> int:
    found = re.search(r"is at http://\S+:(\d+) ", log.read_text())
    return int(found[1]) if found else 0


def is_up(server: Server) -> bool:
    try:
        with urllib.request.urlopen(f"{server.url}/server_info", timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False
