"""One backbone: a pretrained network without its classification layer, and what identifies its vectors."""

import hashlib
import json
from dataclasses import dataclass, field

from clustering_assets.embedding.preprocessing import Preprocessing
from clustering_assets.embedding.weights import WeightsFile
from clustering_assets.errors import ClusteringError

VERSION = 2
"""Raised whenever the same pixels would come out of the same network as another vector."""


class BackboneError(ClusteringError):
    """A name that is no backbone, or a network that cannot be built; the message says what to do."""


@dataclass(frozen=True)
class Backbone:
    """A pretrained network without its classification layer.

    Attributes:
        name: The name it is asked for.
        library: Where its definition comes from: `efficientnet_lite`, `torchvision` or `timm`.
        architecture: Its name there.
        dimension: Length of its vectors: the input of the classification layer, pooled over the picture.
        preprocessing: What it expects of its pictures.
        weights: The file of its weights.
        warning: What the user should know about this choice, or empty.
        temperature: What its class scores are divided by so that they say as much as those of EfficientNet-Lite0, by
            which the rules for names were set; 1 where that was not measured.
    """

    name: str
    library: str
    architecture: str
    dimension: int
    preprocessing: Preprocessing
    weights: WeightsFile
    warning: str = field(default="", compare=False)
    temperature: float = 1.0

    @property
    def weights_id(self) -> str:
        """The beginning of the SHA-256 of the weights file; its name where no hash is published."""
        return self.weights.identity

    @property
    def fingerprint(self) -> str:
        """Digest of all that decides the vector of a picture, save the arithmetic's precision."""
        facts = [VERSION, self.library, self.architecture, self.weights_id, self.preprocessing.as_dict()]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
