"""The networks themselves, as torch modules from raw pixels to pooled features, with their weights loaded."""

import copy
import difflib
import importlib
import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from clustering_assets.embedding.backbones import Backbone, BackboneError
from clustering_assets.embedding.preprocessing import Preprocessing
from clustering_assets.embedding.weights import WeightsError, WeightsFile

CLASSES = 1000
"""Classes of ImageNet-1k, on which the published weights were trained."""


class FeatureNetwork(nn.Module):
    """Raw pixels in, pooled features out: normalisation and a network without its classification layer."""

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, trunk: nn.Module, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.trunk = trunk
        self.register_buffer("mean", 255 * torch.tensor(preprocessing.mean).view(1, 3, 1, 1))
        self.register_buffer("scale", 1 / (255 * torch.tensor(preprocessing.std).view(1, 3, 1, 1)))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Features of a batch.

        Args:
            pixels: uint8, shape (n, height, width, 3), RGB.

        Returns:
            float32, shape (n, dimension).
        """
        normal = (pixels.permute(0, 3, 1, 2).float() - self.mean) * self.scale
        kind = next(self.trunk.parameters()).dtype
        return self.trunk(normal.to(kind)).float().flatten(1)


class _InFloat32(nn.Module):
    """A layer that computes in float32 inside a network of lower precision."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return self.layer(values.float()).to(values.dtype)


def feature_network(backbone: Backbone, weights: Path) -> FeatureNetwork:
    """The network with its weights, ready for inference on the CPU in float32.

    Raises:
        WeightsError: The file is no PyTorch weights file, or belongs to another network.
    """
    trunk = _build(backbone)
    head = _head_name(trunk, backbone)
    _load(trunk, read_state(weights), head, backbone, weights)
    if backbone.library != "timm":
        _replace(trunk, trunk.get_submodule(head), nn.Identity())
    return FeatureNetwork(trunk, backbone.preprocessing).eval().requires_grad_(False)


def fold_batch_norms(network: FeatureNetwork, side: int) -> FeatureNetwork:
    """The same network with batch normalisations folded into the convolutions before them, where that is exact.

    It is faster, and in bfloat16 closer to float32, because a convolution's result is rounded once.

    Args:
        network: On the CPU, in float32.
        side: Side of its input, in pixels.

    Returns:
        A copy; `network` itself if folding would change what it computes.
    """
    folded = copy.deepcopy(network)
    example = torch.randint(0, 256, (1, side, side, 3), generator=torch.Generator().manual_seed(0)).byte()
    with torch.inference_mode():
        for convolution, norm in _adjacent(folded, example):
            if norm.running_mean is None or norm.running_var is None:
                continue
            weight, bias = fuse_conv_bn_weights(
                convolution.weight,
                convolution.bias,
                norm.running_mean,
                norm.running_var,
                norm.eps,
                norm.weight,
                norm.bias,
            )
            convolution.weight, convolution.bias = weight, bias
            _replace(folded, norm, nn.Identity())
        same = torch.allclose(folded(example), network(example), rtol=1e-2, atol=1e-3)
    return folded if same else network


def _adjacent(network: nn.Module, example: torch.Tensor) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Convolutions, and the batch normalisations that their results go into."""
    results: dict[int, tuple[nn.Conv2d, torch.Tensor]] = {}
    pairs: list[tuple[nn.Conv2d, nn.BatchNorm2d]] = []

    def leaves(layer: Any, inputs: Any, result: torch.Tensor) -> None:
        results[id(result)] = layer, result  # the tensor is kept, so that no other gets its id

    def enters(layer: Any, inputs: tuple[torch.Tensor, ...]) -> None:
        if id(inputs[0]) in results:
            pairs.append((results[id(inputs[0])][0], layer))

    hooks = []
    for layer in network.modules():
        if type(layer) is nn.BatchNorm2d:
            hooks.append(layer.register_forward_pre_hook(enters))
        elif isinstance(layer, nn.Conv2d):
            hooks.append(layer.register_forward_hook(leaves))
    network(example)
    for hook in hooks:
        hook.remove()
    return pairs


def _replace(network: nn.Module, old: nn.Module, new: nn.Module) -> None:
    """Put a layer in the place of another."""
    name = next(name for name, layer in network.named_modules() if layer is old)
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, new)


def lower_precision(trunk: nn.Module, kind: torch.dtype) -> None:
    """Let a network compute in another type; in bfloat16 its first depthwise convolution stays in float32.

    The weights of that layer are few, and most of what bfloat16 costs: on crops of photos, rounding them
    alone turned EfficientNet-Lite0's vectors by up to 0.013 in cosine, rounding all else by 0.001.
    """
    depthwise = [
        name
        for name, layer in trunk.named_modules()
        if isinstance(layer, nn.Conv2d) and layer.groups == layer.in_channels > 1
    ]
    if kind != torch.bfloat16 or not depthwise:
        trunk.to(kind)
        return
    exact = copy.deepcopy(trunk.get_submodule(depthwise[0]))
    trunk.to(kind)
    _replace(trunk, trunk.get_submodule(depthwise[0]), _InFloat32(exact))


def classification_layer(backbone: Backbone, weights: Path) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Matrix (classes, dimension) and offsets (classes,) of the classification layer, if it is linear."""
    with torch.device("meta"):
        head = _head_name(_build(backbone), backbone)
    state = _renamed(read_state(weights))
    matrix = state.get(f"{head}.weight")
    if matrix is None or matrix.shape != (CLASSES, backbone.dimension):
        return None
    return matrix.float(), state.get(f"{head}.bias", torch.zeros(CLASSES)).float()


def describe_torchvision(architecture: str) -> tuple[int, Preprocessing, WeightsFile]:
    """Dimension, preprocessing and weights file of a torchvision classification model's best weights."""
    from torchvision import models

    published = models.get_model_weights(architecture)
    best: Any = published.DEFAULT  # pyright: ignore[reportAttributeAccessIssue]
    transform = best.transforms()
    name = best.url.rsplit("/", 1)[-1]
    return (
        _dimension(lambda: _torchvision(architecture)),
        Preprocessing(
            resize=transform.resize_size[0],
            crop=transform.crop_size[0],
            interpolation=transform.interpolation.value,
            mean=tuple(transform.mean),
            std=tuple(transform.std),
        ),
        WeightsFile(name=name, digest=re.sub(r".*-([0-9a-f]+)\.\w+$", r"\1", name), url=best.url),
    )


def describe_timm(architecture: str) -> tuple[int, Preprocessing, WeightsFile]:
    """Dimension, preprocessing and weights file of a timm model.

    Raises:
        BackboneError: timm has no such model, no weights for it, or it prepares pictures in a way of its own.
    """
    timm = _optional("timm")
    if not timm.is_model(architecture):
        close = ", ".join(difflib.get_close_matches(architecture, timm.list_models(), n=3))
        raise BackboneError(
            f"backbone = 'timm:{architecture}': timm has no such model" + (f"; near: {close}" * bool(close))
        )
    with torch.device("meta"):
        network = timm.create_model(architecture, pretrained=False, num_classes=0).eval()
        wanted = _optional("timm.data").resolve_data_config({}, model=network)
        features = network(torch.zeros(1, *wanted["input_size"]))
    _, height, width = wanted["input_size"]
    if height != width or wanted["crop_mode"] != "center":
        raise BackboneError(
            f"backbone = 'timm:{architecture}' does not take a square from the centre of pictures"
        )
    return (
        features.shape[1],
        Preprocessing(
            resize=int(height / wanted["crop_pct"]),
            crop=height,
            interpolation=wanted["interpolation"],
            mean=tuple(wanted["mean"]),
            std=tuple(wanted["std"]),
        ),
        _timm_weights(architecture, timm.get_pretrained_cfg(architecture)),
    )


def _timm_weights(architecture: str, published: Any) -> WeightsFile:
    """Where timm's weights are: in a release whose file names carry hashes, or else on the Hugging Face hub."""
    hashed = re.search(r"-([0-9a-f]{8,64})\.\w+$", published.url or "")
    if hashed:
        return WeightsFile(published.url.rsplit("/", 1)[-1], hashed[1], published.url)
    if published.hf_hub_id:
        url = f"https://huggingface.co/{published.hf_hub_id}/resolve/main/model.safetensors"
        return WeightsFile(published.hf_hub_id.replace("/", "-") + ".safetensors", "", url)
    raise BackboneError(
        f"backbone = 'timm:{architecture}' has no published weights; give your own with weights"
    )


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a PyTorch weights file, by name; no code in the file is run.

    Raises:
        WeightsError: It is damaged or no weights file.
    """
    try:
        state = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path)
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0][:150] if str(error) else type(error).__name__
        raise WeightsError(f"weights {path}: no PyTorch weights file, or a damaged one ({reason})") from error
    for wrapper in ("state_dict", "model"):
        if isinstance(state, Mapping) and isinstance(state.get(wrapper), Mapping):
            state = state[wrapper]
    tensors = (
        {name: value for name, value in state.items() if isinstance(value, torch.Tensor)}
        if isinstance(state, Mapping)
        else {}
    )
    if not tensors:
        raise WeightsError(f"weights {path}: holds no tensors by name (a state_dict is needed)")
    return {name.removeprefix("module."): value for name, value in tensors.items()}


def _read_pickle(path: Path) -> Any:
    return torch.load(path, map_location="cpu", weights_only=True)


def _read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    try:
        return _optional("safetensors.torch").load_file(path)
    except _optional("safetensors").SafetensorError as error:
        raise ValueError(str(error)) from error


def _optional(name: str) -> Any:
    """A package of the extra `timm`."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise BackboneError(f"{name} is not installed: pip install 'clustering-assets[timm]'") from error


def _build(backbone: Backbone) -> nn.Module:
    """The bare network, with its classification layer; timm's come without."""
    if backbone.library == "timm":
        return _optional("timm").create_model(backbone.architecture, pretrained=False, num_classes=0)
    if backbone.library == "efficientnet_lite":
        from efficientnet_lite_pytorch import EfficientNet

        return EfficientNet.from_name(backbone.architecture)
    return _torchvision(backbone.architecture)


def _torchvision(architecture: str) -> nn.Module:
    """A torchvision model as its published weights need it."""
    from torchvision import models

    # the only two whose weights come from TensorFlow and which change the normalisation themselves
    options = (
        {"transform_input": True, "init_weights": False}
        if architecture in ("googlenet", "inception_v3")
        else {}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return models.get_model(architecture, weights=None, **options)


def _dimension(build: Any) -> int:
    """Length of the input of a network's classification layer."""
    try:
        with torch.device("meta"):  # without memory for the weights
            network = build()
    except NotImplementedError:
        network = build()
    layer = network.get_submodule(_last_layer(network))
    return layer.in_channels if isinstance(layer, nn.Conv2d) else layer.in_features


def _head_name(network: nn.Module, backbone: Backbone) -> str:
    """Name of the classification layer, also where timm has left it out."""
    if backbone.library == "timm":
        return str(network.pretrained_cfg["classifier"])  # pyright: ignore
    return _last_layer(network)


def _last_layer(network: nn.Module) -> str:
    """Name of the classification layer: the last linear layer, or convolution, with one output per class."""
    for kind, outputs in ((nn.Linear, "out_features"), (nn.Conv2d, "out_channels")):
        names = [
            name
            for name, layer in network.named_modules()
            if isinstance(layer, kind) and getattr(layer, outputs) == CLASSES
        ]
        if names:
            return names[-1]
    raise BackboneError(f"{type(network).__name__} has no layer with {CLASSES} outputs to take off")


def _load(
    network: nn.Module, state: dict[str, torch.Tensor], head: str, backbone: Backbone, weights: Path
) -> None:
    """Fill the network; the classification layer of the file may be missing or of another size."""
    state = _renamed(state)
    wanted = {
        name: value.shape for name, value in network.state_dict().items() if not name.startswith(f"{head}.")
    }
    needed = {name for name in wanted if not name.endswith("num_batches_tracked") and not _auxiliary(name)}
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
    network.load_state_dict({name: state[name] for name in wanted.keys() & state.keys()}, strict=False)


def _auxiliary(name: str) -> bool:
    """Whether a tensor belongs to a branch that only training uses (GoogLeNet, Inception)."""
    return name.startswith(("aux1.", "aux2.", "AuxLogits."))


def _renamed(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """DenseNet's published files name `norm.1` what its modules call `norm1`."""
    old = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.(?=[12]\.)")
    return {old.sub(r"\1", name): value for name, value in state.items()}
