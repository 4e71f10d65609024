"""A real Ray cluster of several nodes on this machine, in a network of its own that nothing outside can reach."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from clustering_assets_tests.object_stores import ENVIRONMENT

PORT = 6399
ADDRESS = f"127.0.0.1:{PORT}"
STORE = f"http://127.0.0.1:{PORT + 1}"
"""Where a store of the network is, for those who start one."""

ROOT = Path(__file__).parents[1]

_LIMIT = 150.0


class Network:
    """Namespaces with nothing but loopback in them, and the processes that run there, a Ray cluster among them.

    Attributes:
        home: Folder for whatever the cluster writes.
    """

    def __init__(self, holder: psutil.Process, home: Path) -> None:
        self._holder, self.home = holder, home

    def start(self, *command: str | Path) -> psutil.Popen:
        """Start a command there; its output is kept for `communicate`."""
        user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        enter = ["nsenter", f"--target={self._holder.pid}", *user, "--net", "--pid", "--mount"]
        return psutil.Popen(
            [*enter, f"--wd={Path.cwd()}", *map(str, command)],
            env=os.environ
            | {
                "RAY_USAGE_STATS_ENABLED": "0",
                "RAY_TMPDIR": str(self.home),
                **ENVIRONMENT,
                "AWS_ENDPOINT_URL": STORE,
                "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)]),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *command: str | Path) -> str:
        """The output of a command that succeeds."""
        process = self.start(*command)
        output = process.communicate(timeout=_LIMIT)[0]
        assert process.returncode == 0, output
        return output

    def start_store(self) -> psutil.Popen:
        """Start an S3 server at `STORE`."""
        return self.start(
            sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", STORE.rpartition(":")[2]
        )

    def start_cluster(self, nodes: int = 3, cpus: int = 4) -> None:
        """Start a cluster of so many nodes with so many logical CPUs each."""
        start = [sys.executable, "-m", "ray.scripts.scripts", "start", "--node-ip-address=127.0.0.1"]
        start += [
            f"--num-cpus={cpus}",
            "--num-gpus=0",
            "--object-store-memory=100000000",
            "--disable-usage-stats",
        ]
        self.run(*start, "--head", f"--port={PORT}", "--include-dashboard=false")
        for _ in range(nodes - 1):
            self.run(*start, f"--address={ADDRESS}")

    def processes(self, word: str) -> list[psutil.Process]:
        """Processes of the cluster with a word in what they are called."""
        found = []
        for process in self._holder.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if word in " ".join(process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def kill_head(self) -> None:
        """End all that makes the first node the head, as if its machine had lost its power."""
        for process in self.processes("gcs_server"):
            process.kill()

    def wait_for(self, word: str, seconds: float = 60.0) -> list[psutil.Process]:
        """Processes with a word in what they are called, as soon as there are any."""
        end = time.monotonic() + seconds
        while not (found := self.processes(word)):
            assert time.monotonic() < end, f"no {word} within {seconds} seconds"
            time.sleep(0.05)
        return found

    def is_gone(self, word: str, seconds: float) -> bool:
        """Whether no process has a word in what it is called, within a time."""
        end = time.monotonic() + seconds
        while self.processes(word):
            if time.monotonic() > end:
                return False
            time.sleep(0.2)
        return True


@contextlib.contextmanager
def network() -> Iterator[Network]:
    """A network of its own, which ends with all that runs in it.

    Raises:
        PermissionError: None can be made here.
    """
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    home = Path(tempfile.mkdtemp(prefix="ray", dir="/tmp"))  # the paths of its sockets must be short
    unshare = psutil.Popen(
        [
            *("unshare", *user, "--net", "--pid", "--fork", "--kill-child", "--mount-proc"),
            *("sh", "-c", "ip link set lo up && echo up && { sleep 3600 & wait; }"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        if (said := unshare.stdout.readline().strip()) != "up":
            raise PermissionError(said)
        yield Network(unshare.children()[0], home)
    finally:
        unshare.kill()
        unshare.communicate()
        shutil.rmtree(home, ignore_errors=True)
