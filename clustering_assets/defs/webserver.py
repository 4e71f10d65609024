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
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import ModuleTarget, WorkspaceFileTarget
from dagster._grpc.client import DagsterGrpcClient
from dagster._utils.interrupts import setup_interrupt_handlers
from dagster.version import __version__
from dagster_shared.serdes import serialize_value
from dagster_webserver.webserver import DagsterWebserver

from clustering_assets.defs.instance import open_instance
from clustering_assets.defs.partitions import prepare_partitions
from clustering_assets.defs.same_origin import LOCAL, SameOriginOnly
from clustering_assets.defs.served_files import ServedFiles
from clustering_assets.defs.served_previews import ServedPreviews
from clustering_assets.errors import ClusteringError

MODULE = "clustering_assets.definitions"

LOOK_SECONDS, MISSED = 5, 2
"""How often the process with the code is asked whether it lives, and after how many missing answers it is dead."""

RELOAD_SECONDS = 180
"""How long it may take to start."""


def serve(
    folder: Path,
    output: str,
    host: str,
    port: int,
    public: Collection[str],
    announce: Callable[[str], None],
    *,
    daemon: bool = True,
    shown: Collection[str] = (),
    visit: Callable[[str], object] = lambda _: None,
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
        shown: Folders whose files the UI opens.
        visit: Is given the address when the UI answers.

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
        _code_server(instance, folder, announce) as workspace,
        _daemon(instance, workspace) if daemon else nullcontext() as its_daemon,
        WorkspaceProcessContext(
            instance, WorkspaceFileTarget([str(workspace)]), version=__version__
        ) as context,
    ):
        prepare_partitions(instance)
        app = DagsterWebserver(context, live_data_poll_rate=2000).create_asgi_app()
        served = ServedFiles(ServedPreviews(app, instance), shown)
        guarded = SameOriginOnly(served, own={*LOCAL, host, *public}, public=public)
        server = uvicorn.Server(uvicorn.Config(guarded, log_level="warning"))

        def stop_with_the_daemon() -> None:
            if its_daemon:
                its_daemon.wait()
                server.should_exit = True

        threading.Thread(target=stop_with_the_daemon, daemon=True).start()
        named = "localhost" if host in LOCAL else host
        url = f"http://{named}:{listening.getsockname()[1]}"
        announce(f"The Dagster UI of {output} is at {url} (Ctrl-C ends it)")
        visit(url)
        server.run(sockets=[listening])
        if its_daemon and its_daemon.poll() is not None:
            raise ClusteringError("Dagster's daemon ended by itself; what it said last stands above")


@contextmanager
def _code_server(
    instance: dg.DagsterInstance, folder: Path, announce: Callable[[str], None]
) -> Iterator[Path]:
    """Run the code location in a process that the UI and the daemon share; gives a workspace file that names it."""
    target = ModuleTarget(MODULE, None, str(folder), "clustering_assets")
    with (
        ProxyServerManager(instance, target, code_server_log_level="warning") as servers,
        tempfile.TemporaryDirectory() as temporary,
    ):
        workspace = Path(temporary) / "workspace.yaml"
        specs = servers.get_code_server_specs()
        workspace.write_text(json.dumps({"load_from": specs}), encoding="utf-8")
        place = specs[0]["grpc_server"]
        client = DagsterGrpcClient(place.get("port"), place.get("socket"), place.get("host", "localhost"))
        ended = threading.Event()
        threading.Thread(target=_revive, args=(client, ended, announce), daemon=True).start()
        try:
            yield workspace
        finally:
            ended.set()


def _revive(client: DagsterGrpcClient, ended: threading.Event, announce: Callable[[str], None]) -> None:
    """Start the process with the code anew when it was killed; Dagster's proxy would ask the dead one for ever.

    Args:
        client: Asks the proxy.
        ended: Is set when it is no longer wanted.
        announce: Is told that it was started anew.
    """
    missed: int | None = 0  # None once it was started anew and has not answered yet: its code may be broken
    while not ended.wait(LOOK_SECONDS):
        try:
            client.ping("")
            missed = 0
        except DagsterUserCodeUnreachableError:
            missed = None if missed is None else missed + 1
        if missed == MISSED:
            announce("The process with the code of the project has ended by itself and is started anew")
            missed = None
            with suppress(DagsterUserCodeUnreachableError):  # what the proxy says of the dead one
                client.reload_code(RELOAD_SECONDS)


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
