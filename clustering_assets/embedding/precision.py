"""Whether a network may compute in fewer bits: measured once against float32, on pictures made for it."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clustering_assets.embedding.backbone import Backbone
from clustering_assets.embedding.memory import recall, remember
from clustering_assets.embedding.runtime import Plan, Runtime, features

log = logging.getLogger("clustering_assets.embedding")

MEAN, LEAST = 0.999, 0.99
"""Cosines with float32, on average and of any picture, that a precision has to reach."""

TRIALS = 16
"""Pictures that a precision is tried on."""


@dataclass(frozen=True)
class Agreement:
    """Cosines between the vectors of two runtimes.

    Attributes:
        mean: On average over the pictures; 0 if a vector is not finite.
        least: Of the picture on which they differ most.
    """

    mean: float
    least: float

    @property
    def is_good(self) -> bool:
        """Whether the one may stand for the other."""
        return self.mean >= MEAN and self.least >= LEAST


def settle(plan: Plan, backbone: Backbone, start: Callable[[Plan], Runtime], models: Sequence[Path]) -> Plan:
    """The plan, in float32 if its own precision turns this network's vectors too far.

    Published figures on half precision are about whole families of networks; some, with a few extreme weights, are
    no longer themselves in it. So each network is tried once with its actual weights, and the verdict is kept.

    Args:
        plan: From `plan_runtime`.
        backbone: The network.
        start: Starts it.
        models: Folders in which verdicts are kept; the first that can be written to is used.
    """
    if plan.precision == "float32":
        return plan
    if plan.runtime == "openvino" and backbone.library == "timm":
        # in bfloat16 OpenVINO (2026.4) ends the process on some of timm's transformers, so not even a trial is possible
        return replace(plan, precision="float32")
    name = f"{backbone.architecture}-{backbone.fingerprint}-agreement.json"
    key = f"{plan.runtime} {version(plan.runtime)} {plan.device} {plan.precision}"
    kept = (recall(folder / name).get(key) for folder in models)
    agreement = next(filter(None, map(_agreement, kept)), None)
    if agreement is None:
        views = trial_views(backbone.preprocessing.side)
        exact = features(start(replace(plan, precision="float32")), views)
        agreement = agree(features(start(plan), views), exact)
        for folder in models:
            if remember(folder / name, {key: asdict(agreement)}):
                break
    verdict = f"cosine with float32 {agreement.mean:.4f} on average, {agreement.least:.4f} at least"
    if agreement.is_good:
        log.info("%s in %s: %s", backbone.name, plan.precision, verdict)
        return plan
    log.warning(
        "%s loses too much in %s (%s): float32 is used, which is slower",
        backbone.name,
        plan.precision,
        verdict,
    )
    return replace(plan, precision="float32")


def agree(ours: NDArray[np.float32], exact: NDArray[np.float32]) -> Agreement:
    """How well vectors agree with exact ones, row by row; both of shape (n, d)."""
    if not np.isfinite(ours).all():
        return Agreement(0.0, 0.0)
    a, b = ours.astype(float), exact.astype(float)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosine = np.where(lengths > 0, (a * b).sum(axis=1) / np.maximum(lengths, 1e-300), (a == b).all(axis=1))
    return Agreement(float(cosine.mean()), float(cosine.min()))


def trial_views(side: int) -> NDArray[np.uint8]:
    """Pictures that are hard for low precision: flat grounds, ramps and discs, some with grain or stripes.

    Args:
        side: Of the network's input, in pixels.

    Returns:
        Shape (TRIALS, side, side, 3); always the same.
    """
    chance = np.random.default_rng(0)
    y, x = np.mgrid[0:side, 0:side] / side
    views = []
    for number in range(TRIALS):
        start, end = chance.uniform(0, 255, (2, 3))
        angle = chance.uniform(0, 2 * np.pi) if number % 4 else np.nan
        ramp = np.nan_to_num(np.cos(angle) * x + np.sin(angle) * y)[..., None]
        view = start + (end - start) * ramp
        for _ in range(number % 8):
            across, down, radius = chance.uniform((0, 0, 0.05), (1, 1, 0.4))
            disc = (x - across) ** 2 + (y - down) ** 2 < radius**2
            view[disc] = chance.uniform(0, 255, 3)
        if number % 3 == 2:
            view = view + chance.normal(0, 20, view.shape)
        if number % 5 == 4:
            view = view + 40 * np.sin(2 * np.pi * chance.uniform(3, 40) * x)[..., None]
        views.append(view)
    return np.clip(views, 0, 255).astype(np.uint8)


def _agreement(facts: object) -> Agreement | None:
    """A verdict that was kept."""
    try:
        return Agreement(**facts)  # type: ignore[arg-type]
    except TypeError:
        return None
