"""The Dagster UI with its daemon, as `dagster dev` starts them, before a check of who asks."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import dagster as dg
import uvicorn
from dagster._cli.proxy_server_manager import ProxyServerManager
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import ModuleTarget, WorkspaceFileTarget
from dagster._utils.interrupts import setup_interrupt_handlers
from dagster.version import __version__
from dagster_shared.serdes import serialize_value
from dagster_webserver.webserver import DagsterWebserver

from clustering_assets.defs.instance import open_instance
from clustering_assets.defs.same_origin import LOCAL, SameOriginOnly
from clustering_assets.errors import ClusteringError

MODULE = "clustering_assets.definitions"


def serve(
    folder: Path,
    output: str,
    host: str,
    port: int,
    public: Collection[str],
    announce: Callable[[str], None],
    *,
    daemon: bool = True,
) -> None:
    """Run the UI, the daemon and the code server of a folder until somebody ends it with Ctrl-C or SIGTERM.

    Args:
        folder: Where state is kept; see `open_instance`.
        output: The output whose state it shows.
        host: Address to listen on.
        port: Port to listen on; 0 for any.
        public: Names under which browsers reach the UI through a proxy.
        announce: Is told the address of the UI.
        daemon: Whether the daemon runs here too.

    Raises:
        OSError: The port is taken.
        ClusteringError: The daemon ended by itself.
    """
    setup_interrupt_handlers()
    os.environ.update(DAGSTER_IS_DEV_CLI="1", DAGSTER_verbose="")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with (
        suppress(KeyboardInterrupt),
        socket.create_server((host, port), family=family) as listening,
        open_instance(folder, output, logs=True) as instance,
        _code_server(instance, folder) as workspace,
        _daemon(instance, workspace) if daemon else nullcontext() as its_daemon,
        WorkspaceProcessContext(
            instance, WorkspaceFileTarget([str(workspace)]), version=__version__
        ) as context,
    ):
        app = DagsterWebserver(context, live_data_poll_rate=2000).create_asgi_app()
        guarded = SameOriginOnly(app, own={*LOCAL, host, *public}, public=public)
        server = uvicorn.Server(uvicorn.Config(guarded, log_level="warning"))

        def stop_with_the_daemon() -> None:
            if its_daemon:
                its_daemon.wait()
                server.should_exit = True

        threading.Thread(target=stop_with_the_daemon, daemon=True).start()
        named = "localhost" if host in LOCAL else host
        announce(
            f"The Dagster UI of {output} is at http://{named}:{listening.getsockname()[1]} (Ctrl-C ends it)"
        )
        server.run(sockets=[listening])
        if its_daemon and its_daemon.poll() is not None:
            raise ClusteringError("Dagster's daemon ended by itself; what it said last stands above")


@contextmanager
def _code_server(instance: dg.DagsterInstance, folder: Path) -> Iterator[Path]:
    """Run the code location in a process that the UI and the daemon share; gives a workspace file that names it."""
    target = ModuleTarget(MODULE, None, str(folder), "clustering_assets")
    with (
        ProxyServerManager(instance, target, code_server_log_level="warning") as servers,
        tempfile.TemporaryDirectory() as temporary,
    ):
        workspace = Path(temporary) / "workspace.yaml"
        workspace.write_text(json.dumps({"load_from": servers.get_code_server_specs()}), encoding="utf-8")
        yield workspace


@contextmanager
def _daemon(instance: dg.DagsterInstance, workspace: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the daemon, which evaluates the sensors and starts queued runs."""
    named = ["--instance-ref", serialize_value(instance.get_ref()), "--workspace", str(workspace)]
    process = subprocess.Popen([sys.executable, "-m", "dagster._daemon", "run", *named])
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
