"""The networks themselves, as torch modules from raw pixels to pooled features, with their weights loaded."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from clustering_assets.embedding.architectures import build, head_name
from clustering_assets.embedding.backbone import Backbone
from clustering_assets.embedding.preprocessing import Preprocessing
from clustering_assets.embedding.state_dicts import fill, published_state


class FeatureNetwork(nn.Module):
    """Raw pixels in, pooled features out: normalisation and a network without its classification layer."""

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, trunk: nn.Module, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.trunk = trunk
        self.side = preprocessing.side
        self.kind = torch.float32
        self.register_buffer("mean", 255 * torch.tensor(preprocessing.mean).view(1, 3, 1, 1))
        self.register_buffer("scale", 1 / (255 * torch.tensor(preprocessing.std).view(1, 3, 1, 1)))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Features of a batch.

        Args:
            pixels: uint8, shape (n, side, side, 3), RGB.

        Returns:
            float32, shape (n, dimension).
        """
        normal = (pixels.permute(0, 3, 1, 2).float() - self.mean) * self.scale
        return self.trunk(normal.to(self.kind)).float().flatten(1)


def feature_network(backbone: Backbone, weights: Path) -> FeatureNetwork:
    """The network with its weights, ready for inference on the CPU in float32.

    Raises:
        WeightsError: The file is no PyTorch weights file, or belongs to another network.
    """
    trunk = build(backbone)
    head = head_name(trunk, backbone)
    fill(trunk, published_state(trunk, backbone, weights), head, backbone, weights)
    if backbone.library != "timm":
        _replace(trunk, trunk.get_submodule(head), nn.Identity())
    return FeatureNetwork(trunk, backbone.preprocessing).eval().requires_grad_(False)


def fold_batch_norms(network: FeatureNetwork) -> FeatureNetwork:
    """The same network with batch normalisations folded into the convolutions before them, where that is exact.

    It is faster, and in bfloat16 closer to float32, because a convolution's result is rounded once.

    Args:
        network: On the CPU, in float32.

    Returns:
        A copy; `network` itself if folding would change what it computes.
    """
    folded = copy.deepcopy(network)
    steps = _steps(folded)
    for step in steps:
        convolution, norm = None if step.before is None else steps[step.before].layer, step.layer
        if not isinstance(convolution, nn.Conv2d) or type(norm) is not nn.BatchNorm2d:
            continue
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
    example = _example(network)
    with torch.inference_mode():
        same = torch.allclose(folded(example), network(example), rtol=1e-2, atol=1e-3)
    return folded.requires_grad_(False) if same else network


def lower_precision(network: FeatureNetwork, kind: torch.dtype) -> None:
    """Let a network compute in another type; in bfloat16 the way to its first depthwise convolution stays exact.

    That convolution and the one before it have few weights, and are most of what bfloat16 costs: rounding
    the weights of EfficientNet-Lite0's first depthwise convolution turns its vectors by up to 0.015 in cosine,
    rounding what goes into it by another 0.010, and rounding any other layer by less than 0.001.

    Args:
        network: On the CPU, in float32, with batch normalisations folded (`fold_batch_norms`); changed in place.
        kind: Type of the arithmetic.
    """
    way = _way_to_depthwise(network) if kind == torch.bfloat16 else []
    exact = copy.deepcopy(way)
    network.kind = kind
    network.trunk.to(kind)
    if not way:
        return
    first = _Unrounded(exact[0]) if len(way) > 1 else None
    if first is not None:
        _replace(network, way[0], first)
    _replace(network, way[-1], _Exact(exact[-1], first, exact[1:-1]))


class _Unrounded(nn.Module):
    """A convolution in float32 that keeps its result as it is for the layer that asks for it (`_Exact`)."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer
        self.result: torch.Tensor | None = None

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.layer(values.float())
        self.result = result
        return result.to(values.dtype)

    def take(self) -> torch.Tensor:
        """The unrounded result, once."""
        assert self.result is not None
        result, self.result = self.result, None
        return result


class _Exact(nn.Module):
    """A layer in float32 that takes what an earlier one kept unrounded, through the layers between the two."""

    def __init__(self, layer: nn.Module, source: _Unrounded | None, between: list[nn.Module]) -> None:
        super().__init__()
        self.layer = layer
        self.between = nn.Sequential(*between)
        self._source = [source]  # in a list, so that it is not one of this layer's own parts

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        source = self._source[0]
        exact = values.float() if source is None else self.between(source.take())
        return self.layer(exact).to(values.dtype)


@dataclass(frozen=True)
class _Step:
    """One layer at work, and the number of the step whose result it takes; None if it takes something else."""

    layer: nn.Module
    before: int | None


def _steps(network: FeatureNetwork) -> list[_Step]:
    """The layers (`_layers`), in the order in which they work."""
    results: dict[int, int] = {}
    kept: list[Any] = []  # the results, so that no other tensor gets the id of one
    steps: list[_Step] = []

    def works(layer: nn.Module, inputs: tuple[Any, ...], result: Any) -> None:
        steps.append(_Step(layer, results.get(id(inputs[0])) if inputs else None))
        results[id(result)] = len(steps) - 1
        kept.append(result)

    hooks = [layer.register_forward_hook(works) for layer in _layers(network)]
    with torch.inference_mode():
        network(_example(network))
    for hook in hooks:
        hook.remove()
    return steps


def _layers(network: nn.Module) -> Iterator[nn.Module]:
    """The parts that have no parts themselves; a convolution counts as one, also where it does its own padding."""
    for part in network.children():
        if isinstance(part, nn.Conv2d) or not any(True for _ in part.children()):
            yield part
        else:
            yield from _layers(part)


def _way_to_depthwise(network: FeatureNetwork) -> list[nn.Module]:
    """The first depthwise convolution, after the convolution and the layers without weights that lead to it."""
    steps = _steps(network)
    number = next((number for number, step in enumerate(steps) if _is_depthwise(step.layer)), None)
    way: list[nn.Module] = []
    while number is not None:
        way.insert(0, steps[number].layer)
        if len(way) > 1 and any(True for _ in way[0].parameters()):
            break
        number = steps[number].before
    if len(way) > 1 and not isinstance(way[0], nn.Conv2d):
        return way[-1:]
    return way


def _is_depthwise(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Conv2d) and layer.groups == layer.in_channels > 1


def _example(network: FeatureNetwork) -> torch.Tensor:
    """One picture of noise in the network's size."""
    chance = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (1, network.side, network.side, 3), generator=chance).byte()


def _replace(network: nn.Module, old: nn.Module, new: nn.Module) -> None:
    """Put a layer in the place of another."""
    name = next(name for name, layer in network.named_modules() if layer is old)
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, new)
