"""Which runtime runs a network here: the choice of device and precision, and the start."""

import ctypes
import importlib.util
import logging
import math
import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

from clustering_assets.embedding.backbone import Backbone
from clustering_assets.embedding.runtime import Plan, Runtime, RuntimeUnavailable
from clustering_assets.settings import Embedding
from clustering_assets.threads import available_cores

log = logging.getLogger("clustering_assets.embedding")

RUNTIMES: tuple[str, ...] = get_args(Embedding.model_fields["runtime"].annotation)


def plan_runtime(requested: str = "auto", use_gpu: bool = True) -> Plan:
    """What will run the network here: a GPU if there is one, otherwise OpenVINO, otherwise torch on the CPU.

    bfloat16 is chosen only where the processor computes in it, float16 on GPUs, float32 elsewhere.

    Args:
        requested: `auto`, `openvino` or `torch`.
        use_gpu: Whether a GPU may be chosen.

    Raises:
        RuntimeUnavailable: It is not installed, or not one of these.
    """
    if requested not in RUNTIMES:
        raise RuntimeUnavailable(f"runtime = {requested!r}: must be one of {', '.join(RUNTIMES)}")
    has_openvino = importlib.util.find_spec("openvino") is not None
    if requested == "openvino" and not has_openvino:
        raise RuntimeUnavailable("runtime = 'openvino' needs OpenVINO: pip install openvino")
    if use_gpu and requested != "openvino" and (accelerator := _accelerator()):
        return Plan("torch", accelerator, "float16")
    if requested == "torch" or not has_openvino:
        return Plan("torch", "cpu", "bfloat16" if _torch_has_bfloat16() else "float32")
    from clustering_assets.embedding.openvino_runtime import has_bfloat16

    return Plan("openvino", "cpu", "bfloat16" if has_bfloat16() else "float32")


def start_runtime(
    plan: Plan,
    backbone: Backbone,
    weights: Callable[[], Path],
    *,
    batch_size: int,
    models: Sequence[Path],
    threads: int | None = None,
) -> Runtime:
    """Load the network into its runtime.

    Args:
        plan: From `plan_runtime`.
        backbone: The network.
        weights: Gives the path of its weights; called only if they are needed.
        batch_size: Most pictures that will come in one call.
        models: Folders for converted and compiled networks, so that the next start needs neither torch nor the
            weights; the first that can be written to is used.
        threads: Threads of the arithmetic; as many as this process may use cores by default.

    Raises:
        WeightsError: The weights cannot be had, or belong to another network.
        OutOfMemory: The device has no room for the network.
    """
    threads = threads or available_cores()
    if plan.runtime == "openvino":
        from clustering_assets.embedding.openvino_runtime import openvino_runtime

        return openvino_runtime(
            plan, backbone, weights, batch_size=batch_size, models=models, threads=threads
        )
    from clustering_assets.embedding.networks import feature_network
    from clustering_assets.embedding.torch_runtime import TorchRuntime, prepared

    network = prepared(feature_network(backbone, weights()), plan.precision)
    return TorchRuntime(plan, network, batch_size, threads)


def usual_batch(plan: Plan) -> int:
    """Pictures in a forward pass where the user names no number: as many as keep the device busy.

    On CUDA two for each multiprocessor, to a power of two: ResNet50 in half precision reaches 0.92 of its best rate
    with one for each on a card of 132. How many there is memory for shows when the network starts.
    """
    if plan.device != "cuda":
        return {"mps": 64}.get(plan.device, 32)
    import torch

    processors = torch.cuda.get_device_properties("cuda").multi_processor_count
    return min(512, max(32, 2 ** round(math.log2(2 * processors))))


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

    if not torch.cuda.is_available():
        return ""
    from clustering_assets.embedding.torch_runtime import why_unusable

    if problem := why_unusable("cuda"):
        log.warning("the GPU is not used: %s", problem)
    return "" if problem else "cuda"


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
