"""A PostgreSQL server of this machine, run by a user without privileges, that can be killed and comes back."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

BIN = max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path("/usr/bin"))

needs_postgres = pytest.mark.skipif(
    not (BIN / "initdb").exists() or (os.geteuid() == 0 and shutil.which("setpriv") is None),
    reason="PostgreSQL's programs are not installed (Debian: postgresql)",
)

PASSWORD = "a-password-that-no-log-shows"


class Database:
    """The server, and the variables of the environment that name it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self.port = listening.getsockname()[1]

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.port),
            "PGUSER": "dagster",
            "PGPASSWORD": PASSWORD,
            "PGDATABASE": "dagster",
        }

    def make(self) -> None:
        secret = self._folder / "password"
        secret.write_text(PASSWORD)
        if os.geteuid() == 0:
            for path in (self._folder, secret):
                os.chown(path, 65534, 65534)
        self._run(
            "initdb",
            "-D",
            "data",
            "-U",
            "dagster",
            "--pwfile=password",
            "-A",
            "scram-sha-256",
            "-E",
            "UTF8",
            "-N",
        )

    def start(self) -> None:
        settings = (
            f"port={self.port}",
            "listen_addresses=127.0.0.1",
            f"unix_socket_directories={self._folder}",
            "fsync=off",
        )
        flags = [word for setting in settings for word in ("-c", setting)]
        with (self._folder / "server.log").open("a") as log:
            self._process = subprocess.Popen(
                [*self._user(), str(BIN / "postgres"), "-D", "data", *flags],
                cwd=self._folder,
                stdout=log,
                stderr=log,
            )
        for _ in range(200):
            if self._ready():
                return
            time.sleep(0.1)
        raise AssertionError((self._folder / "server.log").read_text())

    def kill(self) -> None:
        """End it at once, with everything that is under way."""
        assert self._process
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(30)

    def _ready(self) -> bool:
        asked = [str(BIN / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(asked).returncode == 0

    def _run(self, program: str, *words: str) -> None:
        subprocess.run(
            [*self._user(), str(BIN / program), *words], cwd=self._folder, check=True, capture_output=True
        )

    @staticmethod
    def _user() -> list[str]:
        if os.geteuid():
            return []
        return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


@contextmanager
def database() -> Iterator[Database]:
    """A server with an empty database called dagster."""
    folder = Path(tempfile.mkdtemp(prefix="database-", dir="/tmp"))
    folder.chmod(0o755)
    server = Database(folder)
    try:
        server.make()
        server.start()
        made = subprocess.run(
            [str(BIN / "createdb"), "dagster"],
            env={**os.environ, **server.environment},
            capture_output=True,
            text=True,
        )
        assert made.returncode == 0, made.stderr
        yield server
    finally:
        if server._process:
            server.kill()
        shutil.rmtree(folder, ignore_errors=True)
