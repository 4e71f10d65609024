"""Networks run by torch: in half precision and channels-last on a GPU, with its own threads on the CPU."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from clustering_assets.embedding.networks import FeatureNetwork, fold_batch_norms, lower_precision
from clustering_assets.embedding.runtime import IN_FLIGHT, DeviceLost, OutOfMemory, Plan, Precision

log = logging.getLogger("clustering_assets.embedding")

_NO_ROOM = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "STATUS_ALLOC_FAILED",
    "could not create a primitive",
    "could not create a memory",
)
"""How torch's errors for a lack of memory read, where they have no type of their own; the last two are oneDNN's."""


def prepared(network: FeatureNetwork, precision: Precision) -> FeatureNetwork:
    """A network as it shall run: batch normalisations folded, in a precision; the one given may be changed."""
    folded = fold_batch_norms(network)
    lower_precision(folded, getattr(torch, precision))
    return folded


def why_unusable(device: str) -> str:
    """Why torch cannot compute on a device, if so: it finds GPUs that it has no code for, and some stop working."""
    try:
        torch.ones(8, device=device, dtype=torch.float16).sum().item()
    except torch.cuda.OutOfMemoryError:
        return ""  # it is only busy, which is for the user to decide
    except RuntimeError as error:
        return str(error).splitlines()[0]
    return ""


class TorchRuntime:
    """A network on one device, with room for a few batches on their way through it.

    While one batch is computed, the next is copied to the device and the one before it copied back. On a GPU
    every pass has the same number of pictures, so that a vector does not depend on how many there were, and kernels
    are chosen once. When the device runs out of memory, passes become half as large and nothing is lost.
    """

    def __init__(self, plan: Plan, network: FeatureNetwork, batch_size: int, threads: int) -> None:
        """Put the network on the device.

        Args:
            plan: From `plan_runtime`.
            network: In the plan's precision, on the CPU (`prepared`).
            batch_size: Most pictures in one call.
            threads: Threads of the arithmetic, on the CPU.

        Raises:
            OutOfMemory: The device has no room for the network.
        """
        self.plan = plan
        self.batch_size = self._most = batch_size
        self._device = torch.device(plan.device)
        if plan.device == "cpu":
            torch.set_num_threads(threads)
        if plan.device == "cuda":
            torch.backends.cudnn.benchmark = True
        self.device_name = torch.cuda.get_device_name() if plan.device == "cuda" else plan.device
        network.trunk.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        try:
            self._network = network.to(self._device).eval()
            shape = batch_size, network.side, network.side, 3
            self._slots = [_Slot(self._device, shape) for _ in range(IN_FLIGHT)]
        except RuntimeError as error:
            if not _is_lack_of_memory(error):
                raise
            raise OutOfMemory(self._no_room("the network", str(error))) from error
        self._next = 0
        if plan.device == "cuda":
            torch.cuda.synchronize()  # the slots' streams do not wait for the one that brought the network
            # now rather than with the first batch: kernels are chosen, and passes become as small as memory needs
            self.start([np.zeros(shape[1:], np.uint8)] * batch_size).result()
            self.batch_size = self._most

    def start(self, pixels: Sequence[NDArray[np.uint8]]) -> "_Joined":
        """Begin to compute the features of prepared pictures, in as many passes as memory needs."""
        passes: list[_Pass] = []
        first = 0
        with self.watched():
            while first < len(pixels):
                part = pixels[first : first + self._most]
                started = self._try(part)
                if started is not None:
                    passes.append(started)
                    first += len(part)
        return _Joined(self, passes)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Tell errors of a device that computes no more from others.

        Raises:
            DeviceLost: It is one.
        """
        try:
            yield
        except RuntimeError as error:
            if self.plan.device == "cpu" or not (problem := why_unusable(self.plan.device)):
                raise
            raise DeviceLost(
                f"{self.device_name} computes no more ({problem}). Run it again, or set runtime to openvino to go on "
                "without it"
            ) from error

    def _try(self, pixels: Sequence[NDArray[np.uint8]]) -> "_Pass | None":
        """One pass; None if there was no room for it, in which case the next may have half as many pictures.

        Raises:
            OutOfMemory: It was one picture.
        """
        slot = self._slots[self._next]
        self._next = (self._next + 1) % len(self._slots)
        count = len(pixels) if self.plan.device == "cpu" else self._most
        try:
            return slot.start(self._network, pixels, count)
        except (RuntimeError, MemoryError) as error:
            if not _is_lack_of_memory(error):
                raise
            reason = str(error)
        # outside the except block: a live exception would keep the tensors of the failed pass
        for busy in self._slots:
            busy.finish()
        if self.plan.device == "cuda":
            torch.cuda.empty_cache()
        elif self.plan.device == "mps":
            torch.mps.empty_cache()
        if count == 1:
            raise OutOfMemory(self._no_room("even one picture", reason))
        self._most = count // 2
        log.warning("out of memory on %s: going on with %d pictures at once", self.device_name, self._most)
        return None

    def _no_room(self, what: str, reason: str) -> str:
        return (
            f"{self.device_name} has not enough memory for {what} ({reason.splitlines()[0]}). Close other programs "
            "that use it, set runtime to openvino, or choose a smaller backbone such as efficientnet_lite0"
        )


class _Slot:
    """Room for one batch on its way through the device: its staging memory and its own queue of commands.

    On CUDA the staging memory is pinned, so that copies run beside the computing of the other slot, and the queue is
    a stream. The staging memory is written to again only when the batch that was in it has come back.
    """

    def __init__(self, device: torch.device, shape: tuple[int, ...]) -> None:
        self._device = device
        self._is_cuda = device.type == "cuda"
        self._pixels = torch.empty(shape, dtype=torch.uint8, pin_memory=self._is_cuda)
        self._features: torch.Tensor | None = None
        self._stream: Any = torch.cuda.Stream(device) if self._is_cuda else None
        self._pass: _Pass | None = None

    def start(self, network: FeatureNetwork, pixels: Sequence[NDArray[np.uint8]], count: int) -> "_Pass":
        """Begin a pass of `count` pictures, of which the first are `pixels` and the others do not matter."""
        self.finish()
        for place, view in zip(self._pixels.numpy(), pixels, strict=False):
            place[:] = view
        with torch.inference_mode(), torch.cuda.stream(self._stream) if self._is_cuda else nullcontext():
            batch = self._pixels[:count].to(self._device, non_blocking=True)
            features = network(batch)[: len(pixels)]
            if self._is_cuda:
                features = self._to_host(features)
                done = torch.cuda.Event(
                    blocking=True
                )  # a waiting thread that spins would take a core from decoding
                done.record()
            else:
                done = None
        self._pass = _Pass(features, done)
        return self._pass

    def finish(self) -> None:
        """Wait until the batch has come back."""
        if self._pass is not None:
            self._pass.result()
            self._pass = None

    def _to_host(self, features: torch.Tensor) -> torch.Tensor:
        """Begin to copy features back."""
        if self._features is None:
            rows = len(self._pixels)
            self._features = torch.empty((rows, features.shape[1]), dtype=features.dtype, pin_memory=True)
        return self._features[: len(features)].copy_(features, non_blocking=True)


class _Pass:
    """Some pictures that were sent through the network together."""

    def __init__(self, features: torch.Tensor, done: Any) -> None:
        self._features: torch.Tensor | None = features
        self._done = done
        self._result: NDArray[np.float32] | None = None

    def result(self) -> NDArray[np.float32]:
        """Their features; on the host, in memory that nothing else uses."""
        if self._features is not None:
            if self._done is not None:
                self._done.synchronize()
            self._result = self._features.cpu().numpy().copy()
            self._features = None
        assert self._result is not None
        return self._result


class _Joined:
    """The passes of one batch."""

    def __init__(self, runtime: TorchRuntime, passes: list[_Pass]) -> None:
        self._runtime, self._passes = runtime, passes

    def result(self) -> NDArray[np.float32]:
        """Features of the whole batch, shape (n, dimension)."""
        with self._runtime.watched():
            return np.concatenate([part.result() for part in self._passes])


def _is_lack_of_memory(error: BaseException) -> bool:
    """Whether a smaller batch might have gone well."""
    if isinstance(error, (torch.cuda.OutOfMemoryError, MemoryError)):
        return True
    return any(words in str(error) for words in _NO_ROOM)
