"""What runs a network: OpenVINO or torch, on which device and in which precision, behind one interface."""

import ctypes
import hashlib
import importlib.util
import json
import logging
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from clustering_assets.embedding.backbones import Backbone
from clustering_assets.errors import ClusteringError
from clustering_assets.storage import write_text

if TYPE_CHECKING:
    from clustering_assets.embedding.networks import FeatureNetwork

log = logging.getLogger("clustering_assets.embedding")

RUNTIMES = ("auto", "openvino", "torch")

Precision = Literal["float32", "float16", "bfloat16"]

PIECE = 8
"""Pictures in one OpenVINO request: measured fastest with one request per core; every request has this size,
so that a vector does not depend on what else is in its batch."""


class RuntimeUnavailable(ClusteringError):
    """A runtime was asked for that is not installed or not known."""


class OutOfMemory(Exception):
    """The device has no room for a batch of this size; a smaller one may fit."""


@dataclass(frozen=True)
class Plan:
    """What will run the network.

    Attributes:
        runtime: `openvino` or `torch`.
        device: `cpu`, `cuda` or `mps`.
        precision: Type of the arithmetic inside the network: `float32`, `float16` or `bfloat16`.
    """

    runtime: str
    device: str
    precision: Precision


class Runtime(Protocol):
    """A network that is ready to run."""

    plan: Plan
    device_name: str
    batch_size: int
    """Pictures that it wants in one call: enough to keep the device busy."""

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features (n, dimension) of prepared pictures (n, height, width, 3).

        Raises:
            OutOfMemory: The batch does not fit.
        """
        ...


def plan_runtime(requested: str = "auto") -> Plan:
    """What will run the network here: a GPU if there is one, otherwise OpenVINO, otherwise torch on the CPU.

    bfloat16 is chosen only where the processor computes in it, float16 on GPUs, float32 elsewhere.

    Args:
        requested: `auto`, `openvino` or `torch`.

    Raises:
        RuntimeUnavailable: It is not installed, or not one of these.
    """
    if requested not in RUNTIMES:
        raise RuntimeUnavailable(f"runtime = {requested!r}: must be one of {', '.join(RUNTIMES)}")
    has_openvino = importlib.util.find_spec("openvino") is not None
    if requested == "openvino" and not has_openvino:
        raise RuntimeUnavailable("runtime = 'openvino' needs OpenVINO: pip install openvino")
    if requested != "openvino" and (accelerator := _accelerator()):
        return Plan("torch", accelerator, "float16")
    if requested == "torch" or not has_openvino:
        return Plan("torch", "cpu", "bfloat16" if _torch_has_bfloat16() else "float32")
    native = "BF16" in openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return Plan("openvino", "cpu", "bfloat16" if native else "float32")


def start_runtime(
    plan: Plan,
    backbone: Backbone,
    weights: Callable[[], Path],
    *,
    batch_size: int,
    models: Path | None = None,
    threads: int | None = None,
) -> Runtime:
    """Load the network into its runtime.

    Args:
        plan: From `plan_runtime`.
        backbone: The network.
        weights: Gives the path of its weights; called only if they are needed.
        batch_size: Most pictures that will come in one call.
        models: Folder in which converted and compiled networks are kept, so that the next start needs neither
            torch nor the weights; None keeps nothing.
        threads: Threads of the arithmetic; as many as this process may use cores by default.

    Raises:
        WeightsError: The weights cannot be had, or belong to another network.
    """
    threads = threads or available_cores()
    if plan.runtime == "openvino":
        compiled = (
            None if models is None else models / f"{backbone.architecture}-{backbone.fingerprint}-compiled"
        )
        return OpenVinoRuntime(plan, openvino_model(backbone, weights, models), batch_size, compiled, threads)
    from clustering_assets.embedding import networks

    network = networks.feature_network(backbone, weights())
    network = networks.fold_batch_norms(network, backbone.preprocessing.crop)
    return TorchRuntime(plan, network, batch_size, threads)


def available_cores() -> int:
    """How many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class OpenVinoRuntime:
    """A network compiled by OpenVINO for the processor: one request in flight per stream of threads."""

    def __init__(self, plan: Plan, model: Any, batch_size: int, compiled: Path | None, threads: int) -> None:
        self.plan = plan
        ov = openvino()
        core = ov.Core()
        self.device_name = core.get_property("CPU", "FULL_DEVICE_NAME").strip()
        self._streams = threads
        self.batch_size = max(batch_size, PIECE * threads)
        model.reshape([PIECE, *model.input(0).partial_shape[1:]])
        options = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "NUM_STREAMS": self._streams,
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "bf16" if plan.precision == "bfloat16" else "f32",
        }
        if compiled is not None and not _is_writable(compiled):
            compiled = None  # OpenVINO would fail
        if compiled is not None:
            _drop_unsealed(compiled)
            options["CACHE_DIR"] = str(compiled)
        self._dimension = int(model.output(0).partial_shape[1].get_length())
        self._requests = ov.AsyncInferQueue(core.compile_model(model, "CPU", options), self._streams)
        self._requests.set_callback(_keep_output)
        if compiled is not None:
            _seal_compiled(compiled)

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features (n, dimension) of prepared pictures (n, height, width, 3)."""
        features = np.empty((len(pixels), self._dimension), np.float32)
        for start in range(0, len(pixels), PIECE):
            piece = pixels[start : start + PIECE]
            if len(piece) < PIECE:
                piece = np.concatenate([piece, np.zeros((PIECE - len(piece), *piece.shape[1:]), np.uint8)])
            self._requests.start_async({0: piece}, features[start : start + PIECE])
        self._requests.wait_all()
        return features


def _keep_output(request: Any, rows: NDArray[np.float32]) -> None:
    """Copy what a request computed to where it belongs; rows that only filled the request up are left out."""
    rows[:] = request.get_output_tensor(0).data[: len(rows)]


class TorchRuntime:
    """A network run by torch: in half precision and channels-last on a GPU, in its own threads on the CPU."""

    def __init__(self, plan: Plan, network: "FeatureNetwork", batch_size: int, threads: int) -> None:
        import torch

        from clustering_assets.embedding import networks

        self.plan = plan
        self.batch_size = batch_size
        self._torch = torch
        self._device = torch.device(plan.device)
        if plan.device == "cpu":
            torch.set_num_threads(threads)
        if plan.device == "cuda":
            torch.backends.cudnn.benchmark = True
        networks.lower_precision(network.trunk, getattr(torch, plan.precision))
        network.trunk.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self._network = network.to(self._device).eval()
        self.device_name = torch.cuda.get_device_name() if plan.device == "cuda" else plan.device

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features (n, dimension) of prepared pictures (n, height, width, 3)."""
        torch = self._torch
        try:
            with torch.inference_mode():
                batch = torch.from_numpy(pixels)
                if self.plan.device == "cuda":
                    batch = batch.pin_memory()
                return self._network(batch.to(self._device, non_blocking=True)).cpu().numpy()
        except torch.cuda.OutOfMemoryError as error:
            reason = str(error)
        except RuntimeError as error:
            if "out of memory" not in str(error) and "can't allocate memory" not in str(error):
                raise
            reason = str(error)
        # outside the except blocks: a live exception would keep the tensors of the failed pass
        if self.plan.device == "cuda":
            torch.cuda.empty_cache()
        raise OutOfMemory(reason)


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


def openvino_model(backbone: Backbone, weights: Callable[[], Path], models: Path | None) -> Any:
    """The network as an OpenVINO model, from `models` if it was converted before and is unchanged there."""
    core = openvino().Core()
    kept = None if models is None else models / f"{backbone.architecture}-{backbone.fingerprint}.xml"
    if kept is not None and _is_sealed(kept):
        return core.read_model(kept)
    model = _convert(backbone, weights())
    if kept is not None:
        try:
            _keep_model(model, kept)
            return core.read_model(kept)
        except OSError as error:
            log.info("the converted network is not kept: %s", error)
    # always read back: only then does OpenVINO heed which layers stay exact, and every run gets the same vectors
    core.set_property({"ENABLE_MMAP": False})
    with tempfile.TemporaryDirectory(prefix="network-") as folder:
        written = Path(folder) / "network.xml"
        openvino().save_model(model, written, compress_to_fp16=False)
        return core.read_model(written)


def _convert(backbone: Backbone, weights: Path) -> Any:
    """The torch network, traced and converted; its input is (any, crop, crop, 3) uint8."""
    import warnings

    import torch

    from clustering_assets.embedding import networks

    network = networks.feature_network(backbone, weights)
    side = backbone.preprocessing.crop
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
    """Let the first depthwise convolution stay in float32 when the network runs in bfloat16.

    Its few weights are most of what bfloat16 costs (see `networks.lower_precision`). The mark is the one that
    OpenVINO's own conversions leave on layers that must not be compressed ("precise").
    """
    for layer in model.get_ordered_ops():
        if layer.get_type_name() == "GroupConvolution":
            layer.get_rt_info()["precise_0"] = ""
            return


def _keep_model(model: Any, kept: Path) -> None:
    """Save a model: its two files first, then the seal that says that they are complete."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix=".") as folder:
        written = Path(folder) / kept.name
        try:
            openvino().save_model(model, written, compress_to_fp16=False)
        except RuntimeError as error:  # what OpenVINO raises for a full disk
            raise OSError(f"{kept}: {str(error).splitlines()[0]}") from error
        seal = {suffix: _digest(written.with_suffix(suffix)) for suffix in (".xml", ".bin")}
        for suffix in seal:
            written.with_suffix(suffix).replace(kept.with_suffix(suffix))
    write_text(kept.with_suffix(".json"), json.dumps(seal))


def _is_sealed(kept: Path) -> bool:
    """Whether a kept model is complete and unchanged."""
    try:
        seal = json.loads(kept.with_suffix(".json").read_text(encoding="utf-8"))
        return all(_digest(kept.with_suffix(suffix)) == seal[suffix] for suffix in (".xml", ".bin"))
    except (OSError, ValueError, KeyError):
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
    seal = folder / "seal.json"
    try:
        sealed = json.loads(seal.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        sealed = {}
    for blob in folder.glob("*.blob"):
        try:
            if sealed.get(blob.name) != _digest(blob):
                blob.unlink()
        except OSError as error:
            log.info("%s cannot be checked: %s", blob, error)


def _seal_compiled(folder: Path) -> None:
    """Note the hashes of the compiled networks in a folder."""
    try:
        write_text(
            folder / "seal.json", json.dumps({blob.name: _digest(blob) for blob in folder.glob("*.blob")})
        )
    except OSError as error:
        log.info("the compiled network is not kept: %s", error)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _accelerator() -> str:
    """`cuda` or `mps` where there is one that torch can use, otherwise nothing.

    The driver is asked first, because importing torch takes seconds.
    """
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        import torch

        return "mps" if torch.backends.mps.is_available() else ""
    if not _cuda_devices():
        return ""
    import torch

    return "cuda" if torch.cuda.is_available() else ""


@cache
def _cuda_devices() -> int:
    """How many GPUs NVIDIA's driver has for this process; 0 without a driver."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if platform.system() == "Windows" else "libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int()
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value


def _torch_has_bfloat16() -> bool:
    """Whether the processor computes in bfloat16; torch would emulate it, slowly, elsewhere."""
    import torch

    if hasattr(torch.cpu, "get_capabilities"):
        has = torch.cpu.get_capabilities()
        return bool(has.get("avx512_bf16") or has.get("amx_bf16") or has.get("bf16"))
    probe = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(probe and probe())
