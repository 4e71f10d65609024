"""What is in files of weights: tensors by name, read safely and matched with the network they are meant for."""

import pickle
import re
import sys
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from clustering_assets.clustering.imagenet_kinds import CLASSES
from clustering_assets.embedding.architectures import build, head_name, optional
from clustering_assets.embedding.backbone import Backbone
from clustering_assets.embedding.weights import WeightsError

_WRAPPERS = ("state_dict", "model_state_dict", "model", "net")
"""Names under which training scripts put the tensors into a file with other things."""


def classification_layer(backbone: Backbone, weights: Path) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Matrix (classes, dimension) and offsets (classes,) of the classification layer, if it is linear."""
    with torch.device("meta"):
        network = build(backbone)
    head = head_name(network, backbone)
    state = _named_as_in(network, published_state(network, backbone, weights), head)
    matrix = state.get(f"{head}.weight")
    if matrix is None or matrix.shape != (CLASSES, backbone.dimension):
        return None
    return matrix.float(), state.get(f"{head}.bias", torch.zeros(CLASSES)).float()


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a PyTorch weights file, by name; no code in the file is run.

    Raises:
        WeightsError: It is damaged or no weights file.
    """
    try:
        state = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path)
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        if "Unsupported global" in str(error):
            raise WeightsError(
                f"weights {path}: holds other objects beside tensors, which are not loaded because they may run code; "
                "save the network's state_dict() alone"
            ) from error
        reason = str(error).splitlines()[0][:150] if str(error) else type(error).__name__
        raise WeightsError(f"weights {path}: no PyTorch weights file, or a damaged one ({reason})") from error
    for wrapper in _WRAPPERS:
        if isinstance(state, Mapping) and isinstance(state.get(wrapper), Mapping):
            state = state[wrapper]
    tensors = (
        {name: value for name, value in state.items() if isinstance(value, torch.Tensor)}
        if isinstance(state, Mapping)
        else {}
    )
    if not tensors:
        raise WeightsError(f"weights {path}: holds no tensors by name (a state_dict is needed)")
    return tensors


def published_state(network: nn.Module, backbone: Backbone, weights: Path) -> dict[str, torch.Tensor]:
    """The tensors of a weights file (`read_state`), those of a timm network as timm itself reads such a file.

    What DINOv2, OpenAI's and Open CLIP and others publish has other names and sizes than timm's networks have.

    Raises:
        WeightsError: The file is damaged, no weights file, or of another network.
    """
    state = read_state(weights)
    convert = getattr(sys.modules[type(network).__module__], "checkpoint_filter_fn", None)
    if backbone.library != "timm" or convert is None:
        return state
    try:
        return convert(state, network)
    except Exception as error:
        raise WeightsError(
            f"weights {weights} do not belong to {backbone.architecture}: {type(error).__name__}: {error}"
        ) from error


def _read_pickle(path: Path) -> Any:
    return torch.load(path, map_location="cpu", weights_only=True)


def _read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    try:
        return optional("safetensors.torch").load_file(path)
    except optional("safetensors").SafetensorError as error:
        raise ValueError(str(error)) from error


def fill(
    network: nn.Module, state: dict[str, torch.Tensor], head: str, backbone: Backbone, weights: Path
) -> None:
    """Fill the network; the classification layer of the file may be missing or of another size."""
    state = _named_as_in(network, state, head)
    wanted = {
        name: value.shape for name, value in network.state_dict().items() if not name.startswith(f"{head}.")
    }
    needed = _needed(network, head)
    missing = sorted(needed - state.keys())
    other = sorted(name for name in wanted.keys() & state.keys() if wanted[name] != state[name].shape)
    strange = sorted(
        name
        for name in state.keys() - wanted.keys()
        if not name.startswith(f"{head}.") and not _auxiliary(name)
    )
    if missing or other or strange:
        first = (
            f"{missing[0]} is missing"
            if missing
            else f"{other[0]} has shape {tuple(state[other[0]].shape)} instead of {tuple(wanted[other[0]])}"
            if other
            else f"{strange[0]} is not part of it"
        )
        raise WeightsError(
            f"weights {weights} do not belong to {backbone.architecture}: of its {len(needed)} tensors "
            f"{len(missing)} are missing and {len(other)} have another shape, {len(strange)} are too many "
            f"(first: {first})"
        )
    fitting = OrderedDict((name, state[name]) for name in wanted.keys() & state.keys())
    # MNASNet reads here in which layout its tensors are; the shapes above are those of the present one
    vars(fitting)["_metadata"] = vars(network.state_dict())["_metadata"]
    network.load_state_dict(fitting, strict=False)


def _needed(network: nn.Module, head: str) -> set[str]:
    """Names of the tensors without which the network is not itself."""
    return {
        name
        for name in network.state_dict()
        if not name.startswith(f"{head}.")
        and not name.endswith("num_batches_tracked")
        and not _auxiliary(name)
    }


def _named_as_in(network: nn.Module, state: dict[str, torch.Tensor], head: str) -> dict[str, torch.Tensor]:
    """The tensors under the names that the network has for them.

    What trained it may have wrapped it: `module.` (data parallel), `_orig_mod.` (compiled), `model.` or `backbone.`
    (a module around it, whose other parts are left out).
    """
    state = _renamed(state)
    needed = _needed(network, head)
    for _ in range(3):
        if needed & state.keys():
            break
        for prefix in sorted({name.partition(".")[0] + "." for name in state}):
            inside = {
                name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)
            }
            if any(name.endswith(tuple(needed)) for name in inside):
                state = inside
                break
    return state


def _auxiliary(name: str) -> bool:
    """Whether a tensor belongs to a branch that only training uses (GoogLeNet, Inception)."""
    return name.startswith(("aux1.", "aux2.", "AuxLogits."))


def _renamed(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """DenseNet's published files name `norm.1` what its modules call `norm1`."""
    old = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.(?=[12]\.)")
    return {old.sub(r"\1", name): value for name, value in state.items()}
