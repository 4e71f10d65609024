"""The asset graph as an update goes along it; a new asset finds its place by what it depends on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from typing import Any

import dagster as dg

from clustering_assets.defs.data_versions import EVERY_UPDATE, ON_REQUEST, USES
from clustering_assets.defs.io_managers.base import OUTPUT
from clustering_assets.settings import Settings

ASSETS = "clustering_assets.defs.assets"
"""The package whose modules hold the assets."""


@dataclass(frozen=True)
class Stages:
    """Names of the assets that have no partitions, each after those that it depends on.

    Attributes:
        scans: They look at the disk: they begin every update and cost little when nothing has changed.
        middle: They follow from the scans, and the videos from them.
        on_request: They are made of the videos where somebody asks for it: the setting that does so, by name.
        closing: They show the videos too, or what was lost on the way to them.
        last: They tell of the update itself, and end every one.
        settings: Settings that the results of all of these depend on.
    """

    scans: tuple[str, ...]
    middle: tuple[str, ...]
    on_request: dict[str, str]
    closing: tuple[str, ...]
    last: tuple[str, ...]
    settings: frozenset[str]

    @property
    def recorded(self) -> tuple[str, ...]:
        """Those whose record the summary shows."""
        return (*self.scans, *self.middle, *self.on_request, *self.closing)

    def asked_for(self, settings: Settings) -> list[str]:
        """Those of `on_request` that the settings ask for."""
        return [name for name, setting in self.on_request.items() if getattr(settings, setting)]


def stages_of(specs: Iterable[dg.AssetSpec]) -> Stages:
    """The stages of a graph of assets. What has no output of its own is left out: it is made elsewhere."""
    every = {spec.key.to_user_string(): spec for spec in specs if OUTPUT in spec.metadata}
    asked = {name: spec.metadata[ON_REQUEST] for name, spec in every.items() if ON_REQUEST in spec.metadata}
    made = {name: spec for name, spec in every.items() if name not in asked}
    above = {
        name: {dep.asset_key.to_user_string() for dep in made[name].deps} & made.keys()
        for name in sorted(made)
    }
    plain = [name for name in TopologicalSorter(above).static_order() if made[name].partitions_def is None]
    below = made.keys() - plain
    for name in plain:
        if above[name] & below:
            below |= {name}
    return Stages(
        scans=tuple(name for name in plain if not above[name]),
        middle=tuple(name for name in plain if above[name] and name not in below),
        on_request=asked,
        closing=tuple(name for name in plain if name in below and not made[name].metadata.get(EVERY_UPDATE)),
        last=tuple(name for name in plain if name in below and made[name].metadata.get(EVERY_UPDATE)),
        settings=frozenset(used for name in plain for used in made[name].metadata.get(USES, ())),
    )


@cache
def project_assets() -> Sequence[Any]:
    """Every asset of the project, and the specs of those that are made elsewhere."""
    return dg.load_assets_from_package_name(ASSETS, include_specs=True)


def project_specs() -> list[dg.AssetSpec]:
    """The specs of all of them."""
    return [spec for asset in project_assets() for spec in getattr(asset, "specs", [asset])]


@cache
def project_stages() -> Stages:
    """The stages of this project."""
    return stages_of(project_specs())
