"""Class scores from features: the linear ImageNet layer that was taken off, for naming clusters."""

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clustering_assets.embedding.backbone import Backbone
from clustering_assets.embedding.cache import models_folder
from clustering_assets.embedding.catalogue import resolve_backbone
from clustering_assets.embedding.weights import TIMEOUT_SECONDS, hub_folder, obtain
from clustering_assets.storage import atomic_path

log = logging.getLogger("clustering_assets.embedding")


def class_scores(
    features: NDArray[np.float32],
    backbone: str,
    weights: Path | None = None,
    *,
    weights_id: str | None = None,
    cache_dir: Path | None = None,
    hub: Path | None = None,
    timeout: float = TIMEOUT_SECONDS,
) -> tuple[NDArray[np.float32], list[str]] | None:
    """What the network would call pictures with these features.

    The layer is linear, so the scores of a cluster's mean features are the mean of its pictures' scores.

    Args:
        features: Shape (k, d), from the same backbone and weights; not normalised.
        backbone: Name of the backbone that made them; never `auto`.
        weights: The user's own weights file, if one was used.
        weights_id: Which weights made the features; None if that is not known.
        cache_dir: Folder of the embedding cache, where the layer is kept so that the next call needs no torch.
        hub: Folder of fetched weights; torch's own by default.
        timeout: Longest silence of a server of weights, in seconds.

    Returns:
        Scores before softmax, float32, shape (k, 1000), and the 1000 words of ImageNet-1k; None if the
        network has no linear layer for them, or these weights are not the ones that made the features.

    Raises:
        BackboneError: The backbone is unknown.
        WeightsError: Its weights cannot be had.
    """
    facts = resolve_backbone(backbone, weights, memory=cache_dir, hub=hub, timeout=timeout)
    if weights_id not in (None, facts.weights_id):
        return None
    kept = (
        None
        if cache_dir is None
        else models_folder(cache_dir) / f"{facts.architecture}-{facts.fingerprint}.npz"
    )
    layer = _kept_layer(kept) or _layer(facts, kept, hub, timeout)
    if layer is None:
        return None
    matrix, offsets, words = layer
    return features @ matrix.T + offsets, words


_Layer = tuple[NDArray[np.float32], NDArray[np.float32], list[str]]


def _kept_layer(kept: Path | None) -> _Layer | None:
    """The layer from an earlier call; None if it was not kept or cannot be read any more."""
    if kept is None or not kept.exists():
        return None
    try:
        with np.load(kept, allow_pickle=False) as file:
            return file["matrix"], file["offsets"], file["words"].tolist()
    except Exception as error:  # noqa: BLE001 - a damaged archive raises errors of half a dozen kinds
        log.warning("%s cannot be read (%s): it is made anew", kept, error)
        return None


def _layer(backbone: Backbone, kept: Path | None, hub: Path | None, timeout: float) -> _Layer | None:
    """The layer from the weights file; kept for the next call where that is possible."""
    from torchvision.models import ResNet50_Weights

    from clustering_assets.embedding.state_dicts import classification_layer

    found = classification_layer(backbone, obtain(backbone.weights, hub or hub_folder(), timeout))
    if found is None:
        return None
    matrix, offsets = (tensor.numpy() for tensor in found)
    words: list[str] = ResNet50_Weights.DEFAULT.meta["categories"]
    if kept is not None:
        try:
            with atomic_path(kept) as partial, partial.open("wb") as file:
                np.savez(file, matrix=matrix, offsets=offsets, words=np.array(words))
        except OSError:
            return matrix, offsets, words
    return matrix, offsets, words
