"""Class scores from features: the linear ImageNet layer that was taken off, for naming clusters."""

import logging
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clustering_assets.embedding.backbone import Backbone
from clustering_assets.embedding.cache import models_folder
from clustering_assets.embedding.catalogue import NetworkSpec
from clustering_assets.storage import atomic_path

log = logging.getLogger("clustering_assets.embedding")


def class_scores(
    features: NDArray[np.float32],
    network: NetworkSpec,
    *,
    weights_id: str | None = None,
    cache_dir: Path | None = None,
) -> tuple[NDArray[np.float32], list[str]] | None:
    """What the network would call pictures with these features.

    The layer is linear, so the scores of a cluster's mean features are the mean of its pictures' scores.

    Args:
        features: Shape (k, d), from the same backbone and weights; not normalised.
        network: What made them; its backbone is never `auto`.
        weights_id: Which weights made the features; None if that is not known.
        cache_dir: Folder of the embedding cache, where the layer is kept so that the next call needs no torch.

    Returns:
        Scores before softmax over the network's temperature, float32, shape (k, 1000), and the 1000 words of
        ImageNet-1k; None if the network has no linear layer for them, or these weights are not the ones that made the
        features.

    Raises:
        BackboneError: The backbone is unknown.
        WeightsError: Its weights cannot be had.
    """
    facts = network.resolve(memory=cache_dir)
    if weights_id not in (None, facts.weights_id):
        return None
    kept = (
        None
        if cache_dir is None
        else models_folder(cache_dir) / f"{facts.architecture}-{facts.fingerprint}.npz"
    )
    layer = _kept_layer(kept) or _read_layer(facts, kept, network)
    if layer is None:
        return None
    return (features @ layer.matrix.T + layer.offsets) / np.float32(facts.temperature), layer.words


class _Layer(NamedTuple):
    """A linear classification layer: matrix (classes, d), offsets (classes,), and the name of each class."""

    matrix: NDArray[np.float32]
    offsets: NDArray[np.float32]
    words: list[str]


def _kept_layer(kept: Path | None) -> _Layer | None:
    """The layer from an earlier call; None if it was not kept or cannot be read any more."""
    if kept is None or not kept.exists():
        return None
    try:
        with np.load(kept, allow_pickle=False) as file:
            return _Layer(file["matrix"], file["offsets"], file["words"].tolist())
    except Exception as error:  # noqa: BLE001 - a damaged archive raises errors of half a dozen kinds
        log.warning("%s cannot be read (%s): it is made anew", kept, error)
        return None


def _read_layer(backbone: Backbone, kept: Path | None, network: NetworkSpec) -> _Layer | None:
    """The layer from the weights file; kept for the next call where that is possible."""
    from torchvision.models import ResNet50_Weights

    from clustering_assets.embedding.state_dicts import classification_layer

    found = classification_layer(backbone, network.obtain(backbone))
    if found is None:
        return None
    matrix, offsets = (tensor.numpy() for tensor in found)
    layer = _Layer(matrix, offsets, ResNet50_Weights.DEFAULT.meta["categories"])
    if kept is not None:
        with suppress(OSError), atomic_path(kept) as partial, partial.open("wb") as file:
            np.savez(file, matrix=layer.matrix, offsets=layer.offsets, words=np.array(layer.words))
    return layer
