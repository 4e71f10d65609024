"""A connection to a Ray cluster: made or refused with words, every wait with a limit, and an eye on the head."""

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

from clustering_assets.work.engine import WorkError

_CONNECT_SECONDS = 60.0
_ANSWER_SECONDS = 60.0
_FETCH_SECONDS = 60.0
_HEAD_SECONDS = 15.0
"""How long the head may be silent. After 60 seconds Ray would end this whole process, in words of its own."""

_LAST_SECONDS = 10.0


class Session:
    """A connection to a cluster.

    Attributes:
        head: `HOST:PORT` of the head.
        errors: What Ray raises for a call whose worker gave no result.
        faults: Those of them that the code of the call raised.
    """

    def __init__(self, address: str) -> None:
        """Connect, or use the connection that this process has already.

        Raises:
            WorkError: There is no such cluster, or none that this process can use.
        """
        import ray
        from ray.exceptions import RayError, RayTaskError

        self._ray: Any = ray
        self._remote: Any = cache(ray.remote)
        self.errors, self.faults = RayError, RayTaskError
        self._is_ours = not ray.is_initialized()
        if self._is_ours:
            _connect(ray, address)
        self.head = ray.get_runtime_context().gcs_address
        self._closed = threading.Event()
        self._silent = 0.0
        threading.Thread(target=self._watch, name="ray-head", daemon=True).start()

    def close(self) -> None:
        """Let go of the cluster, which ends whatever still works for this process."""
        self._closed.set()
        if self._is_ours:
            end = threading.Thread(target=self._ray.shutdown, name="ray-shutdown", daemon=True)
            end.start()
            end.join(_LAST_SECONDS)

    def machines(self) -> list[dict[str, Any]]:
        """The machines that are there, as Ray describes them."""
        return [node for node in self._ray.nodes() if node["Alive"]]

    def free(self) -> dict[str, float]:
        """What of the whole cluster nobody uses."""
        return self._ray.available_resources()

    def actor(self, kind: type, cpus: float, gpus: float) -> Any:
        """A new actor, where few are; Ray does not start it again."""
        options: dict[str, Any] = {"num_cpus": cpus, "num_gpus": gpus, "max_restarts": 0}
        return self._remote(kind).options(**options, scheduling_strategy="SPREAD").remote()

    def ask(self, machine: dict[str, Any], question: Callable[[], Any]) -> Callable[[], Any]:
        """Ask one machine, which needs no free CPU for it; returns what waits for the answer.

        Raises:
            WorkError: From what is returned: there is no answer.
        """
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        there = NodeAffinitySchedulingStrategy(machine["NodeID"], soft=False)
        asked = self._remote(question_asked).options(num_cpus=0, scheduling_strategy=there).remote(question)

        def answer() -> Any:
            name = machine_name(machine)
            try:
                return self.wait(asked, _ANSWER_SECONDS, threading.Event())
            except TimeoutError:
                raise WorkError(f"{name} gave no answer within {_ANSWER_SECONDS:.0f} seconds") from None
            except self.errors as error:
                raise WorkError(f"{name} cannot work: {last_line(error)}") from None

        return answer

    def wait(self, call: Any, seconds: float, stopped: threading.Event) -> Any:
        """The result of a call.

        Raises:
            TimeoutError: It did not come within `seconds`.
            WorkError: The head is lost.
            StoppedError: `stopped` was set.
            RayError: As in `errors`.
        """
        end = time.monotonic() + seconds
        while not self._ray.wait([call], timeout=min(1.0, max(0.0, end - time.monotonic())))[0]:
            self.check()
            if stopped.is_set():
                raise StoppedError
            if time.monotonic() >= end:
                raise TimeoutError
        return self._ray.get(call, timeout=_FETCH_SECONDS)

    def kill(self, actor: Any) -> None:
        """End an actor and whatever it does; with the head silent that is left to its machine."""
        if not self._silent:
            with suppress(Exception):
                self._ray.kill(actor)

    def check(self) -> None:
        """See to it that the cluster still has a head.

        Raises:
            WorkError: It has been silent for too long.
        """
        if self._silent > _HEAD_SECONDS:
            raise WorkError(
                f"The head of the Ray cluster, {self.head}, has been silent for {self._silent:.0f} seconds. What was "
                "finished is kept: start the cluster again, then run again"
            )

    def _watch(self) -> None:
        """Knock at the head's door every two seconds."""
        heard = time.monotonic()
        while not self._closed.wait(2.0):
            if answers(self.head):
                heard = time.monotonic()
                self._silent = 0.0
            else:
                self._silent = time.monotonic() - heard


class StoppedError(Exception):
    """Nobody waits for the result any more."""


def answers(address: str) -> bool:
    """Whether anything listens at `HOST:PORT`."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=3.0).close()
    except (OSError, ValueError):
        return False
    return True


def question_asked(question: Callable[[], Any]) -> Any:
    """The answer to a question, on the machine that this runs on."""
    return question()


def machine_name(machine: dict[str, Any]) -> str:
    """What a machine is called in messages."""
    return f"{machine['NodeManagerHostname']} ({machine['NodeManagerAddress']}, {machine['NodeID'][:6]})"


def last_line(error: BaseException) -> str:
    """What an error of Ray comes to: the line that says why, cut where it becomes advice."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[-1].split(" Some common causes")[0][:300]


def _connect(ray: Any, address: str) -> None:
    """Join a cluster as one who only hands out work: this starts none, and changes neither signals nor logging.

    Raises:
        WorkError: That cannot be.
    """
    if "://" in address:
        raise WorkError(
            f"ray_address = {address!r}: run this on a machine of the cluster and give HOST:PORT of its head, or auto"
        )
    if address != "auto" and not answers(address):
        raise WorkError(
            f"ray_address = {address!r}: nothing answers there. Start a cluster (ray start --head), or give HOST:PORT "
            "of its head"
        )
    problems: list[BaseException] = []

    def join() -> None:
        try:
            ray.init(address=address, log_to_driver=False, configure_logging=False)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - told below
            problems.append(error)

    # on a thread, because there it has a limit, and Ray leaves the handler of SIGTERM alone
    joining = threading.Thread(target=join, name="ray-init", daemon=True)
    with _quiet():
        joining.start()
        joining.join(_CONNECT_SECONDS)
    if joining.is_alive():
        raise WorkError(
            f"ray_address = {address!r}: could not be joined within {_CONNECT_SECONDS:.0f} seconds"
        )
    if problems:
        raise WorkError(_why_not(address, problems[0])) from problems[0]


def _why_not(address: str, error: BaseException) -> str:
    """Why a cluster cannot be joined, and the way out."""
    place, text = f"ray_address = {address!r}", str(error)
    if "ersion mismatch" in text or "was started with" in text:
        facts = " ".join(text.split())
        return f"{place}: the cluster and this process must have the same Ray and the same Python. {facts}"
    if isinstance(error, ConnectionError) and address == "auto":
        return (
            f"{place}: this machine belongs to no Ray cluster. Start one (ray start --head), join one (ray start "
            "--address=HOST:PORT), or give HOST:PORT of the head"
        )
    return f"{place}: the cluster cannot be joined from here ({last_line(error)})"


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Ray from logging how it connects, inside the block."""
    logger = logging.getLogger("ray")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
