"""Networks run by OpenVINO on the processor: converted from torch once, and kept converted and compiled on disk."""

import json
import logging
import sys
import tempfile
import warnings
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clustering_assets.embedding.backbone import Backbone
from clustering_assets.embedding.memory import recall
from clustering_assets.embedding.runtime import Plan
from clustering_assets.storage import file_digest, scratch_folder, write_text

log = logging.getLogger("clustering_assets.embedding")

PIECE = 8
"""Pictures in one request: measured fastest with one stream for each core; every request has this size, so that
a vector does not depend on what else is in its batch."""


class OpenVinoRuntime:
    """A network compiled for the processor: one stream for each thread, and a request waiting behind each."""

    def __init__(self, plan: Plan, model: Any, batch_size: int, compiled: Path | None, threads: int) -> None:
        """Compile the network.

        Args:
            plan: From `plan_runtime`.
            model: From `openvino_model`; its batch becomes fixed.
            batch_size: Most pictures in one call, at least.
            compiled: Folder for the compiled network; None keeps nothing.
            threads: Threads of the arithmetic.
        """
        self.plan = plan
        core = openvino().Core()
        self.device_name = core.get_property("CPU", "FULL_DEVICE_NAME").strip()
        self.batch_size = max(batch_size, PIECE * threads)
        model.reshape([PIECE, *model.input(0).partial_shape[1:]])
        options = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "NUM_STREAMS": threads,
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "bf16" if plan.precision == "bfloat16" else "f32",
        }
        if compiled is not None:
            compiled.mkdir(exist_ok=True)
            _drop_unsealed(compiled)
            options["CACHE_DIR"] = str(compiled)
        network = core.compile_model(model, "CPU", options)
        if compiled is not None:
            _seal_compiled(compiled)
        self._dimension = int(model.output(0).partial_shape[1].get_length())
        self._idle = [network.create_infer_request() for _ in range(2 * threads)]
        self._busy: deque[_Piece] = deque()

    def start(self, pixels: Sequence[NDArray[np.uint8]]) -> "_Batch":
        """Begin to compute the features of prepared pictures."""
        features = np.empty((len(pixels), self._dimension), np.float32)
        pieces = [
            self._start_piece(pixels[first : first + PIECE], features[first : first + PIECE])
            for first in range(0, len(pixels), PIECE)
        ]
        return _Batch(self, pieces, features)

    def finish(self, piece: "_Piece") -> None:
        """Wait for a piece and for all that were started before it."""
        while not piece.done:
            first = self._busy.popleft()
            self._idle.append(first.finish())

    def _start_piece(self, pixels: Sequence[NDArray[np.uint8]], rows: NDArray[np.float32]) -> "_Piece":
        if not self._idle:
            self.finish(self._busy[0])
        piece = _Piece(self._idle.pop(), rows)
        self._busy.append(piece)
        room = piece.request.get_input_tensor().data
        for place, view in enumerate(pixels):
            room[place] = view
        piece.request.start_async()
        return piece


class _Piece:
    """A request on its way, and where its result belongs."""

    def __init__(self, request: Any, rows: NDArray[np.float32]) -> None:
        self.request = request
        self.done = False
        self._rows = rows

    def finish(self) -> Any:
        """Wait, copy what was computed, and give the request free; rows that only filled it up are left out."""
        self.request.wait()
        self._rows[:] = self.request.get_output_tensor(0).data[: len(self._rows)]
        self.done = True
        return self.request


class _Batch:
    """The pieces of one batch."""

    def __init__(
        self, runtime: OpenVinoRuntime, pieces: Sequence[_Piece], features: NDArray[np.float32]
    ) -> None:
        self._runtime, self._pieces, self._features = runtime, pieces, features

    def result(self) -> NDArray[np.float32]:
        """Features of the whole batch, shape (n, dimension)."""
        for piece in self._pieces:
            self._runtime.finish(piece)
        return self._features


def openvino() -> Any:
    """The OpenVINO package, imported without its telemetry.

    `import openvino` alone reports to Intel unless the user has declined before
    (`openvino/tools/ovc/__init__.py`). It falls back to a stub that does nothing where the package
    `openvino_telemetry` is missing, so that package is hidden from it.
    """
    if "openvino" not in sys.modules:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    elif (loaded := sys.modules.get("openvino_telemetry")) is not None:
        loaded.Telemetry("OpenVINO", "", "").consent = False
    import openvino

    return openvino


def has_bfloat16() -> bool:
    """Whether OpenVINO finds bfloat16 in the processor."""
    return "BF16" in openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def openvino_runtime(
    plan: Plan,
    backbone: Backbone,
    weights: Callable[[], Path],
    *,
    batch_size: int,
    models: Sequence[Path],
    threads: int,
) -> OpenVinoRuntime:
    """Convert a network, or find it converted, and compile it.

    Args:
        plan: From `plan_runtime`.
        backbone: The network.
        weights: Gives the path of its weights; called only if it has to be converted.
        batch_size: Most pictures in one call, at least.
        models: Folders for converted and compiled networks; the first that can be written to is used.
        threads: Threads of the arithmetic.

    Raises:
        OSError: None of the folders can be written to, and none has the network.
        WeightsError: The weights cannot be had, or belong to another network.
    """
    import filelock

    name = f"{backbone.architecture}-{backbone.fingerprint}"
    folder = next((folder for folder in models if _is_writable(folder)), None)
    # two processes that start at once convert and compile once; neither meets what the other has half written
    with nullcontext() if folder is None else filelock.FileLock(folder / f".{name}.lock"):
        model = _converted(name, backbone, weights, models)
        compiled = None if folder is None else folder / f"{name}-compiled"
        return OpenVinoRuntime(plan, model, batch_size, compiled, threads)


def _converted(name: str, backbone: Backbone, weights: Callable[[], Path], models: Sequence[Path]) -> Any:
    """The network as an OpenVINO model, always as it was read from disk.

    Only then does OpenVINO heed which layers stay exact, and every run gets the same vectors.
    """
    core = openvino().Core()
    for folder in models:
        if _is_sealed(folder / f"{name}.xml"):
            return core.read_model(folder / f"{name}.xml")
    model = _convert(backbone, weights())
    problem = OSError("no folder for converted networks was given")
    for folder in models:
        try:
            _keep_model(model, folder / f"{name}.xml")
            return core.read_model(folder / f"{name}.xml")
        except OSError as error:
            log.info("the converted network is not kept: %s", error)
            problem = error
    raise problem


def _convert(backbone: Backbone, weights: Path) -> Any:
    """The torch network, traced and converted; its input is (any, side, side, 3) uint8."""
    import torch

    from clustering_assets.embedding.networks import feature_network

    network = feature_network(backbone, weights)
    side = backbone.preprocessing.side
    example = torch.zeros(2, side, side, 3, dtype=torch.uint8)
    ov = openvino()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's notices about tracing
        # traced here: OpenVINO would trace three times, to check, which takes seconds
        traced = torch.jit.trace(network, example, check_trace=False)
        model = ov.convert_model(traced, example_input=example, input=[ov.PartialShape([-1, side, side, 3])])
    _keep_exact(model)
    return model


def _keep_exact(model: Any) -> None:
    """Let the first depthwise convolution and the one before it stay in float32 when the network runs in bfloat16.

    Their few weights are most of what bfloat16 costs (see `networks.lower_precision`). The mark is the one that
    OpenVINO's own conversions leave on layers that must not be compressed ("precise").
    """
    for layer in _way_to_depthwise(model):
        layer.get_rt_info()["precise_0"] = ""


def _way_to_depthwise(model: Any) -> list[Any]:
    """The first depthwise convolution, and the convolution whose result goes into it by one way only."""
    varying: dict[str, list[Any]] = {}  # layers that depend on the picture, and those of their inputs that do
    for layer in model.get_ordered_ops():
        before = [node for value in layer.input_values() if (node := value.get_node()).get_name() in varying]
        if before or layer.get_type_name() == "Parameter":
            varying[layer.get_name()] = before
        if _is_depthwise(layer):
            break
    else:
        return []
    way = [layer]
    while len(before) == 1:
        if before[0].get_type_name() in ("Convolution", "GroupConvolution"):
            return [*before, *way]
        before = varying[before[0].get_name()]
    return way


def _is_depthwise(layer: Any) -> bool:
    """Whether a layer is a convolution with filters of one channel each."""
    return layer.get_type_name() == "GroupConvolution" and layer.input_value(1).get_partial_shape()[2] == 1


def _keep_model(model: Any, kept: Path) -> None:
    """Save a model: its two files first, then the seal that says that they are complete."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    with scratch_folder(beside=kept.parent) as folder:
        written = folder / kept.name
        try:
            openvino().save_model(model, written, compress_to_fp16=False)
        except RuntimeError as error:  # what OpenVINO raises for a full disk
            raise OSError(f"{kept}: {str(error).splitlines()[0]}") from error
        seal = {suffix: file_digest(written.with_suffix(suffix)) for suffix in (".xml", ".bin")}
        for suffix in seal:
            written.with_suffix(suffix).replace(kept.with_suffix(suffix))
    write_text(kept.with_suffix(".json"), json.dumps(seal))


def _is_sealed(kept: Path) -> bool:
    """Whether a kept model is complete and unchanged."""
    seal = recall(kept.with_suffix(".json"))
    try:
        return all(file_digest(kept.with_suffix(suffix)) == seal[suffix] for suffix in (".xml", ".bin"))
    except (OSError, KeyError):
        return False


def _is_writable(folder: Path) -> bool:
    """Whether files can be made in a folder, which is made if it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError as error:
        log.info("compiled networks are not kept: %s", error)
        return False


def _drop_unsealed(folder: Path) -> None:
    """Remove compiled networks that are not as they were written: OpenVINO would run a damaged one."""
    sealed = recall(folder / "seal.json")
    for blob in folder.glob("*.blob"):
        try:
            if sealed.get(blob.name) != file_digest(blob):
                blob.unlink()
        except OSError as error:
            log.info("%s cannot be checked: %s", blob, error)


def _seal_compiled(folder: Path) -> None:
    """Note the hashes of the compiled networks in a folder."""
    try:
        write_text(
            folder / "seal.json", json.dumps({blob.name: file_digest(blob) for blob in folder.glob("*.blob")})
        )
    except OSError as error:
        log.info("the compiled network is not kept: %s", error)
