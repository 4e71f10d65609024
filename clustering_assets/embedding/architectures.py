"""Bare networks by name, as torchvision, timm and EfficientNet-Lite build them, and what is published about them."""

import difflib
import importlib
import re
import warnings
from typing import Any

import torch
from torch import nn

from clustering_assets.clustering.imagenet_kinds import CLASSES
from clustering_assets.embedding.backbone import Backbone, BackboneError
from clustering_assets.embedding.preprocessing import Preprocessing
from clustering_assets.embedding.weights import WeightsFile


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
            side=transform.crop_size[0],
            interpolation=transform.interpolation.value,
            mean=tuple(transform.mean),
            std=tuple(transform.std),
        ),
        WeightsFile(name=name, digest=re.sub(r".*-([0-9a-f]+)\.\w+$", r"\1", name), url=best.url),
    )


def describe_timm(architecture: str) -> tuple[int, Preprocessing, WeightsFile]:
    """Dimension, preprocessing and weights file of a timm model.

    Raises:
        BackboneError: timm has no such model, no weights for it, or it does not take squares.
    """
    timm = optional("timm")
    if not timm.is_model(architecture):
        close = ", ".join(difflib.get_close_matches(architecture, timm.list_models(), n=3))
        raise BackboneError(
            f"backbone = 'timm:{architecture}': timm has no such model" + (f"; near: {close}" * bool(close))
        )
    with torch.device("meta"):
        network = timm.create_model(architecture, pretrained=False, num_classes=0).eval()
        wanted = optional("timm.data").resolve_data_config({}, model=network)
        features = network(torch.zeros(1, *wanted["input_size"]))
    _, height, width = wanted["input_size"]
    if height != width:
        raise BackboneError(
            f"backbone = 'timm:{architecture}' takes pictures of {width}x{height}, not squares"
        )
    return (
        features.shape[1],
        Preprocessing(
            side=height,
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


def optional(name: str) -> Any:
    """A package of the extra `timm`."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise BackboneError(f"{name} is not installed: pip install timm") from error


def build(backbone: Backbone) -> nn.Module:
    """The bare network, with its classification layer; timm's come without."""
    if backbone.library == "timm":
        return optional("timm").create_model(backbone.architecture, pretrained=False, num_classes=0)
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
    layer = network.get_submodule(last_layer(network))
    return layer.in_channels if isinstance(layer, nn.Conv2d) else layer.in_features


def head_name(network: nn.Module, backbone: Backbone) -> str:
    """Name of the classification layer, also where timm has left it out."""
    if backbone.library == "timm":
        return str(network.pretrained_cfg["classifier"])  # pyright: ignore
    return last_layer(network)


def last_layer(network: nn.Module) -> str:
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
